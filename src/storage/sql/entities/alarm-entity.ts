import { EntitySchema } from 'typeorm'
import type { AlarmStatus, AlarmType } from '../../../model/alarm.js'
import type { DeviceId } from '../../../model/device-id.js'
import { bigIntegerColumn, flagColumn, integerColumn, textColumn } from './columns.js'

/** A row of `alarms`. */
export interface AlarmEntityRow {
  readonly id: string
  readonly deviceId: DeviceId
  readonly type: AlarmType
  readonly timeMs: number
  readonly eventKey: string
  readonly receivedAtMs: number
  readonly timeSuspect: boolean
  readonly latitude: number | null
  readonly longitude: number | null
  readonly speedKmh: number | null
  /** JSON. */
  readonly attributes: string | null
  readonly status: AlarmStatus
  readonly note: string | null
  readonly assignee: string | null
  /** Whether one of its files is a video that is shown. */
  readonly hasVideo: boolean
  readonly fileCount: number
  /** Changes by users. */
  readonly changeCount: number
  /** UTC day of the time, counted from 1970. */
  readonly day: number
  /** The day within bounds; see alarm-keys.ts. */
  readonly block: number
  /** See alarm-cells.ts; null without a position. */
  readonly cell: number | null
  /** Folded words of file names and note, each after a blank; see alarm-words.ts. */
  readonly search: string
}

export const AlarmEntity = new EntitySchema<AlarmEntityRow>({
  name: 'Alarm',
  tableName: 'alarms',
  columns: {
    id: textColumn('id', { primary: true }),
    deviceId: textColumn('device_id'),
    type: textColumn('type'),
    timeMs: bigIntegerColumn('time_ms'),
    eventKey: textColumn('event_key'),
    receivedAtMs: bigIntegerColumn('received_at_ms'),
    timeSuspect: flagColumn('time_suspect'),
    latitude: { name: 'latitude', type: 'double', nullable: true },
    longitude: { name: 'longitude', type: 'double', nullable: true },
    speedKmh: { name: 'speed_kmh', type: 'double', nullable: true },
    attributes: textColumn('attributes', { nullable: true }),
    status: textColumn('status'),
    note: textColumn('note', { nullable: true }),
    assignee: textColumn('assignee', { nullable: true }),
    hasVideo: flagColumn('has_video'),
    fileCount: integerColumn('file_count'),
    changeCount: integerColumn('change_count'),
    day: integerColumn('day'),
    block: integerColumn('block'),
    cell: integerColumn('cell', { nullable: true }),
    search: textColumn('search'),
  },
})
