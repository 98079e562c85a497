import path from 'node:path'
import type { DataSource, EntityManager } from 'typeorm'
import { backupSqliteFile } from '../sqlite-backup.js'
import type { IdempotencyRecords } from './idempotency-records.js'
import type { JoinedRecords, SqlStore } from './sql-store.js'
import { openSqliteDataSource } from './sqlite-data-source.js'
import { TypeormAlarmRecords } from './typeorm-alarm-records.js'
import { TypeormAuditRecords } from './typeorm-audit-records.js'
import { TypeormCommandRecords } from './typeorm-command-records.js'
import { TypeormDeviceRecords } from './typeorm-device-records.js'
import { TypeormErasureRecords } from './typeorm-erasure-records.js'
import { TypeormIdempotencyRecords } from './typeorm-idempotency-records.js'
import { TypeormSqlStore } from './typeorm-sql-store.js'
import { TypeormUploadRecords } from './typeorm-upload-records.js'
import { TypeormUserRecords } from './typeorm-user-records.js'
import { TypeormVideoRecords } from './typeorm-video-records.js'
import type { UploadRecords } from './upload-records.js'

/** Name of the relational database's file in the data directory. */
export const SQL_FILE = 'milepost.sqlite'

/** Everything that the relational database keeps; closed through its store. */
export interface SqlRecords extends JoinedRecords {
  readonly store: SqlStore
  readonly idempotency: IdempotencyRecords
  readonly uploads: UploadRecords
}

/**
 * Opens the embedded relational database, made if absent, and brings its schema up to date. A command on the machine may open
 * it too while the server runs.
 * @param directory an existing one
 * @throws StoreOpenError
 */
export async function openSqliteRecords({ directory }: { readonly directory: string }): Promise<SqlRecords> {
  const file = path.join(directory, SQL_FILE)
  const dataSource = await openSqliteDataSource({ file })
  const records = recordsOf(dataSource)
  return {
    ...records,
    store: new TypeormSqlStore(dataSource, joinedIn(records), (copy) => backupSqliteFile(file, copy)),
    idempotency: new TypeormIdempotencyRecords(dataSource),
    uploads: new TypeormUploadRecords(dataSource),
  }
}

function recordsOf(dataSource: DataSource) {
  return {
    devices: new TypeormDeviceRecords(dataSource),
    users: new TypeormUserRecords(dataSource),
    audit: new TypeormAuditRecords(dataSource),
    alarms: new TypeormAlarmRecords(dataSource),
    videos: new TypeormVideoRecords(dataSource),
    erasures: new TypeormErasureRecords(dataSource),
    commands: new TypeormCommandRecords(dataSource),
  }
}

const joinedIn =
  (records: ReturnType<typeof recordsOf>) =>
  (transaction: EntityManager): JoinedRecords => ({
    alarms: records.alarms.within(transaction),
    audit: records.audit.within(transaction),
    commands: records.commands.within(transaction),
    devices: records.devices.within(transaction),
    erasures: records.erasures.within(transaction),
    users: records.users.within(transaction),
    videos: records.videos.within(transaction),
  })
