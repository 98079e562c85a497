import type { DataSource, EntityManager } from 'typeorm'
import { HealthProbe } from '../health-probe.js'
import { type JoinedRecords, SqlStore } from './sql-store.js'

/** What kinds of databases do each in its own way. */
export interface SqlStoreMeans {
  /** @param file the copy; see {@link SqlStore.backupTo} */
  copyTo(file: string): Promise<void>
  /** In a transaction that is rolled back after it: fails where nothing can be written. */
  beginWrite(transaction: EntityManager): Promise<void>
}

/** The relational database behind a TypeORM data source. */
export class TypeormSqlStore extends SqlStore {
  private readonly health = new HealthProbe('database', () => this.probe())

  /** @param within the records as a transaction has them */
  constructor(
    private readonly dataSource: DataSource,
    private readonly within: (transaction: EntityManager) => JoinedRecords,
    private readonly means: SqlStoreMeans,
  ) {
    super()
  }

  async checkHealth(): Promise<void> {
    await this.health.check()
  }

  together<Done>(work: (records: JoinedRecords) => Promise<Done>): Promise<Done> {
    return this.dataSource.transaction((transaction) => work(this.within(transaction)))
  }

  async backupTo(file: string): Promise<void> {
    await this.means.copyTo(file)
  }

  async close(): Promise<void> {
    if (this.dataSource.isInitialized) await this.dataSource.destroy()
  }

  private async probe(): Promise<void> {
    await this.dataSource.query('SELECT 1')
    await this.dataSource.transaction((transaction) => this.means.beginWrite(transaction))
  }
}
