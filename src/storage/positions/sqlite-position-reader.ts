import { workerData } from 'node:worker_threads'
import type { DeviceId } from '../../model/device-id.js'
import { greatCircleM } from '../../model/geo.js'
import type { BoundingBox, TimeRange } from '../../model/position.js'
import { openForReading, type SqliteRow } from '../sqlite-connection.js'
import { serveRequests } from '../sqlite-worker-host.js'
import { BATCH_WIDTH, joinTexts, type PositionBatch } from './position-batch.js'
import type { TrackPlace, TrackQuery } from './position-store.js'

/** What the thread is started with. */
export interface PositionReaderOptions {
  readonly file: string
}

export interface BoxPage {
  readonly box: BoundingBox
  readonly limit: number
  readonly afterDeviceId: DeviceId
}

export interface BackwardsPage {
  readonly deviceId: DeviceId
  readonly before: TrackPlace
  readonly limit: number
}

/** A walk along a track: where it stands and what it has measured so far. */
export interface Walk {
  readonly meters: number
  readonly points: number
  /** The last point walked to; undefined: the walk has not begun. */
  readonly last?: { readonly timeMs: number; readonly discriminator: number; readonly at: readonly [number, number] }
}

const CACHE_KIB = 8192
/** About 20 ms of reading, with one snapshot of the file. */
const POINTS_PER_WALK = 20_000

const COLUMNS = `p.time, p.disc, p.received, p.lat, p.lon, p.has_fix, p.altitude, p.speed, p.heading, p.accuracy,
  p.satellites, p.attributes`
const TRACK = `FROM positions p WHERE p.device = (SELECT n FROM devices WHERE id = ?)
  AND (p.time, p.disc) > (?, ?) AND p.time < ?`
const IN_ORDER = 'ORDER BY p.time, p.disc LIMIT ?'
/** Columns before the attributes. */
const NUMBERS = BATCH_WIDTH - 2

/** One of the threads that read positions. Each method reads one snapshot of the file, and a short one. */
export class SqlitePositionReader {
  private readonly connection
  private readonly findLatest
  private readonly listPrevious
  private readonly listIds
  private readonly listAll
  private readonly listFixes
  private readonly walkFixes
  private readonly listInBox
  private readonly listInBoxAcross180

  constructor({ file }: PositionReaderOptions) {
    this.connection = openForReading({ file, cacheKiB: CACHE_KIB })
    const query = (sql: string) => this.connection.prepareQuery(sql)
    this.findLatest = query(
      `SELECT ${COLUMNS} FROM devices d JOIN latest l ON l.device = d.n
       JOIN positions p ON p.device = d.n AND p.time = l.time AND p.disc = l.disc WHERE d.id = ?`,
    )
    this.listPrevious = query(
      `SELECT ${COLUMNS} FROM positions p WHERE p.device = (SELECT n FROM devices WHERE id = ?)
       AND (p.time, p.disc) < (?, ?) ORDER BY p.time DESC, p.disc DESC LIMIT ?`,
    )
    this.listAll = query(`SELECT ${COLUMNS} ${TRACK} ${IN_ORDER}`)
    this.listFixes = query(`SELECT ${COLUMNS} ${TRACK} AND p.has_fix ${IN_ORDER}`)
    this.walkFixes = query(`SELECT p.time, p.disc, p.lat, p.lon ${TRACK} AND p.has_fix ${IN_ORDER}`)
    this.listIds = query(
      `SELECT id FROM devices d WHERE id > ? AND EXISTS (SELECT 1 FROM positions p WHERE p.device = d.n) ORDER BY id LIMIT ?`,
    )
    // The narrow table is read whole: 15 ms of a reader at 100,000 devices. An index by place would make small boxes
    // quicker than that, and every append a tenth slower.
    const inBox = (longitudes: string) =>
      `SELECT d.id FROM latest l CROSS JOIN devices d ON d.n = l.device
       WHERE l.lat >= ? AND l.lat <= ? AND (l.lon >= ? ${longitudes} l.lon <= ?) AND d.id > ? ORDER BY d.id LIMIT ?`
    this.listInBox = query(inBox('AND'))
    this.listInBoxAcross180 = query(inBox('OR'))
  }

  listLatest(deviceIds: readonly DeviceId[]): PositionBatch {
    const found = deviceIds.map((id) => this.findLatest.get([id]))
    const devices = deviceIds.filter((_, index) => found[index])
    return packRows(
      devices,
      found.filter((row) => row !== undefined),
      (index) => index,
    )
  }

  listBefore({ deviceId, before, limit }: BackwardsPage): PositionBatch {
    const { timeMs, discriminator = Number.NEGATIVE_INFINITY } = before
    return packRows([deviceId], this.listPrevious.all([deviceId, timeMs, discriminator, limit]), () => 0)
  }

  listDeviceIds({ limit, afterDeviceId }: Omit<BoxPage, 'box'>): DeviceId[] {
    return this.listIds.all([afterDeviceId, limit]).map((row) => String(row[0]))
  }

  listTrack({ deviceId, query }: { readonly deviceId: DeviceId; readonly query: TrackQuery }): PositionBatch {
    const statement = query.includeWithoutFix ? this.listAll : this.listFixes
    const rows = statement.all([deviceId, ...startOf(query, query.after), endOf(query), query.limit])
    return packRows([deviceId], rows, () => 0)
  }

  listDeviceIdsInBox({ box, limit, afterDeviceId }: BoxPage): DeviceId[] {
    const statement = box.minLongitude <= box.maxLongitude ? this.listInBox : this.listInBoxAcross180
    const corners = [box.minLatitude, box.maxLatitude, box.minLongitude, box.maxLongitude]
    return statement.all([...corners, afterDeviceId, limit]).map((row) => String(row[0]))
  }

  /** One stretch of a walk; it is at its end when it went no further. */
  walk({
    deviceId,
    range,
    walk,
  }: {
    readonly deviceId: DeviceId
    readonly range: TimeRange
    readonly walk: Walk
  }): Walk {
    const rows = this.walkFixes.all([deviceId, ...startOf(range, walk.last), endOf(range), POINTS_PER_WALK])
    let { meters, last } = walk
    for (const row of rows) {
      const [timeMs, discriminator, latitude, longitude] = row.map(Number) as [number, number, number, number]
      if (last) meters += greatCircleM(...last.at, latitude, longitude)
      last = { timeMs, discriminator, at: [latitude, longitude] }
    }
    return { meters, points: walk.points + rows.length, last }
  }

  close(): void {
    this.connection.close()
  }
}

/** The key after which a read begins: that of the last one read, or one just before the range. */
function startOf(range: TimeRange, after: TrackQuery['after']): readonly [number, number] {
  const fromMs = range.fromMs ?? Number.NEGATIVE_INFINITY
  if (after && after.timeMs >= fromMs) return [after.timeMs, after.discriminator]
  return [fromMs, Number.NEGATIVE_INFINITY]
}

function endOf(range: TimeRange): number {
  return range.toMs ?? Number.POSITIVE_INFINITY
}

function packRows(
  devices: readonly DeviceId[],
  rows: readonly SqliteRow[],
  deviceOf: (row: number) => number,
): PositionBatch {
  const numbers = new Float64Array(rows.length * BATCH_WIDTH)
  const attributes: string[] = []
  for (const [index, row] of rows.entries()) {
    let at = index * BATCH_WIDTH
    numbers[at++] = deviceOf(index)
    for (let column = 0; column < NUMBERS; column++) numbers[at++] = Number(row[column] ?? Number.NaN)
    const text = row[NUMBERS]
    numbers[at] = typeof text === 'string' ? attributes.push(text) - 1 : Number.NaN
  }
  return { devices: joinTexts(devices), attributes: joinTexts(attributes), numbers }
}

serveRequests(() => new SqlitePositionReader(workerData as PositionReaderOptions))
