import type { DeviceId } from '../../model/device-id.js'

/** A file that a unit sends to the object store itself, as it announced it. */
export interface DirectUploadRecord {
  /** The video that it becomes has it too, unless the device had one of the same name and bytes. */
  readonly id: string
  readonly deviceId: DeviceId
  readonly fileName: string
  readonly bytes: number
  /** Lower-case hex. */
  readonly sha256: string
  readonly recordedAtMs: number | null
  readonly blobUploadId: string
  readonly createdAtMs: number
  /** When the unit was last told where the bytes go. */
  readonly updatedAtMs: number
  /** The video that it became; null: not yet. */
  readonly videoId: string | null
}

export type DirectUploadChanges = Partial<
  Pick<DirectUploadRecord, 'recordedAtMs' | 'blobUploadId' | 'updatedAtMs' | 'videoId'>
>

/** Uploads that go past this server, across restarts. */
export abstract class DirectUploadRecords {
  abstract insert(record: DirectUploadRecord): Promise<void>
  abstract find(id: string): Promise<DirectUploadRecord | undefined>
  /** @returns false when there is none */
  abstract update(id: string, changes: DirectUploadChanges): Promise<boolean>
  abstract remove(id: string): Promise<void>
  /** By id. */
  abstract listOfDevice(deviceId: DeviceId): Promise<DirectUploadRecord[]>
  /** Those that nobody asked for since the moment, oldest first. */
  abstract listIdle(sinceMs: number, limit: number): Promise<DirectUploadRecord[]>
  /** Which of these uploads of the blob store belong to one of the records. */
  abstract findKnownBlobUploads(blobUploadIds: readonly string[]): Promise<string[]>
}
