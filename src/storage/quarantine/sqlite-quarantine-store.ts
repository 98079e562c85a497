import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DeviceId } from '../../model/device-id.js'
import { HealthProbe } from '../health-probe.js'
import { backupSqliteFile } from '../sqlite-backup.js'
import { SqliteWorkerClient } from '../sqlite-worker-client.js'
import { startWorkerThread } from '../worker-thread.js'
import {
  type QuarantinedRecord,
  type QuarantineQuery,
  QuarantineStore,
  type StoredQuarantinedRecord,
} from './quarantine-store.js'
import { QUARANTINE_FILE } from './sqlite-quarantine-schema.js'
import type { QuarantineWorkerOptions, SqliteQuarantineWorker } from './sqlite-quarantine-worker.js'

export interface SqliteQuarantineOptions {
  /** An existing directory; the file in it is made when absent. */
  readonly directory: string
  readonly startThread?: typeof startWorkerThread
}

const MOST_WAITING = 1000
/** Between two steps of a removal. */
const PAUSE_MS = 10

/** Refused records in one SQLite file, with a thread of its own: a flood of them never holds up positions. */
export class SqliteQuarantineStore extends QuarantineStore {
  private readonly health: HealthProbe

  constructor(
    private readonly file: string,
    private readonly thread: SqliteWorkerClient<SqliteQuarantineWorker>,
  ) {
    super()
    this.health = new HealthProbe('quarantine', () => thread.call('probe', undefined))
  }

  override async keep(records: readonly QuarantinedRecord[]): Promise<void> {
    if (records.length > 0) await this.thread.call('keep', records)
  }

  override list(query: QuarantineQuery): Promise<StoredQuarantinedRecord[]> {
    return this.thread.call('list', query)
  }

  override eraseDevice(deviceId: DeviceId): Promise<void> {
    return this.thread.call('eraseDevice', deviceId)
  }

  override async removeOlderThan(receivedAtMs: number): Promise<number> {
    let removed = 0
    for (;;) {
      const step = await this.thread.call('removeStep', receivedAtMs)
      removed += step.removed
      if (step.isDone) break
      await sleep(PAUSE_MS)
    }
    while (await this.thread.call('giveBackStep', undefined)) await sleep(PAUSE_MS)
    return removed
  }

  override checkHealth(): Promise<void> {
    return this.health.check()
  }

  /** A consistent copy in one file, while the store runs; see {@link backupSqliteFile}. */
  backupTo(file: string): Promise<void> {
    return backupSqliteFile(this.file, file)
  }

  override close(): Promise<void> {
    return this.thread.close()
  }
}

/**
 * Opens the quarantine in a directory.
 * @throws StoreOpenError
 */
export async function openSqliteQuarantine(options: SqliteQuarantineOptions): Promise<SqliteQuarantineStore> {
  const { directory, startThread = startWorkerThread } = options
  const file = path.join(directory, QUARANTINE_FILE)
  const thread = new SqliteWorkerClient<SqliteQuarantineWorker>({
    name: 'quarantine',
    start: () =>
      startThread(import.meta.url, './sqlite-quarantine-worker.js', {
        workerData: { file } satisfies QuarantineWorkerOptions,
      }),
    maxWaiting: MOST_WAITING,
  })
  await thread.open(file)
  return new SqliteQuarantineStore(file, thread)
}
