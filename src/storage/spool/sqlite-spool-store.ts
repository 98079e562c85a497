import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { AppError } from '../../model/app-error.js'
import type { DeviceId } from '../../model/device-id.js'
import { HealthProbe } from '../health-probe.js'
import { SqliteWorkerClient } from '../sqlite-worker-client.js'
import { startWorkerThread } from '../worker-thread.js'
import { type NewSpooledEntry, type SpooledEntry, type SpoolQuery, type SpoolState, SpoolStore } from './spool-store.js'
import { SPOOL_FILE } from './sqlite-spool-schema.js'
import type { Changed, SpoolWorkerOptions, SqliteSpoolWorker } from './sqlite-spool-worker.js'

export interface SqliteSpoolOptions {
  /** An existing directory; the file in it is made when absent. */
  readonly directory: string
  /** That the file may take; what its log takes beside it is bounded by itself. */
  readonly maxBytes: number
  readonly startThread?: typeof startWorkerThread
}

interface Waiting {
  readonly entries: readonly NewSpooledEntry[]
  readonly characters: number
  resolve(ids: ReadonlyArray<number | undefined>): void
  reject(error: unknown): void
}

const MOST_WAITING = 1000
/** Of bodies that wait for the disk. */
const MOST_WAITING_CHARACTERS = 33_554_432
/** Of bodies in one transaction, unless a single caller brings more. */
const MOST_AT_ONCE_CHARACTERS = 4_194_304
const RETRY_AFTER_MS = 2000
/** Between two steps of a removal, or of giving back. */
const PAUSE_MS = 10

/**
 * The spool in one SQLite file under `synchronous=FULL`, with a thread of its own. What comes while the disk is busy waits and goes as one
 * transaction. Space is given back to the disk when entries go.
 */
export class SqliteSpoolStore extends SpoolStore {
  private readonly health: HealthProbe
  private readonly queue: Waiting[] = []
  private waitingCharacters = 0
  private writing: Promise<void> | undefined
  private givingBack: Promise<void> | undefined
  private current: SpoolState = { entries: 0, bytes: 0, oldestAtMs: null }
  private isClosed = false

  constructor(
    private readonly thread: SqliteWorkerClient<SqliteSpoolWorker>,
    private readonly maxBytes: number,
  ) {
    super()
    this.health = new HealthProbe('spool', () => this.probe())
  }

  override keep(entries: readonly NewSpooledEntry[]): Promise<ReadonlyArray<number | undefined>> {
    if (entries.length === 0) return Promise.resolve([])
    if (this.isClosed) return Promise.reject(new AppError('store_unavailable', 'spool: it is closed'))
    const characters = entries.reduce((sum, { body }) => sum + body.length, 0)
    if (this.waitingCharacters + characters > MOST_WAITING_CHARACTERS)
      return Promise.reject(overloaded('spool: too much waits for the disk'))
    this.waitingCharacters += characters
    return new Promise((resolve, reject) => {
      this.queue.push({ entries, characters, resolve, reject })
      this.writing ??= this.write()
    })
  }

  override list(query: SpoolQuery): Promise<SpooledEntry[]> {
    return this.thread.call('list', query)
  }

  override async countByDevice(): Promise<ReadonlyMap<DeviceId, number>> {
    return new Map(await this.thread.call('countByDevice', undefined))
  }

  override async remove(ids: readonly number[]): Promise<void> {
    if (ids.length === 0) return
    this.take(await this.thread.call('remove', ids))
    this.giveBackLater()
  }

  override async eraseDevice(deviceId: DeviceId): Promise<void> {
    while (!this.take(await this.thread.call('eraseStep', deviceId))) await sleep(PAUSE_MS)
    this.giveBackLater()
  }

  override state(): SpoolState {
    return this.current
  }

  override checkHealth(): Promise<void> {
    return this.health.check()
  }

  override async close(): Promise<void> {
    this.isClosed = true
    await this.writing
    await this.givingBack
    await this.thread.close()
  }

  /** Asks how the spool stands. */
  async refresh(): Promise<void> {
    this.take(await this.thread.call('look', undefined))
  }

  /** @throws AppError `store_unavailable` */
  private async probe(): Promise<void> {
    const isFull = this.take(await this.thread.call('probe', undefined))
    if (isFull) throw new AppError('store_unavailable', `spool: it is full, SPOOL_MAX_BYTES is ${this.maxBytes}`)
  }

  private async write(): Promise<void> {
    while (this.queue.length > 0) await this.writeBatch(this.takeBatch())
    this.writing = undefined
  }

  private takeBatch(): Waiting[] {
    let characters = 0
    let taken = 0
    for (const waiting of this.queue) {
      if (taken > 0 && characters + waiting.characters > MOST_AT_ONCE_CHARACTERS) break
      characters += waiting.characters
      taken += 1
    }
    return this.queue.splice(0, taken)
  }

  private async writeBatch(batch: readonly Waiting[]): Promise<void> {
    try {
      const entries = batch.map((waiting) => waiting.entries)
      const kept = this.take(await this.thread.call('keep', entries))
      for (const [index, waiting] of batch.entries()) {
        const ids = kept[index]
        if (ids) waiting.resolve(ids)
        else waiting.reject(overloaded(`spool: it is full, SPOOL_MAX_BYTES is ${this.maxBytes}`))
      }
    } catch (error) {
      for (const { reject } of batch) reject(error)
    } finally {
      for (const { characters } of batch) this.waitingCharacters -= characters
    }
  }

  private take<Result>({ result, state }: Changed<Result>): Result {
    this.current = state
    return result
  }

  private giveBackLater(): void {
    this.givingBack ??= this.giveBack().finally(() => {
      this.givingBack = undefined
    })
  }

  /** Never throws: what could not be given back is with the next removal. */
  private async giveBack(): Promise<void> {
    try {
      while (!this.isClosed && (await this.thread.call('giveBackStep', undefined))) await sleep(PAUSE_MS)
    } catch {
      // Whatever ails the thread, the next one who keeps something is told.
    }
  }
}

/**
 * Opens the spool in a directory.
 * @throws StoreOpenError
 */
export async function openSqliteSpool(options: SqliteSpoolOptions): Promise<SqliteSpoolStore> {
  const { directory, maxBytes, startThread = startWorkerThread } = options
  const file = path.join(directory, SPOOL_FILE)
  const thread = new SqliteWorkerClient<SqliteSpoolWorker>({
    name: 'spool',
    start: () =>
      startThread(import.meta.url, './sqlite-spool-worker.js', {
        workerData: { file, maxBytes } satisfies SpoolWorkerOptions,
      }),
    maxWaiting: MOST_WAITING,
  })
  await thread.open(file)
  const store = new SqliteSpoolStore(thread, maxBytes)
  await store.refresh()
  return store
}

function overloaded(message: string): AppError {
  return new AppError('overloaded', message, { retryAfterMs: RETRY_AFTER_MS })
}
