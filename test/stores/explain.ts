import type { DataSource } from 'typeorm'
import { PooledQueryRunner } from '../../src/storage/sql/pooled-query-runner.js'

/** How a statement gets at the rows of one of its tables, as MySQL and MariaDB both say it. */
export interface Access {
  readonly table: string
  /** `const`, `eq_ref`, `ref`, `range` search an index; `index` walks all of one, `ALL` all rows. */
  readonly type: string
  readonly key: string | null
  /** How many the planner thinks to read, without regard to a limit. */
  readonly rows: number
  readonly extra: string
}

export type Statement = readonly [sql: string, values: unknown[]]

/** The statements on tables that the call runs and that match; of this process nothing else may run any meanwhile. */
export async function recordStatements(
  call: () => Promise<unknown>,
  pattern = /\b(?:FROM|UPDATE)\b/,
): Promise<Statement[]> {
  const statements: Statement[] = []
  const { query } = PooledQueryRunner.prototype
  function recording(this: PooledQueryRunner, sql: string, values?: unknown[], isStructured?: boolean) {
    if (pattern.test(sql)) statements.push([sql, values ?? []])
    return Reflect.apply(query, this, [sql, values, isStructured])
  }
  PooledQueryRunner.prototype.query = recording as typeof query
  try {
    await call()
  } finally {
    PooledQueryRunner.prototype.query = query
  }
  return statements
}

/** What EXPLAIN says of the statement. */
export async function explainStatement(
  queries: { query(sql: string, values: unknown[]): Promise<unknown> },
  [sql, values]: Statement,
): Promise<Access[]> {
  const rows = (await queries.query(`EXPLAIN FORMAT=TRADITIONAL ${sql}`, values)) as Row[]
  return rows.flatMap(toAccess)
}

/** What EXPLAIN says of each of the statements on tables that the call runs and that match. */
export async function explain(
  dataSource: DataSource,
  call: () => Promise<unknown>,
  pattern?: RegExp,
): Promise<Access[][]> {
  const plans: Access[][] = []
  for (const statement of await recordStatements(call, pattern))
    plans.push(await explainStatement(dataSource, statement))
  return plans
}

interface Row {
  readonly table: string | null
  readonly type: string | null
  readonly key: string | null
  readonly rows: number | string | null
  readonly Extra: string | null
}

/** Without the tables that the statement makes itself; of an update, MySQL also tells the statement that it became. */
function toAccess({ table, type, key, rows, Extra }: Row): Access[] {
  if (table === null || type === null || table.startsWith('<')) return []
  return [{ table, type, key, rows: Number(rows), extra: Extra ?? '' }]
}
