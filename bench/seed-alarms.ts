import path from 'node:path'
import Database from 'libsql'
import { ALARM_TYPES, type AlarmStatus, type AlarmType } from '../src/model/alarm.js'
import { cellOf } from '../src/storage/sql/alarm-cells.js'
import { AlarmIds, blockOf, dayOf } from '../src/storage/sql/alarm-keys.js'
import { alarmSearchText, deviceSearchText, indexedWords } from '../src/storage/sql/alarm-words.js'
import { SQL_FILE } from '../src/storage/sql/open-sqlite-records.js'
import { openSqliteDataSource } from '../src/storage/sql/sqlite-data-source.js'
import { seededRandom } from '../test/torture/seeded-random.js'

export interface SeedPlan {
  readonly alarms: number
  readonly devices: number
  /** Spread over so many days before the last one. */
  readonly days: number
}

/** A fleet of some size and a quarter of a year, as the issue has it. */
export const MILLION: SeedPlan = { alarms: 1_000_000, devices: 2000, days: 90 }

/** The last moment of a seeded database. */
export const SEED_END_MS = Date.parse('2026-11-22T00:00:00.000Z')
export const SEED_USERS = Array.from({ length: 12 }, (_, i) => `dispatcher${i}`)
const DAY_MS = 86_400_000
const ROWS_AT_ONCE = 50
const ALARMS_AT_ONCE = 20_000
const TOWNS = ['Hamburg', 'Berlin', 'Munich', 'Cologne', 'Leipzig', 'Bremen', 'Kassel', 'Ulm']
const NOTES = ['Driver is fine', 'False alarm, pothole', 'Called the driver', 'Workshop informed', 'Load was checked']
/** How often each type is, in thousandths; rare ones as rare as they are in life. */
const WEIGHTS: Readonly<Record<AlarmType, number>> = {
  VIBRATION: 60,
  OVERSPEED: 250,
  CRASH: 1,
  HARD_ACCELERATION: 90,
  HARD_BRAKE: 150,
  SHARP_TURN: 80,
  SOS: 2,
  POWER_CUT: 20,
  LOW_BATTERY: 40,
  TOWING: 3,
  JAMMING: 1,
  TAMPER: 3,
  GEOFENCE_ENTER: 80,
  GEOFENCE_EXIT: 80,
  IDLING: 100,
  FATIGUE: 20,
  DISTRACTION: 20,
}
const TYPES_BY_WEIGHT = ALARM_TYPES.flatMap((type) => Array.from({ length: WEIGHTS[type] }, () => type))

type Row = readonly (string | number | null)[]

/** Rows of one table, written many in a statement. */
class Table {
  private readonly many: Database.Statement
  private readonly one: Database.Statement
  private readonly waiting: Row[] = []

  constructor(database: Database.Database, name: string, columns: readonly string[]) {
    const row = `(${columns.map(() => '?').join(', ')})`
    const insert = `INSERT INTO ${name} (${columns.join(', ')}) VALUES`
    this.many = database.prepare(`${insert} ${Array.from({ length: ROWS_AT_ONCE }, () => row).join(', ')}`)
    this.one = database.prepare(`${insert} ${row}`)
  }

  add(...row: Row): void {
    this.waiting.push(row)
    if (this.waiting.length < ROWS_AT_ONCE) return
    this.many.run(this.waiting.flat())
    this.waiting.length = 0
  }

  flush(): void {
    for (const row of this.waiting.splice(0)) this.one.run([...row])
  }
}

/**
 * Fills an empty relational database with alarms as a fleet makes them, the same ones every time: unevenly by device and type, most of
 * them done with, what is open lately, four in ten with files and most of those uploaded. Not through the records: a million would take
 * minutes; the indexes are made at the end.
 * @param directory an existing one without a database
 */
export async function seedAlarms(directory: string, plan: SeedPlan): Promise<void> {
  const file = path.join(directory, SQL_FILE)
  await (await openSqliteDataSource({ file })).destroy()
  const database = new Database(file)
  try {
    database.exec('PRAGMA synchronous=OFF; PRAGMA cache_size=-262144; PRAGMA temp_store=MEMORY')
    const indexes = database
      .prepare(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name LIKE 'alarm%' AND sql IS NOT NULL",
      )
      .all() as { name: string; sql: string }[]
    for (const { name } of indexes) database.exec(`DROP INDEX ${name}`)
    fill(database, plan)
    for (const { sql } of indexes) database.exec(sql)
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  } finally {
    database.close()
  }
}

export function seedDeviceId(i: number): string {
  return String(350_000_000_000_000 + i * 7919)
}

export function seedDeviceName(i: number): string {
  return `Truck ${i} ${TOWNS[i % TOWNS.length]}`
}

function fill(database: Database.Database, plan: SeedPlan): void {
  const random = seededRandom(20_261_122)
  const ids = new AlarmIds()
  const tables = tablesOf(database)
  const all = Object.values(tables)
  database.exec('BEGIN')
  for (let i = 0; i < plan.devices; i++) addDevice(tables, i)
  const blocks = new Set<number>()
  for (let n = 0; n < plan.alarms; n++) {
    blocks.add(addAlarm(tables, plan, n, ids, random))
    if (n % ALARMS_AT_ONCE === 0) {
      for (const table of all) table.flush()
      database.exec('COMMIT; BEGIN')
    }
  }
  for (const block of blocks) tables.blocks.add(block)
  for (const table of all) table.flush()
  database.exec('COMMIT')
}

type Tables = ReturnType<typeof tablesOf>

function tablesOf(database: Database.Database) {
  const table = (name: string, columns: string) => new Table(database, name, columns.split(' '))
  return {
    devices: table(
      'devices',
      'device_id kind name plate brand status tracker_allowed tracker_sack generation created_at search',
    ),
    alarmDevices: table('alarm_devices', 'device_id name plate words'),
    alarms: table(
      'alarms',
      'id device_id type time_ms event_key received_at_ms time_suspect latitude longitude speed_kmh attributes status note assignee has_video file_count change_count day block cell search',
    ),
    files: table('alarm_files', 'alarm_id position device_id file_name video_id'),
    changes: table('alarm_changes', 'alarm_id position at_ms actor status note assignee'),
    words: table('alarm_words', 'block word alarm_id'),
    blocks: table('alarm_blocks', 'block'),
  }
}

function addDevice({ devices, alarmDevices }: Tables, i: number): void {
  const id = seedDeviceId(i)
  const name = seedDeviceName(i)
  const plate = `${(TOWNS[i % TOWNS.length] ?? '').slice(0, 1)}-${String.fromCharCode(65 + (i % 26))}X ${i}`
  const words = deviceSearchText(id, name, plate)
  const createdAt = '2026-01-01 00:00:00.000'
  devices.add(id, 'imei', name, plate, 'Volvo', 'active', 0, 0, 'seeded', createdAt, `${words} volvo`)
  alarmDevices.add(id, name, plate, words)
}

/** @returns the block it is in */
function addAlarm(tables: Tables, plan: SeedPlan, n: number, ids: AlarmIds, random: () => number): number {
  const age = 1 - n / plan.alarms
  const timeMs = SEED_END_MS - Math.ceil(age * plan.days * DAY_MS)
  const id = ids.next(timeMs)
  const device = Math.floor(random() ** 1.5 * plan.devices)
  const deviceId = seedDeviceId(device)
  const day = dayOf(timeMs)
  const block = blockOf(day)
  const status = statusOf(age, random())
  const user = SEED_USERS[Math.floor(random() ** 2 * SEED_USERS.length)] ?? null
  const assignee = status === 'open' ? null : user
  const note = status === 'open' || random() > 0.1 ? null : noteOf(age, random())
  const names = fileNamesOf(timeMs, device, random())
  const isUploaded = names.length > 0 && random() < 0.6
  const hasPlace = random() < 0.95
  const latitude = hasPlace ? 47.5 + random() * 7 : null
  const longitude = hasPlace ? 6 + random() * 8.5 : null
  const cell = latitude === null || longitude === null ? null : cellOf(latitude, longitude)
  const search = alarmSearchText(names, note)
  tables.alarms.add(
    id,
    deviceId,
    TYPES_BY_WEIGHT[Math.floor(random() * TYPES_BY_WEIGHT.length)] ?? 'IDLING',
    timeMs,
    String(n),
    timeMs + 1000,
    0,
    latitude,
    longitude,
    Math.floor(random() * 100),
    `{"eventKey":"${n}","peak":${(n % 100) / 100}}`,
    status,
    note,
    assignee,
    isUploaded ? 1 : 0,
    names.length,
    status === 'open' ? 0 : 1,
    day,
    block,
    cell,
    search,
  )
  for (const [position, name] of names.entries()) {
    tables.files.add(id, position, deviceId, name, isUploaded ? `video-${n}-${position}` : null)
  }
  if (user !== null && status !== 'open') tables.changes.add(id, 0, timeMs + 60_000, user, status, note, assignee)
  for (const word of indexedWords(search)) tables.words.add(block, word, id)
  return block
}

/** What is open is of the last days, or was forgotten. */
function statusOf(age: number, chance: number): AlarmStatus {
  if (chance < (age < 0.03 ? 0.7 : 0.002)) return 'open'
  return chance > 0.97 ? 'acknowledged' : 'resolved'
}

/** Some words are of everywhere, one of a single month long ago, one of a handful of alarms. */
function noteOf(age: number, chance: number): string {
  const note = NOTES[Math.floor(chance * NOTES.length)] ?? ''
  if (chance < 0.0002) return `${note}, aquaplaning`
  return age > 0.7 && age < 0.9 ? `${note}, hailstorm` : note
}

function fileNamesOf(timeMs: number, device: number, chance: number): string[] {
  if (chance > 0.4) return []
  const at = new Date(timeMs).toISOString().slice(0, 19).replace(/[-:]/g, '').replace('T', '-')
  const names = [`${at}-front-${device}.mp4`, `${at}-rear-${device}.mp4`]
  return chance < 0.2 ? names : names.slice(0, 1)
}
