import type { ObjectLiteral, SelectQueryBuilder } from 'typeorm'

/**
 * Lets nobody else change the selected rows until the transaction ends. On SQLite the transaction itself does: it begins with
 * the one write lock.
 */
export function lockRows<Row extends ObjectLiteral>(query: SelectQueryBuilder<Row>): SelectQueryBuilder<Row> {
  return query.dataSource.options.type === 'better-sqlite3' ? query : query.setLock('pessimistic_write')
}
