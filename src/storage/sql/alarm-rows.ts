import type { Alarm, AlarmChange, AlarmFile, AlarmReport, AlarmStatus, AlarmType } from '../../model/alarm.js'
import type { Attributes } from '../../model/position.js'
import { isOneOf, type Queries, runSql, sql } from './sql-rows.js'

/** A row of `alarms` as the statements of this room read it; flags are 0 or 1. */
export interface AlarmRow {
  readonly id: string
  readonly device_id: string
  readonly type: AlarmType
  readonly time_ms: number
  readonly received_at_ms: number
  readonly time_suspect: number
  readonly latitude: number | null
  readonly longitude: number | null
  readonly speed_kmh: number | null
  readonly attributes: string | null
  readonly status: AlarmStatus
  readonly note: string | null
  readonly assignee: string | null
  readonly file_count: number
  readonly change_count: number
}

export const ALARM_COLUMNS = [
  'id',
  'device_id',
  'type',
  'time_ms',
  'received_at_ms',
  'time_suspect',
  'latitude',
  'longitude',
  'speed_kmh',
  'attributes',
  'status',
  'note',
  'assignee',
  'file_count',
  'change_count',
] as const satisfies readonly (keyof AlarmRow)[]

interface FileRow {
  readonly alarm_id: string
  readonly position: number
  readonly file_name: string
  readonly video_id: string | null
}

interface ChangeRow {
  readonly alarm_id: string
  readonly position: number
  readonly at_ms: number
  readonly actor: string
  readonly status: AlarmStatus
  readonly note: string | null
  readonly assignee: string | null
}

/** Reads what belongs to the alarms, and puts them together in their order. */
export async function loadAlarms(queries: Queries, rows: readonly AlarmRow[]): Promise<Alarm[]> {
  const [files, changes] = await Promise.all([loadFiles(queries, rows), loadChanges(queries, rows)])
  return rows.map((row) =>
    toAlarm(
      row,
      // Only what the row knows of: another one may have been added since it was read.
      (files.get(row.id) ?? [])
        .filter(({ position }) => position < row.file_count)
        .map(({ file_name, video_id }) => ({ fileName: file_name, videoId: video_id })),
      (changes.get(row.id) ?? []).filter(({ position }) => position < row.change_count).map(toChange),
    ),
  )
}

export function toAlarm(row: AlarmRow, files: readonly AlarmFile[], changes: readonly AlarmChange[]): Alarm {
  return {
    id: row.id,
    deviceId: row.device_id,
    type: row.type,
    timeMs: Number(row.time_ms),
    receivedAtMs: Number(row.received_at_ms),
    timeSuspect: Boolean(row.time_suspect),
    latitude: row.latitude,
    longitude: row.longitude,
    speedKmh: row.speed_kmh,
    attributes: row.attributes === null ? null : (JSON.parse(row.attributes) as Attributes),
    status: row.status,
    note: row.note,
    assignee: row.assignee,
    files,
    history: [firstStepOf(Number(row.received_at_ms)), ...changes],
  }
}

/** An alarm that nobody has touched. */
export function newAlarm(id: string, report: AlarmReport, files: readonly AlarmFile[]): Alarm {
  const { fileNames: _, eventKey: __, ...fields } = report
  return {
    ...fields,
    id,
    status: 'open',
    note: null,
    assignee: null,
    files,
    history: [firstStepOf(report.receivedAtMs)],
  }
}

function firstStepOf(receivedAtMs: number): AlarmChange {
  return { atMs: receivedAtMs, by: null, status: 'open', note: null, assignee: null }
}

function toChange({ at_ms, actor, status, note, assignee }: ChangeRow): AlarmChange {
  return { atMs: Number(at_ms), by: actor, status, note, assignee }
}

async function loadFiles(queries: Queries, rows: readonly AlarmRow[]): Promise<Map<string, FileRow[]>> {
  const ids = rows.filter((row) => row.file_count > 0).map(({ id }) => id)
  return loadByAlarm<FileRow>(queries, 'SELECT alarm_id, position, file_name, video_id FROM alarm_files', ids)
}

async function loadChanges(queries: Queries, rows: readonly AlarmRow[]): Promise<Map<string, ChangeRow[]>> {
  const ids = rows.filter((row) => row.change_count > 0).map(({ id }) => id)
  const select = 'SELECT alarm_id, position, at_ms, actor, status, note, assignee FROM alarm_changes'
  return loadByAlarm<ChangeRow>(queries, select, ids)
}

async function loadByAlarm<Row extends { readonly alarm_id: string }>(
  queries: Queries,
  select: string,
  ids: readonly string[],
): Promise<Map<string, Row[]>> {
  if (ids.length === 0) return new Map()
  const { text, values } = isOneOf('alarm_id', ids)
  const rows = await runSql<Row>(queries, sql(`${select} WHERE ${text} ORDER BY alarm_id, position`, ...values))
  const byAlarm = new Map<string, Row[]>()
  for (const row of rows) {
    const others = byAlarm.get(row.alarm_id)
    if (others) others.push(row)
    else byAlarm.set(row.alarm_id, [row])
  }
  return byAlarm
}
