import { type MigrationInterface, type QueryRunner, Table } from 'typeorm'
import { columnsFor } from './columns.js'

/**
 * Videos, and the resumable uploads that become videos. What units say of the time is whole milliseconds and not `datetime`, which
 * knows the years 1000 to 9999 only.
 */
export class CreateVideos1795305600005 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    const { text, longText, time, flag, integer, bigInteger } = await columnsFor(queryRunner)
    await queryRunner.createTable(
      new Table({
        name: 'videos',
        columns: [
          text('id', 64, { isPrimary: true }),
          text('device_id', 64),
          text('file_name', 200),
          bigInteger('bytes'),
          text('sha256', 64),
          text('content_type', 64),
          text('status', 16),
          text('failure_reason', 255, { isNullable: true }),
          bigInteger('recorded_at', { isNullable: true }),
          time('reserved_at'),
          // Null while the video is reserved.
          time('uploaded_at', { isNullable: true }),
          // What lists are ordered by; null while the video is not shown.
          bigInteger('listed_at', { isNullable: true }),
          text('blob_upload_id', 64, { isNullable: true }),
          bigInteger('duration_ms', { isNullable: true }),
          integer('width', { isNullable: true }),
          integer('height', { isNullable: true }),
          text('codec', 64, { isNullable: true }),
          flag('is_kept'),
          flag('has_thumbnail'),
          integer('screenshots'),
          integer('attempts'),
        ],
        indices: [
          { name: 'videos_by_name', columnNames: ['device_id', 'file_name'], isUnique: true },
          { name: 'videos_by_time', columnNames: ['listed_at', 'id'] },
          { name: 'videos_by_device', columnNames: ['device_id', 'listed_at', 'id'] },
          { name: 'videos_by_file_name', columnNames: ['file_name', 'listed_at', 'id'] },
          { name: 'videos_by_status', columnNames: ['status', 'listed_at', 'id'] },
          { name: 'videos_by_age', columnNames: ['is_kept', 'listed_at', 'id'] },
          { name: 'videos_by_work', columnNames: ['status', 'uploaded_at', 'id'] },
          { name: 'videos_by_failure', columnNames: ['failure_reason', 'uploaded_at', 'id'] },
        ],
      }),
    )
    await queryRunner.createTable(
      new Table({
        name: 'uploads',
        columns: [
          text('id', 64, { isPrimary: true }),
          text('device_id', 64),
          text('file_name', 200),
          bigInteger('length_bytes', { isNullable: true }),
          bigInteger('offset_bytes'),
          longText('hash_state'),
          bigInteger('recorded_at', { isNullable: true }),
          text('blob_upload_id', 64),
          time('created_at'),
          time('updated_at'),
          text('video_id', 64, { isNullable: true }),
        ],
        indices: [
          { name: 'uploads_by_device', columnNames: ['device_id', 'video_id'] },
          { name: 'uploads_by_blob_upload', columnNames: ['blob_upload_id'] },
          { name: 'uploads_by_time', columnNames: ['updated_at', 'id'] },
        ],
      }),
    )
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.dropTable('uploads')
    await queryRunner.dropTable('videos')
  }
}
