import { EntitySchema } from 'typeorm'
import type { IdempotencyRecord } from '../idempotency-records.js'
import { textColumn, timeColumn } from './columns.js'

/** The row of a key. While the first request runs, `sealed` has its owner: there is no answer to keep yet. */
export type IdempotencyRow = Omit<IdempotencyRecord, 'owner'>

export const IdempotencyEntity = new EntitySchema<IdempotencyRow>({
  name: 'Idempotency',
  tableName: 'idempotency_keys',
  columns: {
    scopeHash: textColumn('scope_hash', { primary: true }),
    bodyHash: textColumn('body_hash'),
    createdAtMs: timeColumn('created_at'),
    status: { name: 'status', type: 'int', nullable: true },
    sealed: textColumn('sealed', { nullable: true }),
  },
})
