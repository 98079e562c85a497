import { EntitySchema } from 'typeorm'
import type { DeviceId } from '../../../model/device-id.js'
import { integerColumn, textColumn } from './columns.js'

/** A file that an alarm names. */
export interface AlarmFileRow {
  /** Sorts by the alarm's time. */
  readonly alarmId: string
  /** In the unit's order, from 0. */
  readonly position: number
  /** The alarm's, so that files and videos meet in one index. */
  readonly deviceId: DeviceId
  readonly fileName: string
  /** null: there is no such video, or it is not shown. */
  readonly videoId: string | null
}

export const AlarmFileEntity = new EntitySchema<AlarmFileRow>({
  name: 'AlarmFile',
  tableName: 'alarm_files',
  columns: {
    alarmId: textColumn('alarm_id', { primary: true }),
    position: { ...integerColumn('position'), primary: true },
    deviceId: textColumn('device_id'),
    fileName: textColumn('file_name'),
    videoId: textColumn('video_id', { nullable: true }),
  },
})
