import { Global, Module } from '@nestjs/common'
import { AppConfig } from '../config/app-config.js'
import { Metrics } from '../metrics/metrics.js'
import { BlobStore } from './blobs/blob-store.js'
import { openDirectoryBlobs } from './blobs/directory-blob-store.js'
import { s3OptionsOf } from './blobs/s3-options.js'
import { DiskGuard } from './disk-guard.js'
import { RawFrameStore } from './frames/raw-frame-store.js'
import { openSqliteRawFrames } from './frames/sqlite-raw-frame-store.js'
import type { MongoConnection } from './mongo-connection.js'
import { OpenStores } from './open-stores.js'
import { PositionStore } from './positions/position-store.js'
import { openSqlitePositions } from './positions/sqlite-position-store.js'
import { QuarantineStore } from './quarantine/quarantine-store.js'
import { openSqliteQuarantine } from './quarantine/sqlite-quarantine-store.js'
import { SpoolStore } from './spool/spool-store.js'
import { openSqliteSpool } from './spool/sqlite-spool-store.js'
import { AlarmRecords } from './sql/alarm-records.js'
import { AuditRecords } from './sql/audit-records.js'
import { CommandRecords } from './sql/command-records.js'
import { DeviceRecords } from './sql/device-records.js'
import { DirectUploadRecords } from './sql/direct-upload-records.js'
import { ErasureRecords } from './sql/erasure-records.js'
import { IdempotencyRecords } from './sql/idempotency-records.js'
import { openSqlRecords } from './sql/open-sql-records.js'
import type { SqlRecords } from './sql/records-of.js'
import { SqlStore } from './sql/sql-store.js'
import { UploadRecords } from './sql/upload-records.js'
import { UserRecords } from './sql/user-records.js'
import { VideoRecords } from './sql/video-records.js'

const SQL_RECORDS = Symbol('SqlRecords')
/** The one connection of all stores in MongoDB; undefined while they are embedded. */
const MONGO = Symbol('MongoConnection')

/**
 * The one table where adapters are picked from the configuration: each store is embedded unless its server's URL, or its bucket, is set.
 * No other code asks which one runs. What speaks to a server is loaded where that server is used, since its driver is a good part of
 * the time that a start takes.
 */
@Global()
@Module({
  providers: [
    OpenStores,
    {
      provide: SQL_RECORDS,
      inject: [OpenStores, AppConfig],
      useFactory: (stores: OpenStores, config: AppConfig) =>
        stores.open(
          ({ directory }) => openSqlRecords(config, directory),
          ({ store }) => store,
        ),
    },
    {
      provide: MONGO,
      inject: [OpenStores, AppConfig],
      useFactory: async (stores: OpenStores, { MONGO_URL: url }: AppConfig) =>
        url === undefined
          ? undefined
          : stores.open(
              async () => (await import('./mongo-connection.js')).openMongoConnection({ url }),
              (mongo) => ({ close: () => mongo.closeUnused() }),
            ),
    },
    {
      provide: PositionStore,
      inject: [OpenStores, { token: MONGO, optional: true }],
      useFactory: (stores: OpenStores, mongo: MongoConnection | undefined) =>
        stores.open(
          async (embedded): Promise<PositionStore> =>
            mongo
              ? (await import('./positions/mongo-position-store.js')).openMongoPositions(mongo)
              : openSqlitePositions(embedded),
          (store) => store,
        ),
    },
    {
      provide: QuarantineStore,
      inject: [OpenStores, { token: MONGO, optional: true }],
      useFactory: (stores: OpenStores, mongo: MongoConnection | undefined) =>
        stores.open(
          async (embedded): Promise<QuarantineStore> =>
            mongo
              ? (await import('./quarantine/mongo-quarantine-store.js')).openMongoQuarantine(mongo)
              : openSqliteQuarantine(embedded),
          (store) => store,
        ),
    },
    {
      provide: RawFrameStore,
      inject: [OpenStores, AppConfig, Metrics, { token: MONGO, optional: true }],
      useFactory: (stores: OpenStores, config: AppConfig, metrics: Metrics, mongo: MongoConnection | undefined) => {
        const bound = {
          mostBytes: config.RAW_ARCHIVE_MAX_BYTES,
          onGivenWay: (frames: number) => metrics.framesGivenWay.inc(frames),
        }
        return stores.open(
          async (embedded): Promise<RawFrameStore> =>
            mongo
              ? (await import('./frames/mongo-raw-frame-store.js')).openMongoRawFrames(mongo, bound)
              : openSqliteRawFrames({ ...embedded, ...bound }),
          (store) => store,
        )
      },
    },
    {
      // Of this node alone, whatever the other stores are: it is there when they are not.
      provide: SpoolStore,
      inject: [OpenStores, AppConfig],
      useFactory: (stores: OpenStores, { SPOOL_MAX_BYTES: maxBytes }: AppConfig) =>
        stores.open(
          ({ directory }): Promise<SpoolStore> => openSqliteSpool({ directory, maxBytes }),
          (store) => store,
        ),
    },
    {
      provide: BlobStore,
      inject: [OpenStores, AppConfig, DiskGuard, Metrics],
      useFactory: (stores: OpenStores, config: AppConfig, disk: DiskGuard, metrics: Metrics) => {
        const assertWritable = () => disk.assertWritable()
        return stores.open(
          async ({ directory }): Promise<BlobStore> => {
            const options = { directory, assertWritable, metrics }
            const s3 = s3OptionsOf(config)
            return s3
              ? (await import('./blobs/s3-blob-store.js')).openS3Blobs({ ...s3, ...options })
              : openDirectoryBlobs(options)
          },
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
    {
      provide: DirectUploadRecords,
      inject: [SQL_RECORDS],
      useFactory: ({ directUploads }: SqlRecords) => directUploads,
    },
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
    DirectUploadRecords,
    CommandRecords,
    ErasureRecords,
    PositionStore,
    QuarantineStore,
    RawFrameStore,
    BlobStore,
    SpoolStore,
  ],
})
export class StorageModule {}
