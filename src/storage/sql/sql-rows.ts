import type { EntityManager } from 'typeorm'
import type { SqlDialect, StatementSize } from './sql-dialect.js'

/** What statements are run through: a data source, or the manager of a transaction. */
export type Queries = Pick<EntityManager, 'query'>

/** A piece of a statement and what is bound to its `?`, in order. */
export interface Sql {
  readonly text: string
  readonly values: readonly unknown[]
}

export function sql(text: string, ...values: readonly unknown[]): Sql {
  return { text, values }
}

export function joinSql(parts: readonly Sql[], separator: string): Sql {
  return { text: parts.map(({ text }) => text).join(separator), values: parts.flatMap(({ values }) => values) }
}

/** Conditions that all hold; none of them: what is always true. */
export function allOf(conditions: readonly Sql[]): Sql {
  return conditions.length === 0 ? sql('1 = 1') : joinSql(conditions, ' AND ')
}

export function placeholders(count: number): string {
  return Array.from({ length: count }, () => '?').join(', ')
}

/** That the column is one of the values; one by equality, so that an index gives the order too. */
export function isOneOf(column: string, values: readonly unknown[]): Sql {
  if (values.length === 1) return sql(`${column} = ?`, values[0])
  return sql(`${column} IN (${placeholders(values.length)})`, ...values)
}

/** @throws RangeError when a value is a number that is none, which each database takes for something else */
export async function runSql<Row>(queries: Queries, { text, values }: Sql): Promise<Row[]> {
  return queries.query<Row[]>(text, values.map(toBound))
}

/**
 * Inserts rows, as many in a statement as the database takes well. Written out, since TypeORM takes longer to put so many named parameters
 * into a statement than the database to run it.
 * @param end what the statements end in
 * @throws RangeError when a value is a number that is none
 */
export async function insertRows(
  queries: Queries,
  { atOnce }: SqlDialect,
  table: string,
  columns: readonly string[],
  rows: readonly (readonly unknown[])[],
  end = '',
): Promise<void> {
  const row = `(${placeholders(columns.length)})`
  for (const some of statementsOf(rows, atOnce)) {
    const values = some.map(() => row).join(', ')
    await queries.query(
      `INSERT INTO ${table} (${columns.join(', ')}) VALUES ${values} ${end}`,
      some.flat().map(toBound),
    )
  }
}

/** The rows in their order, in pieces that one statement holds; a row that is larger than that is one by itself. */
export function* statementsOf<Row extends readonly unknown[]>(
  all: readonly Row[],
  { rows, bytes }: Pick<StatementSize, 'rows' | 'bytes'>,
): Generator<Row[]> {
  let some: Row[] = []
  let size = 0
  for (const row of all) {
    const more = Number.isFinite(bytes) ? row.reduce<number>((sum, value) => sum + bytesOf(value), 0) : 0
    if (some.length > 0 && (some.length >= rows || size + more > bytes)) {
      yield some
      some = []
      size = 0
    }
    some.push(row)
    size += more
  }
  if (some.length > 0) yield some
}

export function* chunksOf<T>(all: readonly T[], size: number): Generator<T[]> {
  for (let i = 0; i < all.length; i += size) yield all.slice(i, i + size)
}

function toBound(value: unknown): unknown {
  if (typeof value === 'number' && !Number.isFinite(value)) throw new RangeError(`${value} cannot be stored`)
  return value
}

function bytesOf(value: unknown): number {
  return typeof value === 'string' ? Buffer.byteLength(value) + PUNCTUATION_BYTES : NUMBER_BYTES
}

/** Quotes and a comma. */
const PUNCTUATION_BYTES = 4
const NUMBER_BYTES = 20
