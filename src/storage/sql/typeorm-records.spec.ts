import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { openSqliteDataSource } from './sqlite-data-source.js'
import { typeormAlarmsContract, typeormRecordsContract } from './typeorm-records.contract.js'

async function openSqlite() {
  const directory = mkdtempSync(path.join(tmpdir(), 'milepost-records-'))
  const dataSource = await openSqliteDataSource({ file: path.join(directory, 'milepost.sqlite') })
  return {
    dataSource,
    close: async () => {
      await dataSource.destroy()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

typeormRecordsContract('SQLite', openSqlite)
typeormAlarmsContract('SQLite', openSqlite)
