import { createHash } from 'node:crypto'
import { Injectable, Logger } from '@nestjs/common'
import { Metrics } from '../metrics/metrics.js'
import { AppError } from '../model/app-error.js'
import type { DeviceId } from '../model/device-id.js'
import { fileKeyOf } from '../model/video-keys.js'
import { BlobStore, type BlobUploadId } from '../storage/blobs/blob-store.js'
import { VideoRecords } from '../storage/sql/video-records.js'
import { blobsUnavailable } from './blobs-unavailable.js'
import { MediaSniffer } from './media-sniffer.js'
import type { UploadBody } from './upload-body.js'
import { UploadFlow } from './upload-flow.js'
import { UploadsUnderWay, UploadUnderWay } from './uploads-under-way.js'
import { type Arrived, VideoArrival, type WholeUpload } from './video-arrival.js'

/** Refusals at the end that leave the bytes without a name: the unit sends all of them again. */
const NOT_RESERVED: ReadonlySet<string> = new Set(['token_invalid', 'overloaded'])

/** A request that brings a file. */
export interface SingleRequest {
  readonly deviceId: DeviceId
  readonly way: 'put' | 'multipart'
  readonly body: UploadBody
}

/** What it says of the file before that comes. */
export interface SingleUpload {
  readonly fileName: string
  /** Asked when all of it is there. @throws AppError what it is refused with */
  readonly recordedAtMs: () => number | null
  /** undefined: it does not say. */
  readonly bytes?: number | undefined
  /** What the unit says that the bytes are, lower-case hex; undefined: it does not say. */
  readonly sha256?: string | undefined
}

/** Uploads that come in one request and leave nothing behind unless they come to their end. */
@Injectable()
export class SingleUploads {
  private readonly logger = new Logger('videos')

  constructor(
    private readonly underWay: UploadsUnderWay,
    private readonly flow: UploadFlow,
    private readonly records: VideoRecords,
    private readonly blobs: BlobStore,
    private readonly arrival: VideoArrival,
    private readonly metrics: Metrics,
  ) {}

  /**
   * Resolves when the video is shown, and on disk.
   * @param describe told what is coming; when it refuses, the request counts as refused and nothing of the file was read
   * @throws AppError `unsupported_media` | `body_too_large` | `digest_mismatch` | `file_exists` | `disk_full` | `too_many_requests` |
   * `overloaded` | `store_unavailable` also when the store lost the bytes | `invalid_request` when the body ended early |
   * `token_invalid` when the device was shut out meanwhile
   */
  async take(request: SingleRequest, describe: () => SingleUpload | Promise<SingleUpload>): Promise<Arrived> {
    const { deviceId, way, body } = request
    return this.underWay.run(new UploadUnderWay(deviceId, way, body), async (entry) => {
      const upload = await describe()
      await this.refuseOther(deviceId, upload)
      const arrived = await this.store(upload, entry)
      return { ...arrived, outcome: arrived.isNew ? ('stored' as const) : ('duplicate' as const) }
    })
  }

  private async store(upload: SingleUpload, entry: UploadUnderWay): Promise<Arrived> {
    const blobUploadId = await this.blobs.beginUpload(
      fileKeyOf({ deviceId: entry.deviceId, fileName: upload.fileName }),
    )
    entry.blobUploadId = blobUploadId
    let whole: WholeUpload
    try {
      whole = await this.receive(upload, entry, blobUploadId)
    } catch (error) {
      await this.drop(blobUploadId)
      throw error
    }
    try {
      return await this.arrival.finish(whole, entry.standing)
    } catch (error) {
      if (error instanceof AppError && NOT_RESERVED.has(error.code)) await this.drop(blobUploadId)
      if (error instanceof RangeError) throw blobsUnavailable('the bytes are gone: send them again', error)
      throw error
    }
  }

  private async receive(upload: SingleUpload, entry: UploadUnderWay, blobUploadId: BlobUploadId): Promise<WholeUpload> {
    const { deviceId, way } = entry
    const sniffer = new MediaSniffer()
    const hash = createHash('sha256')
    const { flow } = this
    const counted = this.metrics.uploadBytes.labels({ way })
    async function* inspected(): AsyncGenerator<Uint8Array, void, undefined> {
      for await (const chunk of flow.pass(entry, flow.maxBytes)) {
        if (sniffer.mediaType === undefined) await sniffer.take(chunk)
        hash.update(chunk)
        counted.inc(chunk.length)
        yield chunk
      }
      // What is no video is refused before anything of it is made durable.
      await sniffer.end()
    }
    const bytes = await this.blobs.append(blobUploadId, 0, inspected())
    const sha256 = hash.digest('hex')
    if (upload.sha256 !== undefined && upload.sha256 !== sha256) {
      throw new AppError('digest_mismatch', `The bytes have the SHA-256 ${sha256}`)
    }
    const { fileName } = upload
    const recordedAtMs = upload.recordedAtMs()
    return { deviceId, fileName, recordedAtMs, bytes, sha256, mediaType: await sniffer.end(), blobUploadId }
  }

  /** With a size or a digest it may be known beforehand that the bytes cannot be stored under this name, or under none. */
  private async refuseOther(deviceId: DeviceId, { fileName, bytes, sha256 }: SingleUpload): Promise<void> {
    if (bytes !== undefined) this.flow.checkSize(bytes)
    if (bytes === undefined && sha256 === undefined) return
    const video = await this.records.findByName(deviceId, fileName)
    if (video === undefined) return
    if ((bytes ?? video.bytes) === video.bytes && (sha256 ?? video.sha256) === video.sha256) return
    throw new AppError('file_exists', `The device has other bytes under the name ${fileName}`)
  }

  private async drop(blobUploadId: BlobUploadId): Promise<void> {
    try {
      await this.blobs.abort(blobUploadId)
    } catch (error) {
      // The refusal matters more to the unit; the sweeper finds what was left.
      this.logger.warn({ event: 'upload_not_dropped', reason: error instanceof Error ? error.message : String(error) })
    }
  }
}
