import { EntitySchema } from 'typeorm'
import type { AlarmStatus } from '../../../model/alarm.js'
import { bigIntegerColumn, integerColumn, textColumn } from './columns.js'

/**
 * What a user made of an alarm. A table and not a list in the alarm's row: it is only ever appended to, and long notes that were
 * replaced do not weigh on every read of the alarm. The first step of a history, the alarm itself, has no row.
 */
export interface AlarmChangeRow {
  readonly alarmId: string
  /** Oldest first, from 0. */
  readonly position: number
  readonly atMs: number
  readonly by: string
  readonly status: AlarmStatus
  readonly note: string | null
  readonly assignee: string | null
}

export const AlarmChangeEntity = new EntitySchema<AlarmChangeRow>({
  name: 'AlarmChange',
  tableName: 'alarm_changes',
  columns: {
    alarmId: textColumn('alarm_id', { primary: true }),
    position: { ...integerColumn('position'), primary: true },
    atMs: bigIntegerColumn('at_ms'),
    by: textColumn('actor'),
    status: textColumn('status'),
    note: textColumn('note', { nullable: true }),
    assignee: textColumn('assignee', { nullable: true }),
  },
})
