import type { DeviceId } from '../../model/device-id.js'
import { repeatForAStep } from '../repeat-for-a-step.js'
import { giveBackFreePages, type SqliteConnection, type SqliteRow } from '../sqlite-connection.js'
import type { SqliteDeviceStates } from './sqlite-device-states.js'

/** Where a removal by age stands: devices up to this number are done. */
export interface RemovalStep {
  readonly beforeMs: number
  readonly afterDevice: number
}

export interface RemovalResult {
  readonly removed: number
  /** Where the next step begins; undefined: there is nothing older left. */
  readonly next: number | undefined
}

/** Rows of one statement: about 2 ms. */
const ROWS_AT_ONCE = 500
const PAGES_AT_ONCE = 200

/** Removes rows in steps, each a short transaction of its own between two appends. */
export class SqlitePositionRemover {
  private readonly findDevice
  private readonly findNextDevice
  private readonly findEnd
  private readonly deleteBefore
  private readonly deleteLatest
  private readonly deleteDevice

  constructor(
    private readonly connection: SqliteConnection,
    private readonly deviceStates: SqliteDeviceStates,
  ) {
    this.findDevice = connection.prepareQuery('SELECT n FROM devices WHERE id = ?')
    this.findNextDevice = connection.prepareQuery(
      'SELECT d.n, l.time, l.disc FROM devices d LEFT JOIN latest l ON l.device = d.n WHERE d.n > ? ORDER BY d.n LIMIT 1',
    )
    this.findEnd = connection.prepareQuery(
      `SELECT time, disc FROM positions WHERE device = ? AND time < ? ORDER BY time, disc LIMIT 1 OFFSET ${ROWS_AT_ONCE}`,
    )
    this.deleteBefore = connection.prepareWrite(
      'DELETE FROM positions WHERE device = ? AND (time, disc) < (?, ?) AND (time IS NOT ? OR disc IS NOT ?)',
    )
    this.deleteLatest = connection.prepareWrite('DELETE FROM latest WHERE device = ?')
    this.deleteDevice = connection.prepareWrite('DELETE FROM devices WHERE n = ?')
  }

  /**
   * Removes some of a device, its place on the map first. The device itself goes with its last rows in one transaction, so
   * that a row which was appended meanwhile is never left without its device.
   * @returns whether nothing is left
   */
  eraseStep(deviceId: DeviceId): boolean {
    this.deviceStates.forget(deviceId)
    return this.connection.transact(() => {
      const n = this.findDevice.get([deviceId])?.[0]
      if (typeof n !== 'number') return true
      this.deleteLatest.run([n])
      return repeatForAStep(() => {
        if (!this.removeSome(n, Number.POSITIVE_INFINITY, [null, null]).isDone) return false
        this.deleteDevice.run([n])
        return true
      })
    })
  }

  /** Removes some rows older than the moment, device by device. The row that is a device's latest fix stays. */
  removeStep({ beforeMs, afterDevice }: RemovalStep): RemovalResult {
    return this.connection.transact(() => {
      let removed = 0
      let done = afterDevice
      const isEnd = repeatForAStep(() => {
        const device = this.findNextDevice.get([done])
        if (!device) return true
        const n = Number(device[0])
        const some = this.removeSome(n, beforeMs, [numberOrNull(device[1]), numberOrNull(device[2])])
        removed += some.removed
        if (some.isDone) done = n
        return false
      })
      return { removed, next: isEnd ? undefined : done }
    })
  }

  /** @returns whether there is more to give back to the disk */
  giveBackStep(): boolean {
    return giveBackFreePages(this.connection, PAGES_AT_ONCE)
  }

  /** Removes the first rows of one device that are older than the moment, except the one with the key to keep. */
  private removeSome(n: number, beforeMs: number, keep: readonly [number | null, number | null]) {
    const end = this.findEnd.get([n, beforeMs])
    const endKey = end ? [Number(end[0]), Number(end[1])] : [beforeMs, Number.NEGATIVE_INFINITY]
    return { removed: this.deleteBefore.run([n, ...endKey, ...keep]), isDone: !end }
  }
}

function numberOrNull(value: SqliteRow[number] | undefined): number | null {
  return typeof value === 'number' ? value : null
}
