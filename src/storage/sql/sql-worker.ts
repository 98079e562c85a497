import { workerData } from 'node:worker_threads'
import {
  closeWriting,
  openForReading,
  openForWriting,
  type SqliteConnection,
  type SqliteStatement,
} from '../sqlite-connection.js'
import { serveRequests } from '../sqlite-worker-host.js'
import {
  BEGIN,
  type SqlAnswer,
  type SqlRefusal,
  type SqlRequest,
  type SqlWorkerData,
  TRANSACTION_GONE,
} from './sql-request.js'

/** What is the statement's fault; everything else is the store's. */
const STATEMENT_AT_FAULT = /^SQLITE_(?:ERROR|CONSTRAINT|MISMATCH|RANGE|TOOBIG|MISUSE|AUTH)/
/** What changes rows or tables; the rest (`PRAGMA`, `VACUUM`, `BEGIN`) is not allowed in a transaction or does nothing there. */
const CHANGE = /^\s*(?:INSERT|UPDATE|DELETE|REPLACE|WITH|CREATE|DROP|ALTER)\b/i

const CACHE_KIB = 16_384
const CHECKPOINT_PAGES = 1000
const STATEMENTS_KEPT = 200

/** One SQLite connection in a worker thread, statement by statement. */
export class SqlWorker {
  private readonly connection: SqliteConnection
  private readonly role: SqlWorkerData['role']
  private readonly statements = new Map<string, SqliteStatement>()
  private openTransaction: number | undefined

  constructor({ file, role }: SqlWorkerData) {
    this.role = role
    this.connection =
      role === 'writer'
        ? openForWriting({ file, cacheKiB: CACHE_KIB, checkpointPages: CHECKPOINT_PAGES })
        : openForReading({ file, cacheKiB: CACHE_KIB })
    if (role === 'writer') this.connection.exec('PRAGMA foreign_keys=ON')
  }

  /**
   * Runs one statement.
   * @throws Error with SQLite's code, when it is the store that failed
   */
  execute({ sql, values, transaction }: SqlRequest): SqlAnswer | SqlRefusal {
    // The other side lets one transaction write at a time: whatever another one left open is over.
    if (transaction !== this.openTransaction) this.rollBack()
    const isBegin = transaction !== undefined && sql === BEGIN
    if (transaction !== this.openTransaction && !isBegin)
      return { code: TRANSACTION_GONE, message: 'it was rolled back' }
    try {
      const answer = this.run(sql, values, transaction)
      if (this.connection.isInTransaction && transaction === undefined) return this.refuseStray()
      return answer
    } catch (error) {
      const { code = '', message } = error as { code?: string; message: string }
      if (STATEMENT_AT_FAULT.test(code)) return { code, message }
      throw error
    } finally {
      this.openTransaction = this.connection.isInTransaction ? transaction : undefined
    }
  }

  /** Makes sure that a transaction is over; what it did not commit is rolled back. */
  endTransaction(transaction: number): void {
    if (this.openTransaction === transaction) this.rollBack()
  }

  close(): void {
    this.statements.clear()
    if (this.role === 'writer') closeWriting(this.connection)
    else this.connection.close()
  }

  private run(sql: string, values: SqlRequest['values'], transaction: number | undefined): SqlAnswer {
    if (transaction !== undefined && sql === BEGIN) {
      this.connection.begin()
      return { changes: 0, lastRowId: 0 }
    }
    const statement = this.statementOf(sql)
    const isAlone = this.role === 'writer' && transaction === undefined && CHANGE.test(sql)
    return isAlone ? this.connection.transact(() => statement.execute(values)) : statement.execute(values)
  }

  /** A transaction that nobody owns would take in the writes of everyone after it. */
  private refuseStray(): SqlRefusal {
    this.rollBack()
    return { code: 'SQLITE_MISUSE', message: 'a transaction is begun by startTransaction of a query runner' }
  }

  private rollBack(): void {
    this.openTransaction = undefined
    this.connection.rollBack()
  }

  private statementOf(sql: string): SqliteStatement {
    const statement = this.statements.get(sql) ?? this.connection.prepareAny(sql)
    this.statements.delete(sql)
    this.statements.set(sql, statement)
    const [oldest] = this.statements.keys()
    if (this.statements.size > STATEMENTS_KEPT && oldest !== undefined) this.statements.delete(oldest)
    return statement
  }
}

serveRequests(() => new SqlWorker(workerData as SqlWorkerData))
