import type { Alarm, AlarmFile, AlarmReport } from '../../model/alarm.js'
import type { DeviceId } from '../../model/device-id.js'
import { cellOf } from './alarm-cells.js'
import { insertAlarmDevices } from './alarm-devices.js'
import { type AlarmIds, blockOf, dayOf, storedEventKey } from './alarm-keys.js'
import { identityOf, type Look, lookFor, nameKey, STORED_COLUMNS, type StoredRow } from './alarm-look.js'
import type { RaisedAlarm } from './alarm-records.js'
import { loadAlarms, newAlarm } from './alarm-rows.js'
import { insertWords, replaceWords } from './alarm-word-index.js'
import { alarmSearchText, indexedWords } from './alarm-words.js'
import type { SqlDialect } from './sql-dialect.js'
import { chunksOf, insertRows, isOneOf, placeholders, type Queries, runSql, sql, statementsOf } from './sql-rows.js'

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

interface NewFile {
  readonly alarmId: string
  readonly position: number
  readonly deviceId: DeviceId
  readonly fileName: string
}

/** An alarm that was there when it was looked for was removed before it was locked. */
export class AlarmGoneError extends Error {}

/**
 * Stores reports of alarms, all in the transaction that it is given. Whatever others may hold is asked for in one order (devices, new
 * alarms by their identity, blocks, alarms that are there), so that transactions of several nodes seldom wait for each other in a ring.
 */
export class AlarmRaising {
  constructor(
    private readonly queries: Queries,
    private readonly dialect: SqlDialect,
    private readonly ids: AlarmIds,
    private readonly maxFiles: number,
  ) {}

  async raise(reports: readonly AlarmReport[]): Promise<RaisedAlarm[]> {
    const groups = groupsOf(reports)
    const look = await lookFor(this.queries, this.dialect, [...groups.values()])
    const fresh = new Map([...groups].filter(([key]) => !look.alarms.has(key)))
    const outcomes = new Map([...(await this.insert(fresh, look)), ...(await this.addTo(look, groups))])
    return inOrder(reports, outcomes)
  }

  private async insert(
    fresh: ReadonlyMap<string, Group>,
    { deviceIds, blocks, videos }: Look,
  ): Promise<Map<string, Outcome>> {
    if (fresh.size === 0) return new Map()
    const alarms = [...fresh].map(([key, { report, eventKey, fileNames }]) => ({
      key,
      report,
      eventKey,
      id: this.ids.next(report.timeMs),
      day: dayOf(report.timeMs),
      fileNames: [...fileNames].slice(0, this.maxFiles),
    }))
    const missing = alarms.map(({ report }) => report.deviceId).filter((deviceId) => !deviceIds.has(deviceId))
    await insertAlarmDevices(this.queries, this.dialect, [...new Set(missing)])
    const files = alarms.flatMap(({ id, report: { deviceId }, fileNames }) => newFiles(id, deviceId, fileNames, 0))
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
    await insertRows(this.queries, this.dialect, 'alarms', INSERTED_COLUMNS, rows)
    await this.insertFiles(files, videos)
    await insertWords(
      this.queries,
      this.dialect,
      whole.map(({ id, day, search }) => ({ id, block: blockOf(day), words: indexedWords(search) })),
    )
    await this.insertBlocks(whole.map(({ day }) => blockOf(day)).filter((block) => !blocks.has(block)))
    return new Map(
      whole.map(({ key, id, report, files, fileNames }) => [
        key,
        { alarm: newAlarm(id, report, files), isNew: true, added: new Set(fileNames) },
      ]),
    )
  }

  /** Adds names of files to alarms that were there. */
  private async addTo(
    { alarms: stored, videos }: Look,
    groups: ReadonlyMap<string, Group>,
  ): Promise<Map<string, Outcome>> {
    if (stored.size === 0) return new Map()
    const keys = [...stored.keys()]
    const additionsTo = (alarms: readonly Alarm[]) =>
      alarms.map((alarm, i) => {
        const known = new Set(alarm.files.map(({ fileName }) => fileName))
        const wanted = [...(groups.get(keys[i] ?? '')?.fileNames ?? [])].filter((name) => !known.has(name))
        return wanted.slice(0, Math.max(0, this.maxFiles - alarm.files.length))
      })
    const seen = [...stored.values()]
    const seenAlarms = await loadAlarms(this.queries, seen)
    const toChange = additionsTo(seenAlarms)
    const rows = await this.lock(seen, (i) => (toChange[i] ?? []).length > 0)
    const before = rows === seen ? seenAlarms : await loadAlarms(this.queries, rows)
    const additions = additionsTo(before)
    const files = before.flatMap(({ id, deviceId, files }, i) =>
      newFiles(id, deviceId, additions[i] ?? [], files.length),
    )
    await this.insertFiles(files, videos)
    const outcomes = new Map<string, Outcome>()
    const changes: { row: StoredRow; after: Alarm }[] = []
    for (const [i, alarm] of before.entries()) {
      const added = additions[i] ?? []
      const files = [
        ...alarm.files,
        ...added.map((fileName) => ({ fileName, videoId: videos.get(nameKey(alarm.deviceId, fileName)) ?? null })),
      ]
      const after = { ...alarm, files }
      const row = rows[i]
      if (added.length > 0 && row) changes.push({ row, after })
      outcomes.set(keys[i] ?? '', { alarm: after, isNew: false, added: new Set(added) })
    }
    await this.updateFiles(changes)
    return outcomes
  }

  /** The rows, of which those to be changed are read again and nobody else changes them any more. @throws AlarmGoneError */
  private async lock(seen: readonly StoredRow[], isChanged: (i: number) => boolean): Promise<readonly StoredRow[]> {
    const changed = seen.filter((_, i) => isChanged(i)).map(({ id }) => id)
    if (changed.length === 0 || this.dialect.lockRows === '') return seen
    const now = new Map<string, StoredRow>()
    for (const some of chunksOf(changed.toSorted(), this.dialect.atOnce.sought)) {
      const { text, values } = isOneOf('id', some)
      const select = `SELECT ${STORED_COLUMNS.join(', ')} FROM alarms WHERE ${text} ORDER BY id${this.dialect.lockRows}`
      for (const row of await runSql<StoredRow>(this.queries, sql(select, ...values))) now.set(row.id, row)
    }
    if (now.size < changed.length) throw new AlarmGoneError()
    return seen.map((row) => now.get(row.id) ?? row)
  }

  private async updateFiles(changes: readonly { readonly row: StoredRow; readonly after: Alarm }[]): Promise<void> {
    const changed = changes.map(({ row: { id, block, search }, after: { files, note } }) => {
      const names = files.map(({ fileName }) => fileName)
      const hasVideo = files.some(({ videoId }) => videoId !== null)
      return { id, block, before: search, after: alarmSearchText(names, note), count: files.length, hasVideo }
    })
    const rows = changed.map(({ id, count, hasVideo, after }) => [id, count, hasVideo, after] as const)
    for (const some of statementsOf(rows, this.dialect.atOnce)) {
      const valuesBy = (column: 1 | 2 | 3) => some.flatMap((row) => [row[0], row[column]])
      const cases = `CASE id${' WHEN ? THEN ?'.repeat(some.length)} END`
      const update = `UPDATE alarms SET file_count = ${cases}, has_video = ${cases}, search = ${cases}`
      await this.queries.query(`${update} WHERE id IN (${placeholders(some.length)})`, [
        ...valuesBy(1),
        ...valuesBy(2),
        ...valuesBy(3),
        ...some.map(([id]) => id),
      ])
    }
    await replaceWords(this.queries, this.dialect, changed)
  }

  private async insertFiles(files: readonly NewFile[], videos: ReadonlyMap<string, string>): Promise<void> {
    await insertRows(
      this.queries,
      this.dialect,
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
  }

  private async insertBlocks(blocks: readonly number[]): Promise<void> {
    await insertRows(
      this.queries,
      this.dialect,
      'alarm_blocks',
      ['block'],
      [...new Set(blocks)].sort(ascending).map((block) => [block]),
      this.dialect.unlessThere('block'),
    )
  }
}

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

/** In the order of the index that tells alarms apart, or at least one that all nodes have. */
function groupsOf(reports: readonly AlarmReport[]): Map<string, Group> {
  const groups = new Map<string, Group>()
  for (const report of reports) {
    const eventKey = storedEventKey(report.eventKey)
    const key = identityOf(report.deviceId, report.type, report.timeMs, eventKey)
    const group = groups.get(key) ?? { report, eventKey, fileNames: new Set() }
    for (const name of report.fileNames) group.fileNames.add(name)
    groups.set(key, group)
  }
  return new Map([...groups].sort(([a], [b]) => (a < b ? -1 : 1)))
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

function ascending(a: number, b: number): number {
  return a - b
}

function newFiles(alarmId: string, deviceId: DeviceId, names: readonly string[], position: number): NewFile[] {
  return names.map((fileName, i) => ({ alarmId, position: position + i, deviceId, fileName }))
}
