import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { AlarmReport } from '../src/model/alarm.js'
import { openSqliteRecords } from '../src/storage/sql/open-sqlite-records.js'
import type { SqlRecords } from '../src/storage/sql/records-of.js'
import { AlarmFleet } from './alarm-fleet.js'
import type { LoadResult } from './closed-loop.js'
import { Latencies } from './latencies.js'

/** As many as the pipeline ever puts into one write. */
const MOST_IN_BATCH = 500
const MAX_FILES = 20

/**
 * The floor of alarms: the store's own insertion, in this process, of the alarms that the load's units send, one batch after the other.
 * A batch is as large as the pipeline's can be with so many alarms under way; what the batches are made of is ready before the clock
 * runs. The database grows from measurement to measurement, as the server's does.
 */
export class AlarmFloor {
  private next = 0

  private constructor(
    private readonly directory: string,
    private readonly records: SqlRecords,
    private readonly fleet: AlarmFleet,
  ) {}

  static async open(units: number): Promise<AlarmFloor> {
    const directory = mkdtempSync(path.join(tmpdir(), 'milepost-bench-'))
    return new AlarmFloor(directory, await openSqliteRecords({ directory }), new AlarmFleet(units))
  }

  /** @returns alarms per second of the time that insertions took, after the warm-up, and what each batch took */
  async load({ warmUpMs, windowMs }: { readonly warmUpMs: number; readonly windowMs: number }): Promise<LoadResult> {
    await this.insertFor(warmUpMs)
    return this.insertFor(windowMs)
  }

  async close(): Promise<void> {
    await this.records.store.close()
    rmSync(this.directory, { recursive: true, force: true })
  }

  private async insertFor(durationMs: number): Promise<LoadResult> {
    const latencies = new Latencies()
    let spentMs = 0
    let inserted = 0
    while (spentMs < durationMs) {
      const batch = this.nextBatch()
      const startedMs = performance.now()
      const raised = await this.records.alarms.raise(batch, MAX_FILES)
      const tookMs = performance.now() - startedMs
      latencies.add(tookMs)
      spentMs += tookMs
      inserted += raised.filter(({ isNew }) => isNew).length
    }
    return { eventsPerSecond: (inserted / spentMs) * 1000, latencies }
  }

  private nextBatch(): AlarmReport[] {
    const { units } = this.fleet
    return Array.from({ length: Math.min(units, MOST_IN_BATCH) }, () => {
      const row = this.next++
      return this.fleet.reportOf(row % units, Math.floor(row / units))
    })
  }
}
