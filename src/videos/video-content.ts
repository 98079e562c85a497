import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { Injectable, Logger } from '@nestjs/common'
import { create as dispositionOf } from 'content-disposition'
import { AppConfig } from '../config/app-config.js'
import { AppError } from '../model/app-error.js'
import type { Video } from '../model/video.js'
import { fileKeyOf, screenshotKeyOf, thumbnailKeyOf } from '../model/video-keys.js'
import { BlobStore, type ByteRange } from '../storage/blobs/blob-store.js'
import { type MediaOutcome, VideoRecords } from '../storage/sql/video-records.js'
import { blobsUnavailable } from './blobs-unavailable.js'
import type { ServedFile } from './file-answer.js'
import { VideoEvents } from './video-events.js'

/** Pictures are read into memory; one that we made is far smaller. */
const MAX_PICTURE_BYTES = 16_777_216
/** How long the store's own address of a file is good: as the links that this server signs. */
const ADDRESS_GOOD_FOR_S = 600
/** Why a video is failed whose file the store has lost. */
const MISSING = 'object_missing'

/** The bytes of videos and of the pictures made from them. */
@Injectable()
export class VideoContent {
  private readonly logger = new Logger('videos')
  private readonly sendsElsewhere: boolean

  constructor(
    config: AppConfig,
    private readonly records: VideoRecords,
    private readonly blobs: BlobStore,
    private readonly events: VideoEvents,
  ) {
    this.sendsElsewhere = config.S3_PRESIGN
  }

  /**
   * @param isDownload to be saved and not shown
   * @throws AppError `not_found`; `object_missing` also where only headers are asked for, once it is known
   */
  async file(id: string, isDownload: boolean): Promise<ServedFile> {
    const video = await this.get(id)
    const wasMissing = video.failureReason === MISSING
    if (wasMissing && !(await this.isThere(video))) throw await this.missing(video)
    const disposition = dispositionOf(video.fileName, { type: isDownload ? 'attachment' : 'inline' })
    return {
      contentType: video.contentType,
      bytes: video.bytes,
      etag: `"${video.sha256}"`,
      disposition,
      ...(this.sendsElsewhere ? { elsewhere: () => this.addressOf(video, disposition) } : {}),
      open: (range) => this.open(video, range),
    }
  }

  /** @throws AppError `not_found`, also when it was not made (yet) */
  async thumbnail(id: string): Promise<ServedFile> {
    const { fileName, hasThumbnail } = await this.get(id)
    if (!hasThumbnail) throw new AppError('not_found', 'There is no thumbnail, or not yet')
    return this.picture(thumbnailKeyOf(id), `${fileName}.jpg`)
  }

  /**
   * @param number from 1
   * @throws AppError `not_found`, also when it was not made (yet)
   */
  async screenshot(id: string, number: number): Promise<ServedFile> {
    const { fileName, screenshots } = await this.get(id)
    if (number > screenshots) throw new AppError('not_found', 'There is no such screenshot, or not yet')
    return this.picture(screenshotKeyOf(id, number), `${fileName}.${number}.jpg`)
  }

  private async get(id: string): Promise<Video> {
    const video = await this.records.find(id)
    if (video === undefined) throw new AppError('not_found')
    return video
  }

  private async addressOf(video: Video, contentDisposition: string): Promise<string | undefined> {
    const { contentType } = video
    const key = fileKeyOf(video)
    const address = await this.blobs.signRead(key, { expiresInS: ADDRESS_GOOD_FOR_S, contentType, contentDisposition })
    if (address === undefined) return undefined
    // There it would be refused in the store's words, and nobody here would know.
    if (!(await this.isThere(video))) throw await this.missing(video)
    if (video.failureReason === MISSING) await this.foundAgain(video)
    return address
  }

  /** Whole: what is left of a file is not that file. */
  private async isThere(video: Video): Promise<boolean> {
    return (await this.blobs.stat(fileKeyOf(video)))?.bytes === video.bytes
  }

  private async open(video: Video, range: ByteRange | undefined): Promise<Readable> {
    const stream = await this.readWhole(video, range)
    if (stream === undefined) throw await this.missing(video)
    stream.once('error', (error: Error) => {
      this.logger.error({ event: 'video_stream_broken', videoId: video.id, reason: error.message })
    })
    try {
      if (video.failureReason === MISSING) await this.foundAgain(video)
      return stream
    } catch (error) {
      stream.destroy()
      throw error
    }
  }

  /** @returns undefined also when the object is shorter or longer than the file was */
  private async readWhole(video: Video, range: ByteRange | undefined): Promise<Readable | undefined> {
    try {
      return await this.blobs.read(fileKeyOf(video), range, video.bytes)
    } catch (error) {
      if (error instanceof RangeError) return undefined
      throw error
    }
  }

  /** Whole, since they are small: their tag is made of their bytes, as they may be made anew. */
  private async picture(key: string, name: string): Promise<ServedFile> {
    const found = await this.blobs.stat(key)
    if (found !== undefined && found.bytes > MAX_PICTURE_BYTES) throw new Error(`${key} is no picture that we made`)
    const stream = await this.blobs.read(key)
    if (stream === undefined) throw new AppError('not_found', 'The picture is gone')
    const bytes = Buffer.concat(await stream.toArray().catch(unreadable))
    return {
      contentType: 'image/jpeg',
      bytes: bytes.length,
      etag: `"${createHash('sha256').update(bytes).digest('hex')}"`,
      disposition: dispositionOf(name, { type: 'inline' }),
      open: async (range) => Readable.from([range === undefined ? bytes : bytes.subarray(range.first, range.last + 1)]),
    }
  }

  /** Removed while we looked, or lost, which must never be taken for that: the video says it from now on. */
  private async missing({ id }: Video): Promise<AppError> {
    const video = await this.records.find(id)
    if (video === undefined) return new AppError('not_found')
    if (video.failureReason !== MISSING) {
      if (await this.isThere(video)) throw blobsUnavailable('the file has just been put back')
      this.logger.error({
        event: 'video_object_missing',
        videoId: id,
        deviceId: video.deviceId,
        fileName: video.fileName,
      })
      await this.settle(id, { status: 'failed', failureReason: MISSING })
    }
    return new AppError('object_missing', `The file of video ${id} is not in the store`)
  }

  /** A disk was away, or somebody put the file back: its pictures are looked for anew. */
  private foundAgain({ id }: Video): Promise<void> {
    return this.settle(id, { status: 'processing', failureReason: null })
  }

  private async settle(id: string, outcome: MediaOutcome): Promise<void> {
    const video = await this.records.setOutcome(id, outcome)
    if (video !== undefined) this.events.tell(video, video.status === 'processing' ? 'shown' : 'changed')
  }
}

/** @throws AppError as the store does when it opens something */
function unreadable(error: unknown): never {
  if (error instanceof AppError) throw error
  throw blobsUnavailable(error instanceof Error ? error.message : String(error), error)
}
