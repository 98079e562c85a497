import { types } from 'node:util'
import type { PoolConnection } from 'mysql2'
import { type ObjectLiteral, QueryFailedError, QueryResult, QueryRunnerAlreadyReleasedError } from 'typeorm'
import type { MysqlDriver } from 'typeorm/driver/mysql/MysqlDriver.js'
import { MysqlQueryRunner } from 'typeorm/driver/mysql/MysqlQueryRunner.js'
import { discard, type Lease, type LeaseSource, runInTime } from './mysql-connection.js'
import { faultOf, type MysqlFault, plainError, toAppError } from './mysql-errors.js'
import { Repeats } from './repeats.js'
import { storeUnavailable } from './sql-errors.js'

type Parameters = unknown[] | ObjectLiteral

const READ = /^\s*(?:\(*\s*SELECT|EXPLAIN|SHOW)\b/i
const LOCKS = /\bFOR (?:UPDATE|SHARE)\b/i
const ROLLBACK_LIMIT_MS = 1000
/**
 * Of a call, what the commit has at least, or it is not sent: one that is given up leaves a doubt. It may take longer than the call then has;
 * the answer is still well within 10 s.
 */
const COMMIT_NEEDS_MS = 1000
const COMMIT_LIMIT_MS = 2000
/** After the limits of the statements in it. */
const DEADLINE_MARGIN_MS = 200

/** Why a transaction cannot go on. */
interface Break {
  readonly fault: MysqlFault
  readonly error: Error
  /** Whether the server may have committed all the same: it was asked to, and did not say what became of it. */
  readonly isInDoubt: boolean
}

/**
 * Runs TypeORM's statements on a connection of the pool, each within its time. A statement alone is tried again where a repeat cannot do
 * it twice. In a transaction the first fault of the store ends it: nothing else is run, and nothing of it is kept.
 */
export class PooledQueryRunner extends MysqlQueryRunner {
  private leasing: Promise<Lease> | undefined
  private lease: Lease | undefined
  private wasLost = false
  private isCommitting = false
  private deadlineMs: number | undefined
  private deadlineTimer: NodeJS.Timeout | undefined
  private breakOfTransaction: Break | undefined
  private changes = 0

  constructor(private readonly source: MysqlDriver & LeaseSource) {
    super(source, 'master')
  }

  /** What ended the last transaction. */
  get broken(): Break | undefined {
    return this.breakOfTransaction
  }

  /** Statements that succeeded and were no reads. */
  get changesDone(): number {
    return this.changes
  }

  /** @throws AppError `store_unavailable` | `overloaded`, or the driver's error */
  override async connect(): Promise<PoolConnection> {
    if (this.lease) return this.lease.connection
    if (this.wasLost && !this.source.limits.repeats) throw storeUnavailable('the connection was lost')
    this.leasing ??= this.source.lease(this.remainingMs())
    try {
      this.lease = await this.leasing
    } finally {
      this.leasing = undefined
    }
    if (this.isReleased) {
      this.giveBack()
      throw new QueryRunnerAlreadyReleasedError()
    }
    this.wasLost = false
    this.databaseConnection = this.lease.connection
    return this.lease.connection
  }

  override async release(): Promise<void> {
    if (this.isReleased) return
    this.isReleased = true
    if (this.isTransactionActive) this.dropConnection()
    this.endTransaction()
    this.giveBack()
  }

  /** Always READ COMMITTED, as the session is. */
  override async startTransaction(): Promise<void> {
    if (this.transactionDepth > 0) {
      await this.query(`SAVEPOINT typeorm_${this.transactionDepth}`)
    } else {
      this.beginTransaction(this.deadlineMs ?? performance.now() + this.source.limits.callMs)
      await this.query('START TRANSACTION')
    }
    this.transactionDepth += 1
  }

  override async commitTransaction(): Promise<void> {
    if (this.transactionDepth > 1) await this.query(`RELEASE SAVEPOINT typeorm_${this.transactionDepth - 1}`)
    else await this.commit()
    this.transactionDepth -= 1
    if (this.transactionDepth === 0) this.endTransaction()
  }

  override async rollbackTransaction(): Promise<void> {
    if (this.transactionDepth > 1) {
      this.transactionDepth -= 1
      if (!this.broken) await this.query(`ROLLBACK TO SAVEPOINT typeorm_${this.transactionDepth}`)
      return
    }
    try {
      if (this.lease) await runInTime(this.lease.connection, 'ROLLBACK', [], ROLLBACK_LIMIT_MS)
    } catch {
      // A transaction that may still be open must not reach the next one who gets the connection.
      this.dropConnection()
    } finally {
      this.endTransaction()
    }
  }

  /** Begins one that ends by then, whoever it was begun for. */
  async startTransactionUntil(deadlineMs: number): Promise<void> {
    this.deadlineMs = deadlineMs
    await this.startTransaction()
  }

  override query(query: string, parameters: Parameters | undefined, useStructuredResult: true): Promise<QueryResult>
  override query(query: string, parameters?: Parameters, useStructuredResult?: boolean): Promise<unknown>
  /**
   * @param useStructuredResult true: a QueryResult; false: the rows of a query, or what a write did
   * @throws AppError `store_unavailable` | `disk_full` | `overloaded`; QueryFailedError with the server's code for the rest
   */
  override async query(query: string, parameters: Parameters = [], useStructuredResult = false): Promise<unknown> {
    if (this.isReleased) throw new QueryRunnerAlreadyReleasedError()
    if (!Array.isArray(parameters)) throw new TypeError('parameters are bound by their order')
    this.dataSource.logger.logQuery(query, undefined, this)
    const raw = this.isTransactionActive
      ? await this.runInTransaction(query, parameters)
      : await this.runAlone(query, parameters)
    if (!READ.test(query)) this.changes++
    const result = new QueryResult()
    result.raw = raw
    if (Array.isArray(raw)) result.records = [...raw]
    else result.affected = (raw as { affectedRows?: number }).affectedRows
    return useStructuredResult ? result : raw
  }

  private async commit(): Promise<void> {
    const needsMs = Math.min(COMMIT_NEEDS_MS, this.source.limits.callMs / 8)
    if (this.remainingMs() < needsMs) {
      const fault = { kind: 'refused', reason: 'a transaction had no time left to commit and was rolled back' } as const
      this.breakOfTransaction ??= { fault, error: toAppError(fault, undefined), isInDoubt: false }
    }
    clearTimeout(this.deadlineTimer)
    await this.query('COMMIT')
  }

  private async runInTransaction(query: string, values: readonly unknown[]): Promise<unknown> {
    if (this.broken) throw this.broken.error
    let connection: PoolConnection | undefined
    try {
      connection = await this.connect()
      this.isCommitting = query === 'COMMIT'
      const limitMs = this.isCommitting ? Math.max(COMMIT_LIMIT_MS, this.statementMs()) : this.statementMs()
      return await runInTime(connection, query, values, limitMs)
    } catch (error) {
      const fault = faultOf(error)
      if (!fault) throw this.toError(query, error, values.length === 0)
      throw this.breakTransaction(connection ? fault : unsent(fault), error).error
    }
  }

  private async runAlone(query: string, values: readonly unknown[]): Promise<unknown> {
    const repeats = new Repeats(this.source.limits)
    for (;;) {
      let connection: PoolConnection | undefined
      try {
        this.deadlineMs = repeats.deadlineMs
        connection = await this.connect()
        return await runInTime(connection, query, values, this.statementMs())
      } catch (error) {
        const found = faultOf(error)
        if (!found) throw this.toError(query, error, values.length === 0)
        const fault = connection ? found : unsent(found)
        if (fault.kind !== 'beaten') this.dropConnection()
        if (mayBeDone(fault, query) || !(await repeats.mayFollow(fault.kind))) throw toAppError(fault, error)
      } finally {
        this.deadlineMs = undefined
      }
    }
  }

  private breakTransaction(fault: MysqlFault, cause: unknown): Break {
    const isInDoubt = this.isCommitting && fault.kind !== 'beaten' && fault.kind !== 'unsent'
    const inDoubt = `${fault.reason}, while it committed: all of it was kept, or nothing`
    const error = toAppError(isInDoubt ? { ...fault, reason: inDoubt } : fault, cause)
    this.breakOfTransaction ??= { fault, error, isInDoubt }
    if (fault.kind !== 'beaten') this.dropConnection()
    return this.breakOfTransaction
  }

  private beginTransaction(deadlineMs: number): void {
    this.breakOfTransaction = undefined
    this.isCommitting = false
    this.isTransactionActive = true
    this.deadlineMs = deadlineMs
    const { callMs } = this.source.limits
    const tooLong = () => {
      const fault = {
        kind: 'refused',
        reason: `a transaction took longer than ${callMs} ms and was rolled back`,
      } as const
      this.breakTransaction(fault, undefined)
    }
    const leftMs = Math.max(0, deadlineMs - performance.now()) + DEADLINE_MARGIN_MS
    this.deadlineTimer = setTimeout(tooLong, leftMs)
  }

  private endTransaction(): void {
    clearTimeout(this.deadlineTimer)
    this.deadlineMs = undefined
    this.isTransactionActive = false
    this.transactionDepth = 0
  }

  private remainingMs(): number {
    return Math.max(1, (this.deadlineMs ?? Number.POSITIVE_INFINITY) - performance.now())
  }

  private statementMs(): number {
    return Math.min(this.source.limits.statementMs, this.remainingMs())
  }

  /** The connection is no good any more: nobody gets it again. */
  private dropConnection(): void {
    this.wasLost = true
    if (this.lease) discard(this.lease.connection)
    this.giveBack()
  }

  private giveBack(): void {
    this.lease?.release()
    this.lease = undefined
  }

  private toError(query: string, error: unknown, isBare: boolean): unknown {
    if (!types.isNativeError(error) || !('sqlState' in error)) return error
    const plain = plainError(error, isBare)
    this.dataSource.logger.logQueryError(plain, query, undefined, this)
    // Without the parameters: errors are logged, and parameters hold hashes and addresses.
    return new QueryFailedError(query, undefined, plain)
  }
}

/** Whether a statement alone may have been done though it failed, so that a repeat could do it twice. */
function mayBeDone({ kind }: MysqlFault, query: string): boolean {
  return kind === 'lost' && (!READ.test(query) || LOCKS.test(query))
}

/** There was no connection yet, so that nothing was said. */
function unsent(fault: MysqlFault): MysqlFault {
  return fault.kind === 'lost' ? { ...fault, kind: 'unsent' } : fault
}
