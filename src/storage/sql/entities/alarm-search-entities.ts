import { EntitySchema } from 'typeorm'
import type { DeviceId } from '../../../model/device-id.js'
import { integerColumn, textColumn } from './columns.js'

/** A block of days that has alarms, or had. */
export const AlarmBlockEntity = new EntitySchema<{ readonly block: number }>({
  name: 'AlarmBlock',
  tableName: 'alarm_blocks',
  columns: { block: { ...integerColumn('block'), primary: true } },
})

/** A folded word of an alarm's file names or note. */
export interface AlarmWordRow {
  readonly block: number
  /** Its beginning; see alarm-words.ts. */
  readonly word: string
  readonly alarmId: string
}

export const AlarmWordEntity = new EntitySchema<AlarmWordRow>({
  name: 'AlarmWord',
  tableName: 'alarm_words',
  columns: {
    block: { ...integerColumn('block'), primary: true },
    word: textColumn('word', { primary: true }),
    alarmId: textColumn('alarm_id', { primary: true }),
  },
})

/** A device that has alarms, and what they are found by on its account. */
export interface AlarmDeviceRow {
  readonly deviceId: DeviceId
  /** What the words were made of. */
  readonly name: string | null
  readonly plate: string | null
  /** Folded words, each after a blank. */
  readonly words: string
}

export const AlarmDeviceEntity = new EntitySchema<AlarmDeviceRow>({
  name: 'AlarmDevice',
  tableName: 'alarm_devices',
  columns: {
    deviceId: textColumn('device_id', { primary: true }),
    name: textColumn('name', { nullable: true }),
    plate: textColumn('plate', { nullable: true }),
    words: textColumn('words'),
  },
})
