import type { DataSource } from 'typeorm'
import type { AppConfig } from '../../config/app-config.js'
import type { BlobStore } from '../blobs/blob-store.js'
import { openS3Blobs } from '../blobs/s3-blob-store.js'
import { s3OptionsOf } from '../blobs/s3-options.js'
import { type MongoConnection, openMongoConnection } from '../mongo-connection.js'
import { openMongoPositions } from '../positions/mongo-position-store.js'
import type { PositionStore } from '../positions/position-store.js'
import { openMongoQuarantine } from '../quarantine/mongo-quarantine-store.js'
import type { QuarantineStore } from '../quarantine/quarantine-store.js'
import { CALL_LIMITS } from '../sql/mysql-limits.js'
import { openMysqlDataSource } from '../sql/open-mysql-data-source.js'
import { StoreOpenError } from '../store-open-error.js'
import { CopySide } from './copy-side.js'

/** Nobody waits for an answer; a large table takes its time to be counted. */
const PATIENCE_MS = 600_000
const PATIENT_LIMITS = { ...CALL_LIMITS, callMs: PATIENCE_MS, statementMs: PATIENCE_MS }

/** The stores on the servers that the configuration names. */
export class ServerSide extends CopySide {
  /** @param directory DATA_DIR, where an adapter keeps copies of what it has on its server */
  constructor(
    private readonly config: AppConfig,
    private readonly directory: string,
  ) {
    super()
  }

  protected override openSql(): Promise<DataSource> {
    const { SQL_URL, SQL_TLS, SQL_TLS_CA, SQL_POOL_SIZE } = this.config
    const options = { url: named(SQL_URL, 'SQL_URL'), tls: SQL_TLS, caFile: SQL_TLS_CA, poolSize: SQL_POOL_SIZE }
    return openMysqlDataSource(options, PATIENT_LIMITS)
  }

  protected override async openPositions(): Promise<PositionStore> {
    return orClosed(await this.connect(), openMongoPositions)
  }

  protected override async openQuarantine(): Promise<QuarantineStore> {
    return orClosed(await this.connect(), openMongoQuarantine)
  }

  protected override openBlobs(): Promise<BlobStore> {
    const { directory } = this
    return openS3Blobs({ ...named(s3OptionsOf(this.config), 'S3_BUCKET'), directory })
  }

  /** One for each of the two stores, which closes with it. */
  private connect(): Promise<MongoConnection> {
    return openMongoConnection({ url: named(this.config.MONGO_URL, 'MONGO_URL') })
  }
}

async function orClosed<Store>(
  connection: MongoConnection,
  open: (connection: MongoConnection) => Promise<Store>,
): Promise<Store> {
  try {
    return await open(connection)
  } catch (error) {
    await connection.close()
    throw error
  }
}

/** @throws StoreOpenError nothing names the server */
function named<T>(value: T | undefined, variable: string): T {
  if (value === undefined) throw new StoreOpenError('a store on a server', `${variable} is not set`)
  return value
}
