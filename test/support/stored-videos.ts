import { createHash, randomBytes } from 'node:crypto'
import type { Video } from '../../src/model/video.js'
import { fileKeyOf, screenshotKeyOf, thumbnailKeyOf } from '../../src/model/video-keys.js'
import { BlobStore } from '../../src/storage/blobs/blob-store.js'
import { VideoRecords } from '../../src/storage/sql/video-records.js'
import { VideoEvents } from '../../src/videos/video-events.js'
import { testImei } from './api.js'
import type { RunningApp } from './app.js'

export const VIDEOS = '/api/v1/videos'

/** What a test gives of a video; the rest is made up. */
export interface GivenVideo
  extends Partial<Pick<Video, 'deviceId' | 'fileName' | 'contentType' | 'recordedAtMs' | 'uploadedAtMs'>> {
  readonly content?: Buffer
  /** What the background worker would have left behind, beside the status. */
  readonly thumbnail?: Buffer
  readonly screenshots?: readonly Buffer[]
}

/** Puts videos into the stores of a running application, past the ways in of units. */
export class StoredVideos {
  constructor(private readonly running: RunningApp) {}

  get records(): VideoRecords {
    return this.get(VideoRecords)
  }

  get blobs(): BlobStore {
    return this.get(BlobStore)
  }

  get events(): VideoEvents {
    return this.get(VideoEvents)
  }

  /** Stores it, in the state in which the background worker leaves it, and tells nobody. */
  async add(given: GivenVideo = {}): Promise<Video> {
    const { content = randomBytes(1000), thumbnail, screenshots = [] } = given
    const id = randomBytes(16).toString('hex')
    const uploadedAtMs = given.uploadedAtMs ?? Date.UTC(2026, 10, 22, 7, 31)
    const named = { deviceId: given.deviceId ?? testImei(1), fileName: given.fileName ?? `clip-${id}.mp4` }
    const blobUploadId = await this.blobs.beginUpload(fileKeyOf(named))
    const video = {
      id,
      ...named,
      bytes: content.length,
      sha256: createHash('sha256').update(content).digest('hex'),
      contentType: given.contentType ?? 'video/mp4',
      recordedAtMs: given.recordedAtMs ?? null,
      blobUploadId,
      reservedAtMs: uploadedAtMs,
    } as const
    await this.blobs.append(blobUploadId, 0, chunksOf(content))
    if ((await this.records.reserve(video)) !== undefined) throw new Error('the name is taken')
    await this.blobs.complete(blobUploadId, fileKeyOf(video))
    await this.records.show(id, uploadedAtMs)
    if (thumbnail !== undefined) await this.blobs.put(thumbnailKeyOf(id), thumbnail)
    for (const [index, picture] of screenshots.entries()) await this.blobs.put(screenshotKeyOf(id, index + 1), picture)
    const shown = await this.records.setOutcome(id, {
      status: 'ready',
      failureReason: null,
      durationS: 20.04,
      width: 1280,
      height: 720,
      codec: 'h264',
      hasThumbnail: thumbnail !== undefined,
      screenshots: screenshots.length,
    })
    if (shown === undefined) throw new Error('it was not stored')
    return shown
  }

  get<T>(token: abstract new (...parameters: never[]) => T): T {
    return this.running.app.get(token, { strict: false })
  }
}

async function* chunksOf(content: Buffer): AsyncGenerator<Buffer> {
  yield content
}
