import path from 'node:path'
import { backupSqliteFile } from '../sqlite-backup.js'
import { recordsOf, type SqlRecords } from './records-of.js'
import { openSqliteDataSource } from './sqlite-data-source.js'

/** Name of the relational database's file in the data directory. */
export const SQL_FILE = 'milepost.sqlite'

/**
 * Opens the embedded relational database, made if absent, and brings its schema up to date. A command on the machine may open
 * it too while the server runs.
 * @param directory an existing one
 * @throws StoreOpenError
 */
export async function openSqliteRecords({ directory }: { readonly directory: string }): Promise<SqlRecords> {
  const file = path.join(directory, SQL_FILE)
  const dataSource = await openSqliteDataSource({ file })
  return recordsOf(dataSource, {
    copyTo: (copy) => backupSqliteFile(file, copy),
    beginWrite: async (transaction) => {
      // The transaction itself has the write lock.
      await transaction.query('SELECT 1')
    },
  })
}
