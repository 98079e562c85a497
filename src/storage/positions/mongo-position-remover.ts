import type { mongo } from 'mongoose'
import type { DeviceId } from '../../model/device-id.js'
import type { MongoLatestPositions } from './mongo-latest-positions.js'
import type { LatestDocument, PositionDocument } from './mongo-position-document.js'
import { BEFORE_ALL, compareIds, endOfDevice, firstKeyAt, type MomentKey, positionId } from './mongo-position-key.js'

/** Documents of one step: some 40 ms on a small server. */
const REMOVED_AT_ONCE = 500

/** Removes positions in steps, each some documents of one device. */
export class MongoPositionRemover {
  constructor(
    private readonly latest: mongo.Collection<LatestDocument>,
    private readonly positions: mongo.Collection<PositionDocument>,
    private readonly documents: MongoLatestPositions,
  ) {}

  /**
   * Removes some of a device, its latest position first.
   * @returns whether nothing is left
   */
  async eraseStep(deviceId: DeviceId): Promise<boolean> {
    await this.latest.deleteOne({ _id: deviceId })
    const removed = await this.removeSome({
      _id: { $gte: positionId(deviceId, BEFORE_ALL), $lt: endOfDevice(deviceId) },
    })
    return removed === 0
  }

  /**
   * Removes some of a device that is older than the moment. What is later than its latest fix stays unless it is without a fix: an append
   * may be about to move the latest position there.
   */
  async removeStep(
    deviceId: DeviceId,
    beforeMs: number,
  ): Promise<{ readonly removed: number; readonly isDone: boolean }> {
    const start = positionId(deviceId, BEFORE_ALL)
    const end = positionId(deviceId, firstKeyAt(beforeMs))
    const kept = positionId(deviceId, await this.findKept(deviceId))
    let removed = 0
    if (kept > start) {
      removed = await this.removeSome({ _id: { $gte: start, $lt: end < kept ? end : kept } })
      if (removed >= REMOVED_AT_ONCE) return { removed, isDone: false }
    }
    const after = kept < end ? await this.removeSome({ _id: { $gt: kept, $lt: end }, f: false }) : 0
    return { removed: removed + after, isDone: after < REMOVED_AT_ONCE }
  }

  /** A device without a document is one whose erasure was cut short: nothing is about to move there, and its last fix is what it has. */
  private async findKept(deviceId: DeviceId): Promise<MomentKey> {
    const document = await this.latest.findOne({ _id: deviceId })
    return (document ?? (await this.documents.findLastFix(deviceId)))?.k ?? BEFORE_ALL
  }

  /**
   * The ids come in the order of the index, so that the range from the first to the last of them holds no others. (To name each of 500 to
   * be deleted took FerretDB 90 ms, the range 40.)
   */
  private async removeSome(filter: mongo.Filter<PositionDocument>): Promise<number> {
    const found = await this.positions
      .find(filter, { projection: { _id: 1 }, limit: REMOVED_AT_ONCE, batchSize: REMOVED_AT_ONCE + 1 })
      .toArray()
    const ids = found.map(({ _id }) => _id).sort(compareIds)
    const [first, last] = [ids[0], ids.at(-1)]
    if (first === undefined || last === undefined) return 0
    const { deletedCount } = await this.positions.deleteMany({ ...filter, _id: { $gte: first, $lte: last } })
    return deletedCount
  }
}
