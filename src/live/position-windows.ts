import type { DeviceId } from '../model/device-id.js'
import type { Position } from '../model/position.js'

/** At most one position of a device goes out within this. */
export const WINDOW_MS = 1000
/** Windows that end within this of each other are looked at together. */
const GRAIN_MS = 20

interface Window {
  readonly endsAtMs: number
  newest: Position | undefined
}

/**
 * Thins the positions of each device to one per second, for all watchers at once: the first goes at once and opens a window, the
 * newest that came within the window goes at its end. Memory is that of the devices heard within the last second.
 */
export class PositionWindows {
  /** In the order in which they end, since all are equally long and each new one is put last. */
  private readonly open = new Map<DeviceId, Window>()
  private timer: NodeJS.Timeout | undefined

  /** @param pass takes what is to go out now; {@link sent} is called when it went */
  constructor(
    private readonly pass: (position: Position) => void,
    private readonly now: () => number,
  ) {}

  offer(position: Position): void {
    const window = this.open.get(position.deviceId)
    if (window === undefined) this.pass(position)
    else window.newest = position
  }

  /** A position of the device went out. */
  sent(deviceId: DeviceId): void {
    this.open.delete(deviceId)
    this.open.set(deviceId, { endsAtMs: this.now() + WINDOW_MS, newest: undefined })
    this.timer ??= this.wakeIn(WINDOW_MS)
  }

  stop(): void {
    clearTimeout(this.timer)
    this.open.clear()
  }

  private wakeIn(delayMs: number): NodeJS.Timeout {
    return setTimeout(() => this.closeEnded(), Math.max(GRAIN_MS, delayMs)).unref()
  }

  private closeEnded(): void {
    this.timer = undefined
    const now = this.now()
    for (const [deviceId, { endsAtMs, newest }] of this.open) {
      if (endsAtMs > now) {
        this.timer = this.wakeIn(endsAtMs - now)
        return
      }
      this.open.delete(deviceId)
      if (newest !== undefined) this.pass(newest)
    }
  }
}
