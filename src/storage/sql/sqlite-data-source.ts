import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { DataSource } from 'typeorm'
import type { BetterSqlite3DataSourceOptions } from 'typeorm/driver/better-sqlite3/BetterSqlite3DataSourceOptions.js'
import { BetterSqlite3Driver } from 'typeorm/driver/better-sqlite3/BetterSqlite3Driver.js'
import { MIGRATIONS } from '../../../migrations/migrations.js'
import { StoreOpenError } from '../store-open-error.js'
import { ENTITIES } from './entities/entities.js'
import { refuseNewerSchema } from './sql-schema.js'
import { SqliteDatabase, type SqliteLimits } from './sqlite-database.js'
import { SqliteQueryRunner } from './sqlite-query-runner.js'

export interface SqliteDataSourceOptions {
  readonly file: string
  /** Whether the steps of the schema that are left are taken; by default they are. */
  readonly isBroughtUpToDate?: boolean
  readonly limits?: Partial<SqliteLimits>
}

/** TypeORM's knowledge of SQLite, with every statement run in the threads of an {@link SqliteDatabase}. */
class ThreadedSqliteDriver extends BetterSqlite3Driver {
  constructor(
    dataSource: DataSource,
    private readonly sqliteDatabase: SqliteDatabase,
  ) {
    super(dataSource)
  }

  override async connect(): Promise<void> {}

  override async disconnect(): Promise<void> {
    await this.sqliteDatabase.close()
  }

  override createQueryRunner(): SqliteQueryRunner {
    return new SqliteQueryRunner(this, this.sqliteDatabase)
  }
}

class SqliteDataSource extends DataSource {
  constructor(options: BetterSqlite3DataSourceOptions, database: SqliteDatabase) {
    super(options)
    this.driver = new ThreadedSqliteDriver(this, database)
  }
}

/**
 * Opens the relational database in a file, made if absent, and brings its schema up to date.
 * @throws StoreOpenError naming the file and the reason
 */
export async function openSqliteDataSource({
  file,
  limits,
  isBroughtUpToDate = true,
}: SqliteDataSourceOptions): Promise<DataSource> {
  const obstacle = findObstacle(file)
  if (obstacle) throw new StoreOpenError(file, obstacle)
  const database = await SqliteDatabase.open(file, limits)
  const dataSource = new SqliteDataSource(
    {
      type: 'better-sqlite3',
      database: file,
      // TypeORM would load a package of that name; the threads load their driver themselves.
      driver: SqliteDatabase,
      entities: ENTITIES,
      migrations: [...MIGRATIONS],
      migrationsTransactionMode: 'each',
      logging: false,
    },
    database,
  )
  try {
    database.setPatient(true)
    await dataSource.initialize()
    if (isBroughtUpToDate) await bringUpToDate(dataSource, file)
    database.setPatient(false)
    return dataSource
  } catch (cause) {
    await database.close()
    throw cause instanceof StoreOpenError ? cause : new StoreOpenError(file, messageOf(cause), { cause })
  }
}

/** What SQLite itself would only call "unable to open". */
function findObstacle(file: string): string | undefined {
  if (!existsSync(file)) return undefined
  if (!statSync(file).isFile()) return 'it is not a file'
  try {
    accessSync(file, constants.R_OK | constants.W_OK)
    return undefined
  } catch {
    return 'no permission to read and write it'
  }
}

async function bringUpToDate(dataSource: DataSource, file: string): Promise<void> {
  const queryRunner = dataSource.createQueryRunner()
  try {
    await refuseNewerSchema(queryRunner, file)
  } finally {
    await queryRunner.release()
  }
  await dataSource.runMigrations()
}

function messageOf(error: unknown): string {
  const { message, cause } = error as Error
  return cause instanceof Error ? cause.message : message
}
