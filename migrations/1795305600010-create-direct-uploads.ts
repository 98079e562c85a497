import { type MigrationInterface, type QueryRunner, Table } from 'typeorm'
import { columnsFor } from './columns.js'

/** Uploads that units send to the object store themselves. */
export class CreateDirectUploads1795305600010 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    const { text, time, bigInteger } = await columnsFor(queryRunner)
    await queryRunner.createTable(
      new Table({
        name: 'direct_uploads',
        columns: [
          text('id', 64, { isPrimary: true }),
          text('device_id', 64),
          text('file_name', 200),
          bigInteger('bytes'),
          text('sha256', 64),
          bigInteger('recorded_at', { isNullable: true }),
          text('blob_upload_id', 64),
          time('created_at'),
          time('updated_at'),
          text('video_id', 64, { isNullable: true }),
        ],
        indices: [
          { name: 'direct_uploads_by_device', columnNames: ['device_id', 'id'] },
          { name: 'direct_uploads_by_blob_upload', columnNames: ['blob_upload_id'] },
          { name: 'direct_uploads_by_time', columnNames: ['updated_at', 'id'] },
        ],
      }),
    )
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.dropTable('direct_uploads')
  }
}
