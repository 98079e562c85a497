import { setTimeout as sleep } from 'node:timers/promises'
import type { mongo } from 'mongoose'
import type { DeviceId } from '../../model/device-id.js'
import type { BoundingBox, Position, TimeRange } from '../../model/position.js'
import { HealthProbe } from '../health-probe.js'
import { MongoCalls } from '../mongo-calls.js'
import type { MongoConnection } from '../mongo-connection.js'
import { ensureIndexes } from '../mongo-indexes.js'
import { probeDurableWrite } from '../mongo-server.js'
import { MongoDeviceList } from './mongo-device-list.js'
import { HeardDevices } from './mongo-heard-devices.js'
import { MongoLatestPositions } from './mongo-latest-positions.js'
import { MongoPositionAppender } from './mongo-position-appender.js'
import { type LatestDocument, type PositionDocument, positionModels, toPosition } from './mongo-position-document.js'
import { BEFORE_ALL, positionId } from './mongo-position-key.js'
import { MongoPositionRemover } from './mongo-position-remover.js'
import { MongoRangeProbe } from './mongo-range-probe.js'
import { MongoTrackReader } from './mongo-track-reader.js'
import { type AppendResult, PositionStore, type TrackPlace, type TrackQuery } from './position-store.js'

/** The pipeline bounds what it sends; this only keeps a mistake from filling the memory. */
const MOST_WAITING_WRITES = 1000
const MOST_WAITING_READS = 10_000
/** Between two steps of a removal: appends have the server for most of the time. */
const PAUSE_MS = 10
const DEVICES_AT_ONCE = 500
/** Of one statement: FerretDB plans 20 in 12 ms and 100 in 2 s. */
const RANGES_AT_ONCE = { ferret: 20, mongo: 200 } as const

/**
 * Positions in MongoDB: one document each, whose `_id` is the identity, a text `<device>/<9 characters of time>[<8 of discriminator>]`
 * that sorts as they do. So no second index is needed, an unordered insert tells by the error 11000 of each document exactly what was
 * there before, every read of a track is one range of `_id`, and `_id` alone is the shard key, by device and time. Inserts and reads go
 * through the driver's own collections, not through mongoose's documents.
 *
 * A second collection has one document of each device with the key and place of its latest fix ({@link MongoLatestPositions}), since
 * FerretDB serves no sort from an index. A position is stored first and then that document moves, so that it can be behind after a kill
 * but never ahead: whoever hears or looks up a device that this process has not moved for ten minutes, or not looked at for an hour, first
 * looks for later fixes, and a repeat of what was not acknowledged finds them at once. Until then only the list by box may show the former place.
 *
 * Figures (FerretDB 2.7, client and server on the same two cores, Node 20; in brackets the ratio to the driver's bare insert in the same run):
 * - rows/s in batches of 1,000 of 100 devices: 72,400 (0.98), with latest positions 38,100 (0.41); of 5,000 of 500 devices: 91,300
 *   (1.12; sorted by `_id` first), with latest positions 46,100 (0.59), 500 updates of one document each.
 * - 296 MB for a million positions with their index, a tenth of them with two attributes. In another run 48,100 rows/s for the text,
 *   36,900 and 330 MB with a Binary key (MongoDB moreover compares those by length first), 40,800 and 373 MB with a document as key.
 * - Buckets of a device and hour, pushed into with an upsert: 9,600 rows/s, 435 MB, and they cannot tell which of a batch was new.
 */
export class MongoPositionStore extends PositionStore {
  private readonly writes = new MongoCalls('positions', MOST_WAITING_WRITES)
  private readonly reads = new MongoCalls('positions', MOST_WAITING_READS)
  private readonly heard = new HeardDevices()
  private readonly documents: MongoLatestPositions
  private readonly devices: MongoDeviceList
  private readonly appender: MongoPositionAppender
  private readonly remover: MongoPositionRemover
  private readonly tracks: MongoTrackReader
  private readonly health: HealthProbe
  private isClosed = false

  constructor(
    private readonly connection: MongoConnection,
    private readonly positions: mongo.Collection<PositionDocument>,
    latest: mongo.Collection<LatestDocument>,
  ) {
    super()
    const probe = new MongoRangeProbe(
      positions,
      connection.server.isFerret ? RANGES_AT_ONCE.ferret : RANGES_AT_ONCE.mongo,
    )
    this.documents = new MongoLatestPositions(latest, positions, probe)
    this.devices = new MongoDeviceList(latest, probe, this.reads)
    this.appender = new MongoPositionAppender(positions, this.documents, this.heard)
    this.remover = new MongoPositionRemover(latest, positions, this.documents)
    this.tracks = new MongoTrackReader(positions, this.reads)
    this.health = new HealthProbe('positions', () => this.reads.read(() => probeDurableWrite(connection.database)))
    connection.retain()
  }

  override async append(positions: readonly Position[]): Promise<AppendResult> {
    if (positions.length === 0) return { isNew: [], isLatest: [] }
    return this.writes.write(() => this.appender.append(positions))
  }

  override async findLatest(deviceId: DeviceId): Promise<Position | undefined> {
    return (await this.listLatest([deviceId]))[0]
  }

  override async listLatest(deviceIds: readonly DeviceId[]): Promise<Position[]> {
    const ids = [...new Set(deviceIds)]
    const listed: Position[] = []
    for (let start = 0; start < ids.length; start += DEVICES_AT_ONCE) {
      const some = ids.slice(start, start + DEVICES_AT_ONCE)
      listed.push(...(await this.reads.read(() => this.readLatest(some))))
    }
    return listed
  }

  override async listDeviceIds(limit: number, afterDeviceId = ''): Promise<DeviceId[]> {
    return this.devices.list(limit, afterDeviceId)
  }

  override async listDeviceIdsInBox(box: BoundingBox, limit: number, afterDeviceId = ''): Promise<DeviceId[]> {
    const { minLatitude, maxLatitude, minLongitude, maxLongitude } = box
    const filter: mongo.Filter<LatestDocument> = {
      _id: { $gt: afterDeviceId },
      la: { $gte: minLatitude, $lte: maxLatitude },
      ...(minLongitude <= maxLongitude
        ? { lo: { $gte: minLongitude, $lte: maxLongitude } }
        : { $or: [{ lo: { $gte: minLongitude } }, { lo: { $lte: maxLongitude } }] }),
    }
    return this.reads.read(() => this.devices.listDocuments(filter, limit))
  }

  override listBefore(deviceId: DeviceId, before: TrackPlace, limit: number): Promise<Position[]> {
    return this.tracks.listBefore(deviceId, before, limit)
  }

  override listTrack(deviceId: DeviceId, query: TrackQuery): Promise<Position[]> {
    return this.tracks.listTrack(deviceId, query)
  }

  override measureDistance(deviceId: DeviceId, range: TimeRange): Promise<{ meters: number; points: number }> {
    return this.tracks.measureDistance(deviceId, range)
  }

  override async eraseDevice(deviceId: DeviceId): Promise<void> {
    const step = () => {
      this.heard.forget([deviceId])
      return this.remover.eraseStep(deviceId)
    }
    while (!(await this.writes.write(step))) await sleep(PAUSE_MS)
  }

  override async removeOlderThan(timeMs: number): Promise<number> {
    let removed = 0
    let after = ''
    for (;;) {
      const ids = await this.listDeviceIds(DEVICES_AT_ONCE, after)
      for (const id of ids) removed += await this.removeOlderOf(id, timeMs)
      const last = ids.at(-1)
      if (last === undefined) return removed
      after = last
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

  private async removeOlderOf(deviceId: DeviceId, timeMs: number): Promise<number> {
    if (this.heard.listUnheard([deviceId]).length > 0) await this.reads.read(() => this.readLatest([deviceId]))
    let removed = 0
    for (;;) {
      const step = await this.reads.read(() => this.remover.removeStep(deviceId, timeMs))
      removed += step.removed
      if (step.isDone) return removed
      await sleep(PAUSE_MS)
    }
  }

  /** The positions that the documents of these devices name, which are mended first where nobody looked for a while. */
  private async readLatest(deviceIds: readonly DeviceId[]): Promise<Position[]> {
    let known = await this.documents.read(deviceIds)
    const unheard = new Set(this.heard.listUnheard([...known.keys()]))
    if (unheard.size > 0) {
      const toMend = new Map([...known].filter(([id]) => unheard.has(id)))
      await this.documents.mend(toMend, (mended) => this.heard.note(mended))
      known = await this.documents.read(deviceIds)
    }
    const named = [...known.values()].filter(({ k }) => k !== BEFORE_ALL)
    const ids = named.map(({ _id, k }) => positionId(_id, k))
    const found = await this.positions.find({ _id: { $in: ids } }, { batchSize: ids.length + 1 }).toArray()
    return found.map(toPosition)
  }
}

/**
 * Opens the positions in a database: makes what is absent of collections and indexes.
 * @param connection closed with the last store on it
 * @throws StoreOpenError
 */
export async function openMongoPositions(connection: MongoConnection): Promise<MongoPositionStore> {
  const { positions, latest } = positionModels(connection.connection)
  await ensureIndexes(connection, positions)
  await ensureIndexes(connection, latest)
  const { database } = connection
  return new MongoPositionStore(
    connection,
    database.collection(positions.collection.collectionName),
    database.collection(latest.collection.collectionName),
  )
}
