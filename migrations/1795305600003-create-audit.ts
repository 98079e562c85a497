import { type MigrationInterface, type QueryRunner, Table } from 'typeorm'
import { columnsFor } from './columns.js'

/** The audit log, and the answers kept for repeated requests. */
export class CreateAudit1795305600003 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    const { text, longText, hugeText, time, integer } = await columnsFor(queryRunner)
    await queryRunner.createTable(
      new Table({
        name: 'audit',
        columns: [
          text('id', 32, { isPrimary: true }),
          time('at'),
          text('actor', 64),
          text('action', 64),
          text('target', 255, { isNullable: true }),
          longText('detail', { isNullable: true }),
          text('address', 64, { isNullable: true }),
        ],
        indices: [
          { name: 'audit_by_time', columnNames: ['at', 'id'] },
          { name: 'audit_by_actor', columnNames: ['actor', 'at', 'id'] },
          { name: 'audit_by_action', columnNames: ['action', 'at', 'id'] },
        ],
      }),
    )
    await queryRunner.createTable(
      new Table({
        name: 'idempotency_keys',
        columns: [
          text('scope_hash', 64, { isPrimary: true }),
          text('body_hash', 64),
          time('created_at'),
          integer('status', { isNullable: true }),
          hugeText('sealed', { isNullable: true }),
        ],
        indices: [{ name: 'idempotency_keys_by_time', columnNames: ['created_at'] }],
      }),
    )
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.dropTable('idempotency_keys')
    await queryRunner.dropTable('audit')
  }
}
