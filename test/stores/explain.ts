import type { DataSource } from 'typeorm'
import { PooledQueryRunner } from '../../src/storage/sql/pooled-query-runner.js'

/** How a statement gets at the rows of one of its tables, as MySQL and MariaDB both say it. */
export interface Access {
  readonly table: string
  /** `const`, `eq_ref`, `ref`, `range` search an index; `index` walks all of one, `ALL` all rows. */
  readonly type: string
  readonly key: string | null
  readonly extra: string
}

/** What EXPLAIN says of each of the statements on tables that the call runs and that match. */
export async function explain(
  dataSource: DataSource,
  call: () => Promise<unknown>,
  pattern = /\b(?:FROM|UPDATE)\b/,
): Promise<Access[][]> {
  const query = jest.spyOn(PooledQueryRunner.prototype, 'query')
  let statements: [string, unknown[]][]
  try {
    await call()
    statements = query.mock.calls.flatMap(([sql, values]) =>
      pattern.test(sql) ? [[sql, (values ?? []) as unknown[]]] : [],
    )
  } finally {
    query.mockRestore()
  }
  const plans: Access[][] = []
  for (const [sql, values] of statements) {
    const rows = await dataSource.query<Row[]>(`EXPLAIN FORMAT=TRADITIONAL ${sql}`, values)
    plans.push(rows.flatMap(toAccess))
  }
  return plans
}

interface Row {
  readonly table: string | null
  readonly type: string | null
  readonly key: string | null
  readonly Extra: string | null
}

/** Without the tables that the statement makes itself; of an update, MySQL also tells the statement that it became. */
function toAccess({ table, type, key, Extra }: Row): Access[] {
  if (table === null || type === null || table.startsWith('<')) return []
  return [{ table, type, key, extra: Extra ?? '' }]
}
