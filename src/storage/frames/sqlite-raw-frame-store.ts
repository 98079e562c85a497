import { stat } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DeviceId } from '../../model/device-id.js'
import { HealthProbe } from '../health-probe.js'
import { backupSqliteFile } from '../sqlite-backup.js'
import type { SqlitePragmas } from '../sqlite-connection.js'
import { SqliteWorkerClient } from '../sqlite-worker-client.js'
import { startWorkerThread } from '../worker-thread.js'
import { packFrames, unpackFrames } from './frame-batch.js'
import { frameId } from './frame-id.js'
import { type RawFrame, type RawFrameQuery, RawFrameStore, type StoredRawFrame } from './raw-frame-store.js'
import type { FrameReaderOptions, SqliteFrameReader } from './sqlite-frame-reader.js'
import type { FrameRemovalResult, FrameRemovalStep } from './sqlite-frame-remover.js'
import { FRAMES_FILE } from './sqlite-frame-schema.js'
import type { FrameWriterOptions, SqliteFrameWriter } from './sqlite-frame-writer.js'

export interface SqliteRawFramesOptions {
  /** An existing directory; the file in it is made when absent. */
  readonly directory: string
  /** Of the file: when it holds more, the oldest frames give way. */
  readonly mostBytes: number
  /** Is told how many frames gave way before their time. */
  readonly onGivenWay?: (frames: number) => void
  readonly startThread?: typeof startWorkerThread
}

const MOST_WAITING_WRITES = 1000
const MOST_WAITING_READS = 1000
/** Between two steps of a removal: batches have the thread for most of the time. */
const PAUSE_MS = 10

/**
 * Frames in one SQLite file: one thread writes, another reads, so that neither waits for the other nor positions for them. A batch is one
 * transaction under `synchronous=FULL`, as with positions: what was kept survives the power, and at some four batches a second the sync
 * costs nothing that could be measured. Frames lie in the order of arrival, with an index by device and time.
 *
 * Figures (2 cores that other work kept busy at a load of 13, Node 20; in brackets those of one tree by device, time and sequence, written
 * in the same run without a thread between):
 * - rows/s of 60-byte frames in batches of 1,000: 100 devices 28,000 (30,000), 500 devices 15,500 (18,200), 5,000 devices 26,400 (12,900),
 *   in batches of 5,000 34,000 (24,400). Of 500 devices frames of 600 bytes 25,500 (10,900), of 1,100 bytes 29,900 (4,700).
 * - 103 MB for a million frames of 60 bytes (88), 706 MB of 600 bytes (745), 1.4 GB of 1,100 bytes (4.7: each has a page of its own).
 * - With the file at its bound, so that every batch makes as many old frames give way: 13,500 rows/s in place of 15,500.
 * - Beside 10,000 positions/s frames at some 17,000/s made no difference to the median of an append (4 to 11 ms with and without); the slowest
 *   in a hundred took 50 to 75 ms in place of 30 to 45.
 * - A removal of 400,000 frames: 18,600/s, with batches that were kept meanwhile (34 ms each, at worst 270, at a load of 20).
 */
export class SqliteRawFrameStore extends RawFrameStore {
  private readonly health: HealthProbe

  constructor(
    private readonly file: string,
    private readonly writer: SqliteWorkerClient<SqliteFrameWriter>,
    private readonly reader: SqliteWorkerClient<SqliteFrameReader>,
    private readonly options: SqliteRawFramesOptions,
  ) {
    super()
    this.health = new HealthProbe('frames', () => writer.call('probe', undefined))
  }

  override async keep(frames: readonly RawFrame[]): Promise<void> {
    if (frames.length === 0) return
    const batch = packFrames(frames)
    this.countGivenWay(await this.writer.call('keep', batch, [batch.numbers.buffer, batch.bytes.buffer]))
  }

  override async list(query: RawFrameQuery): Promise<StoredRawFrame[]> {
    const frames = unpackFrames(await this.reader.call('list', query))
    return frames.map(({ arrival, ...frame }) => ({ ...frame, id: frameId(frame.atMs, arrival) }))
  }

  override async eraseDevice(deviceId: DeviceId): Promise<void> {
    while (!(await this.writer.call('eraseStep', deviceId))) await sleep(PAUSE_MS)
    await this.giveBackFreePages()
  }

  override async removeOlderThan(atMs: number): Promise<number> {
    let removed = 0
    let step: FrameRemovalStep | undefined = { beforeMs: atMs, afterDevice: undefined }
    while (step) {
      const result: FrameRemovalResult = await this.writer.call('removeStep', step)
      removed += result.removed
      step = result.next
      if (step) await sleep(PAUSE_MS)
    }
    while (!(await this.trim())) await sleep(PAUSE_MS)
    await this.giveBackFreePages()
    return removed
  }

  override async giveWay(bytes: number): Promise<void> {
    // The size that the disk knows: what went in an earlier call may be given back only now, if somebody read meanwhile.
    await this.writer.call('writeBack', undefined)
    const { size } = await stat(this.file)
    while (!(await this.shrink(size - bytes))) await sleep(PAUSE_MS)
    await this.writer.call('writeBack', undefined)
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
    await this.reader.close()
    await this.writer.close()
  }

  /** @returns whether there is no more than there may be */
  private async trim(): Promise<boolean> {
    const { removed, isDone } = await this.writer.call('trim', undefined)
    this.countGivenWay(removed)
    return isDone
  }

  /** @returns whether the file is small enough, or as small as it gets */
  private async shrink(mostBytes: number): Promise<boolean> {
    const { removed, isDone } = await this.writer.call('shrinkStep', mostBytes)
    this.countGivenWay(removed)
    return isDone
  }

  private countGivenWay(frames: number): void {
    if (frames > 0) this.options.onGivenWay?.(frames)
  }

  private async giveBackFreePages(): Promise<void> {
    while (await this.writer.call('giveBackStep', undefined)) await sleep(PAUSE_MS)
  }
}

/**
 * Opens the frames in a directory. The reader starts with the first read.
 * @throws StoreOpenError
 */
export async function openSqliteRawFrames(options: SqliteRawFramesOptions): Promise<SqliteRawFrameStore> {
  const { directory, mostBytes, startThread = startWorkerThread } = options
  const file = path.join(directory, FRAMES_FILE)
  const writerData: FrameWriterOptions = { file, mostBytes }
  const readerData: FrameReaderOptions = { file }
  const writer = new SqliteWorkerClient<SqliteFrameWriter>({
    name: 'frames',
    start: () => startThread(import.meta.url, './sqlite-frame-writer.js', { workerData: writerData }),
    maxWaiting: MOST_WAITING_WRITES,
  })
  const reader = new SqliteWorkerClient<SqliteFrameReader>({
    name: 'frames',
    start: () => startThread(import.meta.url, './sqlite-frame-reader.js', { workerData: readerData }),
    maxWaiting: MOST_WAITING_READS,
  })
  await writer.open(file)
  return new SqliteRawFrameStore(file, writer, reader, options)
}
