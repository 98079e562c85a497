import { EntitySchema } from 'typeorm'
import type { ErasureRecord } from '../erasure-records.js'
import { textColumn, timeColumn } from './columns.js'

export const ErasureEntity = new EntitySchema<ErasureRecord>({
  name: 'Erasure',
  tableName: 'erasures',
  columns: {
    deviceId: textColumn('device_id', { primary: true }),
    by: textColumn('asked_by'),
    address: textColumn('address'),
    askedAtMs: timeColumn('asked_at'),
  },
})
