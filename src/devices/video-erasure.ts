import { setTimeout as sleep } from 'node:timers/promises'
import { Injectable } from '@nestjs/common'
import { AppError } from '../model/app-error.js'
import type { DeviceId } from '../model/device-id.js'
import { DERIVED, derivedSegmentsOf, fileKeyOf } from '../model/video-keys.js'
import { BlobStore } from '../storage/blobs/blob-store.js'
import { DirectUploadRecords } from '../storage/sql/direct-upload-records.js'
import { UploadRecords } from '../storage/sql/upload-records.js'
import { CLAIMED_FOR_MS, type HeldName, VideoRecords } from '../storage/sql/video-records.js'

const ERASED_AT_ONCE = 100
/** What another node has under way is over by then, or the erasure is tried again later. */
const WAITS = 20
const WAIT_MS = 200
const RETRY_AFTER_MS = 60_000

/** Does what is done to one video, by its id, when nobody else in this process does. */
export type InTurn = <T>(videoId: string, work: () => Promise<T>) => Promise<T>

/** Removes the videos of a device, what was made from them, and what it was uploading. */
@Injectable()
export class VideoErasure {
  private inTurn: InTurn = (_, work) => work()

  constructor(
    private readonly videos: VideoRecords,
    private readonly uploads: UploadRecords,
    private readonly directUploads: DirectUploadRecords,
    private readonly blobs: BlobStore,
  ) {}

  /** Must be told how before the first erasure, where others put and remove files and pictures of videos as well. */
  onTurn(inTurn: InTurn): void {
    this.inTurn = inTurn
  }

  /** Some of what there is: rows of videos and uploads. */
  async listSome(deviceId: DeviceId): Promise<unknown[]> {
    const videos = await this.videos.listOfDevice(deviceId, 1)
    if (videos.length > 0) return videos
    return [...(await this.uploads.listOfDevice(deviceId)), ...(await this.directUploads.listOfDevice(deviceId))]
  }

  /**
   * Repeating it is safe, also after it broke off anywhere: a row goes after its objects.
   * @throws AppError `overloaded` another node has something of it under way, or died over it
   */
  async eraseDevice(deviceId: DeviceId): Promise<void> {
    for (const records of [this.uploads, this.directUploads]) {
      for (const { id, blobUploadId } of await records.listOfDevice(deviceId)) {
        await this.blobs.abort(blobUploadId)
        await records.remove(id)
      }
    }
    for (let waits = 0; ; ) {
      const some = await this.videos.listOfDevice(deviceId, ERASED_AT_ONCE)
      if (some.length === 0) break
      let isAllOurs = true
      for (const held of some)
        isAllOurs = (await this.inTurn(held.id, () => this.eraseVideo(deviceId, held))) && isAllOurs
      if (isAllOurs) continue
      if (++waits === WAITS) throw heldElsewhere()
      await sleep(WAIT_MS)
    }
    // Also objects without a row, such as of an upload that was completed while its row went. Pictures of all devices are under
    // the one name.
    if (deviceId !== DERIVED) await this.blobs.removeUnder(deviceId)
  }

  /** @returns false: it is gone, or another node works on it */
  private async eraseVideo(deviceId: DeviceId, { id, fileName, blobUploadId }: HeldName): Promise<boolean> {
    await this.videos.hide(id)
    if (!(await this.videos.claim(id, CLAIMED_FOR_MS))) return false
    if (blobUploadId !== null) await this.blobs.abort(blobUploadId)
    await this.blobs.removeUnder(...derivedSegmentsOf(id))
    // Right before, as in src/videos/video-removal.ts.
    if (!(await this.videos.claim(id, CLAIMED_FOR_MS))) return false
    await this.blobs.remove(fileKeyOf({ deviceId, fileName }))
    await this.videos.release(id)
    await this.videos.remove(id)
    return true
  }
}

function heldElsewhere(): AppError {
  const message = 'Another server works on videos of the device: the erasure goes on by itself'
  return new AppError('overloaded', message, { retryAfterMs: RETRY_AFTER_MS })
}
