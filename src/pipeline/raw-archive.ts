import { Logger } from '@nestjs/common'
import type { Metrics } from '../metrics/metrics.js'
import type { Tally } from '../metrics/tally-counter.js'
import type { DeviceId } from '../model/device-id.js'
import type { DiskGuard } from '../storage/disk-guard.js'
import type { RawFrame, RawFrameStore } from '../storage/frames/raw-frame-store.js'

/** Frames that may wait for their store, some seconds of a large fleet; more are counted and dropped, since good data comes first. */
const MOST_WAITING_FRAMES = 50_000
const MOST_WAITING_BYTES = 33_554_432
const BATCH_FRAMES = 1000
const BATCH_BYTES = 1_048_576
/** What comes within this goes together: one write of many costs what one write of one does. */
const GATHER_MS = 250
const RETRY_MS = 1000
/** A store that works, and does not take a batch so many times, never takes it. */
const MOST_TRIES = 5
const DRAIN_WITHIN_MS = 2000
/** What old frames make free beyond the mark, so that the archive does not stop again at once. */
const ROOM_BYTES = 67_108_864
const WARN_EVERY_MS = 10_000

/** Whose frames are archived. */
export type RawArchiveScope = 'off' | 'trackers' | 'all'

/** Why a frame is not in the archive, as metrics name it. */
export type FrameDrop = 'waiting' | 'disk_full' | 'store' | 'stopping' | 'before_login' | 'unwritable'

interface RawArchiveContext {
  readonly store: RawFrameStore
  readonly disk: Pick<DiskGuard, 'isLow' | 'whileLow'>
  readonly metrics: Metrics
  readonly takes: RawArchiveScope
}

/**
 * Keeps what units said and were told, byte by byte: in the background, in batches, from memory that is bounded, and never in the way of
 * good data. While the store is away frames wait as far as there is room; while the disk is low, long before positions are refused, none are
 * taken, and the oldest are let go. When a write failed and is done again, frames of it may be listed twice.
 */
export class RawArchive {
  readonly takes: RawArchiveScope
  private readonly logger = new Logger('archive')
  private readonly drops: Readonly<Record<FrameDrop, Tally>>
  private waiting: RawFrame[] = []
  /** What is being written, or was and is to be again. */
  private batch: RawFrame[] = []
  private waitingBytes = 0
  private timer: NodeJS.Timeout | undefined
  private writing: Promise<void> | undefined
  private trying: Promise<unknown> | undefined
  private givingWay: Promise<void> | undefined
  private tries = 0
  private endPause: () => void = () => undefined
  private state: 'open' | 'draining' | 'closed' = 'open'
  private droppedSince = 0
  private warnedAtMs = Number.NEGATIVE_INFINITY

  constructor(private readonly context: RawArchiveContext) {
    const { metrics, takes, disk } = context
    this.takes = takes
    const of = (reason: FrameDrop) => metrics.framesDropped.of({ reason })
    this.drops = {
      waiting: of('waiting'),
      disk_full: of('disk_full'),
      store: of('store'),
      stopping: of('stopping'),
      before_login: of('before_login'),
      unwritable: of('unwritable'),
    }
    metrics.watchWaitingFrames(() => this.waitingCount)
    // Also when nothing is taken: what is there from before must not be in the way either.
    disk.whileLow((missingBytes) => this.giveWay(missingBytes))
  }

  /** Never throws, never waits. @param frame its bytes are copied: those of a socket keep all alive that was read with them */
  keep(frame: RawFrame): void {
    if (this.takes === 'off') return
    const refusal = this.refusal(frame.bytes.length)
    if (refusal !== undefined) {
      this.drop(refusal)
      return
    }
    const { deviceId, atMs, direction, protocol, link, bytes } = frame
    this.waiting.push({ deviceId, atMs, direction, protocol, link, bytes: Buffer.from(bytes) })
    this.waitingBytes += bytes.length
    this.schedule()
  }

  /** Counts frames that do not come into the archive. */
  drop(reason: FrameDrop, count = 1): void {
    if (this.takes === 'off') return
    this.drops[reason].add(count)
    // What strangers say, or somebody says in order to annoy, must not fill the log.
    if (reason === 'before_login' || reason === 'unwritable') return
    this.droppedSince += count
    this.warn(reason)
  }

  /** Resolves when what waits was written or given up, within seconds; nothing is taken any more. */
  async drain(): Promise<void> {
    this.state = 'draining'
    this.endPause()
    if (this.waitingCount > 0) this.begin()
    let timer: NodeJS.Timeout | undefined
    const tooLate = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, DRAIN_WITHIN_MS)
    })
    await Promise.race([this.writing, tooLate])
    clearTimeout(timer)
    this.state = 'closed'
    this.giveUp([...this.takeBatch(), ...this.waiting.splice(0)], 'stopping')
  }

  /** Drops what waits of a device. Resolves when nothing of it is being written any more. */
  async forget(deviceId: DeviceId): Promise<void> {
    const isOther = (frame: RawFrame) => frame.deviceId !== deviceId
    this.waiting = this.keepOnly(this.waiting, isOther)
    await this.trying
    this.batch = this.keepOnly(this.batch, isOther)
  }

  /** What fails is tried again at the next look at the disk. */
  private giveWay(missingBytes: number): void {
    if (this.state !== 'open') return
    this.givingWay ??= this.context.store
      .giveWay(missingBytes + ROOM_BYTES)
      .catch((error) => this.warn(error instanceof Error ? error.message : String(error)))
      .finally(() => {
        this.givingWay = undefined
      })
  }

  private refusal(bytes: number): FrameDrop | undefined {
    if (this.state === 'closed') return 'stopping'
    if (this.context.disk.isLow) return 'disk_full'
    const isRoom = this.waitingCount < MOST_WAITING_FRAMES && this.waitingBytes + bytes <= MOST_WAITING_BYTES
    return isRoom ? undefined : 'waiting'
  }

  private get waitingCount(): number {
    return this.batch.length + this.waiting.length
  }

  private get isBatchFull(): boolean {
    return this.waitingCount >= BATCH_FRAMES || this.waitingBytes >= BATCH_BYTES
  }

  /** What comes during a write goes with the next one. */
  private schedule(): void {
    if (this.writing !== undefined) return
    if (this.isBatchFull) this.begin()
    else this.timer ??= setTimeout(() => this.begin(), GATHER_MS).unref()
  }

  private begin(): void {
    clearTimeout(this.timer)
    this.timer = undefined
    this.writing ??= this.write()
  }

  private async write(): Promise<void> {
    do {
      if (this.batch.length === 0) this.batch = this.nextBatch()
      const trying = this.tryKeeping(this.batch)
      this.trying = trying
      const outcome = await trying
      this.trying = undefined
      // Given up meanwhile.
      if (this.state === 'closed') break
      if (outcome === 'kept') this.leave(this.takeBatch())
      else if (outcome === 'refused') this.giveUp(this.takeBatch(), 'store')
      else if (this.state === 'draining') this.giveUp([...this.takeBatch(), ...this.waiting.splice(0)], 'store')
      else await this.pause()
    } while (this.waitingCount > 0 && (this.isBatchFull || this.batch.length > 0 || this.state === 'draining'))
    this.writing = undefined
    if (this.waitingCount > 0) this.schedule()
  }

  /** Another array from now on: the store may still look at this one. */
  private takeBatch(): RawFrame[] {
    const { batch } = this
    this.batch = []
    return batch
  }

  private nextBatch(): RawFrame[] {
    let bytes = 0
    let count = 0
    for (const frame of this.waiting) {
      bytes += frame.bytes.length
      if (count === BATCH_FRAMES || (count > 0 && bytes > BATCH_BYTES)) break
      count++
    }
    return this.waiting.splice(0, count)
  }

  private async tryKeeping(batch: readonly RawFrame[]): Promise<'kept' | 'refused' | 'later'> {
    const { store, disk } = this.context
    if (disk.isLow) return 'later'
    const startedMs = performance.now()
    try {
      await store.keep(batch)
      this.observe('ok', startedMs)
      this.tries = 0
      this.count(batch)
      return 'kept'
    } catch (error) {
      this.observe('error', startedMs)
      this.tries++
      this.warn(error instanceof Error ? error.message : String(error))
      if (this.tries < MOST_TRIES || !(await this.isStoreWorking())) return 'later'
      this.tries = 0
      return 'refused'
    }
  }

  private async isStoreWorking(): Promise<boolean> {
    try {
      await this.context.store.checkHealth()
      return true
    } catch {
      return false
    }
  }

  private pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, RETRY_MS).unref()
      this.endPause = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  /** They do not wait any more. */
  private leave(frames: readonly RawFrame[]): void {
    for (const { bytes } of frames) this.waitingBytes -= bytes.length
  }

  private giveUp(frames: readonly RawFrame[], reason: FrameDrop): void {
    if (frames.length === 0) return
    this.leave(frames)
    this.drop(reason, frames.length)
  }

  private keepOnly(frames: readonly RawFrame[], isWanted: (frame: RawFrame) => boolean): RawFrame[] {
    this.leave(frames.filter((frame) => !isWanted(frame)))
    return frames.filter(isWanted)
  }

  private count(batch: readonly RawFrame[]): void {
    const counts = new Map<string, { protocol: string; direction: string; count: number }>()
    for (const { protocol, direction } of batch) {
      const key = `${direction}${protocol}`
      const known = counts.get(key)
      if (known === undefined) counts.set(key, { protocol, direction, count: 1 })
      else known.count++
    }
    const { framesArchived } = this.context.metrics
    for (const { protocol, direction, count } of counts.values()) framesArchived.inc({ protocol, direction }, count)
  }

  private observe(outcome: 'ok' | 'error', startedMs: number): void {
    const seconds = (performance.now() - startedMs) / 1000
    this.context.metrics.storeSeconds.observe({ store: 'frames', operation: 'keep', outcome }, seconds)
  }

  private warn(reason: string): void {
    const nowMs = performance.now()
    if (nowMs - this.warnedAtMs < WARN_EVERY_MS) return
    this.warnedAtMs = nowMs
    const { droppedSince: dropped, waitingCount: waiting } = this
    this.droppedSince = 0
    this.logger.warn({ event: 'frames_not_archived', reason, dropped, waiting })
  }
}
