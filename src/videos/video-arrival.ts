import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Injectable, Logger } from '@nestjs/common'
import { AppError } from '../model/app-error.js'
import type { DeviceId } from '../model/device-id.js'
import type { MediaType, Video } from '../model/video.js'
import { fileKeyOf } from '../model/video-keys.js'
import { BlobStore, type BlobUploadId } from '../storage/blobs/blob-store.js'
import { CLAIMED_FOR_MS, type NewVideo, VideoRecords } from '../storage/sql/video-records.js'
import { KeyedLocks } from './keyed-locks.js'
import { type Standing, UploadAdmission } from './upload-admission.js'
import { VideoEvents } from './video-events.js'
import { VideoLocks } from './video-locks.js'

/** A removal of the file that had the name before, or its arrival at another node, is over within this, or the unit comes again. */
const TRIES = 10
const TRY_AFTER_MS = 200
const RETRY_AFTER_MS = 10_000
const MINUTE_MS = 60_000
const MOST_DOUBTS = 10_000

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
  /** The video's, when the unit was told it beforehand. */
  readonly videoId?: string
}

export interface Arrived {
  readonly video: Video
  /** false: the device had sent the same bytes under this name before. */
  readonly isNew: boolean
}

/**
 * Where a whole upload becomes a video: a hidden row takes the name, the object is completed, the row is shown. What a crash leaves
 * between two of these steps is a reservation, and is mended when the name is wanted again or by the sweeper; that of another node
 * when its claim counts no more.
 */
@Injectable()
export class VideoArrival {
  private readonly logger = new Logger('videos')
  /** By key of the file: a reservation of this node that is found while holding it is a leftover. */
  private readonly names = new KeyedLocks()
  /** Ids of videos that may be shown, since the answer of the records was lost, and that nobody was told of; the newest. */
  private readonly doubts = new Set<string>()

  constructor(
    private readonly records: VideoRecords,
    private readonly blobs: BlobStore,
    private readonly events: VideoEvents,
    private readonly admission: UploadAdmission,
    private readonly locks: VideoLocks,
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
   * @param reservedBeforeMs only what is older. What another node has claimed is left alone as long as that counts
   * @returns how many were mended
   */
  async mendReserved(reservedBeforeMs: number): Promise<number> {
    const reservations = await this.records.listReserved(reservedBeforeMs)
    let mended = 0
    for (const { id, ...named } of reservations) {
      await this.names.run(fileKeyOf(named), async () => {
        // Whoever held the name meanwhile may have ended it.
        const still = (await this.records.listReserved(reservedBeforeMs)).find((one) => one.id === id)
        if (still === undefined || !(await this.records.claim(id, CLAIMED_FOR_MS))) return
        await this.mend(still)
        mended += 1
      })
    }
    return mended
  }

  /** The same for one whose bytes have become the object already, or will never. @returns the video of this id, if it is shown now */
  async mendOne({ id, ...named }: Pick<Video, 'id' | 'deviceId' | 'fileName'>): Promise<Video | undefined> {
    return this.names.run(fileKeyOf(named), async () => {
      const left = (await this.records.listReserved(Date.now() + MINUTE_MS)).find((one) => one.id === id)
      if (left !== undefined && (await this.records.claim(id, CLAIMED_FOR_MS))) await this.mend(left)
      const video = await this.records.find(id)
      if (video !== undefined) this.tellIfUntold(video)
      return video
    })
  }

  /** Makes it known, if it was shown in doubt and nobody was told: whoever finds a video of a unit that comes again does this. */
  tellIfUntold(video: Video): void {
    if (this.doubts.delete(video.id)) this.events.tell(video, 'shown')
  }

  /** The same for all that their units never came again for. */
  async tellUntold(): Promise<void> {
    for (const id of [...this.doubts]) {
      const video = await this.records.find(id)
      if (video !== undefined) this.tellIfUntold(video)
      // One that is reserved still is shown, and told, when it is mended.
      else this.doubts.delete(id)
    }
  }

  private async takeName(whole: WholeUpload, standing: Standing): Promise<Arrived> {
    const { mediaType, videoId = randomUUID(), ...facts } = whole
    const mine: NewVideo = { ...facts, id: videoId, contentType: mediaType, reservedAtMs: Date.now() }
    for (let tries = 1; ; tries++) {
      const holder = await this.records.reserve(mine)
      if (holder === undefined) return { video: await this.completeOrRelease(mine, standing), isNew: true }
      if (holder.video !== undefined) return { video: await this.compare(whole, holder.video), isNew: false }
      const left = holder.reservation
      if (left !== undefined && (await this.records.claim(left.id, CLAIMED_FOR_MS))) await this.mend(left)
      else if (tries < TRIES) await sleep(TRY_AFTER_MS)
      else throw heldJustNow()
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
      // The unit may come again to another node. Is the store away, the claim ends with its time.
      else await this.records.unclaim(mine.id).catch(() => undefined)
      if (isGone) await this.admission.assertStands(mine.deviceId, standing)
      throw error
    }
    await this.admission.assertStands(mine.deviceId, standing)
    // Its claim ran out and another node ended it, or it was shown, that answer was lost, and it has been removed since.
    throw heldJustNow()
  }

  /** @returns undefined: the reservation went meanwhile, since its device is being erased */
  private async complete(reserved: NewVideo): Promise<Video | undefined> {
    await this.completeWhole(reserved)
    return this.show(reserved)
  }

  private async show(reserved: NewVideo): Promise<Video | undefined> {
    const uploadedAtMs = Date.now()
    const video = await this.inDoubt(reserved.id, () => this.records.show(reserved.id, uploadedAtMs))
    // The removal is told, and its bytes go with it: what is left is to tell the unit that it need not send it again.
    if (video === 'removed') return asUploaded(reserved, uploadedAtMs)
    if (video === undefined) await this.removeUnnamed(reserved)
    else this.events.tell(video, 'shown')
    return video
  }

  /**
   * Removes the object of a reservation that went, unless the name has been taken: then it is another's, or soon will be. Whoever
   * wants it from now on finds it taken.
   */
  private async removeUnnamed(gone: NewVideo): Promise<void> {
    const holder = { ...gone, id: randomUUID(), reservedAtMs: Date.now() }
    if ((await this.records.reserve(holder)) !== undefined) return
    await this.blobs.remove(fileKeyOf(gone))
    await this.records.release(holder.id)
  }

  /** Was its answer lost, what it did is news when it is found: by the unit's next try, or the sweeper. */
  private async inDoubt<Changed>(id: string, change: () => Promise<Changed>): Promise<Changed> {
    try {
      const changed = await change()
      this.doubts.delete(id)
      return changed
    } catch (error) {
      this.doubts.add(id)
      const [oldest] = this.doubts
      if (oldest !== undefined && this.doubts.size > MOST_DOUBTS) this.doubts.delete(oldest)
      throw error
    }
  }

  /**
   * Only while holding the name. What the store makes of less than all that was counted is no file of the unit's.
   * @throws RangeError the bytes are gone
   */
  private async completeWhole(whole: WholeUpload | NewVideo): Promise<void> {
    const key = fileKeyOf(whole)
    await this.blobs.complete(whole.blobUploadId, key)
    const found = await this.blobs.stat(key)
    if (found?.bytes === whole.bytes) return
    await this.blobs.remove(key)
    const { deviceId, fileName, bytes } = whole
    this.logger.error({ event: 'upload_not_whole', deviceId, fileName, bytes, stored: found?.bytes ?? 0 })
    throw new RangeError(`the object has ${found?.bytes ?? 0} of ${bytes} bytes`)
  }

  private async compare(whole: WholeUpload, video: Video): Promise<Video> {
    const isSame = video.bytes === whole.bytes && video.sha256 === whole.sha256
    if (isSame && (await this.blobs.stat(fileKeyOf(video)))?.bytes !== video.bytes) return this.heal(whole, video)
    await this.blobs.abort(whole.blobUploadId)
    this.tellIfUntold(video)
    if (isSame) return video
    throw new AppError('file_exists', `The device has other bytes under the name ${whole.fileName}`)
  }

  /** The store lost the file, or part of it, and the unit has brought it again: it is put in its place, and worked on anew. */
  private heal(whole: WholeUpload, { id }: Video): Promise<Video> {
    return this.locks.run(id, async () => {
      // Else it is just being removed, or is gone, and the name may be another's.
      if (!(await this.records.claim(id, CLAIMED_FOR_MS))) throw heldJustNow()
      try {
        await this.completeWhole(whole)
        const outcome = { status: 'processing', failureReason: null } as const
        const video = await this.inDoubt(id, () => this.records.setOutcome(id, outcome))
        // Hidden meanwhile: its file goes with it, since nobody could remove that while the row was ours.
        if (video === undefined) throw heldJustNow()
        this.logger.log({ event: 'video_healed', deviceId: video.deviceId, videoId: id })
        this.events.tell(video, 'shown')
        return video
      } finally {
        await this.records.unclaim(id).catch(() => undefined)
      }
    })
  }

  /** Only while holding the name, and its claim. */
  private async mend(left: NewVideo): Promise<void> {
    const isWhole = await this.isWhole(left)
    const video = isWhole ? await this.show(left) : undefined
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
    if (await this.records.claim(left.id, CLAIMED_FOR_MS)) await this.blobs.remove(key)
    return false
  }
}

/** A video as it was shown, with nothing found out about it yet. */
function asUploaded({ blobUploadId, reservedAtMs, ...facts }: NewVideo, uploadedAtMs: number): Video {
  const unknown = { durationS: null, width: null, height: null, codec: null }
  const pictures = { hasThumbnail: false, screenshots: 0 }
  return {
    ...facts,
    ...unknown,
    ...pictures,
    uploadedAtMs,
    status: 'processing',
    failureReason: null,
    keep: false,
    alarmIds: [],
  }
}

function heldJustNow(): AppError {
  const message = 'A file of this name is just being stored or removed'
  return new AppError('overloaded', message, { retryAfterMs: RETRY_AFTER_MS })
}
