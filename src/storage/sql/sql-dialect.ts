import type { SqlSource } from './sql-source.js'

/**
 * How a statement is told the way that it is to be gone through. Lists are made such that some index gives their order and they end as
 * soon as a page is full; planners, which estimate how much a whole statement finds, often see another way.
 */
export interface SqlDialect {
  /** Rows of the table under the alias, read by this index. */
  rowsBy(table: string, alias: string, index: string): string
  /** Between two tables of which the first is gone through and the second is searched for each of its rows. */
  readonly thenIn: string
  /** A select with an order and a limit of its own, as one of several in a union. */
  leg(select: string, name: string): string
  /** At the end of an insertion: rows whose key is there are left as they are. */
  unlessThere(keyColumn: string): string
  /** At the end of a select: nobody removes or changes the rows until the transaction ends. Empty: nobody writes beside a transaction. */
  readonly keepRows: string
  /** The same, and this transaction is about to change them. */
  readonly lockRows: string
  /** Conditions on columns that an index holds are asked before the row itself is read, in whichever direction. */
  readonly readsRowsLate: boolean
  /**
   * A join searches an index by a range whose ends are in the row of another table, and a sort ends with the first of the sorted pieces
   * that fill the page. Else ranges have to be written into the statement, for some blocks of alarms at a time.
   */
  readonly joinsRanges: boolean
  /** How much one statement holds: on a server each costs a round trip, which may be a slow one. */
  readonly atOnce: StatementSize
}

export interface StatementSize {
  /** Rows of an insertion. */
  readonly rows: number
  /** Of what is bound, about; the driver of servers doubles what has to be escaped. */
  readonly bytes: number
  /** Keys that are looked for, each a search of its own in an index. */
  readonly sought: number
}

/** SQLite keeps the order of a CROSS JOIN, and takes no index for a column with a plus; which one it takes otherwise is tested. */
const SQLITE: SqlDialect = {
  rowsBy: (table, alias) => `${table} ${alias}`,
  thenIn: 'CROSS JOIN',
  leg: (select, name) => `SELECT * FROM (${select}) ${name}`,
  unlessThere: () => 'ON CONFLICT DO NOTHING',
  keepRows: '',
  lockRows: '',
  readsRowsLate: true,
  joinsRanges: true,
  // With the columns of a wide table well below the parameters that a statement may have; a statement costs next to nothing.
  atOnce: { rows: 100, bytes: Number.POSITIVE_INFINITY, sought: 100 },
}

/** MySQL and MariaDB. */
const MYSQL: SqlDialect = {
  rowsBy: (table, alias, index) => `${table} ${alias} FORCE INDEX (${index})`,
  thenIn: 'STRAIGHT_JOIN',
  leg: (select) => `(${select})`,
  unlessThere: (keyColumn) => `ON DUPLICATE KEY UPDATE ${keyColumn} = ${keyColumn}`,
  keepRows: ' LOCK IN SHARE MODE',
  lockRows: ' FOR UPDATE',
  readsRowsLate: false,
  joinsRanges: false,
  // Well below the longest statement that servers take and the memory that they give to the plan of one.
  atOnce: { rows: 5000, bytes: 1_000_000, sought: 2000 },
}

export function dialectOf(source: Pick<SqlSource, 'createQueryBuilder'>): SqlDialect {
  return source.createQueryBuilder().dataSource.options.type === 'better-sqlite3' ? SQLITE : MYSQL
}
