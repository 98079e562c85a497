import { workerData } from 'node:worker_threads'
import Database from 'libsql'
import { serveRequests } from '../sqlite-worker-host.js'
import {
  BEGIN,
  type SqlAnswer,
  type SqlRefusal,
  type SqlRequest,
  type SqlRow,
  type SqlValue,
  type SqlWorkerData,
  TRANSACTION_GONE,
} from './sql-request.js'

/** What is the statement's fault; everything else is the store's. */
const STATEMENT_AT_FAULT = /^SQLITE_(?:ERROR|CONSTRAINT|MISMATCH|RANGE|TOOBIG|MISUSE|AUTH)/
/** What changes rows or tables; the rest (`PRAGMA`, `VACUUM`, `BEGIN`) is not allowed in a transaction or does nothing there. */
const CHANGE = /^\s*(?:INSERT|UPDATE|DELETE|REPLACE|WITH|CREATE|DROP|ALTER)\b/i

const BUSY_TIMEOUT_MS = 2000
const CACHE_KIB = 16_384
const STATEMENTS_KEPT = 200
const SYNCHRONOUS_FULL = 2

/** One SQLite connection in a worker thread, statement by statement. */
export class SqlWorker {
  private readonly database: Database.Database
  private readonly statements = new Map<string, Database.Statement<unknown[]>>()
  private readonly role: SqlWorkerData['role']
  private beginning: Database.Statement<unknown[]> | undefined
  private openTransaction: number | undefined

  constructor({ file, role }: SqlWorkerData) {
    this.role = role
    this.database = new Database(file)
    this.database.exec(`PRAGMA busy_timeout=${BUSY_TIMEOUT_MS}; PRAGMA cache_size=-${CACHE_KIB}`)
    if (role === 'writer') this.prepareWriting()
    else this.database.exec('PRAGMA query_only=ON')
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
      const answer = isBegin ? this.begin() : this.run(sql, values, transaction)
      if (this.database.inTransaction && transaction === undefined) return this.refuseStray()
      return answer
    } catch (error) {
      const { code = '', message } = error as { code?: string; message: string }
      if (STATEMENT_AT_FAULT.test(code)) return { code, message }
      throw error
    } finally {
      this.openTransaction = this.database.inTransaction ? transaction : undefined
    }
  }

  /** Makes sure that a transaction is over; what it did not commit is rolled back. */
  endTransaction(transaction: number): void {
    if (this.openTransaction === transaction) this.rollBack()
  }

  close(): void {
    this.statements.clear()
    this.database.close()
  }

  private prepareWriting(): void {
    // FULL syncs the log at every commit; with NORMAL a power cut takes back what was already answered.
    this.database.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON')
    const journalMode = this.database.prepare('PRAGMA journal_mode').pluck().all()[0]
    const synchronous = this.database.prepare('PRAGMA synchronous').pluck().all()[0]
    if (journalMode !== 'wal' || synchronous !== SYNCHRONOUS_FULL) {
      throw new Error(`it runs with journal_mode=${journalMode}, synchronous=${synchronous}: commits may be lost`)
    }
  }

  private run(sql: string, values: readonly SqlValue[], transaction: number | undefined): SqlAnswer {
    const statement = this.statementOf(sql)
    if (this.role === 'reader' || transaction !== undefined || !CHANGE.test(sql)) return runOne(statement, values)
    return this.runAlone(statement, values)
  }

  /**
   * Runs a change in a transaction of its own: the driver leaves a statement that met another process's lock in progress, and
   * no commit works until that same statement was run again. In a transaction it meets none, and its beginning is run again by
   * the next one.
   */
  private runAlone(statement: Database.Statement<unknown[]>, values: readonly SqlValue[]): SqlAnswer {
    this.begin()
    try {
      const answer = runOne(statement, values)
      this.database.exec('COMMIT')
      return answer
    } catch (error) {
      this.rollBack()
      throw error
    }
  }

  private begin(): SqlAnswer {
    this.beginning ??= this.database.prepare(BEGIN)
    return runOne(this.beginning, [])
  }

  /** A transaction that nobody owns would take in the writes of everyone after it. */
  private refuseStray(): SqlRefusal {
    this.rollBack()
    return { code: 'SQLITE_MISUSE', message: 'a transaction is begun by startTransaction of a query runner' }
  }

  private rollBack(): void {
    this.openTransaction = undefined
    if (this.database.inTransaction) this.database.exec('ROLLBACK')
  }

  private statementOf(sql: string): Database.Statement<unknown[]> {
    const statement = this.statements.get(sql) ?? this.database.prepare(sql)
    this.statements.delete(sql)
    this.statements.set(sql, statement)
    const [oldest] = this.statements.keys()
    if (this.statements.size > STATEMENTS_KEPT && oldest !== undefined) this.statements.delete(oldest)
    return statement
  }
}

function runOne(statement: Database.Statement<unknown[]>, values: readonly SqlValue[]): SqlAnswer {
  if (statement.reader) return { rows: statement.all(values) as SqlRow[] }
  const { changes, lastInsertRowid } = statement.run(values)
  return { changes, lastRowId: Number(lastInsertRowid) }
}

serveRequests(() => new SqlWorker(workerData as SqlWorkerData))
