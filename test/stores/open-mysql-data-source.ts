import type { DataSource } from 'typeorm'
import { openMysqlDataSource } from '../../src/storage/sql/open-mysql-data-source.js'
import { makeSqlDatabase } from './test-servers.js'

/** A data source on a fresh database of the server of SQL_URL, with the schema of today; the server's version is printed. */
export async function openFreshMysql(
  poolSize = 10,
): Promise<{ readonly dataSource: DataSource; readonly url: string; close(): Promise<void> }> {
  const { variables, remove } = await makeSqlDatabase()
  const url = variables.SQL_URL ?? ''
  const dataSource = await openMysqlDataSource({ url, tls: 'off', poolSize }).catch(async (error: unknown) => {
    await remove()
    throw error
  })
  const [server] = await dataSource.query<{ version: string }[]>('SELECT VERSION() AS version')
  process.stdout.write(`SQL server of these tests: ${server?.version}\n`)
  return {
    dataSource,
    url,
    close: async () => {
      await dataSource.destroy()
      await remove()
    },
  }
}
