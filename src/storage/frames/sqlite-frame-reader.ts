import { workerData } from 'node:worker_threads'
import { openForReading } from '../sqlite-connection.js'
import { serveRequests } from '../sqlite-worker-host.js'
import { type FrameBatch, packFrames } from './frame-batch.js'
import type { RawFrameQuery } from './raw-frame-store.js'
import { SqliteFrameQueries } from './sqlite-frame-queries.js'

/** What the thread is started with. */
export interface FrameReaderOptions {
  readonly file: string
}

const CACHE_KIB = 4096

/** The thread that reads frames, so that nothing that comes waits for a list. */
export class SqliteFrameReader {
  private readonly connection
  private readonly queries

  constructor({ file }: FrameReaderOptions) {
    this.connection = openForReading({ file, cacheKiB: CACHE_KIB })
    this.queries = new SqliteFrameQueries(this.connection)
  }

  list(query: RawFrameQuery): FrameBatch {
    return packFrames(this.queries.list(query))
  }

  close(): void {
    this.connection.close()
  }
}

serveRequests(() => new SqliteFrameReader(workerData as FrameReaderOptions))
