import type { DeviceId } from '../../model/device-id.js'
import type { SqliteConnection } from '../sqlite-connection.js'

/** What the writer must know of a device to say what of an append is new and which is the latest. */
export interface DeviceState {
  /** The device's number in the file. */
  readonly n: number
  /** No stored record has a later key (time, then discriminator) than this; −∞: none is stored. */
  lastTimeMs: number
  lastDiscriminator: number
  /** Key of the latest fix; −∞: there is none. */
  fixTimeMs: number
  fixDiscriminator: number
}

/** About 200 bytes each; beyond this all are forgotten and read again when needed. */
const MOST_STATES = 200_000

/**
 * States of the devices that were written to, read from the file once. Only to be used inside a write transaction: then
 * nobody else can write, and whether somebody did before is asked first.
 */
export class SqliteDeviceStates {
  private readonly states = new Map<DeviceId, DeviceState>()
  private readonly findVersion
  private readonly findState
  private readonly insertDevice
  private version: unknown

  constructor(connection: SqliteConnection) {
    this.findVersion = connection.prepareQuery('PRAGMA data_version')
    const lastKey = 'FROM positions p WHERE p.device = d.n ORDER BY p.time DESC, p.disc DESC LIMIT 1'
    this.findState = connection.prepareQuery(
      `SELECT d.n, (SELECT p.time ${lastKey}), (SELECT p.disc ${lastKey}), l.time, l.disc
       FROM devices d LEFT JOIN latest l ON l.device = d.n WHERE d.id = ?`,
    )
    this.insertDevice = connection.prepareWrite('INSERT INTO devices(id) VALUES (?)')
  }

  /** Forgets everything when another connection has written to the file, such as a second process by mistake. */
  forgetIfOthersWrote(): void {
    const version = this.findVersion.get()?.[0]
    if (version !== this.version) this.forgetAll()
    this.version = version
  }

  /** The state of a device, which is given a number if it has none. */
  get(id: DeviceId): DeviceState {
    let state = this.states.get(id)
    if (state) return state
    state = this.read(id)
    if (!state) {
      this.insertDevice.run([id])
      state = this.read(id)
      if (!state) throw new Error('a device that was just added is not there')
    }
    if (this.states.size >= MOST_STATES) this.states.clear()
    this.states.set(id, state)
    return state
  }

  forget(id: DeviceId): void {
    this.states.delete(id)
  }

  /** For when a transaction failed: what it changed here did not happen. */
  forgetAll(): void {
    this.states.clear()
  }

  private read(id: DeviceId): DeviceState | undefined {
    const row = this.findState.get([id])
    if (!row) return undefined
    const orNone = (index: number): number => (typeof row[index] === 'number' ? row[index] : Number.NEGATIVE_INFINITY)
    return {
      n: Number(row[0]),
      lastTimeMs: orNone(1),
      lastDiscriminator: orNone(2),
      fixTimeMs: orNone(3),
      fixDiscriminator: orNone(4),
    }
  }
}
