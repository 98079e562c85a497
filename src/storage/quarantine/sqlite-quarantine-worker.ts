import { workerData } from 'node:worker_threads'
import type { DeviceId } from '../../model/device-id.js'
import { closeWriting, giveBackFreePages, openForWriting, upgradeSchema } from '../sqlite-connection.js'
import { serveRequests } from '../sqlite-worker-host.js'
import type { QuarantinedRecord, QuarantineQuery, StoredQuarantinedRecord } from './quarantine-store.js'
import { SqliteQuarantineRecords } from './sqlite-quarantine-records.js'
import { QUARANTINE_SCHEMA } from './sqlite-quarantine-schema.js'

/** What the thread is started with. */
export interface QuarantineWorkerOptions {
  readonly file: string
}

const CACHE_KIB = 4096
const CHECKPOINT_PAGES = 1000
const PAGES_AT_ONCE = 200

/** The one thread of the quarantine. */
export class SqliteQuarantineWorker {
  private readonly connection
  private readonly records
  private readonly updateHealth

  constructor({ file }: QuarantineWorkerOptions) {
    this.connection = openForWriting({ file, cacheKiB: CACHE_KIB, checkpointPages: CHECKPOINT_PAGES })
    upgradeSchema(this.connection, QUARANTINE_SCHEMA)
    this.records = new SqliteQuarantineRecords(this.connection)
    this.updateHealth = this.connection.prepareWrite('REPLACE INTO health(id, checked) VALUES (1, ?)')
  }

  keep(records: readonly QuarantinedRecord[]): void {
    this.records.keep(records)
  }

  list(query: QuarantineQuery): StoredQuarantinedRecord[] {
    return this.records.list(query)
  }

  eraseDevice(deviceId: DeviceId): void {
    this.records.eraseDevice(deviceId)
  }

  removeStep(receivedBeforeMs: number): { readonly removed: number; readonly isDone: boolean } {
    return this.records.removeStep(receivedBeforeMs)
  }

  /** @returns whether there is more to give back to the disk */
  giveBackStep(): boolean {
    return giveBackFreePages(this.connection, PAGES_AT_ONCE)
  }

  /** Proves that a commit works. */
  probe(): void {
    this.connection.transact(() => this.updateHealth.run([Date.now()]))
  }

  close(): void {
    closeWriting(this.connection)
  }
}

serveRequests(() => new SqliteQuarantineWorker(workerData as QuarantineWorkerOptions))
