import type { AlarmReport } from '../../model/alarm.js'
import type { DeviceId } from '../../model/device-id.js'
import { blockOf, dayOf } from './alarm-keys.js'
import { ALARM_COLUMNS, type AlarmRow } from './alarm-rows.js'
import type { SqlDialect } from './sql-dialect.js'
import { isOneOf, joinSql, type Queries, runSql, type Sql, sql } from './sql-rows.js'

/** Reports of one alarm. */
export interface ReportedAlarm {
  /** The first one, whose fields count if the alarm is new. */
  readonly report: AlarmReport
  readonly eventKey: string
  readonly fileNames: ReadonlySet<string>
}

/** A row of `alarms` with what its change needs. */
export interface StoredRow extends AlarmRow {
  readonly event_key: string
  readonly block: number
  readonly search: string
}

export const STORED_COLUMNS = [...ALARM_COLUMNS, 'event_key', 'block', 'search'] as const

/** What is there of what reports speak of. */
export interface Look {
  /** By {@link identityOf}. */
  readonly alarms: ReadonlyMap<string, StoredRow>
  /** Those that have alarms; they stay until the transaction ends. */
  readonly deviceIds: ReadonlySet<DeviceId>
  readonly blocks: ReadonlySet<number>
  /** Ids of shown videos, by {@link nameKey}. */
  readonly videos: ReadonlyMap<string, string>
}

/** What one statement looks for. */
interface Sought {
  readonly groups: readonly ReportedAlarm[]
  readonly files: readonly NamedPair[]
}

export interface NamedPair {
  readonly deviceId: DeviceId
  readonly fileName: string
}

type FoundRow = StoredRow & { readonly kind: 'alarm' | 'device' | 'block' | 'video'; readonly file_name: string | null }

/**
 * Looks for all that reports need to be stored by, in as few statements as there can be: one for some hundred reports on a server.
 * @param reported in the order of their identities, so that devices are held in one order by all
 */
export async function lookFor(
  queries: Queries,
  dialect: SqlDialect,
  reported: readonly ReportedAlarm[],
): Promise<Look> {
  const alarms = new Map<string, StoredRow>()
  const deviceIds = new Set<DeviceId>()
  const blocks = new Set<number>()
  const videos = new Map<string, string>()
  for (const sought of soughtAtOnce(reported, dialect.atOnce.sought)) {
    for (const { kind, file_name, ...row } of await runSql<FoundRow>(queries, lookSql(dialect, sought))) {
      if (kind === 'device') deviceIds.add(row.device_id)
      else if (kind === 'block') blocks.add(Number(row.block))
      else if (kind === 'video') videos.set(nameKey(row.device_id, file_name ?? ''), row.id)
      else alarms.set(identityOf(row.device_id, row.type, Number(row.time_ms), row.event_key), row)
    }
  }
  return { alarms, deviceIds, blocks, videos }
}

/** @returns ids of the shown videos of these names, by {@link nameKey} */
export async function findVideos(
  queries: Queries,
  dialect: SqlDialect,
  files: readonly NamedPair[],
): Promise<Map<string, string>> {
  const { text, values } = videosSql(dialect, 'id, device_id, file_name', files)
  const rows = await runSql<{ id: string; device_id: string; file_name: string }>(queries, sql(text, ...values))
  return new Map(rows.map(({ id, device_id, file_name }) => [nameKey(device_id, file_name), id]))
}

export function identityOf(deviceId: DeviceId, type: string, timeMs: number, eventKey: string): string {
  return `${deviceId} ${type} ${timeMs} ${eventKey}`
}

export function nameKey(deviceId: DeviceId, fileName: string): string {
  return `${deviceId}/${fileName}`
}

/** Each name is a search, as each report is. */
function* soughtAtOnce(reported: readonly ReportedAlarm[], most: number): Generator<Sought> {
  let groups: ReportedAlarm[] = []
  let files: NamedPair[] = []
  for (const group of reported) {
    const { deviceId } = group.report
    if (groups.length > 0 && groups.length + files.length + group.fileNames.size >= most) {
      yield { groups, files }
      groups = []
      files = []
    }
    groups.push(group)
    for (const fileName of group.fileNames) files.push({ deviceId, fileName })
    // More names than a statement looks for: the report goes with the first of them.
    for (; files.length > most; files = files.slice(most), groups = []) yield { groups, files: files.slice(0, most) }
  }
  yield { groups, files }
}

function lookSql(dialect: SqlDialect, { groups, files }: Sought): Sql {
  const legs: Sql[] = []
  const select = (kind: FoundRow['kind'], own: Readonly<Record<string, string>>) =>
    ['kind', 'file_name', ...STORED_COLUMNS]
      .map((column) => `${column === 'kind' ? `'${kind}'` : (own[column] ?? 'NULL')} AS ${column}`)
      .join(', ')
  if (groups.length > 0) {
    const columns = Object.fromEntries(STORED_COLUMNS.map((column) => [column, column]))
    const identities = groups.map(({ report: { deviceId, type, timeMs }, eventKey }) =>
      sql('(device_id = ? AND type = ? AND time_ms = ? AND event_key = ?)', deviceId, type, timeMs, eventKey),
    )
    const { text, values } = joinSql(identities, ' OR ')
    const from = dialect.rowsBy('alarms', 'a', 'alarms_identity')
    legs.push(sql(`SELECT ${select('alarm', columns)} FROM ${from} WHERE ${text}`, ...values))
    const devices = isOneOf('device_id', [...new Set(groups.map(({ report }) => report.deviceId))])
    legs.push(
      sql(
        `SELECT ${select('device', { device_id: 'device_id' })} FROM alarm_devices WHERE ${devices.text}${dialect.keepRows}`,
        ...devices.values,
      ),
    )
    const blocks = isOneOf('block', [...new Set(groups.map(({ report }) => blockOf(dayOf(report.timeMs))))])
    legs.push(
      sql(`SELECT ${select('block', { block: 'block' })} FROM alarm_blocks WHERE ${blocks.text}`, ...blocks.values),
    )
  }
  if (files.length > 0) {
    const columns = select('video', { id: 'id', device_id: 'device_id', file_name: 'file_name' })
    legs.push(videosSql(dialect, columns, files))
  }
  return joinSql(
    legs.map(({ text, values }, i) => sql(dialect.leg(text, `leg${i}`), ...values)),
    ' UNION ALL ',
  )
}

function videosSql(dialect: SqlDialect, columns: string, files: readonly NamedPair[]): Sql {
  const pairs = files.map(({ deviceId, fileName }) => sql('(device_id = ? AND file_name = ?)', deviceId, fileName))
  const { text, values } = joinSql(pairs, ' OR ')
  const from = dialect.rowsBy('videos', 'v', 'videos_by_name')
  return sql(`SELECT ${columns} FROM ${from} WHERE (${text}) AND listed_at IS NOT NULL`, ...values)
}
