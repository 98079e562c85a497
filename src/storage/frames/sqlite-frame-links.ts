import type { DeviceId } from '../../model/device-id.js'
import type { SqliteConnection } from '../sqlite-connection.js'
import type { FrameLink } from './frame-batch.js'
import { linkDay } from './sqlite-frame-schema.js'

/** A device's number, and those of its links of one day. */
interface DeviceState {
  readonly n: number
  day: number
  lastLink: number
  readonly links: Map<string, number>
}

/** Some 300 bytes each; beyond this all are forgotten and read again when needed. */
const MOST_STATES = 50_000
/** Of one device; a link that was forgotten is given another number when it is heard again. */
const MOST_LINKS = 50

/** Numbers of devices and links, which are given when first heard. Only to be used inside a write transaction. */
export class SqliteFrameLinks {
  private readonly states = new Map<DeviceId, DeviceState>()
  private readonly findVersion
  private readonly findDevice
  private readonly insertDevice
  private readonly findLastLink
  private readonly insertLink
  private version: unknown

  constructor(connection: SqliteConnection) {
    this.findVersion = connection.prepareQuery('PRAGMA data_version')
    this.findDevice = connection.prepareQuery('SELECT n FROM devices WHERE id = ?')
    this.insertDevice = connection.prepareWrite('INSERT INTO devices(id) VALUES (?)')
    this.findLastLink = connection.prepareQuery('SELECT max(n) FROM links WHERE device = ? AND day = ?')
    this.insertLink = connection.prepareWrite(
      'INSERT INTO links(device, day, n, protocol, name) VALUES (?, ?, ?, ?, ?)',
    )
  }

  /** Forgets everything when another connection has written to the file, such as a second process by mistake. */
  forgetIfOthersWrote(): void {
    const version = this.findVersion.get()?.[0]
    if (version !== this.version) this.forgetAll()
    this.version = version
  }

  forget(id: DeviceId): void {
    this.states.delete(id)
  }

  /** For when a transaction failed: what it added did not happen. */
  forgetAll(): void {
    this.states.clear()
  }

  /** Numbers of a device and of its link at that moment. */
  find(id: DeviceId, atMs: number, link: FrameLink): readonly [device: number, link: number] {
    const state = this.stateOf(id, linkDay(atMs))
    const key = `${link.protocol} ${link.name}`
    const known = state.links.get(key)
    if (known !== undefined) return [state.n, known]
    if (state.links.size >= MOST_LINKS) state.links.clear()
    state.lastLink++
    this.insertLink.run([state.n, state.day, state.lastLink, link.protocol, link.name])
    state.links.set(key, state.lastLink)
    return [state.n, state.lastLink]
  }

  private stateOf(id: DeviceId, day: number): DeviceState {
    let state = this.states.get(id)
    if (state?.day === day) return state
    if (!state) {
      if (this.states.size >= MOST_STATES) this.states.clear()
      state = { n: this.numberOf(id), day, lastLink: 0, links: new Map() }
      this.states.set(id, state)
    }
    state.day = day
    state.lastLink = Number(this.findLastLink.get([state.n, day])?.[0] ?? 0)
    state.links.clear()
    return state
  }

  private numberOf(id: DeviceId): number {
    const known = this.findDevice.get([id])?.[0]
    if (typeof known === 'number') return known
    this.insertDevice.run([id])
    return Number(this.findDevice.get([id])?.[0])
  }
}
