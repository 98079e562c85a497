import { Logger } from '@nestjs/common'
import type { Metrics } from '../metrics/metrics.js'
import type { AlarmReport, DecodedAlarm } from '../model/alarm.js'
import { AppError } from '../model/app-error.js'
import type { DiskGuard } from '../storage/disk-guard.js'
import type { RaisedAlarm } from '../storage/sql/alarm-records.js'
import type { AlarmCommit } from './alarm-commit.js'
import type { Quarantine } from './quarantine.js'
import { earliestTimeMs, type Limits, MAX_AHEAD_MS } from './validate.js'

/** What happens to an alarm, whatever way it came in. Only what this gives may be acknowledged. */
export class AlarmIngest {
  private readonly logger = new Logger('alarms')

  constructor(
    private readonly commit: AlarmCommit,
    private readonly quarantine: Quarantine,
    private readonly disk: DiskGuard,
    private readonly context: { readonly limits: Limits; readonly metrics: Metrics },
  ) {}

  /**
   * An alarm is never refused for its time: a wrong clock must not hide a crash.
   * @param ingress the way in, as metrics name it
   * @throws AppError `store_unavailable` | `overloaded` | `disk_full`: the alarm may not be acknowledged; `invalid_request`: it can never
   * be stored, and is kept in quarantine
   */
  async ingest(alarm: DecodedAlarm, ingress: string): Promise<RaisedAlarm> {
    this.disk.assertWritable()
    const report = { ...alarm, timeSuspect: this.isSuspect(alarm) }
    const raised = await this.raise(report, ingress)
    this.context.metrics.alarms.inc({ ingress, outcome: outcomeOf(raised) })
    return raised
  }

  private async raise(report: AlarmReport, ingress: string): Promise<RaisedAlarm> {
    try {
      return await this.commit.raise(report) // resolves after the commit, which tells the watchers
    } catch (error) {
      if (error instanceof AppError && error.code === 'invalid_request') this.keep(report, ingress, error)
      throw error
    }
  }

  /** What the codec took and the store does not is a mistake of ours: a person must look at it. */
  private keep(report: AlarmReport, ingress: string, { code, cause }: AppError): void {
    const { deviceId, receivedAtMs } = report
    const reason = cause instanceof Error ? cause.message : String(cause)
    this.logger.error({ event: 'alarm_unstorable', deviceId, reason })
    const rawOf = () => JSON.stringify(report)
    this.quarantine.keep({ deviceId, ingress, receivedAtMs, rawOf }, [{ index: 0, code }])
  }

  private isSuspect({ timeMs, receivedAtMs }: DecodedAlarm): boolean {
    return timeMs > receivedAtMs + MAX_AHEAD_MS || timeMs < earliestTimeMs(receivedAtMs, this.context.limits)
  }
}

function outcomeOf({ isNew, isChanged }: RaisedAlarm): 'new' | 'changed' | 'repeat' {
  if (isNew) return 'new'
  return isChanged ? 'changed' : 'repeat'
}
