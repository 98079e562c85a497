import type { SqliteConnection, SqliteQuery, SqliteRow } from '../sqlite-connection.js'
import type { ArrivedFrame } from './frame-batch.js'
import { arrivalOf } from './frame-id.js'
import { MOST_LISTED_BYTES, type RawFrameQuery } from './raw-frame-store.js'
import { linkDay } from './sqlite-frame-schema.js'

/** A bound of a range of one device's frames: its order is that of the index. */
type Bound = readonly [timeMs: number, id: number]

const BEFORE_ALL = Number.NEGATIVE_INFINITY
const AFTER_ALL = Number.POSITIVE_INFINITY

/** Lists frames on one connection, each list one range of the index by device and time. */
export class SqliteFrameQueries {
  private readonly findDevice
  private readonly findLink
  private readonly lists = new Map<string, SqliteQuery>()

  constructor(private readonly connection: SqliteConnection) {
    this.findDevice = connection.prepareQuery('SELECT n FROM devices WHERE id = ?')
    this.findLink = connection.prepareQuery('SELECT protocol, name FROM links WHERE device = ? AND day = ? AND n = ?')
  }

  list(query: RawFrameQuery): ArrivedFrame[] {
    // One snapshot of frames and links: a removal in between would take frames off the page, and a page that is short is the last one.
    this.connection.exec('BEGIN')
    try {
      return this.read(query)
    } finally {
      this.connection.rollBack()
    }
  }

  private read(query: RawFrameQuery): ArrivedFrame[] {
    const device = this.findDevice.get([query.deviceId])?.[0]
    if (typeof device !== 'number') return []
    const sql = frameListSql(query)
    const statement = this.lists.get(sql) ?? this.connection.prepareQuery(sql)
    this.lists.set(sql, statement)
    const { lower, upper } = boundsOf(query)
    const frames: ArrivedFrame[] = []
    let listed = 0
    for (const row of statement.all([device, ...lower, ...upper, query.limit])) {
      const frame = this.toFrame(query, device, row)
      frames.push(frame)
      listed += frame.bytes.length
      if (listed >= MOST_LISTED_BYTES) break
    }
    return frames
  }

  private toFrame({ deviceId }: RawFrameQuery, device: number, [id, time, link, bytes]: SqliteRow): ArrivedFrame {
    const atMs = Number(time)
    const [protocol, name] = this.findLink.get([device, linkDay(atMs), Number(link)]) ?? []
    return {
      deviceId,
      atMs,
      direction: Number(id) % 2 === 1 ? 'out' : 'in',
      protocol: String(protocol ?? ''),
      link: String(name ?? ''),
      bytes: bytes instanceof Uint8Array ? bytes : new Uint8Array(),
      arrival: Math.floor(Number(id) / 2),
    }
  }
}

/** Parameters: device, lower bound (inclusive), upper bound (exclusive), limit. Whether a frame went out is asked of its id. */
export function frameListSql({ direction, order }: Pick<RawFrameQuery, 'direction' | 'order'>): string {
  const way = direction === undefined ? '' : `AND id % 2 = ${direction === 'out' ? 1 : 0}`
  const sense = order === 'newest' ? 'DESC' : 'ASC'
  return `SELECT id, time, link, bytes FROM frames
    WHERE device = ? AND (time, id) >= (?, ?) AND (time, id) < (?, ?) ${way}
    ORDER BY time ${sense}, id ${sense} LIMIT ?`
}

function boundsOf({ fromMs, toMs, order, after }: RawFrameQuery): { readonly lower: Bound; readonly upper: Bound } {
  const lower: Bound = [fromMs ?? BEFORE_ALL, BEFORE_ALL]
  const upper: Bound = [toMs ?? AFTER_ALL, BEFORE_ALL]
  if (!after) return { lower, upper }
  const arrival = arrivalOf(after.id)
  // Both frames that a place in the order of arrival may be lie between its two ids.
  return order === 'newest'
    ? { lower, upper: isBefore([after.atMs, arrival * 2], upper) ? [after.atMs, arrival * 2] : upper }
    : { lower: isBefore(lower, [after.atMs, arrival * 2 + 2]) ? [after.atMs, arrival * 2 + 2] : lower, upper }
}

function isBefore(a: Bound, b: Bound): boolean {
  return a[0] < b[0] || (a[0] === b[0] && a[1] < b[1])
}
