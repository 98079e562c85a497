import { Global, Module } from '@nestjs/common'
import { CommandsModule } from '../commands/commands.module.js'
import { AppConfig } from '../config/app-config.js'
import { LiveFeed } from '../live/live-feed.js'
import { Metrics } from '../metrics/metrics.js'
import { DiskGuard } from '../storage/disk-guard.js'
import { PositionStore } from '../storage/positions/position-store.js'
import { QuarantineStore } from '../storage/quarantine/quarantine-store.js'
import { CommandResults } from './command-results.js'
import { GroupCommit } from './group-commit.js'
import { Ingest } from './ingest.js'
import { Quarantine } from './quarantine.js'

const DAY_MS = 86_400_000

/** What happens to a report. */
@Global()
@Module({
  imports: [CommandsModule],
  providers: [
    CommandResults,
    {
      provide: GroupCommit,
      useFactory: (store: PositionStore, metrics: Metrics, config: AppConfig) =>
        new GroupCommit(store, metrics, config.INGEST_MAX_WAITING),
      inject: [PositionStore, Metrics, AppConfig],
    },
    {
      provide: Quarantine,
      useFactory: (store: QuarantineStore, metrics: Metrics) => new Quarantine(store, metrics),
      inject: [QuarantineStore, Metrics],
    },
    {
      provide: Ingest,
      useFactory: (
        commit: GroupCommit,
        quarantine: Quarantine,
        live: LiveFeed,
        disk: DiskGuard,
        metrics: Metrics,
        config: AppConfig,
      ) =>
        new Ingest(commit, quarantine, live, disk, {
          limits: { retentionMs: config.RETENTION_DAYS * DAY_MS },
          metrics,
        }),
      inject: [GroupCommit, Quarantine, LiveFeed, DiskGuard, Metrics, AppConfig],
    },
  ],
  exports: [CommandResults, Ingest, GroupCommit, Quarantine],
})
export class PipelineModule {}
