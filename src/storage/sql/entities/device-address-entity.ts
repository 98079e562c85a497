import { EntitySchema } from 'typeorm'
import type { DeviceId } from '../../../model/device-id.js'
import { textColumn, timeColumn } from './columns.js'

/** An address that a device logged in from, with the last time as far as it was written down. */
export interface DeviceAddressRow {
  readonly deviceId: DeviceId
  readonly address: string
  readonly seenAtMs: number
}

export const DeviceAddressEntity = new EntitySchema<DeviceAddressRow>({
  name: 'DeviceAddress',
  tableName: 'device_addresses',
  columns: {
    deviceId: textColumn('device_id', { primary: true }),
    address: textColumn('address', { primary: true }),
    seenAtMs: timeColumn('seen_at'),
  },
})
