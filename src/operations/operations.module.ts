import { Module } from '@nestjs/common'
import { APP_INTERCEPTOR } from '@nestjs/core'
import { AppConfig } from '../config/app-config.js'
import { Metrics } from '../metrics/metrics.js'
import { Spool } from '../pipeline/spool.js'
import { BlobStore } from '../storage/blobs/blob-store.js'
import { DiskGuard } from '../storage/disk-guard.js'
import { RawFrameStore } from '../storage/frames/raw-frame-store.js'
import { PositionStore } from '../storage/positions/position-store.js'
import { QuarantineStore } from '../storage/quarantine/quarantine-store.js'
import { AuditRecords } from '../storage/sql/audit-records.js'
import { DeviceRecords } from '../storage/sql/device-records.js'
import { IdempotencyRecords } from '../storage/sql/idempotency-records.js'
import { SqlStore } from '../storage/sql/sql-store.js'
import { UserRecords } from '../storage/sql/user-records.js'
import { MediaTool } from '../videos/media/media-tool.js'
import { VideoRetention } from '../videos/video-retention.js'
import { VideosModule } from '../videos/videos.module.js'
import { DiskFullInterceptor } from './disk-full.interceptor.js'
import { FramesController } from './frames.controller.js'
import { FramesService } from './frames.service.js'
import { HealthController } from './health.controller.js'
import { MetricsController } from './metrics.controller.js'
import { QuarantineController } from './quarantine.controller.js'
import { QuarantineService } from './quarantine.service.js'
import { Readiness } from './readiness.js'
import { Retention } from './retention.js'
import { retentionRules } from './retention-rules.js'

/** What operators need: health, metrics, quarantine, and that old things go. */
@Module({
  imports: [VideosModule],
  controllers: [HealthController, MetricsController, QuarantineController, FramesController],
  providers: [
    QuarantineService,
    FramesService,
    {
      provide: Readiness,
      useFactory: (
        sql: SqlStore,
        positions: PositionStore,
        quarantine: QuarantineStore,
        blobs: BlobStore,
        disk: DiskGuard,
        metrics: Metrics,
        media: MediaTool,
        frames: RawFrameStore,
        spool: Spool,
        { MEDIA_WORKERS }: AppConfig,
      ) =>
        new Readiness(
          {
            sql: () => sql.checkHealth(),
            positions: () => positions.checkHealth(),
            quarantine: () => quarantine.checkHealth(),
            blobs: () => blobs.probe(),
            spool: () => spool.checkHealth(),
            disk: async () => disk.assertWritable(),
          },
          metrics,
          {
            frames: () => frames.checkHealth(),
            ...(MEDIA_WORKERS === 0 ? {} : { media: () => media.checkHealth() }),
          },
        ),
      inject: [
        SqlStore,
        PositionStore,
        QuarantineStore,
        BlobStore,
        DiskGuard,
        Metrics,
        MediaTool,
        RawFrameStore,
        Spool,
        AppConfig,
      ],
    },
    {
      provide: Retention,
      useFactory: (
        config: AppConfig,
        metrics: Metrics,
        positions: PositionStore,
        quarantine: QuarantineStore,
        audit: AuditRecords,
        users: UserRecords,
        devices: DeviceRecords,
        idempotency: IdempotencyRecords,
        videos: VideoRetention,
        frames: RawFrameStore,
      ) =>
        new Retention(
          retentionRules(config, { positions, quarantine, frames, audit, users, devices, idempotency, videos }),
          metrics,
        ),
      inject: [
        AppConfig,
        Metrics,
        PositionStore,
        QuarantineStore,
        AuditRecords,
        UserRecords,
        DeviceRecords,
        IdempotencyRecords,
        VideoRetention,
        RawFrameStore,
      ],
    },
    { provide: APP_INTERCEPTOR, useClass: DiskFullInterceptor },
  ],
})
export class OperationsModule {}
