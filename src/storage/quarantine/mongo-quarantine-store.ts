import { setTimeout as sleep } from 'node:timers/promises'
import { Logger } from '@nestjs/common'
import type { Model, mongo } from 'mongoose'
import type { DeviceId } from '../../model/device-id.js'
import { HealthProbe } from '../health-probe.js'
import { insertAbsent } from '../insert-absent.js'
import { MongoCalls } from '../mongo-calls.js'
import type { MongoConnection } from '../mongo-connection.js'
import { ensureIndexes } from '../mongo-indexes.js'
import { probeDurableWrite } from '../mongo-server.js'
import { ArrivalIds } from './arrival-ids.js'
import { type QuarantineDocument, quarantineModel, toDocument, toRecord } from './mongo-quarantine-document.js'
import {
  type QuarantinedRecord,
  type QuarantineQuery,
  QuarantineStore,
  type StoredQuarantinedRecord,
} from './quarantine-store.js'

const MOST_WAITING = 1000
/** Some 4 MB at most. */
const REMOVED_AT_ONCE = 500
const PAUSE_MS = 10
/** Numbers of records that are remembered; beyond this all are counted anew. */
const MOST_COUNTS = 100_000
const NEWEST_FIRST = { received: -1, _id: -1 } as const

/**
 * Refused records in MongoDB, one document each, by mongoose's models: they are few, so that what a model costs does not count.
 * Every list is served by one of three indexes. How many a device has is counted when its first record comes and then kept in
 * memory, so that only a device at its bound costs a removal; several nodes that keep records of one device each hold to the bound
 * by their own count, and look again when they reach it.
 */
export class MongoQuarantineStore extends QuarantineStore {
  private readonly logger = new Logger('quarantine')
  private readonly writes = new MongoCalls('quarantine', MOST_WAITING)
  private readonly reads = new MongoCalls('quarantine', MOST_WAITING)
  private readonly counts = new Map<DeviceId, number>()
  private readonly ids = new ArrivalIds()
  private readonly health: HealthProbe
  private isClosed = false

  constructor(
    private readonly connection: MongoConnection,
    private readonly model: Model<QuarantineDocument>,
  ) {
    super()
    this.health = new HealthProbe('quarantine', () => this.reads.read(() => probeDurableWrite(connection.database)))
    connection.retain()
  }

  override async keep(records: readonly QuarantinedRecord[]): Promise<void> {
    if (records.length === 0) return
    const documents = records.map((record) => toDocument(this.ids.next(), record))
    let isKept = false
    try {
      await this.writes.write(async () => {
        await this.insert(documents)
        isKept = true
        await this.bound(documents)
      })
    } catch (error) {
      if (!isKept) throw error
      // Whoever was refused would bring them again. What is too much now gives way to the next record of its device.
      for (const { device } of documents) this.counts.delete(device)
      this.logger.warn({ event: 'quarantine_not_bounded', reason: (error as Error).message })
    }
  }

  override async list(query: QuarantineQuery): Promise<StoredQuarantinedRecord[]> {
    const found = await this.reads.read(() =>
      this.model
        .find(filterOf(query))
        .sort(NEWEST_FIRST)
        .limit(query.limit)
        .batchSize(query.limit + 1)
        .lean()
        .exec(),
    )
    return found.map((document) => toRecord(document as QuarantineDocument))
  }

  override async eraseDevice(device: DeviceId): Promise<void> {
    await this.writes.write(async () => {
      this.counts.delete(device)
      await this.model.deleteMany({ device })
    })
  }

  override async removeOlderThan(receivedAtMs: number): Promise<number> {
    let removed = 0
    for (;;) {
      const some = await this.writes.write(() => this.removeSome(receivedAtMs))
      removed += some
      if (some < REMOVED_AT_ONCE) return removed
      await sleep(PAUSE_MS)
    }
  }

  override checkHealth(): Promise<void> {
    return this.health.check()
  }

  override async close(): Promise<void> {
    if (this.isClosed) return
    this.isClosed = true
    await Promise.all([this.writes.close(), this.reads.close()])
    await this.connection.release()
  }

  /** Ids are our own: what is there under one of them came from an attempt that was cut short. */
  private async insert(documents: readonly QuarantineDocument[]): Promise<void> {
    await insertAbsent(documents, (some) => this.model.insertMany(some, { lean: true, ordered: false }))
  }

  /** Lets the oldest records of devices that have too many give way. */
  private async bound(added: readonly QuarantineDocument[]): Promise<void> {
    const devices = new Map<DeviceId, number>()
    for (const { device } of added) devices.set(device, (devices.get(device) ?? 0) + 1)
    for (const [device, count] of devices) {
      const known = this.counts.get(device)
      // Forgotten until it is known again: what fails in between is counted anew.
      this.counts.delete(device)
      const total = known === undefined ? await this.model.countDocuments({ device }) : known + count
      if (this.counts.size >= MOST_COUNTS) this.counts.clear()
      this.counts.set(device, total > QuarantineStore.RECORDS_PER_DEVICE ? await this.trim(device) : total)
    }
  }

  /** @returns how many are left */
  private async trim(device: DeviceId): Promise<number> {
    const oldest = await this.model
      .findOne({ device }, { received: 1 })
      .sort(NEWEST_FIRST)
      .skip(QuarantineStore.RECORDS_PER_DEVICE - 1)
      .lean()
      .exec()
    if (oldest) await this.model.deleteMany({ device, ...olderThan(oldest.received, oldest._id) })
    return this.model.countDocuments({ device })
  }

  private async removeSome(receivedBeforeMs: number): Promise<number> {
    const found = await this.model
      .find({ received: { $lt: receivedBeforeMs } }, { _id: 1 })
      .limit(REMOVED_AT_ONCE)
      .lean()
      .exec()
    if (found.length === 0) return 0
    this.counts.clear()
    await this.model.deleteMany({ _id: { $in: found.map(({ _id }) => _id) } })
    return found.length
  }
}

/**
 * Opens the quarantine in a database: makes what is absent of the collection and its indexes.
 * @param connection closed with the last store on it
 * @throws StoreOpenError
 */
export async function openMongoQuarantine(connection: MongoConnection): Promise<MongoQuarantineStore> {
  const model = quarantineModel(connection.connection)
  await ensureIndexes(connection, model)
  return new MongoQuarantineStore(connection, model)
}

function filterOf({ deviceIds, codes, fromMs, toMs, before }: QuarantineQuery): mongo.Filter<QuarantineDocument> {
  return {
    ...(deviceIds && { device: { $in: [...new Set(deviceIds)] } }),
    ...(codes && { code: { $in: [...new Set(codes)] } }),
    ...((fromMs !== undefined || toMs !== undefined) && {
      received: { ...(fromMs !== undefined && { $gte: fromMs }), ...(toMs !== undefined && { $lt: toMs }) },
    }),
    ...(before && olderThan(before.receivedAtMs, before.id)),
  }
}

/** What comes after this one in the list. */
function olderThan(received: number, id: string): mongo.Filter<QuarantineDocument> {
  return { $or: [{ received: { $lt: received } }, { received, _id: { $lt: id } }] }
}
