import { Logger } from '@nestjs/common'
import type { Metrics } from '../metrics/metrics.js'
import type { DeviceId } from '../model/device-id.js'
import type { Report } from '../model/report.js'
import type { QuarantinedRecord, QuarantineStore } from '../storage/quarantine/quarantine-store.js'
import { within } from '../web/within.js'

/** Refused records that may wait for their store; more are counted and dropped, since good data comes first. */
const MAX_WAITING = 5000
const MAX_BATCH = 500
const MAX_RAW_CHARACTERS = 8192
const LOG_EVERY_MS = 10_000
/** A stop waits no longer for what waits: it must not cost the rest of the stop its time. */
const DRAINED_WITHIN_MS = 2000

/** What the records came in. */
type Source = Pick<Report, 'deviceId' | 'ingress' | 'receivedAtMs' | 'rawOf'>

/** Keeps refused records for inspection: after the commit, in the background, bounded, and never in the way of good data. */
export class Quarantine {
  private readonly logger = new Logger('quarantine')
  private waiting: QuarantinedRecord[] = []
  private writing: Promise<void> | undefined
  private keeping: Promise<void> | undefined
  private loggedAtMs = 0

  constructor(
    private readonly store: QuarantineStore,
    private readonly metrics: Metrics,
  ) {}

  /** Never throws, never waits. */
  keep(report: Source, rejected: ReadonlyArray<{ readonly index: number; readonly code: string }>): void {
    for (const { index, code } of rejected) {
      if (this.waiting.length >= MAX_WAITING) {
        this.metrics.quarantineDropped.inc()
        continue
      }
      this.waiting.push({
        deviceId: report.deviceId,
        ingress: report.ingress,
        code,
        receivedAtMs: report.receivedAtMs,
        raw: rawOf(report, index),
      })
    }
    if (this.waiting.length > 0) this.writing ??= this.write()
  }

  /** Resolves when what waits was written or given up, or after the time given. */
  async drain(withinMs = DRAINED_WITHIN_MS): Promise<void> {
    await within(this.written(), withinMs).catch(() => undefined)
  }

  private async written(): Promise<void> {
    while (this.writing !== undefined) await this.writing
  }

  /** Drops what waits of a device. Resolves when nothing of it is being written any more. */
  async forget(deviceId: DeviceId): Promise<void> {
    this.waiting = this.waiting.filter((record) => record.deviceId !== deviceId)
    await this.keeping?.catch(() => undefined)
  }

  private async write(): Promise<void> {
    while (this.waiting.length > 0) {
      const batch = this.waiting.splice(0, MAX_BATCH)
      try {
        this.keeping = this.store.keep(batch)
        await this.keeping
        for (const { code } of batch) this.metrics.quarantined.inc({ code })
      } catch (error) {
        this.metrics.quarantineDropped.inc(batch.length)
        this.logFailure(error)
      }
    }
    this.writing = undefined
  }

  private logFailure(error: unknown): void {
    if (Date.now() - this.loggedAtMs < LOG_EVERY_MS) return
    this.loggedAtMs = Date.now()
    this.logger.warn({ event: 'quarantine_not_kept', reason: error instanceof Error ? error.message : String(error) })
  }
}

/** What is read may still be impossible to write: JSON nested some thousands deep. Its refusal is kept without it. */
function rawOf(report: Source, index: number): string {
  try {
    return report.rawOf(index).slice(0, MAX_RAW_CHARACTERS)
  } catch {
    return ''
  }
}
