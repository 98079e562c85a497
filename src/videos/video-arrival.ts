import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Injectable, Logger } from '@nestjs/common'
import { AppError } from '../model/app-error.js'
import type { DeviceId } from '../model/device-id.js'
import type { MediaType, Video } from '../model/video.js'
import { fileKeyOf } from '../model/video-keys.js'
import { BlobStore, type BlobUploadId } from '../storage/blobs/blob-store.js'
import { type NewVideo, VideoRecords } from '../storage/sql/video-records.js'
import { KeyedLocks } from './keyed-locks.js'
import { type Standing, UploadAdmission } from './upload-admission.js'
import { VideoEvents } from './video-events.js'

/** A removal of the file that had the name before is over within this, or the unit comes again. */
const TRIES = 10
const TRY_AFTER_MS = 200
const RETRY_AFTER_MS = 10_000

/** A file whose bytes are all in the blob store, checked and durable. */
export interface WholeUpload {
  readonly deviceId: DeviceId
  readonly fileName: string
  readonly bytes: number
  /** Lower-case hex. */
  readonly sha256: string
  readonly mediaType: MediaType
  readonly recordedAtMs: number | null
  readonly blobUploadId: BlobUploadId
}

export interface Arrived {
  readonly video: Video
  /** false: the device had sent the same bytes under this name before. */
  readonly isNew: boolean
}

/**
 * Where a whole upload becomes a video: a hidden row takes the name, the object is completed, the row is shown. What a crash leaves
 * between two of these steps is a reservation, and is mended when the name is wanted again or by the sweeper.
 */
@Injectable()
export class VideoArrival {
  private readonly logger = new Logger('videos')
  /** By key of the file: a reservation that is found while holding it is a leftover. */
  private readonly names = new KeyedLocks()

  constructor(
    private readonly records: VideoRecords,
    private readonly blobs: BlobStore,
    private readonly events: VideoEvents,
    private readonly admission: UploadAdmission,
  ) {}

  /**
   * Resolves when the video is shown, and on disk. The blob upload is used up, also when the file is refused, but not for what may
   * be tried again (`overloaded`, `token_invalid`).
   * @param standing as what the device was let in when the upload began, if that is known
   * @throws AppError `file_exists` the device has other bytes under this name; `overloaded` the name is about to be free;
   * `token_invalid` the device was shut out
   */
  async finish(whole: WholeUpload, standing?: Standing): Promise<Arrived> {
    const letInAs = standing ?? (await this.admission.admit(whole.deviceId))
    return this.names.run(fileKeyOf(whole), () => this.takeName(whole, letInAs))
  }

  /**
   * Ends what a crash left: shows the video when its bytes are there, else gives the name free.
   * @param reservedBeforeMs only what is older; younger ones may be under way on another server
   * @returns how many there were
   */
  async mendReserved(reservedBeforeMs: number): Promise<number> {
    const reservations = await this.records.listReserved(reservedBeforeMs)
    for (const { id, ...named } of reservations) {
      await this.names.run(fileKeyOf(named), async () => {
        // Whoever held the name meanwhile may have ended it.
        const still = (await this.records.listReserved(reservedBeforeMs)).find((one) => one.id === id)
        if (still !== undefined) await this.mend(still)
      })
    }
    return reservations.length
  }

  private async takeName(whole: WholeUpload, standing: Standing): Promise<Arrived> {
    const { mediaType, ...facts } = whole
    const mine: NewVideo = { ...facts, id: randomUUID(), contentType: mediaType, reservedAtMs: Date.now() }
    for (let tries = 1; ; tries++) {
      const holder = await this.records.reserve(mine)
      if (holder === undefined) return { video: await this.completeOrRelease(mine, standing), isNew: true }
      if (holder.video !== undefined) return { video: await this.compare(whole, holder.video), isNew: false }
      if (holder.reservation !== undefined) await this.mend(holder.reservation)
      else if (tries < TRIES) await sleep(TRY_AFTER_MS)
      else throw removedJustNow()
    }
  }

  /**
   * Asks for the standing only now that the name is taken: whoever erases a device shuts it out first, and then finds every name that
   * was taken before.
   * @throws RangeError the bytes are gone; AppError `token_invalid`; the name is free after both
   */
  private async completeOrRelease(mine: NewVideo, standing: Standing): Promise<Video> {
    try {
      await this.admission.assertStands(mine.deviceId, standing)
      const video = await this.complete(mine)
      if (video !== undefined) return video
    } catch (error) {
      const isGone = error instanceof RangeError
      if (isGone || (error instanceof AppError && error.code === 'token_invalid')) await this.records.release(mine.id)
      if (isGone) await this.admission.assertStands(mine.deviceId, standing)
      throw error
    }
    await this.admission.assertStands(mine.deviceId, standing)
    throw new Error(`the reservation of ${fileKeyOf(mine)} is gone`)
  }

  /** @returns undefined: the reservation went meanwhile, since its device is being erased */
  private async complete(reserved: NewVideo): Promise<Video | undefined> {
    const key = fileKeyOf(reserved)
    await this.blobs.complete(reserved.blobUploadId, key)
    const video = await this.records.show(reserved.id, Date.now())
    // Nobody but us knows of the object any more.
    if (video === undefined) await this.blobs.remove(key)
    else this.events.tell(video, 'shown')
    return video
  }

  private async compare(whole: WholeUpload, video: Video): Promise<Video> {
    const isSame = video.bytes === whole.bytes && video.sha256 === whole.sha256
    if (isSame && (await this.blobs.stat(fileKeyOf(video)))?.bytes !== video.bytes) return this.heal(whole, video)
    await this.blobs.abort(whole.blobUploadId)
    if (isSame) return video
    throw new AppError('file_exists', `The device has other bytes under the name ${whole.fileName}`)
  }

  /** The store lost the file, or part of it, and the unit has brought it again: it is put in its place, and worked on anew. */
  private async heal(whole: WholeUpload, { id }: Video): Promise<Video> {
    const key = fileKeyOf(whole)
    await this.blobs.complete(whole.blobUploadId, key)
    const video = await this.records.setOutcome(id, { status: 'processing', failureReason: null })
    if (video === undefined) {
      // Removed meanwhile, maybe after its object: nobody but us knows of this one.
      await this.blobs.remove(key)
      throw removedJustNow()
    }
    this.logger.log({ event: 'video_healed', deviceId: video.deviceId, videoId: id })
    this.events.tell(video, 'shown')
    return video
  }

  /** Only while holding the name. */
  private async mend(left: NewVideo): Promise<void> {
    const isWhole = await this.isWhole(left)
    const video = isWhole ? await this.complete(left) : undefined
    if (!isWhole) await this.records.release(left.id)
    this.logger.log({ event: 'upload_mended', deviceId: left.deviceId, videoId: left.id, shown: video !== undefined })
  }

  private async isWhole(left: NewVideo): Promise<boolean> {
    const key = fileKeyOf(left)
    try {
      await this.blobs.complete(left.blobUploadId, key)
    } catch (error) {
      if (error instanceof RangeError) return false
      throw error
    }
    const isKnown = await this.admission.isKnown(left.deviceId)
    if (isKnown && (await this.blobs.stat(key))?.bytes === left.bytes) return true
    // Of a device that was erased before the crash, or what another video of this name left behind: the upload itself is gone.
    await this.blobs.remove(key)
    return false
  }
}

function removedJustNow(): AppError {
  return new AppError('overloaded', 'A file of this name is just being removed', { retryAfterMs: RETRY_AFTER_MS })
}
