import type { mongo } from 'mongoose'
import { retryDeadlocks } from '../mongo-calls.js'
import { writeFaultsOf } from '../mongo-errors.js'
import type { FrameDocument, FrameSizeDocument } from './mongo-frame-document.js'

/** Of time: what gives way, gives way in such slices. */
export const SLICE_MS = 600_000
/** What a frame takes besides its bytes, about: names, identity, link, its place in two indexes. FerretDB took 366; MongoDB compresses. */
const OVERHEAD_BYTES = 300

/**
 * How much was kept in each slice of time, one small document for each process: the server cannot be asked (FerretDB estimates, and
 * does so from before a removal). It is about right: a crash may leave out a batch, and an erased device counts until its time is over.
 */
export class MongoFrameSizes {
  constructor(
    private readonly sizes: mongo.Collection<FrameSizeDocument>,
    private readonly process: string,
  ) {}

  /** Adds what was kept. @returns how many bytes that is */
  async add(documents: readonly FrameDocument[]): Promise<number> {
    const slices = new Map<number, number>()
    for (const { t, b } of documents) {
      const slice = sliceOf(t)
      slices.set(slice, (slices.get(slice) ?? 0) + OVERHEAD_BYTES + b.length)
    }
    const updates = [...slices].map(([s, bytes]) => ({
      updateOne: {
        filter: { _id: `${s}/${this.process}` },
        update: { $inc: { bytes }, $setOnInsert: { s } },
        upsert: true,
      },
    }))
    try {
      await retryDeadlocks(() => this.sizes.bulkWrite(updates, { ordered: false }))
    } catch (error) {
      // The frames are there: one count that met a removal is no reason to say that they are not.
      if (!writeFaultsOf(error)) throw error
    }
    return [...slices.values()].reduce((sum, bytes) => sum + bytes, 0)
  }

  /**
   * @returns the moment before which frames must go so that no more than this is left; undefined: none must. The newest slice stays.
   */
  async findCut(mostBytes: number): Promise<number | undefined> {
    const slices = new Map<number, number>()
    let total = 0
    for await (const { s, bytes } of this.sizes.find()) {
      slices.set(s, (slices.get(s) ?? 0) + bytes)
      total += bytes
    }
    const oldestFirst = [...slices].sort(([a], [b]) => a - b)
    let cut: number | undefined
    for (const [s, bytes] of oldestFirst.slice(0, -1)) {
      if (total <= mostBytes) return cut
      total -= bytes
      cut = (s + 1) * SLICE_MS
    }
    return cut
  }

  /** Forgets the slices that ended before the moment: their frames are gone. */
  async forgetBefore(atMs: number): Promise<void> {
    await retryDeadlocks(() => this.sizes.deleteMany({ s: { $lt: sliceOf(atMs) } }))
  }
}

function sliceOf(atMs: number): number {
  return Math.floor(atMs / SLICE_MS)
}
