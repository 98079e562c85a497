import { randomBytes } from 'node:crypto'
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise'
import type { AlarmRecords } from '../src/storage/sql/alarm-records.js'
import { openMysqlRecords } from '../src/storage/sql/open-mysql-records.js'
import { testImei } from '../test/support/api.js'
import { AlarmFleet } from './alarm-fleet.js'
import { explainQuestions } from './alarm-plans.js'
import { compare, count, type Finding, rateFinding } from './finding.js'
import { Latencies } from './latencies.js'
import { SEED_TABLES, type SeedPlan } from './seed-rows.js'
import { seedServerAlarms } from './seed-server-alarms.js'

const PAGE = 50
const PAGES = 200
const POOL_SIZE = 10
const MAX_FILES = 20
const UNITS = 100
const BATCH = 500
const BATCHES = 10
const REPEATS = 3
const TABLES = SEED_TABLES.filter((table) => table !== 'devices')

/**
 * Measures alarms on a server of MySQL's kind, with its own floors: a page of rows read by their keys, and a bare insertion of rows. Says
 * besides what EXPLAIN tells of each question, and how much of the server's disk an alarm takes.
 * @param measure what is measured of the records besides
 */
export async function benchServerAlarms(
  server: string,
  plan: SeedPlan,
  measure: (alarms: AlarmRecords) => Promise<Finding[]>,
): Promise<Finding[]> {
  const kept = process.env.ALARMS_DATABASE
  const name = kept ?? `milepost_bench_${randomBytes(4).toString('hex')}`
  const url = server.replace(/^(\w+:\/\/[^/?]+)(?:\/[^?]*)?/, `$1/${name}`)
  const admin = await createConnection(server.replace(/^(\w+:\/\/[^/?]+)(?:\/[^?]*)?/, '$1/'))
  try {
    await admin.query(`CREATE DATABASE IF NOT EXISTS ${name}`)
    const { alarms, store } = await openMysqlRecords({ url, tls: 'off', poolSize: POOL_SIZE })
    const connection = await createConnection({ uri: url, timezone: 'Z', supportBigNumbers: true })
    try {
      if (await isEmpty(connection)) await seedServerAlarms(url, plan)
      return [
        await keyFloor(connection),
        ...(await measure(alarms)),
        ...(await explainQuestions(alarms, url)),
        await sizeFinding(connection),
        await raiseRate(alarms, connection),
      ]
    } finally {
      await connection.end()
      await store.close()
    }
  } finally {
    if (kept === undefined) await admin.query(`DROP DATABASE IF EXISTS ${name}`)
    await admin.end()
  }
}

async function isEmpty(connection: Connection): Promise<boolean> {
  const [rows] = await connection.query<RowDataPacket[]>('SELECT id FROM alarms LIMIT 1')
  return rows.length === 0
}

/** What a page of alarms costs whoever knows their keys: rows, files and history by primary key, three statements. */
async function keyFloor(connection: Connection): Promise<Finding> {
  const [all] = await connection.query<RowDataPacket[]>('SELECT id FROM alarms ORDER BY id DESC LIMIT ?', [
    PAGE * PAGES,
  ])
  const latencies = new Latencies()
  for (let page = 0; page < PAGES; page++) {
    const ids = all.slice(page * PAGE, (page + 1) * PAGE).map(({ id }) => id)
    const startMs = performance.now()
    await connection.query('SELECT * FROM alarms WHERE id IN (?)', [ids])
    await connection.query('SELECT * FROM alarm_files WHERE alarm_id IN (?)', [ids])
    await connection.query('SELECT * FROM alarm_changes WHERE alarm_id IN (?)', [ids])
    latencies.add(performance.now() - startMs)
  }
  const [p50 = Number.NaN, p95 = Number.NaN, max = Number.NaN] = latencies.quantiles([0.5, 0.95, 1])
  const figure = `p50 ${p50.toFixed(1)}, p95 ${p95.toFixed(1)} ms`
  return { title: `bare page of ${PAGE} alarms by their keys`, figure, details: { p50, p95, max } }
}

/** What the server says that the tables of alarms and their indexes take, as they were filled in one go. */
async function sizeFinding(connection: Connection): Promise<Finding> {
  await connection.query(`ANALYZE TABLE ${TABLES.join(', ')}`)
  const [sizes] = await connection.query<RowDataPacket[]>(
    `SELECT table_name AS name, data_length AS data, index_length AS indexes FROM information_schema.tables
      WHERE table_schema = DATABASE() AND table_name IN (?)`,
    [TABLES],
  )
  const [[counted] = []] = await connection.query<RowDataPacket[]>('SELECT COUNT(*) AS n FROM alarms')
  const alarms = Number(counted?.n)
  const bytes = sizes.reduce((sum, { data, indexes }) => sum + Number(data) + Number(indexes), 0)
  return { title: 'disk of an alarm', figure: `${count(bytes / alarms)} bytes`, details: { alarms, bytes, sizes } }
}

/** Batches of new alarms, against the same rows of the table of alarms alone, each batch a statement and a commit. */
async function raiseRate(alarms: AlarmRecords, connection: Connection): Promise<Finding> {
  const fleet = new AlarmFleet(UNITS)
  await connection.query('DROP TABLE IF EXISTS bare_alarms')
  await connection.query('CREATE TABLE bare_alarms LIKE alarms')
  let next = 0
  let bare = 0
  const batches = () =>
    Array.from({ length: BATCHES }, () => Array.from({ length: BATCH }, () => reportAt(fleet, next++)))
  const timed = async (write: (batch: ReturnType<typeof reportAt>[]) => Promise<unknown>) => {
    const made = batches()
    const startMs = performance.now()
    for (const batch of made) await write(batch)
    return ((BATCH * BATCHES) / (performance.now() - startMs)) * 1000
  }
  const comparison = await compare(
    REPEATS,
    () => timed((batch) => connection.query(BARE_INSERT, [batch.map((report) => bareRow(report, bare++))])),
    () => timed((batch) => alarms.raise(batch, MAX_FILES)),
  )
  await connection.query('DROP TABLE bare_alarms')
  for (let unit = 0; unit < UNITS; unit++) await alarms.eraseDevice(testImei(unit))
  return rateFinding(`alarms raised in batches of ${BATCH}`, 'alarms/s', comparison)
}

function reportAt(fleet: AlarmFleet, row: number) {
  return fleet.reportOf(row % UNITS, Math.floor(row / UNITS))
}

const BARE_INSERT = `INSERT INTO bare_alarms (id, device_id, type, time_ms, event_key, received_at_ms, time_suspect, latitude, longitude,
  speed_kmh, attributes, status, has_video, file_count, change_count, day, block, cell, search) VALUES ?`

function bareRow(report: ReturnType<typeof reportAt>, n: number): (string | number | null)[] {
  const { deviceId, type, timeMs, receivedAtMs, latitude, longitude, speedKmh, attributes } = report
  const id = timeMs.toString(16).padStart(14, '0') + n.toString(16).padStart(18, '0')
  const day = Math.floor(timeMs / 86_400_000)
  const place = [latitude, longitude, speedKmh, JSON.stringify(attributes)]
  return [id, deviceId, type, timeMs, '', receivedAtMs, 0, ...place, 'open', 0, 0, 0, day, day, n % 1_000_000, '']
}
