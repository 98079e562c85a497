import { randomUUID } from 'node:crypto'
import { Logger } from '@nestjs/common'
import { AppError } from '../../model/app-error.js'
import type { MysqlOptions } from './mysql-data-source.js'
import { findUnsafeSettings } from './mysql-settings.js'
import { openMysqlDataSource } from './open-mysql-data-source.js'
import { recordsOf, type SqlRecords } from './records-of.js'
import type { SqlStoreMeans } from './typeorm-sql-store.js'

/**
 * Opens the relational database on a MySQL or MariaDB server and brings its schema up to date; settings of the server that the promises
 * are not kept with are told in the log.
 * @param node what tells this server from others on the same database; the same after a restart, where that is possible
 * @throws StoreOpenError
 */
export async function openMysqlRecords(options: MysqlOptions, node: string = randomUUID()): Promise<SqlRecords> {
  const dataSource = await openMysqlDataSource(options)
  const logger = new Logger('sql')
  try {
    for (const unsafe of await findUnsafeSettings(dataSource)) logger.warn({ event: 'sql_setting_unsafe', ...unsafe })
  } catch (error) {
    await dataSource.destroy()
    throw error
  }
  const means: SqlStoreMeans = {
    copyTo: () => Promise.reject(new AppError('internal', NO_COPY)),
    beginWrite: async (transaction) => {
      // Touches nothing, and is refused where nothing can be written.
      await transaction.query("UPDATE erasures SET asked_by = asked_by WHERE device_id = ''")
    },
  }
  return recordsOf(dataSource, means, node)
}

const NO_COPY = "The database is on a server: back it up by the server's own tools, as docs/operations.md says"
