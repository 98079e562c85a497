import type { mongo } from 'mongoose'
import type { DeviceId } from '../../model/device-id.js'
import { retryDeadlocks } from '../mongo-calls.js'
import { endOfDevice, startOfDevice } from '../positions/mongo-position-key.js'
import type { FrameDocument } from './mongo-frame-document.js'

/** Documents of one step: some 40 ms on a small server. */
const REMOVED_AT_ONCE = 1000

/** Removes frames in steps; that several do so at once, each node for itself, makes none of them stop early. */
export class MongoFrameRemover {
  constructor(private readonly frames: mongo.Collection<FrameDocument>) {}

  /** @returns whether nothing is left */
  async eraseStep(deviceId: DeviceId): Promise<boolean> {
    const filter = { _id: { $gte: startOfDevice(deviceId), $lt: endOfDevice(deviceId) } }
    const { found } = await this.removeSome(filter, (some) => ({ _id: { $in: some.map(({ _id }) => _id) } }))
    return found === 0
  }

  async removeStep(beforeMs: number): Promise<{ readonly removed: number; readonly isDone: boolean }> {
    const { found, removed } = await this.removeSome({ t: { $lt: beforeMs } }, (some) => {
      // In the order of the index the range from the first to the last holds no others, and is quicker than naming each.
      const isInOrder = some.every(({ t }, index) => index === 0 || (some[index - 1]?.t ?? 0) <= t)
      const [first, last] = [some[0]?.t ?? 0, some.at(-1)?.t ?? 0]
      return isInOrder ? { t: { $gte: first, $lte: last } } : { _id: { $in: some.map(({ _id }) => _id) } }
    })
    return { removed, isDone: found < REMOVED_AT_ONCE }
  }

  /** @returns how many there were, and how many of them no other removed before this one did */
  private async removeSome(
    filter: mongo.Filter<FrameDocument>,
    narrow: (some: readonly Pick<FrameDocument, '_id' | 't'>[]) => mongo.Filter<FrameDocument>,
  ): Promise<{ readonly found: number; readonly removed: number }> {
    const found = await this.frames
      .find(filter, { projection: { _id: 1, t: 1 }, limit: REMOVED_AT_ONCE, batchSize: REMOVED_AT_ONCE + 1 })
      .toArray()
    if (found.length === 0) return { found: 0, removed: 0 }
    const { deletedCount } = await retryDeadlocks(() => this.frames.deleteMany(narrow(found)))
    return { found: found.length, removed: deletedCount }
  }
}
