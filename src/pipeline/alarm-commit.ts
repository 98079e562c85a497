import type { Metrics } from '../metrics/metrics.js'
import type { Alarm, AlarmReport } from '../model/alarm.js'
import { AppError } from '../model/app-error.js'
import type { AlarmRecords, RaisedAlarm } from '../storage/sql/alarm-records.js'
import { CommitQueue, toRefusal } from './commit-queue.js'
import { DoubtedAlarms } from './doubted-alarms.js'
import { CHARACTERS_PER_RECORD, weightOf } from './weight.js'

/** Alarms that may wait in all: some seconds of what the store takes. */
const MAX_WAITING_ALARMS = 20_000
const MAX_PER_DEVICE = 2000
/** The database is shared with users: one write is to be over soon. */
const MAX_BATCH_ALARMS = 500

/** What the commit does with what is stored. */
export interface AlarmCommitContext {
  /** Names of files that an alarm may have in all. */
  readonly maxFiles: number
  /**
   * Told of every alarm that is new or has new names, also when its unit was answered before that it took too long; and of one whose write
   * failed, when it comes again, since it may have been stored. Must not throw or wait.
   */
  readonly onStored: (alarm: Alarm) => void
}

/** What became of a report, or why it was not stored. */
type Outcome = RaisedAlarm | AppError

/** The group commit of alarms: reports of many units become one write. */
export class AlarmCommit extends CommitQueue<AlarmReport, readonly Outcome[]> {
  private readonly doubted = new DoubtedAlarms()

  constructor(
    private readonly records: AlarmRecords,
    private readonly metrics: Metrics,
    private readonly context: AlarmCommitContext,
    now?: () => number,
  ) {
    super(
      { items: 'alarms', maxWaiting: MAX_WAITING_ALARMS, maxPerDevice: MAX_PER_DEVICE, maxBatch: MAX_BATCH_ALARMS },
      now,
    )
    metrics.watchWaitingAlarms(() => this.weight)
  }

  /**
   * Resolves when the alarm is on disk.
   * @throws AppError `invalid_request` when it can never be stored, `overloaded` when too much waits already, `store_unavailable` when the store fails or takes too long, `disk_full`
   */
  async raise(report: AlarmReport): Promise<RaisedAlarm> {
    const [outcome] = await this.enqueue(report.deviceId, [report], weigh(report))
    if (outcome === undefined) throw new Error('the store answered fewer alarms than it was given')
    if (outcome instanceof AppError) throw outcome
    return outcome
  }

  /** A report that can never be stored is looked for by halves, so that it holds none of the others back. */
  protected async store(reports: readonly AlarmReport[]): Promise<readonly Outcome[]> {
    try {
      return await this.storeAtOnce(reports)
    } catch (error) {
      if (!isUnstorable(error)) throw error
      if (reports.length === 1) return [error]
      const middle = Math.ceil(reports.length / 2)
      const first = await this.store(reports.slice(0, middle))
      return [...first, ...(await this.storeRest(reports.slice(middle)))]
    }
  }

  /** What was stored before stays so, and is acknowledged, also when the store fails now. */
  private async storeRest(reports: readonly AlarmReport[]): Promise<readonly Outcome[]> {
    try {
      return await this.store(reports)
    } catch (error) {
      const refusal = toRefusal(error)
      return reports.map(() => refusal)
    }
  }

  private async storeAtOnce(reports: readonly AlarmReport[]): Promise<readonly RaisedAlarm[]> {
    const startedMs = performance.now()
    try {
      const raised = await this.records.raise(reports, this.context.maxFiles)
      this.observe('ok', startedMs)
      for (const [i, { alarm, isChanged }] of raised.entries()) {
        const wasDoubted = this.doubted.settle(reports[i])
        if (isChanged || wasDoubted) this.context.onStored(alarm)
      }
      return raised
    } catch (error) {
      this.observe('error', startedMs)
      if (toRefusal(error).code === 'store_unavailable' && !isUnstorable(error)) this.doubted.add(reports)
      throw error
    }
  }

  protected partOf(outcomes: readonly Outcome[], start: number, end: number): readonly Outcome[] {
    return outcomes.slice(start, end)
  }

  private observe(outcome: 'ok' | 'error', startedMs: number): void {
    const seconds = (performance.now() - startedMs) / 1000
    this.metrics.storeSeconds.observe({ store: 'alarms', operation: 'raise', outcome }, seconds)
  }
}

function isUnstorable(error: unknown): error is AppError {
  return error instanceof AppError && error.code === 'invalid_request'
}

function weigh({ attributes, fileNames }: AlarmReport): number {
  let characters = 0
  for (const name of fileNames) characters += name.length
  return 1 + weightOf(attributes) + Math.ceil(characters / CHARACTERS_PER_RECORD)
}
