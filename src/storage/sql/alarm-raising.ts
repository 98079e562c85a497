import type { Alarm, AlarmFile, AlarmReport } from '../../model/alarm.js'
import type { DeviceId } from '../../model/device-id.js'
import { cellOf } from './alarm-cells.js'
import { ensureAlarmDevices } from './alarm-devices.js'
import { type AlarmIds, blockOf, dayOf, storedEventKey } from './alarm-keys.js'
import type { RaisedAlarm } from './alarm-records.js'
import { ALARM_COLUMNS, type AlarmRow, loadAlarms, newAlarm } from './alarm-rows.js'
import { alarmSearchText, indexedWords } from './alarm-words.js'
import { chunksOf, insertRows, isOneOf, joinSql, type Queries, runSql, sql } from './sql-rows.js'

/** Pairs or identities in one statement: each is a search of its own in an index. */
const SOUGHT_AT_ONCE = 100

/** Reports of one alarm. */
interface Group {
  /** The first one, whose fields count if the alarm is new. */
  readonly report: AlarmReport
  readonly eventKey: string
  readonly fileNames: Set<string>
}

/** An alarm as it stands in the database after the reports, and what they did. */
interface Outcome {
  readonly alarm: Alarm
  readonly isNew: boolean
  /** Names that the alarm did not have before. */
  readonly added: ReadonlySet<string>
}

interface StoredRow extends AlarmRow {
  readonly event_key: string
  readonly block: number
  readonly search: string
}

interface NewFile {
  readonly alarmId: string
  readonly position: number
  readonly deviceId: DeviceId
  readonly fileName: string
}

/** Stores reports of alarms, all in the transaction that it is given. */
export class AlarmRaising {
  constructor(
    private readonly queries: Queries,
    private readonly ids: AlarmIds,
    private readonly maxFiles: number,
  ) {}

  async raise(reports: readonly AlarmReport[]): Promise<RaisedAlarm[]> {
    const groups = groupsOf(reports)
    const stored = await this.findStored([...groups.values()])
    const fresh = new Map([...groups].filter(([key]) => !stored.has(key)))
    const outcomes = new Map([...(await this.insert(fresh)), ...(await this.addTo(stored, groups))])
    return inOrder(reports, outcomes)
  }

  private async findStored(groups: readonly Group[]): Promise<Map<string, StoredRow>> {
    const stored = new Map<string, StoredRow>()
    for (const some of chunksOf(groups, SOUGHT_AT_ONCE)) {
      const identities = some.map(({ report: { deviceId, type, timeMs }, eventKey }) =>
        sql('(device_id = ? AND type = ? AND time_ms = ? AND event_key = ?)', deviceId, type, timeMs, eventKey),
      )
      const { text, values } = joinSql(identities, ' OR ')
      const select = `SELECT ${ALARM_COLUMNS.join(', ')}, event_key, block, search FROM alarms WHERE ${text}`
      for (const row of await runSql<StoredRow>(this.queries, sql(select, ...values))) {
        stored.set(identityOf(row.device_id, row.type, Number(row.time_ms), row.event_key), row)
      }
    }
    return stored
  }

  private async insert(fresh: ReadonlyMap<string, Group>): Promise<Map<string, Outcome>> {
    if (fresh.size === 0) return new Map()
    const alarms = [...fresh].map(([key, { report, eventKey, fileNames }]) => ({
      key,
      report,
      eventKey,
      id: this.ids.next(report.timeMs),
      day: dayOf(report.timeMs),
      fileNames: [...fileNames].slice(0, this.maxFiles),
    }))
    const videos = await this.insertFiles(
      alarms.flatMap(({ id, report: { deviceId }, fileNames }) => newFiles(id, deviceId, fileNames, 0)),
    )
    const filesOf = (deviceId: DeviceId, names: readonly string[]): AlarmFile[] =>
      names.map((fileName) => ({ fileName, videoId: videos.get(nameKey(deviceId, fileName)) ?? null }))
    const whole = alarms.map((alarm) => ({
      ...alarm,
      files: filesOf(alarm.report.deviceId, alarm.fileNames),
      search: alarmSearchText(alarm.fileNames, null),
    }))
    const rows = whole.map(({ id, report, eventKey, day, files, search }) => [
      id,
      report.deviceId,
      report.type,
      report.timeMs,
      eventKey,
      report.receivedAtMs,
      report.timeSuspect,
      report.latitude,
      report.longitude,
      report.speedKmh,
      report.attributes === null ? null : JSON.stringify(report.attributes),
      'open',
      files.some(({ videoId }) => videoId !== null),
      files.length,
      0,
      day,
      blockOf(day),
      report.latitude === null || report.longitude === null ? null : cellOf(report.latitude, report.longitude),
      search,
    ])
    await insertRows(this.queries, 'alarms', INSERTED_COLUMNS, rows)
    await this.insertWords(
      whole.map(({ id, day, search }) => ({ id, block: blockOf(day), words: indexedWords(search) })),
    )
    await this.ensureBlocks(whole.map(({ day }) => blockOf(day)))
    await ensureAlarmDevices(this.queries, [...new Set(whole.map(({ report }) => report.deviceId))])
    return new Map(
      whole.map(({ key, id, report, files, fileNames }) => [
        key,
        { alarm: newAlarm(id, report, files), isNew: true, added: new Set(fileNames) },
      ]),
    )
  }

  /** Adds names of files to alarms that were there. */
  private async addTo(
    stored: ReadonlyMap<string, StoredRow>,
    groups: ReadonlyMap<string, Group>,
  ): Promise<Map<string, Outcome>> {
    if (stored.size === 0) return new Map()
    const keys = [...stored.keys()]
    const rows = [...stored.values()]
    const before = await loadAlarms(this.queries, rows)
    const additions = before.map((alarm, i) => {
      const known = new Set(alarm.files.map(({ fileName }) => fileName))
      const wanted = [...(groups.get(keys[i] ?? '')?.fileNames ?? [])].filter((name) => !known.has(name))
      return wanted.slice(0, Math.max(0, this.maxFiles - alarm.files.length))
    })
    const videos = await this.insertFiles(
      before.flatMap(({ id, deviceId, files }, i) => newFiles(id, deviceId, additions[i] ?? [], files.length)),
    )
    const outcomes = new Map<string, Outcome>()
    for (const [i, alarm] of before.entries()) {
      const added = additions[i] ?? []
      const files = [
        ...alarm.files,
        ...added.map((fileName) => ({ fileName, videoId: videos.get(nameKey(alarm.deviceId, fileName)) ?? null })),
      ]
      const after = { ...alarm, files }
      const row = rows[i]
      if (added.length > 0 && row) await this.updateFiles(row, after)
      outcomes.set(keys[i] ?? '', { alarm: after, isNew: false, added: new Set(added) })
    }
    return outcomes
  }

  private async updateFiles({ id, block, search }: StoredRow, { files, note }: Alarm): Promise<void> {
    const names = files.map(({ fileName }) => fileName)
    const after = alarmSearchText(names, note)
    const hasVideo = files.some(({ videoId }) => videoId !== null)
    await this.queries.query('UPDATE alarms SET file_count = ?, has_video = ?, search = ? WHERE id = ?', [
      files.length,
      hasVideo,
      after,
      id,
    ])
    await replaceWords(this.queries, { id, block }, search, after)
  }

  /** @returns ids of videos by the names of files, as far as they are shown */
  private async insertFiles(files: readonly NewFile[]): Promise<Map<string, string>> {
    const videos = await findVideos(this.queries, files)
    await insertRows(
      this.queries,
      'alarm_files',
      ['alarm_id', 'position', 'device_id', 'file_name', 'video_id'],
      files.map(({ alarmId, position, deviceId, fileName }) => [
        alarmId,
        position,
        deviceId,
        fileName,
        videos.get(nameKey(deviceId, fileName)) ?? null,
      ]),
    )
    return videos
  }

  private async insertWords(alarms: readonly { id: string; block: number; words: readonly string[] }[]): Promise<void> {
    const rows = alarms.flatMap(({ id, block, words }) => words.map((word) => [block, word, id]))
    await insertRows(this.queries, 'alarm_words', WORD_COLUMNS, rows)
  }

  private async ensureBlocks(blocks: readonly number[]): Promise<void> {
    for (const some of chunksOf([...new Set(blocks)], SOUGHT_AT_ONCE)) {
      const { text, values } = isOneOf('block', some)
      const known = await runSql<{ block: number }>(
        this.queries,
        sql(`SELECT block FROM alarm_blocks WHERE ${text}`, ...values),
      )
      const there = new Set(known.map(({ block }) => block))
      const missing = some.filter((block) => !there.has(block))
      await insertRows(
        this.queries,
        'alarm_blocks',
        ['block'],
        missing.map((block) => [block]),
      )
    }
  }
}

/** Brings the index of words from one search text of an alarm to another. */
export async function replaceWords(
  queries: Queries,
  { id, block }: { readonly id: string; readonly block: number },
  before: string,
  after: string,
): Promise<void> {
  const [old, now] = [new Set(indexedWords(before)), new Set(indexedWords(after))]
  const gone = [...old].filter((word) => !now.has(word))
  const added = [...now].filter((word) => !old.has(word))
  for (const some of chunksOf(gone, SOUGHT_AT_ONCE)) {
    const { text, values } = isOneOf('word', some)
    await queries.query(`DELETE FROM alarm_words WHERE block = ? AND ${text} AND alarm_id = ?`, [block, ...values, id])
  }
  await insertRows(
    queries,
    'alarm_words',
    WORD_COLUMNS,
    added.map((word) => [block, word, id]),
  )
}

/** @returns ids of the shown videos of these names, by {@link nameKey} */
export async function findVideos(
  queries: Queries,
  files: readonly Pick<NewFile, 'deviceId' | 'fileName'>[],
): Promise<Map<string, string>> {
  const videos = new Map<string, string>()
  const names = new Map(files.map((file) => [nameKey(file.deviceId, file.fileName), file]))
  for (const some of chunksOf([...names.values()], SOUGHT_AT_ONCE)) {
    const pairs = some.map(({ deviceId, fileName }) => sql('(device_id = ? AND file_name = ?)', deviceId, fileName))
    const { text, values } = joinSql(pairs, ' OR ')
    const rows = await runSql<{ id: string; device_id: string; file_name: string }>(
      queries,
      sql(`SELECT id, device_id, file_name FROM videos WHERE (${text}) AND listed_at IS NOT NULL`, ...values),
    )
    for (const { id, device_id, file_name } of rows) videos.set(nameKey(device_id, file_name), id)
  }
  return videos
}

export function nameKey(deviceId: DeviceId, fileName: string): string {
  return `${deviceId}/${fileName}`
}

const WORD_COLUMNS = ['block', 'word', 'alarm_id']
const INSERTED_COLUMNS = [
  'id',
  'device_id',
  'type',
  'time_ms',
  'event_key',
  'received_at_ms',
  'time_suspect',
  'latitude',
  'longitude',
  'speed_kmh',
  'attributes',
  'status',
  'has_video',
  'file_count',
  'change_count',
  'day',
  'block',
  'cell',
  'search',
]

function groupsOf(reports: readonly AlarmReport[]): Map<string, Group> {
  const groups = new Map<string, Group>()
  for (const report of reports) {
    const eventKey = storedEventKey(report.eventKey)
    const key = identityOf(report.deviceId, report.type, report.timeMs, eventKey)
    const group = groups.get(key) ?? { report, eventKey, fileNames: new Set() }
    for (const name of report.fileNames) group.fileNames.add(name)
    groups.set(key, group)
  }
  return groups
}

/** Says of the first report of each thing that it brought it, and of repeats that they brought nothing. */
function inOrder(reports: readonly AlarmReport[], outcomes: ReadonlyMap<string, Outcome>): RaisedAlarm[] {
  const told = new Map<string, Set<string>>()
  return reports.map(({ deviceId, type, timeMs, eventKey, fileNames }) => {
    const key = identityOf(deviceId, type, timeMs, storedEventKey(eventKey))
    const outcome = outcomes.get(key)
    if (!outcome) throw new Error('an alarm that was to be stored is not there')
    const before = told.get(key)
    const names = before ?? new Set<string>()
    const brought = fileNames.filter((name) => outcome.added.has(name) && !names.has(name))
    for (const name of brought) names.add(name)
    told.set(key, names)
    const isNew = outcome.isNew && before === undefined
    return { alarm: outcome.alarm, isNew, isChanged: isNew || brought.length > 0 }
  })
}

function identityOf(deviceId: DeviceId, type: string, timeMs: number, eventKey: string): string {
  return `${deviceId} ${type} ${timeMs} ${eventKey}`
}

function newFiles(alarmId: string, deviceId: DeviceId, names: readonly string[], position: number): NewFile[] {
  return names.map((fileName, i) => ({ alarmId, position: position + i, deviceId, fileName }))
}
