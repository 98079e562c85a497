import type { DataSource } from 'typeorm'
import { isValueAtFault } from '../sql/sql-errors.js'
import { placeholders } from '../sql/sql-rows.js'
import {
  type CopiedRow,
  type CopiedTable,
  type CopiedValue,
  fromDatabase,
  nameOfRow,
  toDatabase,
} from './copied-table.js'

const FIRST_ROWS = 8
const MOST_ROWS = 1000
/** Of a page, as far as the one before it tells: kept answers may be 16 MiB each. */
const PAGE_CHARACTERS = 4_194_304
/** Of one statement; the servers take at least four times as much. */
const STATEMENT_CHARACTERS = 1_048_576
/** SQLite takes 32,766. */
const STATEMENT_VALUES = 16_000

/** A row that the target's table does not take. */
export class RowRefusedError extends Error {
  override readonly name = 'RowRefusedError'
  readonly exitCode = 1
}

/** The rows of one table on one side. */
export class TableRows {
  private readonly list: string
  private pageRows = FIRST_ROWS

  constructor(
    private readonly dataSource: DataSource,
    private readonly table: CopiedTable,
  ) {
    this.list = table.columns.map(({ name }) => this.quoted(name)).join(', ')
  }

  async count(): Promise<number> {
    const [row] = await this.dataSource.query<{ n: unknown }[]>(
      `SELECT COUNT(*) AS n FROM ${this.quoted(this.table.name)}`,
    )
    return Number(row?.n)
  }

  /** The next rows in the order of the key; none: there are no more. How many depends on how long they are. */
  async listAfter(after: CopiedRow | undefined): Promise<CopiedRow[]> {
    const wanted = this.pageRows
    const rows: CopiedRow[] = []
    for (const [where, values] of this.legsAfter(after)) {
      const read = await this.dataSource.query<Record<string, unknown>[]>(
        `SELECT ${this.list} FROM ${this.quoted(this.table.name)}${where}${this.order} LIMIT ${wanted - rows.length}`,
        values,
      )
      for (const row of read) rows.push(this.table.columns.map(({ name, kind }) => fromDatabase(row[name], kind)))
      if (rows.length === wanted) break
    }
    this.adapt(rows)
    return rows
  }

  /**
   * Inserts rows, some hundred in a statement; each statement is kept whole or not at all.
   * @throws RowRefusedError naming the one that the table does not take
   */
  async insert(rows: readonly CopiedRow[]): Promise<void> {
    for (const some of statementsOf(rows, this.table.columns.length)) {
      try {
        await this.insertTogether(some)
      } catch (error) {
        if (isValueAtFault(error)) await this.insertEach(some)
        else throw error
      }
    }
  }

  private async insertTogether(rows: readonly CopiedRow[]): Promise<void> {
    const { columns, name } = this.table
    const row = `(${placeholders(columns.length)})`
    await this.dataSource.query(
      `INSERT INTO ${this.quoted(name)} (${this.list}) VALUES ${rows.map(() => row).join(', ')}`,
      rows.flatMap((values) => columns.map(({ kind }, index) => toDatabase(values[index] ?? null, kind))),
    )
  }

  /** Finds the one that is not taken. */
  private async insertEach(rows: readonly CopiedRow[]): Promise<void> {
    for (const row of rows) {
      try {
        await this.insertTogether([row])
      } catch (cause) {
        const words = cause instanceof Error ? cause.message : String(cause)
        throw new RowRefusedError(`the target does not take a row (${nameOfRow(this.table, row)}): ${words}`, { cause })
      }
    }
  }

  /**
   * What comes after a key, from what shares most of it to what shares nothing: each is one run of the key's index, where one condition
   * for all of it would be walked from its beginning on some databases.
   */
  private *legsAfter(after: CopiedRow | undefined): Generator<[where: string, values: unknown[]]> {
    if (after === undefined) {
      yield ['', []]
      return
    }
    const key = this.table.columns.slice(0, this.table.keyWidth)
    for (let shared = key.length - 1; shared >= 0; shared--) {
      const conditions = key
        .slice(0, shared + 1)
        .map(({ name }, index) => `${this.quoted(name)} ${index === shared ? '>' : '='} ?`)
      const values = key.slice(0, shared + 1).map(({ kind }, index) => toDatabase(after[index] ?? null, kind))
      yield [` WHERE ${conditions.join(' AND ')}`, values]
    }
  }

  private get order(): string {
    const key = this.table.columns.slice(0, this.table.keyWidth)
    return ` ORDER BY ${key.map(({ name }) => this.quoted(name)).join(', ')}`
  }

  private adapt(rows: readonly CopiedRow[]): void {
    if (rows.length === 0) return
    const mean = rows.reduce((sum, row) => sum + charactersOf(row), 0) / rows.length
    const fitting = Math.floor(PAGE_CHARACTERS / Math.max(1, mean))
    this.pageRows = Math.max(1, Math.min(fitting, MOST_ROWS, this.pageRows * 2))
  }

  private quoted(name: string): string {
    return this.dataSource.driver.escape(name)
  }
}

function* statementsOf(rows: readonly CopiedRow[], width: number): Generator<CopiedRow[]> {
  let some: CopiedRow[] = []
  let characters = 0
  for (const row of rows) {
    const more = charactersOf(row)
    const isFull = (some.length + 1) * width > STATEMENT_VALUES || characters + more > STATEMENT_CHARACTERS
    if (isFull && some.length > 0) {
      yield some
      some = []
      characters = 0
    }
    some.push(row)
    characters += more
  }
  if (some.length > 0) yield some
}

function charactersOf(row: readonly CopiedValue[]): number {
  return row.reduce<number>((sum, value) => sum + (typeof value === 'string' ? value.length : 8), 0)
}
