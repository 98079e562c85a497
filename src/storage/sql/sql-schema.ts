import { MigrationExecutor, type QueryRunner } from 'typeorm'
import { MIGRATIONS } from '../../../migrations/migrations.js'
import { StoreOpenError } from '../store-open-error.js'

/** A step of the schema that was begun and not finished. */
export interface UnfinishedStep {
  readonly name: string
  readonly direction: 'up' | 'down'
  readonly beganAt: Date
}

export interface SchemaStatus {
  /** In the order they were taken. */
  readonly done: readonly string[]
  readonly pending: readonly string[]
  /** Taken by a newer version of the program. */
  readonly unknown: readonly string[]
  readonly unfinished: UnfinishedStep | undefined
}

/** The schema of a relational database, step by step. */
export interface SqlSchema {
  readStatus(): Promise<SchemaStatus>
  /**
   * Takes all steps that are left.
   * @returns their names
   * @throws StoreOpenError
   */
  up(): Promise<string[]>
  /**
   * Takes the last steps back, with what their tables hold.
   * @throws StoreOpenError
   */
  down(steps: number): Promise<string[]>
  /**
   * Says what somebody made of an unfinished step by hand: as if it had been taken, or as if it had not.
   * @returns its name
   * @throws StoreOpenError when no step is unfinished
   */
  settle(outcome: 'done' | 'undone'): Promise<string>
  close(): Promise<void>
}

export async function readSteps(queryRunner: QueryRunner): Promise<Omit<SchemaStatus, 'unfinished'>> {
  const executed = await new MigrationExecutor(queryRunner.dataSource, queryRunner).getExecutedMigrations()
  const names = executed.map(({ name }) => name).reverse()
  const known = new Set<string>(MIGRATIONS.map(({ name }) => name))
  const taken = new Set(names)
  return {
    done: names.filter((name) => known.has(name)),
    pending: [...known].filter((name) => !taken.has(name)),
    unknown: names.filter((name) => !known.has(name)),
  }
}

/**
 * A migration that this program does not know may have changed anything: it would read and write on wrong beliefs.
 * @throws StoreOpenError
 */
export async function refuseNewerSchema(queryRunner: QueryRunner, shown: string): Promise<void> {
  const [unknown] = (await readSteps(queryRunner)).unknown
  if (unknown) throw new StoreOpenError(shown, `it was made by a newer version of Milepost (schema change ${unknown})`)
}
