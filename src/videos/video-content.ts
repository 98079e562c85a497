import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { Injectable, Logger } from '@nestjs/common'
import { create as contentDisposition } from 'content-disposition'
import { AppError } from '../model/app-error.js'
import type { Video } from '../model/video.js'
import { fileKeyOf, screenshotKeyOf, thumbnailKeyOf } from '../model/video-keys.js'
import { BlobStore, type ByteRange } from '../storage/blobs/blob-store.js'
import { VideoRecords } from '../storage/sql/video-records.js'
import type { ServedFile } from './file-answer.js'

/** Pictures are read into memory; one that we made is far smaller. */
const MAX_PICTURE_BYTES = 16_777_216

/** The bytes of videos and of the pictures made from them. */
@Injectable()
export class VideoContent {
  private readonly logger = new Logger('videos')

  constructor(
    private readonly records: VideoRecords,
    private readonly blobs: BlobStore,
  ) {}

  /**
   * @param isDownload to be saved and not shown
   * @throws AppError `not_found`
   */
  async file(id: string, isDownload: boolean): Promise<ServedFile> {
    const video = await this.get(id)
    return {
      contentType: video.contentType,
      bytes: video.bytes,
      etag: `"${video.sha256}"`,
      disposition: contentDisposition(video.fileName, { type: isDownload ? 'attachment' : 'inline' }),
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

  private async open(video: Video, range: ByteRange | undefined): Promise<Readable> {
    const stream = await this.blobs.read(fileKeyOf(video), range)
    if (stream === undefined) throw await this.missing(video.id)
    stream.once('error', (error: Error) => {
      this.logger.error({ event: 'video_stream_broken', videoId: video.id, reason: error.message })
    })
    return stream
  }

  /** Whole, since they are small: their tag is made of their bytes, as they may be made anew. */
  private async picture(key: string, name: string): Promise<ServedFile> {
    const found = await this.blobs.stat(key)
    if (found !== undefined && found.bytes > MAX_PICTURE_BYTES) throw new Error(`${key} is no picture that we made`)
    const stream = await this.blobs.read(key)
    if (stream === undefined) throw new AppError('not_found', 'The picture is gone')
    const bytes = Buffer.concat(await stream.toArray())
    return {
      contentType: 'image/jpeg',
      bytes: bytes.length,
      etag: `"${createHash('sha256').update(bytes).digest('hex')}"`,
      disposition: contentDisposition(name, { type: 'inline' }),
      open: async (range) => Readable.from([range === undefined ? bytes : bytes.subarray(range.first, range.last + 1)]),
    }
  }

  /** Removed while we looked, or lost, which must never be taken for that. */
  private async missing(id: string): Promise<AppError> {
    const isThere = (await this.records.find(id)) !== undefined
    return isThere ? new AppError('internal', `The file of video ${id} is missing`) : new AppError('not_found')
  }
}
