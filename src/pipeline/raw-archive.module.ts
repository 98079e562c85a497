import { Global, Module } from '@nestjs/common'
import { AppConfig } from '../config/app-config.js'
import { Metrics } from '../metrics/metrics.js'
import { DiskGuard } from '../storage/disk-guard.js'
import { RawFrameStore } from '../storage/frames/raw-frame-store.js'
import { RawArchive } from './raw-archive.js'

/** The way of frames into their archive. */
@Global()
@Module({
  providers: [
    {
      provide: RawArchive,
      useFactory: (store: RawFrameStore, disk: DiskGuard, metrics: Metrics, { RAW_ARCHIVE: takes }: AppConfig) =>
        new RawArchive({ store, disk, metrics, takes }),
      inject: [RawFrameStore, DiskGuard, Metrics, AppConfig],
    },
  ],
  exports: [RawArchive],
})
export class RawArchiveModule {}
