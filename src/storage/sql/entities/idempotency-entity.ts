import { EntitySchema } from 'typeorm'
import type { IdempotencyRecord } from '../idempotency-records.js'
import { textColumn, timeColumn } from './columns.js'

export const IdempotencyEntity = new EntitySchema<IdempotencyRecord>({
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
