import { workerData } from 'node:worker_threads'
import type { DeviceId } from '../../model/device-id.js'
import { closeWriting, openForWriting, type SqlitePragmas, upgradeSchema } from '../sqlite-connection.js'
import { serveRequests } from '../sqlite-worker-host.js'
import type { PositionBatch } from './position-batch.js'
import { SqliteDeviceStates } from './sqlite-device-states.js'
import { SqlitePositionAppender } from './sqlite-position-appender.js'
import { type RemovalResult, type RemovalStep, SqlitePositionRemover } from './sqlite-position-remover.js'
import { POSITIONS_SCHEMA } from './sqlite-position-schema.js'

/** What the thread is started with. */
export interface PositionWriterOptions {
  readonly file: string
  readonly maxBytes: number | undefined
}

/** Holds the last pages of some 15,000 devices, which is where appends go. */
const CACHE_KIB = 65_536
/**
 * 32 MiB of log. A page that many batches touch is then written back once for all of them: against SQLite's 1,000 pages
 * a third more rows/s at 500 devices. Twice as much gained nothing and made the commit that writes back twice as long.
 */
const CHECKPOINT_PAGES = 8000

/** The one thread that writes positions. */
export class SqlitePositionWriter {
  private readonly connection
  private readonly appender
  private readonly remover
  private readonly updateHealth

  constructor({ file, maxBytes }: PositionWriterOptions) {
    const settings = { file, maxBytes, cacheKiB: CACHE_KIB, checkpointPages: CHECKPOINT_PAGES }
    this.connection = openForWriting(settings)
    upgradeSchema(this.connection, POSITIONS_SCHEMA)
    const states = new SqliteDeviceStates(this.connection)
    this.appender = new SqlitePositionAppender(this.connection, states)
    this.remover = new SqlitePositionRemover(this.connection, states)
    this.updateHealth = this.connection.prepareWrite('REPLACE INTO health(id, checked) VALUES (1, ?)')
  }

  append(batch: PositionBatch): Uint8Array {
    return this.appender.append(batch)
  }

  /** Proves that a commit works. */
  probe(): void {
    this.connection.transact(() => this.updateHealth.run([Date.now()]))
  }

  readPragmas(): SqlitePragmas {
    return this.connection.readPragmas()
  }

  eraseStep(deviceId: DeviceId): boolean {
    return this.remover.eraseStep(deviceId)
  }

  removeStep(step: RemovalStep): RemovalResult {
    return this.remover.removeStep(step)
  }

  giveBackStep(): boolean {
    return this.remover.giveBackStep()
  }

  close(): void {
    closeWriting(this.connection)
  }
}

serveRequests(() => new SqlitePositionWriter(workerData as PositionWriterOptions))
