import { EntitySchema } from 'typeorm'
import type { DeviceRecord } from '../device-records.js'
import { flagColumn, textColumn, timeColumn } from './columns.js'

/** A row of `devices`: the record itself, and what it is found by. */
export interface DeviceRow extends DeviceRecord {
  /** Folded words, each after a blank; see search-text.ts. Never read back. */
  readonly search: string
}

export const DeviceEntity = new EntitySchema<DeviceRow>({
  name: 'Device',
  tableName: 'devices',
  columns: {
    deviceId: textColumn('device_id', { primary: true }),
    kind: textColumn('kind'),
    name: textColumn('name', { nullable: true }),
    plate: textColumn('plate', { nullable: true }),
    brand: textColumn('brand', { nullable: true }),
    model: textColumn('model', { nullable: true }),
    protocol: textColumn('protocol', { nullable: true }),
    status: textColumn('status'),
    secretHash: textColumn('secret_hash', { nullable: true }),
    trackerAllowed: flagColumn('tracker_allowed'),
    trackerSack: flagColumn('tracker_sack'),
    commandPassword: textColumn('command_password', { nullable: true }),
    generation: textColumn('generation'),
    createdAtMs: timeColumn('created_at'),
    lastSeenAtMs: timeColumn('last_seen_at', { nullable: true }),
    search: textColumn('search', { select: false }),
  },
})
