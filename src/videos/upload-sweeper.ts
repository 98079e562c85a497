import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common'
import { BlobStore } from '../storage/blobs/blob-store.js'
import { UploadRecords } from '../storage/sql/upload-records.js'
import { VideoRecords } from '../storage/sql/video-records.js'
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

/** What counts as left over. */
export interface SweepLimits {
  /** Reservations from before are ended. */
  readonly reservedBeforeMs: number
  /** Bytes in the blob store that nothing came for since, and that nobody knows, are dropped. */
  readonly idleSinceMs: number
}

/** Mends and drops what crashes and vanished units leave: at the start, and every ten minutes. */
@Injectable()
export class UploadSweeper implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('videos')
  private timer: NodeJS.Timeout | undefined
  private sweeping: Promise<void> = Promise.resolve()
  private isStopping = false

  constructor(
    private readonly arrival: VideoArrival,
    private readonly resumable: ResumableUploads,
    private readonly underWay: UploadsUnderWay,
    private readonly videos: VideoRecords,
    private readonly uploads: UploadRecords,
    private readonly blobs: BlobStore,
  ) {}

  /** Before anybody can upload: names that a crash left taken are free, and videos that it left hidden are shown. */
  async onApplicationBootstrap(): Promise<void> {
    await this.try({ reservedBeforeMs: Date.now(), idleSinceMs: Date.now() - IDLE_FOR_MS })
    this.schedule()
  }

  async onModuleDestroy(): Promise<void> {
    this.isStopping = true
    clearTimeout(this.timer)
    await this.sweeping
  }

  /** @throws whatever a store throws; what was not done is done by the next one */
  async sweep({ reservedBeforeMs, idleSinceMs }: SweepLimits): Promise<void> {
    const mended = await this.arrival.mendReserved(reservedBeforeMs)
    let expired = 0
    for (let found = EXPIRED_AT_ONCE; found === EXPIRED_AT_ONCE && !this.isStopping; expired += found) {
      found = await this.resumable.expire(Date.now(), EXPIRED_AT_ONCE)
    }
    const dropped = await this.dropUnknown(idleSinceMs)
    if (mended + expired + dropped > 0) this.logger.log({ event: 'uploads_swept', mended, expired, dropped })
  }

  private async dropUnknown(idleSinceMs: number): Promise<number> {
    const idle = await this.blobs.listIdleUploads(idleSinceMs)
    if (idle.length === 0) return 0
    // Asked after the list was made: an upload is known from before its first byte until its video is shown.
    const reserved = (await this.videos.listReserved(Date.now() + MINUTE_MS)).map(({ blobUploadId }) => blobUploadId)
    const known = new Set([...(await this.uploads.findKnownBlobUploads(idle)), ...reserved])
    const unknown = idle.filter((id) => !known.has(id) && !this.underWay.isFed(id))
    for (const id of unknown) await this.blobs.abort(id)
    return unknown.length
  }

  private async try(limits: SweepLimits): Promise<void> {
    try {
      await this.sweep(limits)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      this.logger.warn({ event: 'upload_sweep_failed', reason })
    }
  }

  private schedule(): void {
    if (this.isStopping) return
    this.timer = setTimeout(() => {
      const now = Date.now()
      this.sweeping = this.try({ reservedBeforeMs: now - RESERVED_FOR_MS, idleSinceMs: now - IDLE_FOR_MS })
      void this.sweeping.then(() => this.schedule())
    }, SWEEP_EVERY_MS).unref()
  }
}
