import type { DeviceId } from '../model/device-id.js'

/** How many times the rate a device may send at once. */
const BURST_FACTOR = 5
const SWEEP_AT_LEAST = 10_000

/** What the limit says of one event. */
export interface EventAllowance {
  readonly isAllowed: boolean
  readonly limit: number
  readonly remaining: number
  /** Until the whole burst is there again. */
  readonly resetMs: number
  /** When refused: until one event passes. */
  readonly retryAfterMs: number
}

/**
 * Limits events (not positions) per second of each device over all its ways in, with a burst; one number a device
 * (the generic cell rate algorithm).
 */
export class EventLimiter {
  /** When the device's bucket would be full again; absent: it is. */
  private readonly fullAtMs = new Map<DeviceId, number>()
  private sweepAt = SWEEP_AT_LEAST
  private readonly intervalMs: number
  private readonly burst: number

  /**
   * @param perSecond 0: no limit
   * @param now a clock that is never set: a jump back of the other one would shut everyone out for as long
   */
  constructor(
    private readonly perSecond: number,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.intervalMs = perSecond === 0 ? 0 : 1000 / perSecond
    this.burst = perSecond * BURST_FACTOR
  }

  get isOff(): boolean {
    return this.perSecond === 0
  }

  /** Counts one event. */
  take(deviceId: DeviceId): EventAllowance {
    if (this.isOff) return { isAllowed: true, limit: 0, remaining: 0, resetMs: 0, retryAfterMs: 0 }
    const now = this.now()
    const fullAt = Math.max(this.fullAtMs.get(deviceId) ?? now, now)
    const owed = (fullAt - now) / this.intervalMs
    const isAllowed = owed + 1 <= this.burst
    const next = isAllowed ? fullAt + this.intervalMs : fullAt
    if (isAllowed) {
      this.fullAtMs.set(deviceId, next)
      if (this.fullAtMs.size > this.sweepAt) this.sweep(now)
    }
    return {
      isAllowed,
      limit: this.burst,
      remaining: Math.max(0, Math.floor(this.burst - (next - now) / this.intervalMs)),
      resetMs: next - now,
      retryAfterMs: isAllowed ? 0 : Math.ceil((owed + 1 - this.burst) * this.intervalMs),
    }
  }

  /** Looks at all of them only when there are twice as many as were left, so that a busy fleet does not pay for it on every event. */
  private sweep(now: number): void {
    for (const [deviceId, fullAt] of this.fullAtMs) if (fullAt <= now) this.fullAtMs.delete(deviceId)
    this.sweepAt = Math.max(SWEEP_AT_LEAST, this.fullAtMs.size * 2)
  }
}
