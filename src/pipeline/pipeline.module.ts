import { Global, Module, type OnApplicationBootstrap, type OnModuleInit } from '@nestjs/common'
import { AlarmLinks } from '../alarms/alarm-links.js'
import { AlarmNews } from '../alarms/alarm-news.js'
import { AlarmsModule } from '../alarms/alarms.module.js'
import { CommandsModule } from '../commands/commands.module.js'
import { AppConfig } from '../config/app-config.js'
import { LiveFeed } from '../live/live-feed.js'
import { Metrics } from '../metrics/metrics.js'
import { DiskGuard } from '../storage/disk-guard.js'
import { PositionStore } from '../storage/positions/position-store.js'
import { QuarantineStore } from '../storage/quarantine/quarantine-store.js'
import { SpoolStore } from '../storage/spool/spool-store.js'
import { AlarmRecords } from '../storage/sql/alarm-records.js'
import { AlarmCommit } from './alarm-commit.js'
import { AlarmIngest } from './alarm-ingest.js'
import { CommandResults } from './command-results.js'
import { ConditionEdges } from './condition-edges.js'
import { DeliveryIngest } from './delivery-ingest.js'
import { GroupCommit } from './group-commit.js'
import { Ingest } from './ingest.js'
import { Quarantine } from './quarantine.js'
import { Spool } from './spool.js'

const DAY_MS = 86_400_000

const limitsOf = ({ RETENTION_DAYS }: AppConfig) => ({ retentionMs: RETENTION_DAYS * DAY_MS })

/** What happens to a report. */
@Global()
@Module({
  imports: [AlarmsModule, CommandsModule],
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
          limits: limitsOf(config),
          metrics,
        }),
      inject: [GroupCommit, Quarantine, LiveFeed, DiskGuard, Metrics, AppConfig],
    },
    {
      provide: AlarmCommit,
      useFactory: (records: AlarmRecords, news: AlarmNews, links: AlarmLinks, metrics: Metrics, config: AppConfig) =>
        new AlarmCommit(records, metrics, {
          maxFiles: config.ALARM_MAX_FILES,
          onStored: (alarm) => {
            news.publish(alarm)
            links.alarmStored(alarm)
          },
        }),
      inject: [AlarmRecords, AlarmNews, AlarmLinks, Metrics, AppConfig],
    },
    {
      provide: AlarmIngest,
      useFactory: (commit: AlarmCommit, quarantine: Quarantine, disk: DiskGuard, metrics: Metrics, config: AppConfig) =>
        new AlarmIngest(commit, quarantine, disk, { limits: limitsOf(config), metrics }),
      inject: [AlarmCommit, Quarantine, DiskGuard, Metrics, AppConfig],
    },
    {
      provide: DeliveryIngest,
      useFactory: (ingest: Ingest, alarms: AlarmIngest, store: PositionStore) =>
        new DeliveryIngest(ingest, alarms, new ConditionEdges(store)),
      inject: [Ingest, AlarmIngest, PositionStore],
    },
    {
      provide: Spool,
      useFactory: (
        store: SpoolStore,
        ingest: DeliveryIngest,
        quarantine: QuarantineStore,
        disk: DiskGuard,
        metrics: Metrics,
        config: AppConfig,
      ) => new Spool(store, ingest, quarantine, disk, { limits: limitsOf(config), metrics }),
      inject: [SpoolStore, DeliveryIngest, QuarantineStore, DiskGuard, Metrics, AppConfig],
    },
  ],
  exports: [AlarmIngest, AlarmCommit, CommandResults, DeliveryIngest, Ingest, GroupCommit, Quarantine, Spool],
})
export class PipelineModule implements OnModuleInit, OnApplicationBootstrap {
  constructor(private readonly spool: Spool) {}

  /** Before anything is listened for: what comes in goes behind what an earlier process left. */
  async onModuleInit(): Promise<void> {
    await this.spool.load()
  }

  onApplicationBootstrap(): void {
    this.spool.start()
  }
}
