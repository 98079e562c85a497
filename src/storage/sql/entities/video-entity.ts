import { EntitySchema } from 'typeorm'
import type { Video } from '../../../model/video.js'
import { bigIntegerColumn, flagColumn, integerColumn, textColumn, timeColumn } from './columns.js'

/** A row of `videos`: the reservation of one, one that is shown, or one that is hidden until its objects are gone. */
export interface VideoRow extends Omit<Video, 'uploadedAtMs' | 'durationS' | 'alarmIds'> {
  readonly reservedAtMs: number
  /** null: reserved. */
  readonly uploadedAtMs: number | null
  /** What lists are ordered by: `recordedAtMs`, else `uploadedAtMs`; null: not shown. */
  readonly listedAtMs: number | null
  /** null: its bytes have become the object. */
  readonly blobUploadId: string | null
  readonly durationMs: number | null
  readonly attempts: number
  /** The node that works on what the row names; null: none. */
  readonly claimedBy: string | null
  /** By the database's clock. */
  readonly claimedAtMs: number | null
}

export const VideoEntity = new EntitySchema<VideoRow>({
  name: 'Video',
  tableName: 'videos',
  columns: {
    id: textColumn('id', { primary: true }),
    deviceId: textColumn('device_id'),
    fileName: textColumn('file_name'),
    bytes: bigIntegerColumn('bytes'),
    sha256: textColumn('sha256'),
    contentType: textColumn('content_type'),
    status: textColumn('status'),
    failureReason: textColumn('failure_reason', { nullable: true }),
    recordedAtMs: bigIntegerColumn('recorded_at', { nullable: true }),
    reservedAtMs: timeColumn('reserved_at'),
    uploadedAtMs: timeColumn('uploaded_at', { nullable: true }),
    listedAtMs: bigIntegerColumn('listed_at', { nullable: true }),
    blobUploadId: textColumn('blob_upload_id', { nullable: true }),
    durationMs: bigIntegerColumn('duration_ms', { nullable: true }),
    width: integerColumn('width', { nullable: true }),
    height: integerColumn('height', { nullable: true }),
    codec: textColumn('codec', { nullable: true }),
    keep: flagColumn('is_kept'),
    hasThumbnail: flagColumn('has_thumbnail'),
    screenshots: integerColumn('screenshots'),
    attempts: integerColumn('attempts'),
    claimedBy: textColumn('claimed_by', { nullable: true }),
    claimedAtMs: bigIntegerColumn('claimed_at', { nullable: true }),
  },
})
