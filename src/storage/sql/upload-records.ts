import type { DeviceId } from '../../model/device-id.js'

/** A resumable upload under way. What is durable and what the hash has seen are the same bytes: the first `offset` of the file. */
export interface UploadRecord {
  readonly id: string
  readonly deviceId: DeviceId
  readonly fileName: string
  /** null: not yet said. */
  readonly length: number | null
  readonly offset: number
  /** Saved state of the SHA-256 of the first `offset` bytes, base64. */
  readonly hashState: string
  readonly recordedAtMs: number | null
  readonly blobUploadId: string
  readonly createdAtMs: number
  readonly updatedAtMs: number
  /** The video that it became; null: not yet. */
  readonly videoId: string | null
}

export type UploadChanges = Partial<Pick<UploadRecord, 'length' | 'offset' | 'hashState' | 'videoId' | 'updatedAtMs'>>

/** Resumable uploads, across restarts. */
export abstract class UploadRecords {
  abstract insert(record: UploadRecord): Promise<void>
  abstract find(id: string): Promise<UploadRecord | undefined>
  /** @returns false when there is none */
  abstract update(id: string, changes: UploadChanges): Promise<boolean>
  abstract remove(id: string): Promise<void>
  /** Those that nothing came for since the moment. */
  abstract listIdle(sinceMs: number, limit: number): Promise<UploadRecord[]>
  /** Which of these uploads of the blob store belong to one of the records. */
  abstract findKnownBlobUploads(blobUploadIds: readonly string[]): Promise<string[]>
  /** How many a device has that are no video yet. */
  abstract countOfDevice(deviceId: DeviceId): Promise<number>
  abstract listOfDevice(deviceId: DeviceId): Promise<UploadRecord[]>
}
