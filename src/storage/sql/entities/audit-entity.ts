import { EntitySchema } from 'typeorm'
import type { AuditRecord } from '../audit-records.js'
import { textColumn, timeColumn } from './columns.js'

export const AuditEntity = new EntitySchema<AuditRecord>({
  name: 'Audit',
  tableName: 'audit',
  columns: {
    id: textColumn('id', { primary: true }),
    atMs: timeColumn('at'),
    by: textColumn('actor'),
    action: textColumn('action'),
    target: textColumn('target', { nullable: true }),
    detail: { name: 'detail', type: 'simple-json', nullable: true },
    address: textColumn('address', { nullable: true }),
  },
})
