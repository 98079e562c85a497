import type { DataSource } from 'typeorm'
import { StoreOpenError } from '../store-open-error.js'
import { readSteps, refuseNewerSchema, type SchemaStatus, type SqlSchema } from './sql-schema.js'
import { openSqliteDataSource } from './sqlite-data-source.js'

/** The schema of an embedded database, which nobody else uses meanwhile. Each step is a transaction: none stays half-way. */
export class SqliteSchema implements SqlSchema {
  private constructor(
    private readonly dataSource: DataSource,
    private readonly file: string,
  ) {}

  /**
   * @param file made if absent
   * @throws StoreOpenError
   */
  static async open(file: string): Promise<SqliteSchema> {
    return new SqliteSchema(await openSqliteDataSource({ file, isBroughtUpToDate: false }), file)
  }

  async readStatus(): Promise<SchemaStatus> {
    const runner = this.dataSource.createQueryRunner()
    try {
      return { ...(await readSteps(runner)), unfinished: undefined }
    } finally {
      await runner.release()
    }
  }

  async up(): Promise<string[]> {
    await this.refuseNewer()
    return (await this.dataSource.runMigrations({ transaction: 'each' })).map(({ name }) => name)
  }

  async down(steps: number): Promise<string[]> {
    await this.refuseNewer()
    const back: string[] = []
    while (back.length < steps) {
      const last = (await this.readStatus()).done.at(-1)
      if (last === undefined) return back
      await this.dataSource.undoLastMigration({ transaction: 'each' })
      back.push(last)
    }
    return back
  }

  async settle(): Promise<string> {
    throw new StoreOpenError(this.file, 'no step of its schema is unfinished: here each is taken whole or not at all')
  }

  async close(): Promise<void> {
    await this.dataSource.destroy()
  }

  private async refuseNewer(): Promise<void> {
    const runner = this.dataSource.createQueryRunner()
    try {
      await refuseNewerSchema(runner, this.file)
    } finally {
      await runner.release()
    }
  }
}
