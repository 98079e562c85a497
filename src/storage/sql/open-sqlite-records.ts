import path from 'node:path'
import { backupSqliteFile } from '../sqlite-backup.js'
import type { AlarmRecords } from './alarm-records.js'
import type { AuditRecords } from './audit-records.js'
import type { CommandRecords } from './command-records.js'
import type { DeviceRecords } from './device-records.js'
import type { IdempotencyRecords } from './idempotency-records.js'
import type { SqlStore } from './sql-store.js'
import { openSqliteDataSource } from './sqlite-data-source.js'
import { TypeormAlarmRecords } from './typeorm-alarm-records.js'
import { TypeormAuditRecords } from './typeorm-audit-records.js'
import { TypeormCommandRecords } from './typeorm-command-records.js'
import { TypeormDeviceRecords } from './typeorm-device-records.js'
import { TypeormIdempotencyRecords } from './typeorm-idempotency-records.js'
import { TypeormSqlStore } from './typeorm-sql-store.js'
import { TypeormUploadRecords } from './typeorm-upload-records.js'
import { TypeormUserRecords } from './typeorm-user-records.js'
import { TypeormVideoRecords } from './typeorm-video-records.js'
import type { UploadRecords } from './upload-records.js'
import type { UserRecords } from './user-records.js'
import type { VideoRecords } from './video-records.js'

/** Name of the relational database's file in the data directory. */
export const SQL_FILE = 'milepost.sqlite'

/** Everything that the relational database keeps; closed through its store. */
export interface SqlRecords {
  readonly store: SqlStore
  readonly devices: DeviceRecords
  readonly users: UserRecords
  readonly audit: AuditRecords
  readonly idempotency: IdempotencyRecords
  readonly alarms: AlarmRecords
  readonly videos: VideoRecords
  readonly uploads: UploadRecords
  readonly commands: CommandRecords
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
  return {
    store: new TypeormSqlStore(dataSource, (copy) => backupSqliteFile(file, copy)),
    devices: new TypeormDeviceRecords(dataSource),
    users: new TypeormUserRecords(dataSource),
    audit: new TypeormAuditRecords(dataSource),
    idempotency: new TypeormIdempotencyRecords(dataSource),
    alarms: new TypeormAlarmRecords(dataSource),
    videos: new TypeormVideoRecords(dataSource),
    uploads: new TypeormUploadRecords(dataSource),
    commands: new TypeormCommandRecords(dataSource),
  }
}
