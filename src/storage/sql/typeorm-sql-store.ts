import type { DataSource, EntityManager } from 'typeorm'
import { SqliteHealthProbe } from '../sqlite-health-probe.js'
import { type JoinedRecords, SqlStore } from './sql-store.js'

/** The relational database behind a TypeORM data source. */
export class TypeormSqlStore extends SqlStore {
  private readonly health = new SqliteHealthProbe('database', () => this.probe())

  /**
   * @param within the records as a transaction has them
   * @param copyTo how this kind of database is copied
   */
  constructor(
    private readonly dataSource: DataSource,
    private readonly within: (transaction: EntityManager) => JoinedRecords,
    private readonly copyTo: (file: string) => Promise<void>,
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
    await this.copyTo(file)
  }

  async close(): Promise<void> {
    if (this.dataSource.isInitialized) await this.dataSource.destroy()
  }

  private async probe(): Promise<void> {
    await this.dataSource.query('SELECT 1')
    await this.dataSource.transaction((manager) => manager.query('SELECT 1'))
  }
}
