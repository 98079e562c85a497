import path from 'node:path'
import { TELTONIKA } from '../src/codecs/teltonika/teltonika-codec.js'
import { POSITIONS_SCHEMA } from '../src/storage/positions/sqlite-position-schema.js'
import {
  openForWriting,
  type SqliteConnection,
  type SqliteValue,
  upgradeSchema,
} from '../src/storage/sqlite-connection.js'
import { Fleet } from './fleet.js'
import { TrackerPackets } from './tracker-packets.js'

const ROWS_PER_STATEMENT = 50
/** As many as the pipeline ever puts into one transaction: the larger, the faster. */
const ROWS_PER_TRANSACTION = 5000
const CACHE_KIB = 65_536
const CHECKPOINT_PAGES = 8000
const COLUMNS = 13

type Row = readonly SqliteValue[]

/**
 * The floor of batches: a process that does nothing but insert the rows that the load's batches carry, in the order in which
 * they are sent, into the store's own table with its pragmas. Rows are made and bound to statements outside the clock.
 * Usage: bulk-insert DIRECTORY UNITS BATCH SECONDS LOAD, where LOAD is `sockets` or `trackers`; writes rows per second.
 */
const [directory = '.', units, batchSize, seconds, load] = process.argv.slice(2)
const connection = openForWriting({
  file: path.join(directory, 'bulk.sqlite'),
  cacheKiB: CACHE_KIB,
  checkpointPages: CHECKPOINT_PAGES,
})
upgradeSchema(connection, POSITIONS_SCHEMA)
const fleet = new Fleet(Number(units))
const rows = load === 'trackers' ? rowsOfTrackers(fleet, Number(batchSize)) : rowsOfSockets(fleet, Number(batchSize))
insertFor(1000, connection, rows)
process.stdout.write(`${insertFor(Number(seconds) * 1000, connection, rows)}\n`)
connection.close()

/** @returns rows per second of the time that transactions took */
function insertFor(durationMs: number, connection: SqliteConnection, rows: Iterator<Row, never>): number {
  const placeholders = `(${Array(COLUMNS).fill('?').join(',')})`
  const insert = connection.prepareWrite(
    `INSERT INTO positions VALUES ${Array(ROWS_PER_STATEMENT).fill(placeholders).join(',')}`,
  )
  let spentMs = 0
  let inserted = 0
  while (spentMs < durationMs) {
    const statements = Array.from({ length: ROWS_PER_TRANSACTION / ROWS_PER_STATEMENT }, () =>
      Array.from({ length: ROWS_PER_STATEMENT }, () => rows.next().value).flat(),
    )
    const startedMs = performance.now()
    connection.transact(() => {
      for (const values of statements) insert.run(values)
    })
    spentMs += performance.now() - startedMs
    inserted += ROWS_PER_TRANSACTION
  }
  return (inserted / spentMs) * 1000
}

function* rowsOfSockets(fleet: Fleet, batchSize: number): Generator<Row, never> {
  for (let first = 0; ; first += batchSize) {
    for (let unit = 0; unit < fleet.units; unit++) {
      for (let n = first; n < first + batchSize; n++) {
        const { latitude, longitude, altitude, speed, heading } = fleet.positionOf(unit, n)
        const timeMs = fleet.timeMsOf(n)
        yield [unit + 1, timeMs, 0, timeMs, latitude, longitude, 1, altitude, speed, heading, null, null, null]
      }
    }
  }
}

function* rowsOfTrackers(fleet: Fleet, batchSize: number): Generator<Row, never> {
  const packets = new TrackerPackets(fleet, batchSize)
  for (;;) {
    for (let unit = 0; unit < fleet.units; unit++) {
      for (const record of TELTONIKA.decode(packets.next(unit)).records) {
        const { timeMs, discriminator, latitude, longitude, altitudeM, speedKmh, headingDeg, satellites } = record
        const place = [latitude, longitude, 1, altitudeM, speedKmh, headingDeg, null, satellites]
        yield [unit + 1, timeMs ?? null, discriminator, Date.now(), ...place, JSON.stringify(record.attributes)]
      }
    }
  }
}
