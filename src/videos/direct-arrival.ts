import { createHash } from 'node:crypto'
import { Injectable } from '@nestjs/common'
import { Metrics } from '../metrics/metrics.js'
import { AppError } from '../model/app-error.js'
import type { MediaType, Video } from '../model/video.js'
import { BlobStore, type BlobUploadId } from '../storage/blobs/blob-store.js'
import type { DirectUploadRecord } from '../storage/sql/direct-upload-records.js'
import { blobsUnavailable } from './blobs-unavailable.js'
import { MediaSniffer } from './media-sniffer.js'
import { Slots } from './slots.js'
import type { UploadBody } from './upload-body.js'
import { UploadsUnderWay, UploadUnderWay } from './uploads-under-way.js'
import { type Arrived, VideoArrival } from './video-arrival.js'

/** Read at the same time; more wait. Each comes as fast as the store gives it, and units are to be answered meanwhile. */
const READ_AT_ONCE = 4

/** Makes videos of what units sent to the object store, once all of it was read and is what they announced. */
@Injectable()
export class DirectArrival {
  private readonly slots = new Slots(READ_AT_ONCE)

  constructor(
    private readonly underWay: UploadsUnderWay,
    private readonly blobs: BlobStore,
    private readonly arrival: VideoArrival,
    private readonly metrics: Metrics,
  ) {}

  /**
   * Resolves when the video is shown, with the upload's id unless the device had it already. Whoever asked for it may leave.
   * @param etags of the parts; undefined: none is needed
   * @throws AppError `upload_incomplete` | `digest_mismatch` | `unsupported_media` | `file_exists` | `token_invalid` |
   * `too_many_requests` | `overloaded` | `store_unavailable`; RangeError the blob store knows nothing of it
   */
  async take(record: DirectUploadRecord, etags: readonly string[] | undefined): Promise<Arrived> {
    const entry = new UploadUnderWay(record.deviceId, 'direct', storedBody(this.blobs, record.blobUploadId))
    entry.blobUploadId = record.blobUploadId
    return this.underWay.run(entry, async () => {
      const left = await this.gather(record, etags)
      const arrived = left === undefined ? await this.arrive(record, entry) : { video: left, isNew: true }
      return { ...arrived, outcome: arrived.isNew ? ('stored' as const) : ('duplicate' as const) }
    })
  }

  /** See {@link VideoArrival.tellIfUntold}. */
  tellIfUntold(video: Video): void {
    this.arrival.tellIfUntold(video)
  }

  /** @returns the video, when all was done by one who crashed before it could be shown */
  private async gather(record: DirectUploadRecord, etags: readonly string[] | undefined): Promise<Video | undefined> {
    let bytes: number | undefined
    try {
      bytes = await this.blobs.direct?.gather(record.blobUploadId, etags)
    } catch (error) {
      const video = error instanceof RangeError ? await this.arrival.mendOne(record) : undefined
      if (video === undefined) throw error
      return video
    }
    if (bytes === undefined) {
      throw new AppError(
        'upload_incomplete',
        'A part is missing, or is another than its ETag says: send it, and complete',
      )
    }
    if (bytes !== record.bytes) throw new AppError('digest_mismatch', `There are ${bytes} bytes, not ${record.bytes}`)
    return undefined
  }

  private async arrive(record: DirectUploadRecord, entry: UploadUnderWay): Promise<Arrived> {
    const { id: videoId, deviceId, fileName, bytes, sha256, recordedAtMs, blobUploadId } = record
    const mediaType = await this.slots.run(() => this.inspect(record, entry))
    const whole = { videoId, deviceId, fileName, bytes, sha256, recordedAtMs, blobUploadId, mediaType }
    return this.arrival.finish(whole, entry.standing)
  }

  private async inspect({ bytes, sha256 }: DirectUploadRecord, entry: UploadUnderWay): Promise<MediaType> {
    const sniffer = new MediaSniffer()
    const hash = createHash('sha256')
    const counted = this.metrics.uploadBytes.labels({ way: entry.way })
    let read = 0
    for await (const chunk of entry.bytes()) {
      read += chunk.length
      if (sniffer.mediaType === undefined) await sniffer.take(chunk)
      hash.update(chunk)
      counted.inc(chunk.length)
    }
    // Its size was right: what breaks off is the store's doing, and no reason to drop what the unit sent.
    if (read !== bytes) throw blobsUnavailable(`${read} of ${bytes} bytes could be read`)
    const found = hash.digest('hex')
    if (found !== sha256) throw new AppError('digest_mismatch', `The bytes have the SHA-256 ${found}`)
    return sniffer.end()
  }
}

/** An upload in the store, as the body of a request would be. */
function storedBody(blobs: BlobStore, id: BlobUploadId): UploadBody {
  async function* bytes(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      const stream = await blobs.direct?.read(id)
      if (stream !== undefined) yield* stream as AsyncIterable<Uint8Array>
    } catch (error) {
      if (error instanceof AppError || error instanceof RangeError) throw error
      throw blobsUnavailable(error instanceof Error ? error.message : String(error), error)
    }
  }
  // Nobody's connection hangs on it: refusing it ends the reading.
  return { bytes: bytes(), isCut: false, cut: () => undefined }
}
