import { setTimeout as sleep } from 'node:timers/promises'
import type { mongo } from 'mongoose'
import type { DeviceId } from '../../model/device-id.js'
import { HealthProbe } from '../health-probe.js'
import { insertAbsent } from '../insert-absent.js'
import { MongoCalls } from '../mongo-calls.js'
import type { MongoConnection } from '../mongo-connection.js'
import { ensureIndexes } from '../mongo-indexes.js'
import { probeDurableWrite } from '../mongo-server.js'
import { compareIds, endOfDevice } from '../positions/mongo-position-key.js'
import {
  documentId,
  type FrameDocument,
  FrameIdentities,
  type FrameSizeDocument,
  firstFrameAt,
  frameModels,
  toFrame,
} from './mongo-frame-document.js'
import { MongoFrameRemover } from './mongo-frame-remover.js'
import { MongoFrameSizes } from './mongo-frame-sizes.js'
import {
  MOST_LISTED_BYTES,
  type RawFrame,
  type RawFrameQuery,
  RawFrameStore,
  type StoredRawFrame,
} from './raw-frame-store.js'

export interface MongoRawFramesOptions {
  /** Of all nodes together, as {@link MongoFrameSizes} counts: when there is more, the oldest frames give way. */
  readonly mostBytes: number
  /** Is told how many frames gave way to newer ones. */
  readonly onGivenWay?: (frames: number) => void
}

const MOST_WAITING = 1000
/** Between two steps of a removal. */
const PAUSE_MS = 10
/** Documents of one answer of the server: of the longest ones some 6 MB. */
const LISTED_AT_ONCE = 100
/** Between two looks whether there is too much. */
const LOOK_EVERY_MS = 60_000

/**
 * Frames in MongoDB: one document each, whose `_id` is a text `<device>/<9 characters of time><8 of arrival><4 of the process>` that sorts
 * as they do, so that every list is one range of it and `_id` alone is the shard key. A second index, by time, is what removals go by:
 * it is always written at its end, and finds the oldest of all devices without a list of them. Bytes are BSON binary.
 *
 * Figures (FerretDB 2.7, client and server on two cores that other work kept busy at a load of 20, Node 20): 11,300 frames/s of 60 bytes in
 * batches of 1,000 of 500 devices (0.38 of the driver's bare insert of the same in arbitrary order, without the second index and the count);
 * 426 MB for a million, before compression; removals 9,900/s.
 */
export class MongoRawFrameStore extends RawFrameStore {
  private readonly writes = new MongoCalls('frames', MOST_WAITING)
  private readonly reads = new MongoCalls('frames', MOST_WAITING)
  private readonly identities = new FrameIdentities()
  private readonly sizes: MongoFrameSizes
  private readonly remover: MongoFrameRemover
  private readonly health: HealthProbe
  private keptSinceLook = Number.POSITIVE_INFINITY
  private lookedAtMs = Number.NEGATIVE_INFINITY
  private trimming: Promise<void> | undefined
  private isClosed = false

  constructor(
    private readonly connection: MongoConnection,
    private readonly frames: mongo.Collection<FrameDocument>,
    sizes: mongo.Collection<FrameSizeDocument>,
    private readonly options: MongoRawFramesOptions,
  ) {
    super()
    this.sizes = new MongoFrameSizes(sizes, this.identities.process)
    this.remover = new MongoFrameRemover(frames)
    this.health = new HealthProbe('frames', () => this.reads.read(() => probeDurableWrite(connection.database)))
    connection.retain()
  }

  override async keep(frames: readonly RawFrame[]): Promise<void> {
    if (frames.length === 0) return
    const documents = frames.map((frame) => this.identities.toDocument(frame))
    // Two batches that are written at once then never wait for each other crosswise.
    documents.sort((a, b) => compareIds(a._id, b._id))
    await this.writes.write(async () => {
      // Identities are our own: what is there under one of them came from an attempt that was cut short.
      await insertAbsent(documents, (some) => this.frames.insertMany(some, { ordered: false }))
      this.keptSinceLook += await this.sizes.add(documents)
    })
    this.trimInBackground()
  }

  override async list(query: RawFrameQuery): Promise<StoredRawFrame[]> {
    const { limit, order, direction } = query
    const filter: mongo.Filter<FrameDocument> = {
      _id: rangeOf(query),
      ...(direction !== undefined && { o: direction === 'out' ? true : { $ne: true } }),
    }
    const sort = { _id: order === 'newest' ? -1 : 1 } as const
    const options = { sort, limit, batchSize: Math.min(limit + 1, LISTED_AT_ONCE), promoteBuffers: true }
    return this.reads.read(async () => {
      const listed: StoredRawFrame[] = []
      let bytes = 0
      for await (const found of this.frames.find(filter, options)) {
        listed.push(toFrame(found))
        bytes += found.b.length
        if (bytes >= MOST_LISTED_BYTES) break
      }
      return listed
    })
  }

  override async eraseDevice(deviceId: DeviceId): Promise<void> {
    while (!(await this.writes.write(() => this.remover.eraseStep(deviceId)))) await sleep(PAUSE_MS)
  }

  override async removeOlderThan(atMs: number): Promise<number> {
    await this.trimming
    const removed = await this.removeBefore(atMs)
    await this.trimming
    await this.trim()
    return removed
  }

  /** The server has a disk of its own. */
  override async giveWay(): Promise<void> {}

  override checkHealth(): Promise<void> {
    return this.health.check()
  }

  override async close(): Promise<void> {
    if (this.isClosed) return
    this.isClosed = true
    await Promise.all([this.writes.close(), this.reads.close(), this.trimming])
    await this.connection.release()
  }

  /** Beside what is kept meanwhile: a step that fails is done again after the next look. */
  private trimInBackground(): void {
    const isDue =
      this.keptSinceLook > this.options.mostBytes / 50 || performance.now() - this.lookedAtMs > LOOK_EVERY_MS
    if (!isDue || this.isClosed) return
    this.trimming ??= this.trim()
      .catch(() => {})
      .finally(() => {
        this.trimming = undefined
      })
  }

  private async trim(): Promise<void> {
    this.keptSinceLook = 0
    this.lookedAtMs = performance.now()
    const beforeMs = await this.reads.read(() => this.sizes.findCut(this.options.mostBytes))
    if (beforeMs !== undefined) await this.removeBefore(beforeMs, this.options.onGivenWay)
  }

  private async removeBefore(atMs: number, onRemoved?: (frames: number) => void): Promise<number> {
    let removed = 0
    for (;;) {
      const step = await this.reads.read(() => this.remover.removeStep(atMs))
      if (step.removed > 0) onRemoved?.(step.removed)
      removed += step.removed
      if (step.isDone) break
      await sleep(PAUSE_MS)
    }
    await this.reads.read(() => this.sizes.forgetBefore(atMs))
    return removed
  }
}

/**
 * Opens the frames in a database: makes what is absent of collections and indexes.
 * @param connection closed with the last store on it
 * @throws StoreOpenError
 */
export async function openMongoRawFrames(
  connection: MongoConnection,
  options: MongoRawFramesOptions,
): Promise<MongoRawFrameStore> {
  const { frames, sizes } = frameModels(connection.connection)
  await ensureIndexes(connection, frames)
  await ensureIndexes(connection, sizes)
  const { database } = connection
  return new MongoRawFrameStore(
    connection,
    database.collection(frames.collection.collectionName),
    database.collection(sizes.collection.collectionName),
    options,
  )
}

/** Identities in the range, and after the one that a page begins after. */
function rangeOf({ deviceId, fromMs, toMs, order, after }: RawFrameQuery) {
  const start = firstFrameAt(deviceId, fromMs ?? Number.NEGATIVE_INFINITY)
  const end = toMs === undefined ? endOfDevice(deviceId) : firstFrameAt(deviceId, toMs)
  const afterId = after && documentId(deviceId, after.id)
  if (afterId === undefined) return { $gte: start, $lt: end }
  return order === 'newest'
    ? { $gte: start, $lt: afterId < end ? afterId : end }
    : { ...(afterId >= start ? { $gt: afterId } : { $gte: start }), $lt: end }
}
