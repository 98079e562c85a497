import { type MigrationInterface, type QueryRunner, Table } from 'typeorm'
import { columnsFor } from './columns.js'

/** The registry of devices, and the addresses they logged in from. */
export class CreateDevices1795305600001 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    const { text, longText, time, flag } = await columnsFor(queryRunner)
    await queryRunner.createTable(
      new Table({
        name: 'devices',
        withoutRowid: true,
        columns: [
          text('device_id', 64, { isPrimary: true }),
          text('kind', 16),
          text('name', 255, { isNullable: true }),
          text('plate', 255, { isNullable: true }),
          text('brand', 255, { isNullable: true }),
          text('model', 255, { isNullable: true }),
          text('protocol', 64, { isNullable: true }),
          text('status', 16),
          text('secret_hash', 64, { isNullable: true }),
          flag('tracker_allowed'),
          flag('tracker_sack'),
          text('command_password', 255, { isNullable: true }),
          text('generation', 64),
          time('created_at'),
          time('last_seen_at', { isNullable: true }),
          longText('search'),
        ],
        indices: [
          { name: 'devices_by_status', columnNames: ['status', 'device_id'] },
          { name: 'devices_by_kind', columnNames: ['kind', 'device_id'] },
        ],
      }),
    )
    await queryRunner.createTable(
      new Table({
        name: 'device_addresses',
        withoutRowid: true,
        columns: [
          text('device_id', 64, { isPrimary: true }),
          text('address', 64, { isPrimary: true }),
          time('seen_at'),
        ],
        indices: [{ name: 'device_addresses_by_time', columnNames: ['seen_at'] }],
      }),
    )
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.dropTable('device_addresses')
    await queryRunner.dropTable('devices')
  }
}
