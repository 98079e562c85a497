import { Injectable } from '@nestjs/common'
import { AppConfig } from '../config/app-config.js'
import { AppError } from '../model/app-error.js'
import type { DeviceId } from '../model/device-id.js'
import type { Video } from '../model/video.js'
import { fileKeyOf } from '../model/video-keys.js'
import { BlobStore } from '../storage/blobs/blob-store.js'
import { type UploadRecord, UploadRecords } from '../storage/sql/upload-records.js'
import { VideoRecords } from '../storage/sql/video-records.js'
import { KeyedLocks } from './keyed-locks.js'
import { UploadAdmission } from './upload-admission.js'
import type { UploadBody } from './upload-body.js'
import { UploadFlow } from './upload-flow.js'
import { UploadIntake } from './upload-intake.js'
import { placeAmong } from './upload-place.js'
import { UploadState } from './upload-state.js'
import { VideoArrival } from './video-arrival.js'

const HOUR_MS = 3_600_000
/** An upload that is refused so can never become a video, or is gone, and what came for it meanwhile is nobody's. */
const FINAL: ReadonlySet<string> = new Set(['file_exists', 'unsupported_media', 'not_found'])

/** As it stands in the records. */
export type ResumableUpload = UploadRecord

/** What a unit announces. */
export interface NewUpload {
  /** Nobody can guess it, and nobody has it. */
  readonly id: string
  readonly deviceId: DeviceId
  readonly fileName: string
  /** undefined: it says so later. */
  readonly length: number | undefined
  readonly recordedAtMs: number | null
}

/**
 * Uploads in any number of requests, also over restarts. Whoever works on one holds its lock ({@link ResumableUploads.locks}, by id);
 * an upload whose bytes are all there becomes a video before anybody is told that they are.
 */
@Injectable()
export class ResumableUploads {
  /** By id of the upload. */
  readonly locks = new KeyedLocks()
  /** Nothing came for so long: it is dropped. */
  readonly expiryMs: number
  private readonly perDevice: number
  private readonly creations = new KeyedLocks()

  constructor(
    config: AppConfig,
    private readonly flow: UploadFlow,
    private readonly intake: UploadIntake,
    private readonly uploads: UploadRecords,
    private readonly videos: VideoRecords,
    private readonly blobs: BlobStore,
    private readonly arrival: VideoArrival,
    private readonly admission: UploadAdmission,
  ) {
    this.expiryMs = config.UPLOAD_EXPIRY_HOURS * HOUR_MS
    this.perDevice = config.UPLOADS_PER_DEVICE
  }

  /**
   * @throws AppError what is known to be refused in the end: `body_too_large`, `unsupported_media` for no bytes, `file_exists`;
   * `too_many_requests` the device has too many under way, and none that may be given up for it; `token_invalid` it was shut out meanwhile
   */
  async create(upload: NewUpload): Promise<UploadRecord> {
    if (upload.length !== undefined) await this.checkLength(upload, upload.length)
    return this.creations.run(upload.deviceId, async () => {
      const standing = await this.admission.admit(upload.deviceId)
      await this.makeRoom(upload)
      const now = Date.now()
      const record: UploadRecord = {
        ...upload,
        length: upload.length ?? null,
        offset: 0,
        hashState: (await UploadState.begin()).save(),
        blobUploadId: await this.blobs.beginUpload(fileKeyOf(upload)),
        createdAtMs: now,
        updatedAtMs: now,
        videoId: null,
      }
      await this.uploads.insert(record)
      // Whoever erases the device shuts it out first, and then finds every upload that was stored before.
      await this.admission.assertStands(upload.deviceId, standing).catch(async (error: unknown) => {
        await this.remove(record)
        throw error
      })
      return record
    })
  }

  /**
   * The upload as it stands. One that is whole, but was kept from becoming a video by a crash, becomes one first.
   * @returns undefined: none of this device
   * @throws AppError `file_exists` | `unsupported_media`, and the upload is gone
   */
  async find(deviceId: DeviceId, id: string): Promise<UploadRecord | undefined> {
    const record = await this.uploads.find(id)
    if (record === undefined || record.deviceId !== deviceId) return undefined
    return this.settle(await this.readable(record))
  }

  /**
   * Appends to an upload of {@link find}. What came before the bytes broke off is kept.
   * @returns the upload after it
   * @throws AppError `body_too_large` | `disk_full` | `overloaded` | `too_many_requests` | `invalid_request` when the bytes broke off;
   * `unsupported_media`, `file_exists` and `not_found`, and the upload is gone
   */
  async append(record: UploadRecord, body: UploadBody): Promise<UploadRecord> {
    if (record.videoId !== null) return record
    return this.orRemoved(record, () => this.intake.append(record, body, (whole) => this.settle(whole)))
  }

  /** Says how long an upload of {@link find} will be. @throws AppError as {@link create} does */
  async declareLength(record: UploadRecord, length: number): Promise<UploadRecord> {
    await this.checkLength(record, length)
    await this.uploads.update(record.id, { length, updatedAtMs: Date.now() })
    return { ...record, length }
  }

  /** Drops it, with its bytes unless they are a video by now. */
  async remove({ id, blobUploadId }: UploadRecord): Promise<void> {
    await this.blobs.abort(blobUploadId)
    await this.uploads.remove(id)
  }

  /**
   * Drops uploads that nothing came for; one that is whole becomes a video instead.
   * @returns how many there were, at most `limit`
   */
  async expire(nowMs: number, limit: number): Promise<number> {
    const idle = await this.uploads.listIdle(nowMs - this.expiryMs, limit)
    for (const record of idle) await this.drop(record)
    return idle.length
  }

  /** A state that another version saved cannot be read by this one: its upload begins anew. */
  private async readable(record: UploadRecord): Promise<UploadRecord> {
    if (record.videoId !== null || (await UploadState.load(record.hashState)) !== undefined) return record
    const anew = { offset: 0, hashState: (await UploadState.begin()).save(), updatedAtMs: Date.now() }
    await this.uploads.update(record.id, anew)
    return { ...record, ...anew }
  }

  private settle(record: UploadRecord): Promise<UploadRecord> {
    if (record.videoId !== null || record.length === null || record.offset < record.length) {
      return Promise.resolve(record)
    }
    return this.orRemoved(record, async () => {
      const { id: videoId } = await this.arrive(record)
      const updatedAtMs = Date.now()
      await this.uploads.update(record.id, { videoId, updatedAtMs })
      return { ...record, videoId, updatedAtMs }
    })
  }

  private async arrive({ offset, hashState, ...named }: UploadRecord): Promise<Video> {
    const state = await UploadState.load(hashState)
    if (state === undefined) throw new Error(`the state of upload ${named.id} cannot be read`)
    const { deviceId, fileName, recordedAtMs, blobUploadId } = named
    const facts = await state.end()
    const whole = { deviceId, fileName, recordedAtMs, blobUploadId, bytes: offset, ...facts }
    return (await this.arrival.finish(whole)).video
  }

  /** An upload that can never become a video must not be resumed for ever. */
  private async orRemoved<T>(record: UploadRecord, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      const isFinal = error instanceof AppError && FINAL.has(error.code)
      // The blob store knows nothing of it: somebody made room by hand.
      const isGone = error instanceof RangeError
      if (isFinal || isGone) await this.remove(record)
      throw isGone ? new AppError('not_found', 'The bytes of this upload are gone', { cause: error }) : error
    }
  }

  private async checkLength(upload: Pick<NewUpload, 'deviceId' | 'fileName'>, length: number): Promise<void> {
    this.flow.checkSize(length)
    if (length === 0) throw new AppError('unsupported_media', 'There are no bytes to make a video of')
    const video = await this.videos.findByName(upload.deviceId, upload.fileName)
    if (video === undefined || video.bytes === length) return
    throw new AppError('file_exists', `The device has other bytes under the name ${upload.fileName}`)
  }

  private async makeRoom({ deviceId, fileName }: NewUpload): Promise<void> {
    while ((await this.uploads.countOfDevice(deviceId)) >= this.perDevice) {
      const open = (await this.uploads.listOfDevice(deviceId)).filter(({ videoId }) => videoId === null)
      if (open.length < this.perDevice) return
      const place = placeAmong(open, fileName, (id) => this.locks.isHeld(id), Date.now())
      if ('retryAfterMs' in place) {
        const { retryAfterMs } = place
        throw new AppError('too_many_requests', `The device has ${open.length} uploads that are not whole`, {
          retryAfterMs,
        })
      }
      await this.drop(place.displaced)
    }
  }

  /** Drops an upload that nobody wants any more; one that is whole becomes a video instead. */
  private drop({ id, updatedAtMs }: UploadRecord): Promise<void> {
    return this.locks.run(id, async () => {
      const record = await this.uploads.find(id)
      // Somebody came for it meanwhile.
      if (record === undefined || record.updatedAtMs !== updatedAtMs) return
      await this.settle(await this.readable(record)).catch((error: unknown) => {
        if (!(error instanceof AppError) || error.status >= 500) throw error
      })
      await this.remove(record)
    })
  }
}
