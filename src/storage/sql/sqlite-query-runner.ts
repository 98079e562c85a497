import { type ObjectLiteral, QueryFailedError, QueryResult, QueryRunnerAlreadyReleasedError } from 'typeorm'
import type { AbstractSqliteDriver } from 'typeorm/driver/sqlite-abstract/AbstractSqliteDriver.js'
import { AbstractSqliteQueryRunner } from 'typeorm/driver/sqlite-abstract/AbstractSqliteQueryRunner.js'
import { Broadcaster } from 'typeorm/subscriber/Broadcaster.js'
import { DateUtils } from 'typeorm/util/DateUtils.js'
import { storeUnavailable } from './sql-errors.js'
import { BEGIN, type SqlAnswer, type SqlRefusal, type SqlValue, TRANSACTION_GONE } from './sql-request.js'
import type { SqliteDatabase } from './sqlite-database.js'
import type { SqliteTransaction } from './sqlite-transaction.js'

type Parameters = unknown[] | ObjectLiteral

const READ = /^\s*(?:SELECT|EXPLAIN|VALUES)\b/i
const READ_WITH_TABLES = /^\s*WITH\b/i
const WRITE_WORD = /\b(?:INSERT|UPDATE|DELETE|REPLACE)\b/i

/** SQLite's refusal of a statement, with its code, such as `SQLITE_CONSTRAINT_UNIQUE`. */
class SqliteError extends Error {
  override readonly name = 'SqliteError'

  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message)
  }
}

/**
 * Runs TypeORM's statements in the threads of an {@link SqliteDatabase}: reads beside everything, writes one after the other, a
 * transaction alone from its beginning to its end. Every use of the data source gets a runner of its own, where TypeORM's
 * runner for SQLite is one for all, so that parallel transactions end up in each other.
 */
export class SqliteQueryRunner extends AbstractSqliteQueryRunner {
  private transaction: SqliteTransaction | undefined

  constructor(
    driver: AbstractSqliteDriver,
    private readonly database: SqliteDatabase,
  ) {
    super()
    this.driver = driver
    this.dataSource = driver.dataSource
    this.broadcaster = new Broadcaster(this)
  }

  override async connect(): Promise<SqliteDatabase> {
    return this.database
  }

  override async release(): Promise<void> {
    this.isReleased = true
    await this.endTransaction()
    await super.release()
  }

  /** The isolation level is left aside: SQLite's transactions are serializable, which serves every level. */
  override async startTransaction(): Promise<void> {
    this.transaction ??= await this.database.begin()
    const isOutermost = this.transactionDepth === 0
    try {
      await super.startTransaction()
    } catch (error) {
      if (isOutermost) await this.endTransaction()
      throw error
    }
  }

  override async commitTransaction(): Promise<void> {
    await super.commitTransaction()
    if (this.transactionDepth === 0) await this.endTransaction()
  }

  override async rollbackTransaction(): Promise<void> {
    const isOutermost = this.transactionDepth <= 1
    try {
      await super.rollbackTransaction()
    } finally {
      if (isOutermost) await this.endTransaction()
    }
  }

  override async beforeMigration(): Promise<void> {
    await this.query('PRAGMA foreign_keys = OFF')
  }

  override async afterMigration(): Promise<void> {
    await this.query('PRAGMA foreign_keys = ON')
  }

  override query(query: string, parameters: Parameters | undefined, useStructuredResult: true): Promise<QueryResult>
  override query(query: string, parameters?: Parameters, useStructuredResult?: boolean): Promise<unknown>
  /**
   * @param useStructuredResult true: a QueryResult; false: the rows of a query, or the last row id of a write
   * @throws AppError `store_unavailable` | `disk_full` | `overloaded`; QueryFailedError with SQLite's code for the rest
   */
  override async query(query: string, parameters: Parameters = [], useStructuredResult = false): Promise<unknown> {
    if (this.isReleased) throw new QueryRunnerAlreadyReleasedError()
    if (!Array.isArray(parameters)) throw new TypeError('parameters are bound by their order')
    this.dataSource.logger.logQuery(query, undefined, this)
    const answer = await this.execute(query, parameters.map(toSqlValue))
    if ('code' in answer) throw this.toError(query, answer)
    const result = new QueryResult()
    if ('rows' in answer) {
      result.raw = answer.rows
      result.records = [...answer.rows]
    } else {
      result.raw = answer.lastRowId
      result.affected = answer.changes
    }
    return useStructuredResult ? result : result.raw
  }

  /** For changes to tables, which TypeORM makes by reading the old one. */
  protected override async loadTableRecords(tablePath: string, tableOrIndex: 'table' | 'index'): Promise<unknown> {
    const column = tableOrIndex === 'table' ? 'name' : 'tbl_name'
    return this.query(`SELECT NULL AS "database", * FROM sqlite_master WHERE type = ? AND ${column} = ?`, [
      tableOrIndex,
      this.splitTablePath(tablePath)[1],
    ])
  }

  protected override async loadPragmaRecords(tablePath: string, pragma: string): Promise<unknown> {
    return this.query(`PRAGMA ${pragma}(${this.escapePath(tablePath)})`)
  }

  private execute(query: string, values: readonly SqlValue[]): Promise<SqlAnswer | SqlRefusal> {
    if (this.transaction) return this.transaction.run(query === 'BEGIN TRANSACTION' ? BEGIN : query, values)
    return isRead(query) ? this.database.read(query, values) : this.database.write(query, values)
  }

  private async endTransaction(): Promise<void> {
    const transaction = this.transaction
    this.transaction = undefined
    this.isTransactionActive = false
    this.transactionDepth = 0
    await transaction?.end()
  }

  private toError(query: string, { code, message }: SqlRefusal): Error {
    if (code === TRANSACTION_GONE) return storeUnavailable(`the transaction ended before its statements: ${message}`)
    const cause = new SqliteError(code, message)
    this.dataSource.logger.logQueryError(cause, query, undefined, this)
    // Without the parameters: errors are logged, and parameters hold hashes and addresses.
    return new QueryFailedError(query, undefined, cause)
  }
}

/** A statement that is taken for a write only waits longer; a write that were taken for a read would be refused by the reader. */
function isRead(query: string): boolean {
  return READ.test(query) || (READ_WITH_TABLES.test(query) && !WRITE_WORD.test(query))
}

/** Also keeps from the driver what it cannot bind: it ends the whole process on a boolean. */
function toSqlValue(value: unknown): SqlValue {
  switch (typeof value) {
    case 'string':
    case 'number':
    case 'bigint':
      return value
    case 'boolean':
      return value ? 1 : 0
    case 'undefined':
      return null
  }
  if (value === null || value instanceof Uint8Array) return value
  if (value instanceof Date) return DateUtils.mixedDateToUtcDatetimeString(value)
  throw new TypeError(`a parameter of type ${typeof value} cannot be bound`)
}
