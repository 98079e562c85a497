import type { Metrics } from '../metrics/metrics.js'
import type { DecodedAlarm } from '../model/alarm.js'
import type { DiskGuard } from '../storage/disk-guard.js'
import type { RaisedAlarm } from '../storage/sql/alarm-records.js'
import type { AlarmCommit } from './alarm-commit.js'
import { earliestTimeMs, type Limits, MAX_AHEAD_MS } from './validate.js'

/** What happens to an alarm, whatever way it came in. Only what this gives may be acknowledged. */
export class AlarmIngest {
  constructor(
    private readonly commit: AlarmCommit,
    private readonly disk: DiskGuard,
    private readonly context: { readonly limits: Limits; readonly metrics: Metrics },
  ) {}

  /**
   * An alarm is never refused for its time: a wrong clock must not hide a crash.
   * @param ingress the way in, as metrics name it
   * @throws AppError `store_unavailable` | `overloaded` | `disk_full`: the alarm may not be acknowledged
   */
  async ingest(alarm: DecodedAlarm, ingress: string): Promise<RaisedAlarm> {
    this.disk.assertWritable()
    const report = { ...alarm, timeSuspect: this.isSuspect(alarm) }
    const raised = await this.commit.raise(report) // resolves after the commit, which tells the watchers
    this.context.metrics.alarms.inc({ ingress, outcome: outcomeOf(raised) })
    return raised
  }

  private isSuspect({ timeMs, receivedAtMs }: DecodedAlarm): boolean {
    return timeMs > receivedAtMs + MAX_AHEAD_MS || timeMs < earliestTimeMs(receivedAtMs, this.context.limits)
  }
}

function outcomeOf({ isNew, isChanged }: RaisedAlarm): 'new' | 'changed' | 'repeat' {
  if (isNew) return 'new'
  return isChanged ? 'changed' : 'repeat'
}
