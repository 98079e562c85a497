import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common'
import type { DeviceId } from '../model/device-id.js'
import { Sessions } from '../sessions/sessions.js'
import { DeviceRecords } from '../storage/sql/device-records.js'

const FLUSH_EVERY_MS = 30_000
const SWEEP_EVERY_MS = 5000
/** Devices that are looked at without a turn for others between. */
const FLUSHED_AT_ONCE = 2000

/**
 * Carries presence from memory to the registry: last-heard times every 30 s and at the stop, many in one write, and none when
 * nobody was heard. A crash loses at most 30 s of them, which the unit's next word makes good.
 */
@Injectable()
export class PresenceFlush implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger('presence')
  /** Taken from the sessions, not yet written. */
  private readonly waiting = new Map<DeviceId, number>()
  private writing: Promise<void> | undefined
  private timers: NodeJS.Timeout[] = []

  constructor(
    private readonly sessions: Sessions,
    private readonly records: DeviceRecords,
  ) {}

  onApplicationBootstrap(): void {
    this.timers = [
      setInterval(() => void this.flush(), FLUSH_EVERY_MS).unref(),
      setInterval(() => this.sessions.sweep(), SWEEP_EVERY_MS).unref(),
    ]
  }

  async onApplicationShutdown(): Promise<void> {
    for (const timer of this.timers) clearInterval(timer)
    await this.writing
    await this.flush()
  }

  /** Writes what changed. Never throws: what could not be written waits for the next time. One write at a time. */
  flush(): Promise<void> {
    this.writing ??= this.write().finally(() => {
      this.writing = undefined
    })
    return this.writing
  }

  private async write(): Promise<void> {
    // Who is heard again meanwhile waits for the next round: a busy fleet would keep this one going for ever.
    let left = this.sessions.lastSeenCount
    do {
      const taken = this.sessions.takeLastSeen(Math.min(left, FLUSHED_AT_ONCE))
      for (const { deviceId, atMs } of taken) this.waiting.set(deviceId, atMs)
      if (this.waiting.size === 0 || !(await this.writeWaiting())) return
      left -= taken.length
    } while (left > 0)
  }

  /** @returns whether it was written */
  private async writeWaiting(): Promise<boolean> {
    try {
      await this.records.touch([...this.waiting].map(([deviceId, atMs]) => ({ deviceId, atMs })))
      this.waiting.clear()
      return true
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      this.logger.warn({ event: 'last_seen_not_written', devices: this.waiting.size, reason })
      return false
    }
  }
}
