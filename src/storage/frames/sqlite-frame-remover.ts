import type { DeviceId } from '../../model/device-id.js'
import { repeatForAStep } from '../repeat-for-a-step.js'
import { giveBackFreePages, type SqliteConnection } from '../sqlite-connection.js'
import type { SqliteFrameLinks } from './sqlite-frame-links.js'
import { linkDay } from './sqlite-frame-schema.js'

/** Where a removal by age stands: devices up to this number are done; undefined: the oldest of all come first. */
export interface FrameRemovalStep {
  readonly beforeMs: number
  readonly afterDevice: number | undefined
}

export interface FrameRemovalResult {
  readonly removed: number
  /** The next step; undefined: there is nothing older left. */
  readonly next: FrameRemovalStep | undefined
}

export interface TrimResult {
  readonly removed: number
  /** There is no more than there may be, or nothing is left. */
  readonly isDone: boolean
}

/** Rows of one statement: a few milliseconds. */
const ROWS_AT_ONCE = 500
/** Of a frame, besides its bytes. */
const ROW_BYTES = 30
/** A batch waits so long at most for older frames to give way. */
const TRIM_MS = 50
const PAGES_AT_ONCE = 200

/** Removes frames in steps, each a short transaction of its own between two batches. */
export class SqliteFrameRemover {
  private readonly listOldest
  private readonly deleteUpTo
  private readonly findNextDevice
  private readonly findDevice
  private readonly findOldestOf
  private readonly deleteSome
  private readonly deleteLinks
  private readonly deleteDevice

  /** @param mostBytes of the file; when it holds more, the oldest frames give way */
  constructor(
    private readonly connection: SqliteConnection,
    private readonly links: SqliteFrameLinks,
    private readonly mostBytes: number,
  ) {
    this.listOldest = connection.prepareQuery(
      `SELECT id, time, length(bytes) FROM frames ORDER BY id LIMIT ${ROWS_AT_ONCE}`,
    )
    this.deleteUpTo = connection.prepareWrite('DELETE FROM frames WHERE id <= ?')
    this.findNextDevice = connection.prepareQuery('SELECT n, id FROM devices WHERE n > ? ORDER BY n LIMIT 1')
    this.findDevice = connection.prepareQuery('SELECT n FROM devices WHERE id = ?')
    this.findOldestOf = connection.prepareQuery('SELECT min(time) FROM frames WHERE device = ?')
    this.deleteSome = connection.prepareWrite(
      `DELETE FROM frames WHERE id IN (SELECT id FROM frames WHERE device = ? AND time < ? ORDER BY time LIMIT ${ROWS_AT_ONCE})`,
    )
    this.deleteLinks = connection.prepareWrite(
      `DELETE FROM links WHERE (device, day, n) IN
         (SELECT device, day, n FROM links WHERE device = ? AND day < ? LIMIT ${ROWS_AT_ONCE})`,
    )
    this.deleteDevice = connection.prepareWrite('DELETE FROM devices WHERE n = ?')
  }

  /**
   * Removes some of a device, at last the device itself, in one transaction with its last frames.
   * @returns whether nothing is left
   */
  eraseStep(deviceId: DeviceId): boolean {
    this.links.forget(deviceId)
    return this.connection.transact(() => {
      const n = this.findDevice.get([deviceId])?.[0]
      if (typeof n !== 'number') return true
      return repeatForAStep(
        () => this.deleteSome.run([n, Number.POSITIVE_INFINITY]) < ROWS_AT_ONCE && this.tidy(n, deviceId),
      )
    })
  }

  /**
   * Removes some frames from before the moment: first in the order of arrival, which frees whole pages, then what is left, where the
   * clock went back, and the links of days that are over, device by device.
   */
  removeStep(step: FrameRemovalStep): FrameRemovalResult {
    return step.afterDevice === undefined ? this.removeOldest(step) : this.removeByDevice(step, step.afterDevice)
  }

  /**
   * Lets the oldest frames give way while there is too much.
   */
  trim(): TrimResult {
    const untilMs = performance.now() + TRIM_MS
    let removed = 0
    for (let excess = this.countExcess(); excess > 0; excess = this.countExcess()) {
      if (performance.now() >= untilMs) return { removed, isDone: false }
      const some = this.connection.transact(() => this.removeBytes(excess))
      if (some === 0) break
      removed += some
    }
    return { removed, isDone: true }
  }

  /** Gives free pages back to the disk, or else lets the oldest frames go, while the file is larger than this. */
  shrinkStep(mostBytes: number): TrimResult {
    if (this.readPragma('page_count') * this.readPragma('page_size') <= mostBytes) return { removed: 0, isDone: true }
    const free = this.readPragma('freelist_count')
    if (free > 0) {
      this.connection.exec(`PRAGMA incremental_vacuum(${PAGES_AT_ONCE})`)
      return { removed: 0, isDone: this.readPragma('freelist_count') === free }
    }
    return this.connection.transact(() => {
      let removed = 0
      const isDone = repeatForAStep(() => {
        const some = this.removeBytes(PAGES_AT_ONCE * this.readPragma('page_size'))
        removed += some
        return some === 0
      })
      return { removed, isDone: isDone && removed === 0 }
    })
  }

  /** @returns whether there is more to give back to the disk */
  giveBackStep(): boolean {
    return giveBackFreePages(this.connection, PAGES_AT_ONCE)
  }

  private removeOldest({ beforeMs }: FrameRemovalStep): FrameRemovalResult {
    return this.connection.transact(() => {
      let removed = 0
      const isDone = repeatForAStep(() => {
        const rows = this.listOldest.all()
        const newer = rows.findIndex((row) => Number(row[1]) >= beforeMs)
        const last = newer < 0 ? rows.at(-1) : rows[newer - 1]
        if (last) removed += this.deleteUpTo.run([Number(last[0])])
        return newer >= 0 || rows.length === 0
      })
      return { removed, next: { beforeMs, afterDevice: isDone ? 0 : undefined } }
    })
  }

  private removeByDevice({ beforeMs }: FrameRemovalStep, afterDevice: number): FrameRemovalResult {
    return this.connection.transact(() => {
      let removed = 0
      let done = afterDevice
      const isEnd = repeatForAStep(() => {
        const device = this.findNextDevice.get([done])
        if (!device) return true
        const [n, id] = [Number(device[0]), String(device[1])]
        const some = this.deleteSome.run([n, beforeMs])
        removed += some
        if (some < ROWS_AT_ONCE && this.tidy(n, id)) done = n
        return false
      })
      return { removed, next: isEnd ? undefined : { beforeMs, afterDevice: done } }
    })
  }

  /**
   * Removes some links of days that no frame of the device is from, and a device that has nothing any more.
   * @returns whether it is tidy
   */
  private tidy(n: number, deviceId: DeviceId): boolean {
    const oldestMs = this.findOldestOf.get([n])?.[0]
    const isEmpty = typeof oldestMs !== 'number'
    const links = this.deleteLinks.run([n, isEmpty ? Number.POSITIVE_INFINITY : linkDay(oldestMs)])
    if (links > 0 || isEmpty) this.links.forget(deviceId)
    if (links === ROWS_AT_ONCE) return false
    if (isEmpty) this.deleteDevice.run([n])
    return true
  }

  /** Removes the oldest frames that take so many bytes, or as many as go at once. */
  private removeBytes(bytes: number): number {
    let left = bytes
    let last: number | undefined
    for (const [id, , length] of this.listOldest.all()) {
      last = Number(id)
      left -= Number(length) + ROW_BYTES
      if (left <= 0) break
    }
    return last === undefined ? 0 : this.deleteUpTo.run([last])
  }

  /** How many bytes there are too much. */
  private countExcess(): number {
    const usedPages = this.readPragma('page_count') - this.readPragma('freelist_count')
    return usedPages * this.readPragma('page_size') - this.mostBytes
  }

  private readPragma(name: 'page_count' | 'freelist_count' | 'page_size'): number {
    return this.connection.queryNumber(`PRAGMA ${name}`)
  }
}
