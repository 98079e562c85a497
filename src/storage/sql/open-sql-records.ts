import path from 'node:path'
import type { AppConfig } from '../../config/app-config.js'
import { nodeIdOf } from '../node-id.js'
import type { MysqlOptions } from './mysql-data-source.js'
import { MysqlSchema } from './mysql-schema.js'
import { openMysqlRecords } from './open-mysql-records.js'
import { openSqliteRecords, SQL_FILE } from './open-sqlite-records.js'
import type { SqlRecords } from './records-of.js'
import type { SqlSchema } from './sql-schema.js'
import { SqliteSchema } from './sqlite-schema.js'

/**
 * Opens the relational database that the configuration names: on a server, or embedded in the directory.
 * @throws StoreOpenError
 */
export function openSqlRecords(config: AppConfig, directory: string): Promise<SqlRecords> {
  const mysql = mysqlOptionsOf(config)
  return mysql ? openMysqlRecords(mysql, nodeIdOf(directory)) : openSqliteRecords({ directory })
}

/**
 * Its schema, as it is.
 * @throws StoreOpenError
 */
export function openSqlSchema(config: AppConfig, directory: string): Promise<SqlSchema> {
  const mysql = mysqlOptionsOf(config)
  return mysql ? MysqlSchema.open(mysql) : SqliteSchema.open(path.join(directory, SQL_FILE))
}

function mysqlOptionsOf({ SQL_URL, SQL_TLS, SQL_TLS_CA, SQL_POOL_SIZE }: AppConfig): MysqlOptions | undefined {
  if (SQL_URL === undefined) return undefined
  return { url: SQL_URL, tls: SQL_TLS, caFile: SQL_TLS_CA, poolSize: SQL_POOL_SIZE }
}
