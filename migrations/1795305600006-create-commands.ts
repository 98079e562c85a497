import { type MigrationInterface, type QueryRunner, Table } from 'typeorm'
import { columnsFor } from './columns.js'

/** Commands with their histories. */
export class CreateCommands1795305600006 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    const { text, longText, time, integer } = await columnsFor(queryRunner)
    await queryRunner.createTable(
      new Table({
        name: 'commands',
        columns: [
          text('id', 32, { isPrimary: true }),
          text('device_id', 64),
          text('type', 32),
          longText('params'),
          text('status', 16),
          text('created_by', 64),
          time('created_at'),
          time('expires_at'),
          longText('result', { isNullable: true }),
          text('message', 1000, { isNullable: true }),
          longText('history'),
          text('delivery', 16, { isNullable: true }),
          time('due_at', { isNullable: true }),
          text('place', 64, { isNullable: true }),
          text('request_key', 64, { isNullable: true }),
          integer('revision'),
        ],
        indices: [
          { name: 'commands_by_device', columnNames: ['device_id', 'created_at', 'id'] },
          { name: 'commands_by_status', columnNames: ['device_id', 'status', 'created_at', 'id'] },
          { name: 'commands_by_due', columnNames: ['due_at', 'status', 'device_id'] },
          { name: 'commands_by_request', columnNames: ['request_key'] },
          { name: 'commands_by_place', columnNames: ['place'], isUnique: true },
        ],
      }),
    )
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.dropTable('commands')
  }
}
