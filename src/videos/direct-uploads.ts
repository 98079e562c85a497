import { randomUUID } from 'node:crypto'
import { Injectable } from '@nestjs/common'
import { AppConfig } from '../config/app-config.js'
import { AppError } from '../model/app-error.js'
import type { DeviceId } from '../model/device-id.js'
import type { Video } from '../model/video.js'
import { fileKeyOf } from '../model/video-keys.js'
import { BlobStore, DIRECT_PART_BYTES, type DirectPart, type SignedRequest } from '../storage/blobs/blob-store.js'
import { type DirectUploadRecord, DirectUploadRecords } from '../storage/sql/direct-upload-records.js'
import { VideoRecords } from '../storage/sql/video-records.js'
import { DirectArrival } from './direct-arrival.js'
import { KeyedLocks } from './keyed-locks.js'
import { type Standing, UploadAdmission } from './upload-admission.js'
import { UploadFlow } from './upload-flow.js'
import { placeAmong } from './upload-place.js'
import type { Arrived } from './video-arrival.js'

const HOUR_MS = 3_600_000
/** What was signed by a key that the machine borrowed ends with it, and that is seldom good for longer. */
const SIGNED_FOR_MS = 12 * HOUR_MS
/** What is on its way when the requests end may come to its end, and be completed. */
const GRACE_MS = HOUR_MS
/** While an upload is read and shown, however long that takes. */
const TOUCH_EVERY_MS = 300_000

/** What a unit announces. */
export interface NewDirectUpload {
  readonly deviceId: DeviceId
  readonly fileName: string
  readonly bytes: number
  /** Lower-case hex. */
  readonly sha256: string
  readonly recordedAtMs: number | null
  /** Of each part of {@link DIRECT_PART_BYTES}; not looked at when there is only one. */
  readonly partSha256: readonly string[]
}

/** Where its bytes go. */
export interface OpenDirectUpload {
  /** Of the video that it becomes. */
  readonly id: string
  /** One for each part, in their order. */
  readonly requests: readonly SignedRequest[]
  /** From then on the store refuses them. */
  readonly expiresAtMs: number
}

export type BegunDirectUpload = { readonly upload: OpenDirectUpload } | { readonly video: Video }

/**
 * Uploads whose bytes go past this server, straight to the object store. What a unit announced is kept until it says that all of it is
 * there; then every byte is read once, and only what was announced becomes a video.
 */
@Injectable()
export class DirectUploads {
  private readonly signedForMs: number
  private readonly expiryMs: number
  private readonly perDevice: number
  /** By id of the upload. */
  private readonly locks = new KeyedLocks()
  private readonly creations = new KeyedLocks()

  constructor(
    config: AppConfig,
    private readonly flow: UploadFlow,
    private readonly uploads: DirectUploadRecords,
    private readonly videos: VideoRecords,
    private readonly blobs: BlobStore,
    private readonly arrival: DirectArrival,
    private readonly admission: UploadAdmission,
  ) {
    const expiryMs = config.UPLOAD_EXPIRY_HOURS * HOUR_MS
    this.signedForMs = Math.min(expiryMs, SIGNED_FOR_MS)
    this.expiryMs = expiryMs + GRACE_MS
    this.perDevice = config.UPLOADS_PER_DEVICE
  }

  /**
   * Tells where the bytes go. For a file that was announced before and is no video yet it is the same upload, with what was sent of
   * it, and requests that are good from now on.
   * @returns the video, when the device has sent these bytes under this name before
   * @throws AppError `direct_upload_unavailable` | `body_too_large` | `invalid_request` not as many digests as parts | `file_exists` | `token_invalid` the device was shut out
   * meanwhile | `too_many_requests` it has too many open, and none that may be given up for it; what is known to be refused in the end,
   * `unsupported_media` too when all of it was sent before
   */
  async begin(upload: NewDirectUpload): Promise<BegunDirectUpload> {
    this.direct()
    this.flow.checkSize(upload.bytes)
    checkParts(upload)
    const standing = await this.admission.admit(upload.deviceId)
    for (;;) {
      const video = await this.findSame(upload)
      if (video !== undefined) return { video }
      const open = await this.findOpen(upload)
      const begun = await (open === undefined ? this.create(upload, standing) : this.again(open.id, upload))
      // Otherwise it came to its end meanwhile, or another request began it.
      if (begun !== undefined) return begun
    }
  }

  /**
   * Makes the video when all that was announced is there. Repeating it is safe, also while the first is under way.
   * @param etags of the parts, in their order; not looked at when there is only one
   * @throws AppError `direct_upload_unavailable`; `not_found` the device has no such upload; `invalid_request` not as many ETags as
   * parts; `upload_incomplete` not all is there, and it may still come; `digest_mismatch` | `unsupported_media` | `file_exists`, and
   * nothing is kept; `token_invalid` | `too_many_requests` | `overloaded` | `store_unavailable`, and all is kept
   */
  async complete(deviceId: DeviceId, id: string, etags: readonly string[]): Promise<Arrived> {
    this.direct()
    const record = await this.uploads.find(id)
    if (record === undefined) return { video: await this.findVideo(deviceId, id), isNew: false }
    if (record.deviceId !== deviceId) throw new AppError('not_found')
    const parts = partCountOf(record.bytes)
    if (parts > 1 && record.videoId === null) checkCount('etags', etags.length, parts)
    return this.locks.run(id, async () => {
      const still = await this.uploads.find(id)
      if (still === undefined) return { video: await this.findVideo(deviceId, id), isNew: false }
      return this.settle(still, parts > 1 ? etags : undefined)
    })
  }

  /**
   * Drops uploads that nobody came for.
   * @returns how many there were, at most `limit`
   */
  async expire(nowMs: number, limit: number): Promise<number> {
    const idle = await this.uploads.listIdle(nowMs - this.expiryMs, limit)
    const dropped = idle.filter(({ id }) => !this.locks.isHeld(id))
    for (const record of dropped) await this.drop(record)
    return dropped.length
  }

  private direct() {
    const { direct } = this.blobs
    if (direct !== undefined) return direct
    throw new AppError('direct_upload_unavailable', 'Objects are kept by this server itself: PUT the file, or use tus')
  }

  /** One whose file the store has lost is not told, so that the unit brings it again. */
  private async findSame({ deviceId, fileName, bytes, sha256 }: NewDirectUpload): Promise<Video | undefined> {
    const video = await this.videos.findByName(deviceId, fileName)
    if (video === undefined) return undefined
    if (video.bytes !== bytes || video.sha256 !== sha256) {
      throw new AppError('file_exists', `The device has other bytes under the name ${fileName}`)
    }
    if ((await this.blobs.stat(fileKeyOf(video)))?.bytes !== video.bytes) return undefined
    this.arrival.tellIfUntold(video)
    return video
  }

  private async findOpen({ deviceId, fileName, bytes, sha256 }: NewDirectUpload) {
    const open = await this.listOpen(deviceId)
    return open.find((one) => one.fileName === fileName && one.sha256 === sha256 && one.bytes === bytes)
  }

  private async listOpen(deviceId: DeviceId): Promise<DirectUploadRecord[]> {
    return (await this.uploads.listOfDevice(deviceId)).filter(({ videoId }) => videoId === null)
  }

  private create(upload: NewDirectUpload, standing: Standing): Promise<BegunDirectUpload | undefined> {
    const { deviceId, fileName, bytes, sha256, recordedAtMs } = upload
    return this.creations.run(deviceId, async () => {
      if ((await this.findOpen(upload)) !== undefined) return undefined
      await this.makeRoom(upload)
      const now = Date.now()
      const begun = await this.direct().begin(fileKeyOf(upload), partsOf(upload), this.signedForMs / 1000)
      const record: DirectUploadRecord = {
        id: randomUUID(),
        deviceId,
        fileName,
        bytes,
        sha256,
        recordedAtMs,
        blobUploadId: begun.id,
        createdAtMs: now,
        updatedAtMs: now,
        videoId: null,
      }
      await this.uploads.insert(record)
      // Whoever erases the device shuts it out first, and then finds every upload that was stored before.
      await this.admission.assertStands(deviceId, standing).catch(async (error: unknown) => {
        await this.remove(record)
        throw error
      })
      return { upload: { id: record.id, requests: begun.requests, expiresAtMs: now + this.signedForMs } }
    })
  }

  /** @returns undefined: there is none any more */
  private again(id: string, upload: NewDirectUpload): Promise<BegunDirectUpload | undefined> {
    return this.locks.run(id, async () => {
      const record = await this.uploads.find(id)
      if (record === undefined || record.videoId !== null) return undefined
      const now = Date.now()
      try {
        const requests = await this.signAgain(record, upload)
        // What was put together by a complete that broke off takes nothing any more: that is gone on with.
        if (requests === undefined) return { video: (await this.settle(record, undefined)).video }
        await this.uploads.update(id, {
          updatedAtMs: now,
          ...(upload.recordedAtMs === null ? {} : { recordedAtMs: upload.recordedAtMs }),
        })
        return { upload: { id, requests, expiresAtMs: now + this.signedForMs } }
      } catch (error) {
        // Gone, or not what was announced: nothing of it is left, and the file may come anew.
        if (error instanceof AppError && (error.code === 'not_found' || error.code === 'digest_mismatch'))
          return undefined
        throw error
      }
    })
  }

  private signAgain(record: DirectUploadRecord, upload: NewDirectUpload) {
    return this.orRemoved(record, () =>
      this.direct().signAgain(record.blobUploadId, partsOf(upload), this.signedForMs / 1000),
    )
  }

  /** Only while holding its lock. */
  private async settle(record: DirectUploadRecord, etags: readonly string[] | undefined): Promise<Arrived> {
    const { id, deviceId } = record
    if (record.videoId !== null) return { video: await this.findVideo(deviceId, record.videoId), isNew: false }
    const shown = await this.videos.find(id)
    if (shown !== undefined) this.arrival.tellIfUntold(shown)
    const arrived =
      shown === undefined
        ? await this.whileKept(id, () => this.orRemoved(record, () => this.arrival.take(record, etags)))
        : // A crash came between showing it and noting so.
          { video: shown, isNew: false }
    await this.uploads.update(id, { videoId: arrived.video.id, updatedAtMs: Date.now() })
    return arrived
  }

  /** Its lock is this node's: another one knows by the time that somebody came for it, and does not drop it meanwhile. */
  private async whileKept<T>(id: string, work: () => Promise<T>): Promise<T> {
    const touch = () => this.uploads.update(id, { updatedAtMs: Date.now() })
    await touch()
    // One that fails is made up for by the next: the record is kept for hours.
    const touching = setInterval(() => void touch().catch(() => undefined), TOUCH_EVERY_MS)
    try {
      return await work()
    } finally {
      clearInterval(touching)
    }
  }

  /** An upload that can never become a video must not be kept. */
  private async orRemoved<T>(record: DirectUploadRecord, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      // The blob store knows nothing of it: rules of the bucket, or somebody by hand, dropped it.
      const isGone = error instanceof RangeError
      if (isGone || (error instanceof AppError && FINAL.has(error.code))) await this.remove(record)
      throw isGone ? new AppError('not_found', 'The bytes of this upload are gone', { cause: error }) : error
    }
  }

  /** @throws AppError `not_found` the device has no such video */
  private async findVideo(deviceId: DeviceId, id: string): Promise<Video> {
    const video = await this.videos.find(id)
    if (video?.deviceId !== deviceId) throw new AppError('not_found')
    this.arrival.tellIfUntold(video)
    return video
  }

  private async makeRoom({ deviceId, fileName }: NewDirectUpload): Promise<void> {
    for (;;) {
      const open = await this.listOpen(deviceId)
      if (open.length < this.perDevice) return
      // Nobody tells us when bytes come: who may still send some keeps the place.
      const place = placeAmong(open, fileName, (id) => this.locks.isHeld(id), Date.now(), this.signedForMs)
      if ('retryAfterMs' in place) {
        const { retryAfterMs } = place
        throw new AppError('too_many_requests', `The device has ${open.length} direct uploads open`, { retryAfterMs })
      }
      await this.drop(place.displaced)
    }
  }

  private drop({ id, updatedAtMs }: DirectUploadRecord): Promise<void> {
    return this.locks.run(id, async () => {
      const record = await this.uploads.find(id)
      // Somebody came for it meanwhile.
      if (record === undefined || record.updatedAtMs !== updatedAtMs) return
      await this.remove(record)
    })
  }

  /** With its bytes, unless they are a video by now. */
  private async remove({ id, blobUploadId }: DirectUploadRecord): Promise<void> {
    await this.blobs.abort(blobUploadId)
    await this.uploads.remove(id)
  }
}

/** Refusals that the same bytes meet again. */
const FINAL: ReadonlySet<string> = new Set(['file_exists', 'unsupported_media', 'digest_mismatch'])

/** In how many requests a file of this size goes up. */
function partCountOf(bytes: number): number {
  return Math.ceil(bytes / DIRECT_PART_BYTES)
}

function partsOf({ bytes, sha256, partSha256 }: NewDirectUpload): DirectPart[] {
  if (partCountOf(bytes) === 1) return [{ bytes, sha256 }]
  return partSha256.map((digest, index) => ({
    bytes: Math.min(DIRECT_PART_BYTES, bytes - index * DIRECT_PART_BYTES),
    sha256: digest,
  }))
}

function checkParts({ bytes, partSha256 }: NewDirectUpload): void {
  const parts = partCountOf(bytes)
  if (parts > 1) checkCount('partSha256', partSha256.length, parts)
}

/** @throws AppError `invalid_request` naming the field */
function checkCount(path: 'etags' | 'partSha256', given: number, parts: number): void {
  if (given === parts) return
  const message = `must have one for each of the ${parts} parts of 64 MiB, in their order, and has ${given}`
  throw new AppError('invalid_request', `${path}: ${message}`, {
    errors: [{ path, code: given === 0 ? 'missing' : 'invalid_value', message }],
  })
}
