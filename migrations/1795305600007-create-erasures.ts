import { type MigrationInterface, type QueryRunner, Table } from 'typeorm'
import { columnsFor } from './columns.js'

/** Devices that are being erased: what a crash leaves half-way is known by these and finished at the next start. */
export class CreateErasures1795305600007 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    const { text, time } = await columnsFor(queryRunner)
    await queryRunner.createTable(
      new Table({
        name: 'erasures',
        columns: [
          text('device_id', 64, { isPrimary: true }),
          text('asked_by', 64),
          text('address', 64),
          time('asked_at'),
        ],
      }),
    )
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.dropTable('erasures')
  }
}
