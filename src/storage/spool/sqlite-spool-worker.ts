import { workerData } from 'node:worker_threads'
import type { DeviceId } from '../../model/device-id.js'
import { closeWriting, giveBackFreePages, openForWriting, upgradeSchema } from '../sqlite-connection.js'
import { serveRequests } from '../sqlite-worker-host.js'
import type { NewSpooledEntry, SpooledEntry, SpoolQuery, SpoolState } from './spool-store.js'
import { type KeptIds, SqliteSpoolEntries } from './sqlite-spool-entries.js'
import { SPOOL_SCHEMA } from './sqlite-spool-schema.js'

/** What the thread is started with. */
export interface SpoolWorkerOptions {
  readonly file: string
  readonly maxBytes: number
}

/** Every change is answered with how the spool stands after it. */
export interface Changed<Result> {
  readonly result: Result
  readonly state: SpoolState
}

const CACHE_KIB = 4096
const CHECKPOINT_PAGES = 1000
const PAGES_AT_ONCE = 200

/** The one thread of the spool. */
export class SqliteSpoolWorker {
  private readonly connection
  private readonly entries
  private readonly updateHealth

  constructor({ file, maxBytes }: SpoolWorkerOptions) {
    this.connection = openForWriting({ file, cacheKiB: CACHE_KIB, checkpointPages: CHECKPOINT_PAGES })
    upgradeSchema(this.connection, SPOOL_SCHEMA)
    this.entries = new SqliteSpoolEntries(this.connection, maxBytes)
    this.updateHealth = this.connection.prepareWrite('REPLACE INTO health(id, checked) VALUES (1, ?)')
  }

  look(): Changed<undefined> {
    return this.changed(undefined)
  }

  keep(groups: ReadonlyArray<readonly NewSpooledEntry[]>): Changed<KeptIds[]> {
    return this.changed(this.entries.keep(groups))
  }

  list(query: SpoolQuery): SpooledEntry[] {
    return this.entries.list(query)
  }

  countByDevice(): Array<readonly [DeviceId, number]> {
    return this.entries.countByDevice()
  }

  remove(ids: readonly number[]): Changed<undefined> {
    this.entries.remove(ids)
    return this.changed(undefined)
  }

  /** @returns whether all are gone */
  eraseStep(deviceId: DeviceId): Changed<boolean> {
    return this.changed(this.entries.eraseStep(deviceId))
  }

  /** @returns whether there is more to give back to the disk */
  giveBackStep(): boolean {
    return giveBackFreePages(this.connection, PAGES_AT_ONCE)
  }

  /** Proves that a commit works. @returns whether there is no room left */
  probe(): Changed<boolean> {
    this.connection.transact(() => this.updateHealth.run([Date.now()]))
    return this.changed(this.entries.isFull)
  }

  close(): void {
    closeWriting(this.connection)
  }

  private changed<Result>(result: Result): Changed<Result> {
    return { result, state: this.entries.state }
  }
}

serveRequests(() => new SqliteSpoolWorker(workerData as SpoolWorkerOptions))
