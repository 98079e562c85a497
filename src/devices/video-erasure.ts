import { Injectable } from '@nestjs/common'
import type { DeviceId } from '../model/device-id.js'
import { DERIVED, derivedSegmentsOf, fileKeyOf } from '../model/video-keys.js'
import { BlobStore } from '../storage/blobs/blob-store.js'
import { UploadRecords } from '../storage/sql/upload-records.js'
import { type HeldName, VideoRecords } from '../storage/sql/video-records.js'

const ERASED_AT_ONCE = 100

/** Removes the videos of a device, what was made from them, and what it was uploading. */
@Injectable()
export class VideoErasure {
  constructor(
    private readonly videos: VideoRecords,
    private readonly uploads: UploadRecords,
    private readonly blobs: BlobStore,
  ) {}

  /** Some of what there is: rows of videos and uploads. */
  async listSome(deviceId: DeviceId): Promise<unknown[]> {
    const videos = await this.videos.listOfDevice(deviceId, 1)
    return videos.length > 0 ? videos : this.uploads.listOfDevice(deviceId)
  }

  /** Repeating it is safe, also after it broke off anywhere: a row goes after its objects. */
  async eraseDevice(deviceId: DeviceId): Promise<void> {
    for (const { id, blobUploadId } of await this.uploads.listOfDevice(deviceId)) {
      await this.blobs.abort(blobUploadId)
      await this.uploads.remove(id)
    }
    for (;;) {
      const some = await this.videos.listOfDevice(deviceId, ERASED_AT_ONCE)
      if (some.length === 0) break
      for (const held of some) await this.eraseVideo(deviceId, held)
    }
    // Also objects without a row, such as of an upload that was completed while its row went. Pictures of all devices are under
    // the one name.
    if (deviceId !== DERIVED) await this.blobs.removeUnder(deviceId)
  }

  private async eraseVideo(deviceId: DeviceId, { id, fileName, blobUploadId }: HeldName): Promise<void> {
    await this.videos.hide(id)
    if (blobUploadId !== null) await this.blobs.abort(blobUploadId)
    await this.blobs.removeUnder(...derivedSegmentsOf(id))
    await this.blobs.remove(fileKeyOf({ deviceId, fileName }))
    await this.videos.release(id)
    await this.videos.remove(id)
  }
}
