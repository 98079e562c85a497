import { EntitySchema } from 'typeorm'
import type { UploadRecord } from '../upload-records.js'
import { bigIntegerColumn, textColumn, timeColumn } from './columns.js'

export const UploadEntity = new EntitySchema<UploadRecord>({
  name: 'Upload',
  tableName: 'uploads',
  columns: {
    id: textColumn('id', { primary: true }),
    deviceId: textColumn('device_id'),
    fileName: textColumn('file_name'),
    length: bigIntegerColumn('length_bytes', { nullable: true }),
    offset: bigIntegerColumn('offset_bytes'),
    hashState: textColumn('hash_state'),
    recordedAtMs: bigIntegerColumn('recorded_at', { nullable: true }),
    blobUploadId: textColumn('blob_upload_id'),
    createdAtMs: timeColumn('created_at'),
    updatedAtMs: timeColumn('updated_at'),
    videoId: textColumn('video_id', { nullable: true }),
  },
})
