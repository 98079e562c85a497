import path from 'node:path'
import type { DataSource } from 'typeorm'
import { describeOn } from '../../../test/stores/describe-on.js'
import { openFreshMysql } from '../../../test/stores/open-mysql-data-source.js'
import { removeTemporaryDirectories, temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { openSqliteDataSource } from './sqlite-data-source.js'
import { nowMsOf } from './store-clock.js'

afterAll(removeTemporaryDirectories)

async function readsNow(dataSource: DataSource): Promise<void> {
  const before = Date.now()
  const [row] = await dataSource.query<{ now: string | number }[]>(`SELECT ${nowMsOf(dataSource)} AS now`)
  const now = Number(row?.now)

  expect(Number.isInteger(now)).toBe(true)
  // The database rounds.
  expect(now).toBeGreaterThanOrEqual(before - 1)
  expect(now).toBeLessThanOrEqual(Date.now() + 1)
}

it('the clock of SQLite tells epoch milliseconds', async () => {
  const dataSource = await openSqliteDataSource({ file: path.join(temporaryDirectory(), 'clock.sqlite') })
  await readsNow(dataSource).finally(() => dataSource.destroy())
})

describeOn('SQL_URL', 'on MySQL or MariaDB', () => {
  it('the clock of the server tells epoch milliseconds', async () => {
    const { dataSource, close } = await openFreshMysql()
    await readsNow(dataSource).finally(close)
  })
})
