import type { MigrationInterface, QueryRunner } from 'typeorm'

/** The capital sharp s was folded to the small one, and is folded to two s now, as that is: names that have it are found again. */
export class FoldSharpS1795305600008 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query("UPDATE devices SET search = REPLACE(search, 'ß', 'ss') WHERE search LIKE '%ß%'")
  }

  /** The older version finds these as well: it folds the small sharp s so. */
  async down(): Promise<void> {}
}
