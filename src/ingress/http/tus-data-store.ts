import { DataStore, Upload } from '@tus/server'
import { AppError } from '../../model/app-error.js'
import type { DeviceId } from '../../model/device-id.js'
import { formatTime } from '../../model/time.js'
import type { ResumableUpload, ResumableUploads } from '../../videos/resumable-uploads.js'
import type { UploadBody } from '../../videos/upload-body.js'
import { decodedFileNameOf, recordedAtOf } from './upload-facts.js'

const EXTENSIONS = ['creation', 'creation-with-upload', 'creation-defer-length', 'expiration', 'termination']

/** What one request of the tus protocol is about. */
export interface TusSubject {
  readonly deviceId: DeviceId
  readonly body: UploadBody
  /** Told of the upload as it stands, whenever that is known. */
  onUpload(upload: ResumableUpload): void
}

/** The uploads of one device, as the tus server of one request sees them. Its lock is held whenever one of these is called. */
export class TusDataStore extends DataStore {
  override extensions = EXTENSIONS
  /** Bytes were handed on: to be counted, whatever becomes of them. */
  hasTakenBytes = false
  private current: ResumableUpload | undefined
  private isNew = false

  constructor(
    private readonly uploads: ResumableUploads,
    private readonly subject: TusSubject,
  ) {
    super()
  }

  override async create(upload: Upload): Promise<Upload> {
    const { filename, recordedAt } = upload.metadata ?? {}
    const created = await this.uploads.create({
      id: upload.id,
      deviceId: this.subject.deviceId,
      fileName: decodedFileNameOf(filename),
      length: upload.size,
      recordedAtMs: recordedAtOf(recordedAt, 'recordedAt'),
    })
    this.isNew = true
    this.know(created)
    upload.creation_date = formatTime(created.createdAtMs)
    return upload
  }

  /** @throws AppError `not_found` also for what another device uploads */
  override async getUpload(id: string): Promise<Upload> {
    const found = await this.find(id)
    const { fileName, recordedAtMs, length, offset, updatedAtMs } = found
    return new Upload({
      id,
      offset,
      ...(length === null ? {} : { size: length }),
      metadata: { filename: fileName, ...(recordedAtMs === null ? {} : { recordedAt: formatTime(recordedAtMs) }) },
      // Every sign of life puts the end off.
      creation_date: formatTime(updatedAtMs),
    })
  }

  /**
   * The bytes are read from the request itself: the stream given would wrap it four times, lose what lies in between when it is cut,
   * and keep the rest of a refused body from being thrown away.
   */
  override async write(_stream: unknown, id: string): Promise<number> {
    const upload = this.current ?? (await this.find(id))
    try {
      this.hasTakenBytes = true
      const after = this.know(await this.uploads.append(upload, this.subject.body))
      return after.offset
    } catch (error) {
      // Whoever created it never learns its address.
      if (this.isNew) await this.uploads.remove(upload)
      throw error
    }
  }

  override async declareUploadLength(id: string, length: number): Promise<void> {
    this.know(await this.uploads.declareLength(this.current ?? (await this.find(id)), length))
  }

  override async remove(id: string): Promise<void> {
    await this.uploads.remove(await this.find(id))
  }

  override getExpiration(): number {
    return this.uploads.expiryMs
  }

  private async find(id: string): Promise<ResumableUpload> {
    const found = await this.uploads.find(this.subject.deviceId, id)
    if (found === undefined) throw new AppError('not_found', 'There is no such upload')
    return this.know(found)
  }

  private know(upload: ResumableUpload): ResumableUpload {
    this.current = upload
    this.subject.onUpload(upload)
    return upload
  }
}
