import type { SqlSource } from './sql-source.js'

/**
 * Epoch milliseconds by the database's own clock, as an expression: what several servers compare by one clock does not depend on
 * theirs. Sessions on MySQL and MariaDB are in UTC.
 */
export function nowMsOf(source: Pick<SqlSource, 'createQueryBuilder'>): string {
  return source.createQueryBuilder().dataSource.options.type === 'better-sqlite3'
    ? "CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER)"
    : 'CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)'
}
