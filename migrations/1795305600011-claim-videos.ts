import type { MigrationInterface, QueryRunner } from 'typeorm'
import { columnsFor } from './columns.js'

/**
 * Which node works on what a video's row names, and since when, in epoch milliseconds of the database's clock; null: none. In plain
 * statements, since TypeORM would write the whole table anew on SQLite, and make its indexes in another order.
 */
export class ClaimVideos1795305600011 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    const { charset, collation } = (await columnsFor(queryRunner)).text('claimed_by', 64)
    const bytewise = collation === undefined ? '' : ` CHARACTER SET ${charset} COLLATE ${collation}`
    await queryRunner.query(`ALTER TABLE videos ADD COLUMN claimed_by varchar(64)${bytewise}`)
    await queryRunner.query('ALTER TABLE videos ADD COLUMN claimed_at bigint')
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE videos DROP COLUMN claimed_at')
    await queryRunner.query('ALTER TABLE videos DROP COLUMN claimed_by')
  }
}
