import { Global, Module } from '@nestjs/common'
import { Metrics } from '../metrics/metrics.js'
import { BlobStore } from './blobs/blob-store.js'
import { openDirectoryBlobs } from './blobs/directory-blob-store.js'
import { DiskGuard } from './disk-guard.js'
import { OpenStores } from './open-stores.js'
import { PositionStore } from './positions/position-store.js'
import { openSqlitePositions } from './positions/sqlite-position-store.js'
import { QuarantineStore } from './quarantine/quarantine-store.js'
import { openSqliteQuarantine } from './quarantine/sqlite-quarantine-store.js'
import { AlarmRecords } from './sql/alarm-records.js'
import { AuditRecords } from './sql/audit-records.js'
import { CommandRecords } from './sql/command-records.js'
import { DeviceRecords } from './sql/device-records.js'
import { ErasureRecords } from './sql/erasure-records.js'
import { IdempotencyRecords } from './sql/idempotency-records.js'
import { openSqliteRecords, type SqlRecords } from './sql/open-sqlite-records.js'
import { SqlStore } from './sql/sql-store.js'
import { UploadRecords } from './sql/upload-records.js'
import { UserRecords } from './sql/user-records.js'
import { VideoRecords } from './sql/video-records.js'

const SQL_RECORDS = Symbol('SqlRecords')

/**
 * The one table where adapters are picked from the configuration. All are embedded now; a server's URL, once there are adapters
 * for servers, picks another factory here and nowhere else.
 */
@Global()
@Module({
  providers: [
    OpenStores,
    {
      provide: SQL_RECORDS,
      inject: [OpenStores],
      useFactory: (stores: OpenStores) => stores.open(openSqliteRecords, ({ store }) => store),
    },
    {
      provide: PositionStore,
      inject: [OpenStores],
      useFactory: (stores: OpenStores) => stores.open(openSqlitePositions, (store) => store),
    },
    {
      provide: QuarantineStore,
      inject: [OpenStores],
      useFactory: (stores: OpenStores) => stores.open(openSqliteQuarantine, (store) => store),
    },
    {
      provide: BlobStore,
      inject: [OpenStores, DiskGuard, Metrics],
      useFactory: (stores: OpenStores, disk: DiskGuard, metrics: Metrics) => {
        const assertWritable = () => disk.assertWritable()
        return stores.open(
          ({ directory }) => openDirectoryBlobs({ directory, assertWritable, metrics }),
          (store) => store,
        )
      },
    },
    { provide: SqlStore, inject: [SQL_RECORDS], useFactory: ({ store }: SqlRecords) => store },
    { provide: DeviceRecords, inject: [SQL_RECORDS], useFactory: ({ devices }: SqlRecords) => devices },
    { provide: UserRecords, inject: [SQL_RECORDS], useFactory: ({ users }: SqlRecords) => users },
    { provide: AuditRecords, inject: [SQL_RECORDS], useFactory: ({ audit }: SqlRecords) => audit },
    { provide: IdempotencyRecords, inject: [SQL_RECORDS], useFactory: ({ idempotency }: SqlRecords) => idempotency },
    { provide: AlarmRecords, inject: [SQL_RECORDS], useFactory: ({ alarms }: SqlRecords) => alarms },
    { provide: VideoRecords, inject: [SQL_RECORDS], useFactory: ({ videos }: SqlRecords) => videos },
    { provide: UploadRecords, inject: [SQL_RECORDS], useFactory: ({ uploads }: SqlRecords) => uploads },
    { provide: ErasureRecords, inject: [SQL_RECORDS], useFactory: ({ erasures }: SqlRecords) => erasures },
    { provide: CommandRecords, inject: [SQL_RECORDS], useFactory: ({ commands }: SqlRecords) => commands },
  ],
  exports: [
    SqlStore,
    DeviceRecords,
    UserRecords,
    AuditRecords,
    IdempotencyRecords,
    AlarmRecords,
    VideoRecords,
    UploadRecords,
    CommandRecords,
    ErasureRecords,
    PositionStore,
    QuarantineStore,
    BlobStore,
  ],
})
export class StorageModule {}
