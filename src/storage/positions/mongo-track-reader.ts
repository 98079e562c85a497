import type { mongo } from 'mongoose'
import type { DeviceId } from '../../model/device-id.js'
import { greatCircleM } from '../../model/geo.js'
import type { Position, TimeRange } from '../../model/position.js'
import type { MongoCalls } from '../mongo-calls.js'
import { type PositionDocument, toPosition } from './mongo-position-document.js'
import { BEFORE_ALL, endOfDevice, firstKeyAt, momentKey, positionId } from './mongo-position-key.js'
import type { TrackPlace, TrackQuery } from './position-store.js'

/** Documents of one answer of the server: some 2 MB. */
const MOST_AT_ONCE = 20_000
const WALKED_AT_ONCE = 5000
/** How far the first look back in time goes; each one after it goes so many times as far as the one before. */
const LOOK_BACK_MS = 60_000
const LOOK_FURTHER = 4

/** Reads tracks by ranges of `_id`, which is their order. */
export class MongoTrackReader {
  constructor(
    private readonly positions: mongo.Collection<PositionDocument>,
    private readonly calls: MongoCalls,
  ) {}

  async listTrack(deviceId: DeviceId, query: TrackQuery): Promise<Position[]> {
    const { limit, includeWithoutFix, after } = query
    const filter = {
      _id: rangeOf(deviceId, query, after),
      ...(includeWithoutFix ? {} : { f: { $ne: false } as const }),
    }
    const options = { sort: { _id: 1 }, limit, batchSize: Math.min(limit + 1, MOST_AT_ONCE) } as const
    const found = await this.calls.read(() => this.positions.find(filter, options).toArray())
    return found.map(toPosition)
  }

  /**
   * In looks, each further back than the one before: FerretDB reads and sorts all that a range has before it gives the last of it, and a
   * device's whole history is too much. A unit that reports has what is asked for in the first looks.
   */
  async listBefore(deviceId: DeviceId, before: TrackPlace, limit: number): Promise<Position[]> {
    const { timeMs, discriminator } = before
    const found: PositionDocument[] = []
    let end = positionId(deviceId, discriminator === undefined ? firstKeyAt(timeMs) : momentKey(timeMs, discriminator))
    for (let spanMs = LOOK_BACK_MS; ; spanMs *= LOOK_FURTHER) {
      const fromMs = timeMs - spanMs
      const start = positionId(deviceId, fromMs > 0 ? firstKeyAt(fromMs) : BEFORE_ALL)
      const filter = { _id: { $gte: start, $lt: end } }
      const left = limit - found.length
      const options = { sort: { _id: -1 }, limit: left, batchSize: Math.min(left + 1, MOST_AT_ONCE) } as const
      found.push(...(await this.calls.read(() => this.positions.find(filter, options).toArray())))
      if (found.length >= limit || fromMs <= 0) return found.map(toPosition)
      end = start
    }
  }

  /** One cursor from end to end, each of its batches a call of its own: the server keeps no snapshot between them. */
  async measureDistance(deviceId: DeviceId, range: TimeRange): Promise<{ meters: number; points: number }> {
    const cursor = this.positions.find(
      { _id: rangeOf(deviceId, range), f: { $ne: false } },
      { projection: { _id: 0, la: 1, lo: 1 }, sort: { _id: 1 }, batchSize: WALKED_AT_ONCE },
    )
    const next = async () => ((await cursor.hasNext()) ? cursor.readBufferedDocuments() : [])
    let [meters, points] = [0, 0]
    let last: readonly [number, number] | undefined
    try {
      for (let some = await this.calls.read(next); some.length > 0; some = await this.calls.read(next)) {
        for (const { la = 0, lo = 0 } of some) {
          if (last) meters += greatCircleM(...last, la, lo)
          last = [la, lo]
          points++
        }
      }
    } finally {
      // A server that is away is not waited for: it forgets the cursor by itself.
      void cursor.close().catch(() => {})
    }
    return { meters, points }
  }
}

/** Identities in the range, and after the one that a page begins after. */
function rangeOf(deviceId: DeviceId, { fromMs, toMs }: TimeRange, after?: TrackQuery['after']) {
  const start = positionId(deviceId, fromMs === undefined ? BEFORE_ALL : firstKeyAt(fromMs))
  const end = toMs === undefined ? endOfDevice(deviceId) : positionId(deviceId, firstKeyAt(toMs))
  const afterId = after && positionId(deviceId, momentKey(after.timeMs, after.discriminator))
  return afterId !== undefined && afterId >= start ? { $gt: afterId, $lt: end } : { $gte: start, $lt: end }
}
