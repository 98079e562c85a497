import type { DeviceId } from '../../model/device-id.js'

/** About 150 bytes each; beyond this the ones that were heard longest ago are forgotten. */
const MOST_DEVICES = 200_000
/** After this a device's latest position is looked at again: another process may have been killed in the midst of moving it. */
const HEARD_FOR_MS = 600_000
/** However often this process itself moves it, after this it is looked at: a unit whose clock jumped may have been heard elsewhere. */
const RENEWED_FOR_MS = 3_600_000

interface Note {
  /** When it was looked at, or moved by this process. */
  readonly sinceMs: number
  /** No renewal helps beyond this moment. */
  readonly endMs: number
}

/**
 * The devices whose latest positions this process knows to be what is stored, each for some minutes. What this process moves itself
 * need not be looked at, so that for a fleet that sends the looks come once an hour for each device, and not all at one time.
 */
export class HeardDevices {
  private readonly heard = new Map<DeviceId, Note>()

  constructor(
    private readonly now: () => number = () => performance.now(),
    private readonly random: () => number = Math.random,
  ) {}

  listUnheard(deviceIds: readonly DeviceId[]): DeviceId[] {
    const nowMs = this.now()
    return deviceIds.filter((id) => {
      const note = this.heard.get(id)
      return note === undefined || nowMs > note.sinceMs + HEARD_FOR_MS || nowMs > note.endMs
    })
  }

  /** These were looked at. */
  note(deviceIds: Iterable<DeviceId>): void {
    const sinceMs = this.now()
    for (const id of deviceIds) {
      this.heard.delete(id)
      this.makeRoom()
      this.heard.set(id, { sinceMs, endMs: sinceMs + RENEWED_FOR_MS * (0.5 + this.random() / 2) })
    }
  }

  /** This process stored the latest fix of these. */
  renew(deviceIds: Iterable<DeviceId>): void {
    const sinceMs = this.now()
    for (const id of deviceIds) {
      const note = this.heard.get(id)
      if (note) this.heard.set(id, { ...note, sinceMs })
    }
  }

  forget(deviceIds: Iterable<DeviceId>): void {
    for (const id of deviceIds) this.heard.delete(id)
  }

  private makeRoom(): void {
    if (this.heard.size < MOST_DEVICES) return
    const [oldest] = this.heard.keys()
    if (oldest !== undefined) this.heard.delete(oldest)
  }
}
