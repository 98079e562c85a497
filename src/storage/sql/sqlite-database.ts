import type { Worker } from 'node:worker_threads'
import { SqliteWorkerClient } from '../sqlite-worker-client.js'
import { startWorkerThread } from '../worker-thread.js'
import { storeUnavailable } from './sql-errors.js'
import type { SqlAnswer, SqlRefusal, SqlValue, SqlWorkerData } from './sql-request.js'
import type { SqlWorker } from './sql-worker.js'
import { SqliteTransaction } from './sqlite-transaction.js'
import { WriteLock } from './write-lock.js'

type Thread = SqliteWorkerClient<SqlWorker>

export interface SqliteLimits {
  /** A write that waits longer for the ones before it is refused. */
  readonly lockWaitMs: number
  /** A transaction that says nothing for so long was forgotten and is rolled back. Less than the wait, or others fail for it. */
  readonly idleTransactionMs: number
  /** A statement that is not answered by then fails; it may still be done. */
  readonly answerMs: number
}

/** One file is written by one thread and read by these. */
const READERS = 2
const MAX_WAITING = 10_000
const DEFAULT_LIMITS: SqliteLimits = { lockWaitMs: 10_000, idleTransactionMs: 5000, answerMs: 10_000 }

/**
 * An SQLite database whose statements all run in worker threads: one connection writes, others only read. Reads outside
 * transactions never wait for writes, and see all that was committed before they were asked for.
 */
export class SqliteDatabase {
  private readonly limits: SqliteLimits
  private readonly lock: WriteLock
  private readonly writer: Thread
  private readonly readers: readonly Thread[]
  private lastTransaction = 0
  private isPatient = false

  private constructor(
    readonly file: string,
    limits: Partial<SqliteLimits>,
    startThread: (data: SqlWorkerData) => Worker,
  ) {
    this.limits = { ...DEFAULT_LIMITS, ...limits }
    this.lock = new WriteLock(this.limits.lockWaitMs)
    const thread = (name: string, role: SqlWorkerData['role']): Thread =>
      new SqliteWorkerClient({ name, start: () => startThread({ file, role }), maxWaiting: MAX_WAITING })
    this.writer = thread('database writer', 'writer')
    this.readers = Array.from({ length: READERS }, () => thread('database reader', 'reader'))
  }

  /**
   * @param startThread another way to start a thread, for tests that end it
   * @throws StoreOpenError
   */
  static async open(
    file: string,
    limits: Partial<SqliteLimits> = {},
    startThread: (data: SqlWorkerData) => Worker = startSqlWorker,
  ): Promise<SqliteDatabase> {
    const database = new SqliteDatabase(file, limits, startThread)
    try {
      // The writer first: it makes the file and turns its log on.
      await database.writer.open(file)
      await Promise.all(database.readers.map((reader) => reader.open(file)))
      return database
    } catch (error) {
      await database.close()
      throw error
    }
  }

  /** Lets statements take as long as they want, such as those of migrations, or no longer. */
  setPatient(isPatient: boolean): void {
    this.isPatient = isPatient
  }

  /** Runs a statement that only reads, beside all writes. */
  read(sql: string, values: readonly SqlValue[]): Promise<SqlAnswer | SqlRefusal> {
    const reader = this.readers.reduce((a, b) => (b.waitingCalls < a.waitingCalls ? b : a))
    return this.inTime(reader.call('execute', { sql, values }))
  }

  /** Runs a statement that commits by itself, when those before it are done. */
  async write(sql: string, values: readonly SqlValue[]): Promise<SqlAnswer | SqlRefusal> {
    const release = await this.lock.acquire()
    const answer = this.writer.call('execute', { sql, values })
    answer.then(release, release)
    return this.inTime(answer)
  }

  /** Keeps all other writes out until the transaction ends. */
  async begin(): Promise<SqliteTransaction> {
    const release = await this.lock.acquire()
    return new SqliteTransaction(++this.lastTransaction, {
      execute: (request) => this.writer.call('execute', request),
      endTransaction: (id) => this.writer.call('endTransaction', id),
      release,
      inTime: (answer) => this.inTime(answer),
      idleLimitMs: this.limits.idleTransactionMs,
    })
  }

  /** Finishes what is under way and closes; the writer last, so that it can empty the log. */
  async close(): Promise<void> {
    await Promise.all(this.readers.map((reader) => reader.close()))
    await this.writer.close()
  }

  private async inTime<T>(answer: Promise<T>): Promise<T> {
    if (this.isPatient) return answer
    const { answerMs } = this.limits
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(storeUnavailable(`no answer within ${answerMs} ms`)), answerMs)
    })
    try {
      return await Promise.race([answer, late])
    } finally {
      clearTimeout(timer)
    }
  }
}

function startSqlWorker(workerData: SqlWorkerData): Worker {
  return startWorkerThread(import.meta.url, './sql-worker.js', { workerData })
}
