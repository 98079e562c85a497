import { createHash } from 'node:crypto'
import type { AlarmReport } from '../model/alarm.js'

/** As many as may wait for the store; the oldest are forgotten first. */
const MAX_REMEMBERED = 20_000

/**
 * Alarms whose write failed, though the store may have kept it: it was not heard of any more. When such an alarm comes again it is no news
 * to the store, yet nobody was told of it.
 */
export class DoubtedAlarms {
  /** In the order of their failures. */
  private readonly keys = new Set<string>()

  constructor(private readonly max = MAX_REMEMBERED) {}

  add(reports: readonly AlarmReport[]): void {
    for (const report of reports) {
      const key = keyOf(report)
      this.keys.delete(key)
      this.keys.add(key)
    }
    for (const oldest of this.keys) {
      if (this.keys.size <= this.max) return
      this.keys.delete(oldest)
    }
  }

  /** The alarm is stored now. @returns whether it was in doubt until now */
  settle(report: AlarmReport | undefined): boolean {
    if (this.keys.size === 0 || report === undefined) return false
    return this.keys.delete(keyOf(report))
  }
}

/** Of one length, whatever the unit's key is. */
function keyOf({ deviceId, type, timeMs, eventKey }: AlarmReport): string {
  const identity = JSON.stringify([deviceId, type, timeMs, eventKey])
  return createHash('sha256').update(identity).digest('base64')
}
