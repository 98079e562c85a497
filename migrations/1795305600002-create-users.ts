import { type MigrationInterface, type QueryRunner, Table } from 'typeorm'
import { columnsFor } from './columns.js'

/** Users, their logins, and the refresh tokens of each login. */
export class CreateUsers1795305600002 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    const { text, time, flag } = await columnsFor(queryRunner)
    await queryRunner.createTable(
      new Table({
        name: 'users',
        withoutRowid: true,
        columns: [
          text('username', 64, { isPrimary: true }),
          text('password_hash', 255),
          text('role', 16),
          flag('disabled'),
          time('created_at'),
        ],
        indices: [{ name: 'users_by_role', columnNames: ['role', 'disabled', 'username'] }],
      }),
    )
    await queryRunner.createTable(
      new Table({
        name: 'user_sessions',
        withoutRowid: true,
        columns: [
          text('session_id', 64, { isPrimary: true }),
          text('username', 64),
          time('created_at'),
          time('expires_at'),
          time('ended_at', { isNullable: true }),
        ],
        indices: [
          { name: 'user_sessions_by_user', columnNames: ['username'] },
          { name: 'user_sessions_by_expiry', columnNames: ['expires_at'] },
          { name: 'user_sessions_by_end', columnNames: ['ended_at'] },
        ],
        foreignKeys: [
          {
            name: 'user_sessions_of_user',
            columnNames: ['username'],
            referencedTableName: 'users',
            referencedColumnNames: ['username'],
            onDelete: 'CASCADE',
          },
        ],
      }),
    )
    await queryRunner.createTable(
      new Table({
        name: 'refresh_tokens',
        withoutRowid: true,
        columns: [
          text('token_hash', 64, { isPrimary: true }),
          text('session_id', 64),
          time('used_at', { isNullable: true }),
        ],
        indices: [{ name: 'refresh_tokens_by_session', columnNames: ['session_id'] }],
        foreignKeys: [
          {
            name: 'refresh_tokens_of_session',
            columnNames: ['session_id'],
            referencedTableName: 'user_sessions',
            referencedColumnNames: ['session_id'],
            onDelete: 'CASCADE',
          },
        ],
      }),
    )
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.dropTable('refresh_tokens')
    await queryRunner.dropTable('user_sessions')
    await queryRunner.dropTable('users')
  }
}
