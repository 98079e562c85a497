import type { Alarm } from '../model/alarm.js'
import { toAlarmJson } from '../web/alarm-json.js'
import { toCsv } from '../web/csv.js'

const COLUMNS = [
  'id',
  'deviceId',
  'type',
  'time',
  'receivedAt',
  'timeSuspect',
  'latitude',
  'longitude',
  'speed',
  'status',
  'note',
  'assignee',
] as const

/** The header row of alarms as CSV. */
export const ALARM_CSV_HEADER = toCsv([COLUMNS])

/** Alarms as CSV: a header row, then one line each with its scalar fields; what is unset is an empty cell. */
export async function* alarmCsvOf(pages: AsyncIterable<readonly Alarm[]>): AsyncGenerator<string> {
  yield ALARM_CSV_HEADER
  for await (const page of pages) if (page.length > 0) yield toCsv(page.map(toRow))
}

function toRow(alarm: Alarm): unknown[] {
  const json = toAlarmJson(alarm)
  return COLUMNS.map((column) => json[column])
}
