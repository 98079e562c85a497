import { EntitySchema } from 'typeorm'
import type { DirectUploadRecord } from '../direct-upload-records.js'
import { bigIntegerColumn, textColumn, timeColumn } from './columns.js'

export const DirectUploadEntity = new EntitySchema<DirectUploadRecord>({
  name: 'DirectUpload',
  tableName: 'direct_uploads',
  columns: {
    id: textColumn('id', { primary: true }),
    deviceId: textColumn('device_id'),
    fileName: textColumn('file_name'),
    bytes: bigIntegerColumn('bytes'),
    sha256: textColumn('sha256'),
    recordedAtMs: bigIntegerColumn('recorded_at', { nullable: true }),
    blobUploadId: textColumn('blob_upload_id'),
    createdAtMs: timeColumn('created_at'),
    updatedAtMs: timeColumn('updated_at'),
    videoId: textColumn('video_id', { nullable: true }),
  },
})
