import { storeUnavailable } from './sql-errors.js'
import type { SqlAnswer, SqlRefusal, SqlRequest, SqlValue } from './sql-request.js'

/** What a transaction needs of its database. */
export interface TransactionHost {
  execute(request: SqlRequest): Promise<SqlAnswer | SqlRefusal>
  endTransaction(id: number): Promise<void>
  /** Lets the next writer in. */
  release(): void
  inTime<T>(answer: Promise<T>): Promise<T>
  readonly idleLimitMs: number
}

/** The right to write alone, until it is given back or forgotten for too long. */
export class SqliteTransaction {
  private isOver = false
  private idle: NodeJS.Timeout | undefined
  private underWay = 0

  constructor(
    private readonly id: number,
    private readonly host: TransactionHost,
  ) {
    this.watchIdleness()
  }

  /** Runs a statement of the transaction, `BEGIN` and `COMMIT` too. */
  async run(sql: string, values: readonly SqlValue[]): Promise<SqlAnswer | SqlRefusal> {
    if (this.isOver)
      throw storeUnavailable(`the transaction was idle for ${this.host.idleLimitMs} ms and was rolled back`)
    clearTimeout(this.idle)
    this.underWay++
    const answer = this.host.execute({ sql, values, transaction: this.id })
    const settled = () => {
      this.underWay--
      this.watchIdleness()
    }
    answer.then(settled, settled)
    return this.host.inTime(answer)
  }

  /** Rolls back what was not committed and lets the next writer in, once the thread says that it is so. */
  async end(): Promise<void> {
    if (this.isOver) return
    this.isOver = true
    clearTimeout(this.idle)
    const ended = this.host.endTransaction(this.id)
    // A thread that ended took its transaction with it.
    ended.then(this.host.release, this.host.release)
    await this.host.inTime(ended.catch(() => undefined)).catch(() => undefined)
  }

  private watchIdleness(): void {
    if (this.isOver || this.underWay > 0) return
    this.idle = setTimeout(() => void this.end(), this.host.idleLimitMs)
  }
}
