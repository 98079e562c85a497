import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { AppError } from '../../model/app-error.js'
import type { DeviceId } from '../../model/device-id.js'
import type { BoundingBox, Position, TimeRange } from '../../model/position.js'
import { HealthProbe } from '../health-probe.js'
import { backupSqliteFile } from '../sqlite-backup.js'
import type { SqlitePragmas } from '../sqlite-connection.js'
import { SqliteWorkerClient } from '../sqlite-worker-client.js'
import { startWorkerThread } from '../worker-thread.js'
import { IS_LATEST, IS_NEW, IS_TOO_LARGE, packPositions, unpackPositions } from './position-batch.js'
import { type AppendResult, PositionStore, type TrackPlace, type TrackQuery } from './position-store.js'
import type { PositionReaderOptions, SqlitePositionReader, Walk } from './sqlite-position-reader.js'
import type { RemovalResult } from './sqlite-position-remover.js'
import { POSITIONS_FILE } from './sqlite-position-schema.js'
import type { PositionWriterOptions, SqlitePositionWriter } from './sqlite-position-writer.js'

export interface SqlitePositionsOptions {
  /** An existing directory; the file in it is made when absent. */
  readonly directory: string
  /** Largest size of the file: appends beyond it are refused with `disk_full`, as when the disk is. */
  readonly maxBytes?: number
  readonly startThread?: typeof startWorkerThread
}

const READERS = 2
/** The pipeline bounds what it sends; this only keeps a mistake from filling the memory. */
const MOST_WAITING_WRITES = 1000
const MOST_WAITING_READS = 10_000
/** Between two steps of a removal: appends have the thread for most of the time. */
const PAUSE_MS = 10

/**
 * Positions in one SQLite file: one thread writes, two read, so that neither waits for the other. An append is one transaction
 * in a write-ahead log under `synchronous=FULL`: its promise resolves after the commit has synced the log. (NORMAL would sync
 * only when the log is written back, and a power cut would take back what was acknowledged.)
 *
 * Figures (2 cores that other work shared, Node 20):
 * - rows/s, and their ratio to a bare bulk insert of the same rows, in the run of `npm run bench -- stores` that docs/performance.md
 *   tells (load 1.4): 100 devices in batches of 60 43,000 (0.73), of 1,000 154,000 (0.97), of 5,000 267,000 (1.11); 500 devices 40,000
 *   (0.77), 76,000 (0.91), 158,000 (1.05); without latest positions 1.02 and 1.08. Above 1: rows are put in by key, not in the order of
 *   arrival. Most of the cost is that of the pages that a batch touches, one for each device.
 * - 70 MB for a million positions, a tenth of them with two attributes.
 * - At 10,000 rows/s of 500 devices an append takes 10 ms, at worst 70 (the one that writes the log back). Reads at full speed,
 *   a backup (175 MB/s) or a removal (470,000 rows/s) beside it make that 8 to 18 ms, at worst 95.
 * - The latest position in a table of its own, one row a device and batch: about 7 % of the rate.
 */
export class SqlitePositionStore extends PositionStore {
  private readonly health: HealthProbe

  constructor(
    private readonly file: string,
    private readonly writer: SqliteWorkerClient<SqlitePositionWriter>,
    private readonly readers: readonly SqliteWorkerClient<SqlitePositionReader>[],
  ) {
    super()
    this.health = new HealthProbe('positions', () => writer.call('probe', undefined))
  }

  override async append(positions: readonly Position[]): Promise<AppendResult> {
    if (positions.length === 0) return { isNew: [], isLatest: [] }
    const batch = packPositions(positions)
    const flags = await this.writer.call('append', batch, [batch.numbers.buffer])
    return {
      isNew: Array.from(flags, (flag) => (flag & IS_NEW) !== 0),
      isLatest: Array.from(flags, (flag) => (flag & IS_LATEST) !== 0),
      ...(batch.parts !== undefined && { isTooLarge: Array.from(flags, (flag) => (flag & IS_TOO_LARGE) !== 0) }),
    }
  }

  override async findLatest(deviceId: DeviceId): Promise<Position | undefined> {
    return (await this.listLatest([deviceId]))[0]
  }

  override async listLatest(deviceIds: readonly DeviceId[]): Promise<Position[]> {
    return unpackPositions(await this.reader().call('listLatest', deviceIds))
  }

  override async listDeviceIdsInBox(box: BoundingBox, limit: number, afterDeviceId = ''): Promise<DeviceId[]> {
    return this.reader().call('listDeviceIdsInBox', { box, limit, afterDeviceId })
  }

  override async listDeviceIds(limit: number, afterDeviceId = ''): Promise<DeviceId[]> {
    return this.reader().call('listDeviceIds', { limit, afterDeviceId })
  }

  override async listBefore(deviceId: DeviceId, before: TrackPlace, limit: number): Promise<Position[]> {
    return unpackPositions(await this.reader().call('listBefore', { deviceId, before, limit }))
  }

  override async listTrack(deviceId: DeviceId, query: TrackQuery): Promise<Position[]> {
    return unpackPositions(await this.reader().call('listTrack', { deviceId, query }))
  }

  override async measureDistance(deviceId: DeviceId, range: TimeRange): Promise<{ meters: number; points: number }> {
    let walk: Walk = { meters: 0, points: 0 }
    let walked: number
    do {
      walked = walk.points
      walk = await this.reader().call('walk', { deviceId, range, walk })
    } while (walk.points > walked)
    return { meters: walk.meters, points: walk.points }
  }

  override async eraseDevice(deviceId: DeviceId): Promise<void> {
    while (!(await this.writer.call('eraseStep', deviceId))) await sleep(PAUSE_MS)
    await this.giveBackFreePages()
  }

  override async removeOlderThan(timeMs: number): Promise<number> {
    let removed = 0
    let next: number | undefined = 0
    while (next !== undefined) {
      const step: RemovalResult = await this.writer.call('removeStep', { beforeMs: timeMs, afterDevice: next })
      removed += step.removed
      next = step.next
      if (next !== undefined) await sleep(PAUSE_MS)
    }
    await this.giveBackFreePages()
    return removed
  }

  override checkHealth(): Promise<void> {
    return this.health.check()
  }

  /** The writing connection's pragmas, asked of that connection now. */
  readPragmas(): Promise<SqlitePragmas> {
    return this.writer.call('readPragmas', undefined)
  }

  /** A consistent copy in one file, while the store runs; see {@link backupSqliteFile}. */
  backupTo(file: string): Promise<void> {
    return backupSqliteFile(this.file, file)
  }

  override async close(): Promise<void> {
    await Promise.all(this.readers.map((reader) => reader.close()))
    await this.writer.close()
  }

  private async giveBackFreePages(): Promise<void> {
    while (await this.writer.call('giveBackStep', undefined)) await sleep(PAUSE_MS)
  }

  private reader(): SqliteWorkerClient<SqlitePositionReader> {
    const [first, ...others] = this.readers
    if (!first) throw new AppError('store_unavailable', 'positions: there are no readers')
    return others.reduce((best, next) => (next.waitingCalls < best.waitingCalls ? next : best), first)
  }
}

/**
 * Opens the positions in a directory. Readers start with the first read.
 * @throws StoreOpenError
 */
export async function openSqlitePositions(options: SqlitePositionsOptions): Promise<SqlitePositionStore> {
  const { directory, maxBytes, startThread = startWorkerThread } = options
  const file = path.join(directory, POSITIONS_FILE)
  const writerData: PositionWriterOptions = { file, maxBytes }
  const readerData: PositionReaderOptions = { file }
  const writer = new SqliteWorkerClient<SqlitePositionWriter>({
    name: 'positions',
    start: () => startThread(import.meta.url, './sqlite-position-writer.js', { workerData: writerData }),
    maxWaiting: MOST_WAITING_WRITES,
  })
  const readers = Array.from(
    { length: READERS },
    () =>
      new SqliteWorkerClient<SqlitePositionReader>({
        name: 'positions',
        start: () => startThread(import.meta.url, './sqlite-position-reader.js', { workerData: readerData }),
        maxWaiting: MOST_WAITING_READS,
      }),
  )
  await writer.open(file)
  return new SqlitePositionStore(file, writer, readers)
}
