import { ALARM_TYPES, type AlarmStatus, type AlarmType } from '../src/model/alarm.js'
import { cellOf } from '../src/storage/sql/alarm-cells.js'
import { AlarmIds, blockOf, dayOf } from '../src/storage/sql/alarm-keys.js'
import { alarmSearchText, deviceSearchText, indexedWords } from '../src/storage/sql/alarm-words.js'
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
const ALARMS_AT_ONCE = 5000
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

/** The tables that are filled, with the columns of their rows. */
export const SEED_COLUMNS = {
  devices: 'device_id kind name plate brand status tracker_allowed tracker_sack generation created_at search'.split(
    ' ',
  ),
  alarm_devices: 'device_id name plate words'.split(' '),
  alarms:
    'id device_id type time_ms event_key received_at_ms time_suspect latitude longitude speed_kmh attributes status note assignee has_video file_count change_count day block cell search'.split(
      ' ',
    ),
  alarm_files: 'alarm_id position device_id file_name video_id'.split(' '),
  alarm_changes: 'alarm_id position at_ms actor status note assignee'.split(' '),
  alarm_words: 'block word alarm_id'.split(' '),
  alarm_blocks: ['block'],
} as const satisfies Record<string, readonly string[]>

export type SeedTable = keyof typeof SEED_COLUMNS
export const SEED_TABLES = Object.keys(SEED_COLUMNS) as SeedTable[]
export type SeedRow = readonly (string | number | null)[]
export type SeedRows = Record<SeedTable, SeedRow[]>

/**
 * The rows of a database with alarms as a fleet makes them, some thousand alarms at a time, the same ones every time but for the ends of
 * their ids: unevenly by device and type, most of them done with, what is open lately, four in ten with files and most of those uploaded.
 */
export function* seedRows(plan: SeedPlan): Generator<SeedRows> {
  const random = seededRandom(20_261_122)
  const ids = new AlarmIds()
  let rows = noRows()
  for (let i = 0; i < plan.devices; i++) addDevice(rows, i)
  const blocks = new Set<number>()
  for (let n = 0; n < plan.alarms; n++) {
    blocks.add(addAlarm(rows, plan, n, ids, random))
    if (rows.alarms.length < ALARMS_AT_ONCE) continue
    yield rows
    rows = noRows()
  }
  for (const block of blocks) rows.alarm_blocks.push([block])
  yield rows
}

export function seedDeviceId(i: number): string {
  return String(350_000_000_000_000 + i * 7919)
}

export function seedDeviceName(i: number): string {
  return `Truck ${i} ${TOWNS[i % TOWNS.length]}`
}

function noRows(): SeedRows {
  return {
    devices: [],
    alarm_devices: [],
    alarms: [],
    alarm_files: [],
    alarm_changes: [],
    alarm_words: [],
    alarm_blocks: [],
  }
}

function addDevice({ devices, alarm_devices }: SeedRows, i: number): void {
  const id = seedDeviceId(i)
  const name = seedDeviceName(i)
  const plate = `${(TOWNS[i % TOWNS.length] ?? '').slice(0, 1)}-${String.fromCharCode(65 + (i % 26))}X ${i}`
  const words = deviceSearchText(id, name, plate)
  const createdAt = '2026-01-01 00:00:00.000'
  devices.push([id, 'imei', name, plate, 'Volvo', 'active', 0, 0, 'seeded', createdAt, `${words} volvo`])
  alarm_devices.push([id, name, plate, words])
}

/** @returns the block it is in */
function addAlarm(rows: SeedRows, plan: SeedPlan, n: number, ids: AlarmIds, random: () => number): number {
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
  rows.alarms.push([
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
  ])
  for (const [position, name] of names.entries()) {
    rows.alarm_files.push([id, position, deviceId, name, isUploaded ? `video-${n}-${position}` : null])
  }
  if (user !== null && status !== 'open') {
    rows.alarm_changes.push([id, 0, timeMs + 60_000, user, status, note, assignee])
  }
  for (const word of indexedWords(search)) rows.alarm_words.push([block, word, id])
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
