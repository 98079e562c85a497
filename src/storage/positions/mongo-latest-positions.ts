import type { mongo } from 'mongoose'
import type { DeviceId } from '../../model/device-id.js'
import { mapInOrder } from '../copy/map-in-order.js'
import { insertAbsent } from '../insert-absent.js'
import { pauseAfterDeadlock, retryDeadlocks } from '../mongo-calls.js'
import { DEADLOCK, mongoUnavailable, writeFaultsOf } from '../mongo-errors.js'
import type { LatestDocument, PositionDocument } from './mongo-position-document.js'
import {
  BEFORE_ALL,
  compareIds,
  endOfDevice,
  type MomentKey,
  positionId,
  splitPositionId,
} from './mongo-position-key.js'
import type { MongoRangeProbe } from './mongo-range-probe.js'

/** A fix that may be its device's latest. */
export interface LatestCandidate {
  readonly k: MomentKey
  readonly la?: number
  readonly lo?: number
}

const MENDED_AT_ONCE = 8
const MOST_ATTEMPTS = 20

/**
 * The documents that say where each device was seen last. A position is stored before its device's document moves, so that a document
 * never names what is not stored; it moves only forward, by one conditional update, so that several nodes may race. What a kill
 * between the two leaves behind is found by {@link MongoLatestPositions.mend}.
 */
export class MongoLatestPositions {
  constructor(
    private readonly latest: mongo.Collection<LatestDocument>,
    private readonly positions: mongo.Collection<PositionDocument>,
    private readonly probe: MongoRangeProbe,
  ) {}

  /** The documents of those of the devices that have one. */
  async read(deviceIds: readonly DeviceId[]): Promise<Map<DeviceId, LatestDocument>> {
    const found = await this.latest
      .find({ _id: { $in: [...deviceIds] } }, { batchSize: deviceIds.length + 1 })
      .toArray()
    return new Map(found.map((document) => [document._id, document]))
  }

  /** Gives each of the devices a document, which says nothing yet, before anything of it is stored: so none is ever overlooked. */
  async introduce(deviceIds: readonly DeviceId[]): Promise<Map<DeviceId, LatestDocument>> {
    const known = await this.read(deviceIds)
    const absent = deviceIds.filter((id) => !known.has(id)).map((_id) => ({ _id, k: BEFORE_ALL }))
    await this.insert(absent)
    for (const document of absent) known.set(document._id, document)
    return known
  }

  /**
   * Moves documents forward, never back, and makes those that are absent.
   * @returns the key of each device's latest fix after that
   */
  async move(candidates: ReadonlyMap<DeviceId, LatestCandidate>): Promise<Map<DeviceId, MomentKey>> {
    const settled = new Map<DeviceId, MomentKey>()
    await this.moveAll(
      candidates,
      async (absent) => {
        const refused = await this.insert(absent)
        for (const [index, { _id, k }] of absent.entries()) if (!refused.has(index)) settled.set(_id, k)
        return absent.filter((_, index) => refused.has(index))
      },
      settled,
    )
    return settled
  }

  /**
   * Makes the documents say what is stored: of fixes that were stored and then a kill came; of fixes that were removed and still are
   * named, which an erasure on another node may leave. What has no document any more was erased meanwhile and gets none.
   * @param known the devices' documents as they were read
   * @param onMended told of devices as soon as it is done with them
   */
  async mend(
    known: ReadonlyMap<DeviceId, LatestDocument>,
    onMended: (deviceIds: readonly DeviceId[]) => void = () => {},
  ): Promise<void> {
    const documents = [...known.values()]
    const atOnce = this.probe.rangesPerRound
    for (let start = 0; start < documents.length; start += atOnce) {
      const some = documents.slice(start, start + atOnce)
      const [moves, dangling] = await Promise.all([this.findBehind(some), this.findDangling(some)])
      if (moves.size > 0) await this.moveAll(moves, async () => [])
      const back = dangling.filter(({ _id }) => !moves.has(_id))
      for await (const _ of mapInOrder(back, MENDED_AT_ONCE, (document) => this.moveBack(document)));
      onMended(some.map(({ _id }) => _id))
    }
  }

  /** The latest stored fix of a device, whatever its document says. */
  async findLastFix(deviceId: DeviceId, beforeId = endOfDevice(deviceId)): Promise<LatestCandidate | undefined> {
    const [last] = await this.probe.findLastFixes([{ after: positionId(deviceId, BEFORE_ALL), before: beforeId }])
    return last && toCandidate(last)
  }

  /** Moves a document that names a fix that is gone back to the latest one that is there. */
  async moveBack({ _id, k }: LatestDocument): Promise<void> {
    const last = await this.findLastFix(_id, positionId(_id, k))
    await this.latest.updateOne(
      { _id, k },
      last ? { $set: { ...last } } : { $set: { k: BEFORE_ALL }, $unset: { la: 1, lo: 1 } },
    )
  }

  /** @param whereAbsent acts on devices without a document, and says which of them to try again */
  private async moveAll(
    candidates: ReadonlyMap<DeviceId, LatestCandidate>,
    whereAbsent: (absent: readonly LatestDocument[]) => Promise<readonly LatestDocument[]>,
    settled = new Map<DeviceId, MomentKey>(),
  ): Promise<void> {
    let open: readonly Move[] = [...candidates].sort(([a], [b]) => compareIds(a, b))
    for (let attempt = 1; open.length > 0; attempt++) {
      if (attempt > MOST_ATTEMPTS) throw mongoUnavailable('positions: latest positions change too fast')
      if (await this.moveOnce(open, attempt)) {
        for (const [id, { k }] of open) settled.set(id, k)
        return
      }
      const { further, absent, again } = await this.compare(open)
      for (const [id, k] of further) settled.set(id, k)
      const toMake = absent.map(([_id, candidate]) => ({ _id, ...candidate }))
      const refused = toMake.length > 0 ? await whereAbsent(toMake) : []
      open = [...again, ...refused.map(({ _id, ...candidate }) => [_id, candidate] as const)]
    }
  }

  /** @returns whether all of them moved; what met another write is among those that did not */
  private async moveOnce(open: readonly Move[], attempt: number): Promise<boolean> {
    try {
      const { matchedCount } = await retryDeadlocks(() => this.latest.bulkWrite(open.map(forward), { ordered: false }))
      return matchedCount === open.length
    } catch (error) {
      if (!writeFaultsOf(error)?.every(({ code }) => code === DEADLOCK)) throw error
      await pauseAfterDeadlock(attempt)
      return false
    }
  }

  /** After an update that did not match all: which documents are as far or further, which are absent, which must be tried again. */
  private async compare(open: readonly Move[]) {
    const stored = await this.read(open.map(([id]) => id))
    const further: Array<readonly [DeviceId, MomentKey]> = []
    const absent: Move[] = []
    const again: Move[] = []
    for (const move of open) {
      const [id, { k }] = move
      const document = stored.get(id)
      if (document === undefined) absent.push(move)
      else if (document.k >= k) further.push([id, document.k])
      else again.push(move)
    }
    return { further, absent, again }
  }

  /** @returns indexes of those that another node had made meanwhile */
  private insert(documents: readonly LatestDocument[]): Promise<ReadonlySet<number>> {
    return insertAbsent(documents, (some) => this.latest.insertMany(some, { ordered: false }))
  }

  /** The latest of the stored fixes that are later than what the documents say: nearly always none. */
  private async findBehind(documents: readonly LatestDocument[]): Promise<Map<DeviceId, LatestCandidate>> {
    const ranges = documents.map(({ _id, k }) => ({ after: positionId(_id, k), before: endOfDevice(_id) }))
    const found = await this.probe.findLastFixes(ranges)
    return new Map(found.map((document) => [splitPositionId(document._id).deviceId, toCandidate(document)]))
  }

  private async findDangling(documents: readonly LatestDocument[]): Promise<LatestDocument[]> {
    const named = documents.filter(({ k }) => k !== BEFORE_ALL)
    const ids = named.map(({ _id, k }) => positionId(_id, k))
    const stored = await this.positions
      .find({ _id: { $in: ids } }, { projection: { _id: 1 }, batchSize: ids.length + 1 })
      .toArray()
    const there = new Set(stored.map(({ _id }) => _id))
    return named.filter((_, index) => !there.has(ids[index] ?? ''))
  }
}

type Move = readonly [DeviceId, LatestCandidate]

function forward([_id, { k, la, lo }]: Move): mongo.AnyBulkWriteOperation<LatestDocument> {
  return { updateOne: { filter: { _id, k: { $lt: k } }, update: { $set: { k, la, lo } } } }
}

export function toCandidate({ _id, la, lo }: PositionDocument): LatestCandidate {
  return { k: splitPositionId(_id).moment, la, lo }
}
