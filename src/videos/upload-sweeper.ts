import { setTimeout as sleep } from 'node:timers/promises'
import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common'
import { BlobStore, type BlobUploadId } from '../storage/blobs/blob-store.js'
import { DirectUploadRecords } from '../storage/sql/direct-upload-records.js'
import { UploadRecords } from '../storage/sql/upload-records.js'
import { VideoRecords } from '../storage/sql/video-records.js'
import { DirectUploads } from './direct-uploads.js'
import { ResumableUploads } from './resumable-uploads.js'
import { UploadsUnderWay } from './uploads-under-way.js'
import { VideoArrival } from './video-arrival.js'

const MINUTE_MS = 60_000
const SWEEP_EVERY_MS = 10 * MINUTE_MS
/** No arrival takes so long between taking a name and showing the video. */
const RESERVED_FOR_MS = 30 * MINUTE_MS
/** Longer than any upload in one request can be silent. Younger ones may be fed by another server on the same blob store. */
const IDLE_FOR_MS = 60 * MINUTE_MS
const EXPIRED_AT_ONCE = 100
/** A stop waits no longer: the next sweep does what is left. */
const STOP_AFTER_MS = 2000

/** What counts as left over. */
export interface SweepLimits {
  /** Reservations from before are ended, but for those that other nodes have claimed. */
  readonly reservedBeforeMs: number
  /** Bytes in the blob store that nothing came for since, and that nobody knows, are dropped. */
  readonly idleSinceMs: number
}

/**
 * Mends and drops what crashes and vanished units leave: at the start, and every ten minutes. The start waits for what is mended, and
 * not for what is only dropped.
 */
@Injectable()
export class UploadSweeper implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('videos')
  private timer: NodeJS.Timeout | undefined
  private sweeping: Promise<void> = Promise.resolve()
  private isStopping = false

  constructor(
    private readonly arrival: VideoArrival,
    private readonly resumable: ResumableUploads,
    private readonly direct: DirectUploads,
    private readonly underWay: UploadsUnderWay,
    private readonly videos: VideoRecords,
    private readonly uploads: UploadRecords,
    private readonly directUploads: DirectUploadRecords,
    private readonly blobs: BlobStore,
  ) {}

  /**
   * Before anybody can upload: names that a crash of this node left taken are free, and videos that it left hidden are shown. What
   * other nodes have under way is theirs.
   */
  async onApplicationBootstrap(): Promise<void> {
    const now = Date.now()
    let mended = 0
    await this.try(async () => {
      mended = await this.mend(now)
    })
    this.sweeping = this.try(async () => this.tell({ mended, ...(await this.drop(now - IDLE_FOR_MS)) }))
    void this.sweeping.then(() => this.schedule())
  }

  async onModuleDestroy(): Promise<void> {
    this.isStopping = true
    clearTimeout(this.timer)
    const giveUp = new AbortController()
    const late = sleep(STOP_AFTER_MS, undefined, { signal: giveUp.signal }).catch(() => undefined)
    await Promise.race([this.sweeping, late])
    giveUp.abort()
  }

  /** @throws whatever a store throws; what was not done is done by the next one */
  async sweep({ reservedBeforeMs, idleSinceMs }: SweepLimits): Promise<void> {
    this.tell({ mended: await this.mend(reservedBeforeMs), ...(await this.drop(idleSinceMs)) })
  }

  private async mend(reservedBeforeMs: number): Promise<number> {
    await this.arrival.tellUntold()
    return this.arrival.mendReserved(reservedBeforeMs)
  }

  private async drop(idleSinceMs: number): Promise<{ readonly expired: number; readonly dropped: number }> {
    const expired = (await this.expire(this.resumable)) + (await this.expire(this.direct))
    return { expired, dropped: await this.dropUnknown(idleSinceMs) }
  }

  private tell(done: { readonly mended: number; readonly expired: number; readonly dropped: number }): void {
    if (done.mended + done.expired + done.dropped > 0) this.logger.log({ event: 'uploads_swept', ...done })
  }

  private async expire(uploads: ResumableUploads | DirectUploads): Promise<number> {
    let expired = 0
    for (let found = EXPIRED_AT_ONCE; found === EXPIRED_AT_ONCE && !this.isStopping; expired += found) {
      found = await uploads.expire(Date.now(), EXPIRED_AT_ONCE)
    }
    return expired
  }

  private async dropUnknown(idleSinceMs: number): Promise<number> {
    const idle = await this.blobs.listIdleUploads(idleSinceMs, (ids) => this.findKnown(ids))
    if (idle.length === 0) return 0
    // Asked once more after the list was made: an upload is known from before its first byte until its video is shown.
    const known = new Set(await this.findKnown(idle))
    let dropped = 0
    for (const id of idle) {
      if (this.isStopping) break
      if (!known.has(id) && !this.underWay.isFed(id) && (await this.abort(id))) dropped++
    }
    return dropped
  }

  private async findKnown(ids: readonly BlobUploadId[]): Promise<BlobUploadId[]> {
    const reserved = (await this.videos.listReserved(Date.now() + MINUTE_MS)).map(({ blobUploadId }) => blobUploadId)
    const open = [this.uploads, this.directUploads].map((records) => records.findKnownBlobUploads(ids))
    return [...(await Promise.all(open)).flat(), ...reserved]
  }

  /** One that cannot be dropped must not keep the others. */
  private async abort(id: BlobUploadId): Promise<boolean> {
    try {
      await this.blobs.abort(id)
      return true
    } catch (error) {
      this.logger.warn({ event: 'upload_not_dropped', reason: error instanceof Error ? error.message : String(error) })
      return false
    }
  }

  private async try(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      if (!this.isStopping) this.logger.warn({ event: 'upload_sweep_failed', reason })
    }
  }

  private schedule(): void {
    if (this.isStopping) return
    this.timer = setTimeout(() => {
      const now = Date.now()
      this.sweeping = this.try(() =>
        this.sweep({ reservedBeforeMs: now - RESERVED_FOR_MS, idleSinceMs: now - IDLE_FOR_MS }),
      )
      void this.sweeping.then(() => this.schedule())
    }, SWEEP_EVERY_MS).unref()
  }
}
