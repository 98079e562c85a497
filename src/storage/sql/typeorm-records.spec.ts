import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { DataSource } from 'typeorm'
import { auditRecordsContract } from './audit-records.contract.js'
import { commandRecordsContract } from './command-records.contract.js'
import { deviceRecordsContract } from './device-records.contract.js'
import { ENTITIES } from './entities/entities.js'
import { idempotencyRecordsContract } from './idempotency-records.contract.js'
import { openSqliteDataSource } from './sqlite-data-source.js'
import { TypeormAuditRecords } from './typeorm-audit-records.js'
import { TypeormCommandRecords } from './typeorm-command-records.js'
import { TypeormDeviceRecords } from './typeorm-device-records.js'
import { TypeormIdempotencyRecords } from './typeorm-idempotency-records.js'
import { TypeormUserRecords } from './typeorm-user-records.js'
import { userRecordsContract } from './user-records.contract.js'

let directory: string
let dataSource: DataSource

beforeAll(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'milepost-records-'))
  dataSource = await openSqliteDataSource({ file: path.join(directory, 'milepost.sqlite') })
})
afterAll(async () => {
  await dataSource.destroy()
  rmSync(directory, { recursive: true, force: true })
})

/** Records on the one database of this file, emptied. */
const onSqlite =
  <Records>(Records: new (dataSource: DataSource) => Records) =>
  async () => {
    for (const { options } of ENTITIES) await dataSource.query(`DELETE FROM ${options.tableName}`)
    return { records: new Records(dataSource), close: async () => {} }
  }

deviceRecordsContract('SQLite', onSqlite(TypeormDeviceRecords))
userRecordsContract('SQLite', onSqlite(TypeormUserRecords))
auditRecordsContract('SQLite', onSqlite(TypeormAuditRecords))
idempotencyRecordsContract('SQLite', onSqlite(TypeormIdempotencyRecords))
commandRecordsContract('SQLite', onSqlite(TypeormCommandRecords))
