import type { DeviceId } from '../model/device-id.js'
import type { DeviceRecord } from '../storage/sql/device-records.js'

const LOOK_EVERY_MS = 1000
/** A server that lost us may still be at it: what it has not kept by then, it never will. */
const DOUBT_LASTS_MS = 30_000
/** Few get here: a store that is away fails before it is asked to change anything. */
const MAX_DOUBTS = 10_000

interface Doubt {
  /** The device as it was when it was last known; undefined: it was not read. */
  readonly before: DeviceRecord | undefined
  readonly sinceMs: number
}

/** Devices with a change that the store failed in, each looked at every second until it is certain what became of it. */
export class DeviceDoubts {
  private readonly doubts = new Map<DeviceId, Doubt>()
  private timer: NodeJS.Timeout | undefined
  private isStopped = false

  /** @param look reads the device and tells {@link seen}; when it throws, the store is asked again later */
  constructor(private readonly look: (deviceId: DeviceId) => Promise<unknown>) {}

  /** @param before the device before the change, if that was read; of several in a row that before the first counts */
  add(deviceId: DeviceId, before: DeviceRecord | undefined): void {
    this.doubts.set(deviceId, { before: this.doubts.get(deviceId)?.before ?? before, sinceMs: Date.now() })
    const [oldest] = this.doubts.keys()
    if (this.doubts.size > MAX_DOUBTS && oldest !== undefined) this.doubts.delete(oldest)
    this.lookLater()
  }

  /**
   * The device was read.
   * @returns undefined: nothing of it is in doubt; else the device as it was when it was last known, if it was
   */
  seen(deviceId: DeviceId, record: DeviceRecord | undefined): Pick<Doubt, 'before'> | undefined {
    const doubt = this.doubts.get(deviceId)
    if (doubt === undefined) return undefined
    if (Date.now() - doubt.sinceMs >= DOUBT_LASTS_MS) this.doubts.delete(deviceId)
    else this.doubts.set(deviceId, { ...doubt, before: record })
    return doubt
  }

  /** The store has taken a newer change. */
  drop(deviceId: DeviceId): void {
    this.doubts.delete(deviceId)
  }

  stop(): void {
    this.isStopped = true
    clearTimeout(this.timer)
  }

  private lookLater(): void {
    if (this.isStopped || this.timer !== undefined) return
    this.timer = setTimeout(() => void this.lookAtAll(), LOOK_EVERY_MS).unref()
  }

  /** One after another, and no further once the store fails: it is away for the others too. */
  private async lookAtAll(): Promise<void> {
    try {
      for (const deviceId of [...this.doubts.keys()]) {
        if (this.isStopped) return
        if (this.doubts.has(deviceId)) await this.look(deviceId)
      }
    } catch {
      // Whoever asked for the change was told.
    }
    this.timer = undefined
    if (this.doubts.size > 0) this.lookLater()
  }
}
