import type { EntityManager } from 'typeorm'

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

export function runSql<Row>(queries: Queries, { text, values }: Sql): Promise<Row[]> {
  return queries.query<Row[]>(text, [...values])
}

/**
 * Inserts rows, some hundred in a statement. Written out, since TypeORM takes longer to put so many named parameters into a statement
 * than the database to run it.
 */
export async function insertRows(
  queries: Queries,
  table: string,
  columns: readonly string[],
  rows: readonly (readonly unknown[])[],
): Promise<void> {
  const row = `(${placeholders(columns.length)})`
  for (const some of chunksOf(rows, INSERTED_AT_ONCE)) {
    const values = some.map(() => row).join(', ')
    await queries.query(`INSERT INTO ${table} (${columns.join(', ')}) VALUES ${values}`, some.flat())
  }
}

export function* chunksOf<T>(all: readonly T[], size: number): Generator<T[]> {
  for (let i = 0; i < all.length; i += size) yield all.slice(i, i + size)
}

/** With the columns of a wide table well below the parameters that a statement may have. */
const INSERTED_AT_ONCE = 100
