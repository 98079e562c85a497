import type { DataSource, EntityManager } from 'typeorm'
import type { DirectUploadRecords } from './direct-upload-records.js'
import type { IdempotencyRecords } from './idempotency-records.js'
import type { JoinedRecords, SqlStore } from './sql-store.js'
import { TypeormAlarmRecords } from './typeorm-alarm-records.js'
import { TypeormAuditRecords } from './typeorm-audit-records.js'
import { TypeormCommandRecords } from './typeorm-command-records.js'
import { TypeormDeviceRecords } from './typeorm-device-records.js'
import { TypeormDirectUploadRecords } from './typeorm-direct-upload-records.js'
import { TypeormErasureRecords } from './typeorm-erasure-records.js'
import { TypeormIdempotencyRecords } from './typeorm-idempotency-records.js'
import { type SqlStoreMeans, TypeormSqlStore } from './typeorm-sql-store.js'
import { TypeormUploadRecords } from './typeorm-upload-records.js'
import { TypeormUserRecords } from './typeorm-user-records.js'
import { TypeormVideoRecords } from './typeorm-video-records.js'
import type { UploadRecords } from './upload-records.js'

/** Everything that the relational database keeps; closed through its store. */
export interface SqlRecords extends JoinedRecords {
  readonly store: SqlStore
  readonly idempotency: IdempotencyRecords
  readonly uploads: UploadRecords
  readonly directUploads: DirectUploadRecords
}

/**
 * All records of an open database, of whatever kind it is.
 * @param node what tells this server from others on the same database; none: it is alone
 */
export function recordsOf(dataSource: DataSource, means: SqlStoreMeans, node?: string): SqlRecords {
  const joined = {
    devices: new TypeormDeviceRecords(dataSource),
    users: new TypeormUserRecords(dataSource),
    audit: new TypeormAuditRecords(dataSource),
    alarms: new TypeormAlarmRecords(dataSource),
    videos: new TypeormVideoRecords(dataSource, node),
    erasures: new TypeormErasureRecords(dataSource),
    commands: new TypeormCommandRecords(dataSource),
  }
  const within = (transaction: EntityManager): JoinedRecords => ({
    alarms: joined.alarms.within(transaction),
    audit: joined.audit.within(transaction),
    commands: joined.commands.within(transaction),
    devices: joined.devices.within(transaction),
    erasures: joined.erasures.within(transaction),
    users: joined.users.within(transaction),
    videos: joined.videos.within(transaction),
  })
  return {
    ...joined,
    store: new TypeormSqlStore(dataSource, within, means),
    idempotency: new TypeormIdempotencyRecords(dataSource),
    uploads: new TypeormUploadRecords(dataSource),
    directUploads: new TypeormDirectUploadRecords(dataSource),
  }
}
