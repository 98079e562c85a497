import { Module } from '@nestjs/common'
import { AppConfig } from '../config/app-config.js'
import { LiveFeed } from '../live/live-feed.js'
import { Metrics } from '../metrics/metrics.js'
import { Sessions } from '../sessions/sessions.js'
import { DiskGuard } from '../storage/disk-guard.js'
import { CommandRecords } from '../storage/sql/command-records.js'
import { DeviceRecords } from '../storage/sql/device-records.js'
import { CommandChanges } from './command-changes.js'
import { CommandClock } from './command-clock.js'
import { CommandDispatcher } from './command-dispatcher.js'
import { toCommandNews } from './command-news.js'
import { CommandSupport } from './command-support.js'
import { CommandSweeper } from './command-sweeper.js'
import { CommandTally } from './command-tally.js'
import { CommandTargets } from './command-targets.js'
import { CommandWaits } from './command-waits.js'
import { CommandsController } from './commands.controller.js'
import { CommandsService } from './commands.service.js'

/** What users want of units, and what becomes of it. */
@Module({
  controllers: [CommandsController],
  providers: [
    CommandsService,
    CommandClock,
    CommandTargets,
    { provide: CommandSupport, useFactory: () => new CommandSupport() },
    { provide: CommandWaits, useFactory: () => new CommandWaits() },
    {
      provide: CommandTally,
      useFactory: (records: CommandRecords, metrics: Metrics) => new CommandTally(records, metrics),
      inject: [CommandRecords, Metrics],
    },
    {
      provide: CommandChanges,
      useFactory: (
        records: CommandRecords,
        disk: DiskGuard,
        tally: CommandTally,
        waits: CommandWaits,
        live: LiveFeed,
      ) => {
        const changes = new CommandChanges(records, disk)
        changes.onChange((after, before) => tally.count(after, before))
        changes.onChange((after) => waits.handleChange(after))
        changes.onChange((after) => live.publishNews(toCommandNews(after)))
        return changes
      },
      inject: [CommandRecords, DiskGuard, CommandTally, CommandWaits, LiveFeed],
    },
    {
      provide: CommandDispatcher,
      useFactory: (
        records: CommandRecords,
        changes: CommandChanges,
        sessions: Sessions,
        config: AppConfig,
        metrics: Metrics,
      ) =>
        new CommandDispatcher(records, changes, sessions, {
          resultTimeoutMs: config.COMMAND_RESULT_TIMEOUT_S * 1000,
          onResent: ({ type }) => metrics.commandsResent.inc({ type }),
        }),
      inject: [CommandRecords, CommandChanges, Sessions, AppConfig, Metrics],
    },
    {
      provide: CommandSweeper,
      useFactory: (records: CommandRecords, changes: CommandChanges, devices: DeviceRecords, sessions: Sessions) =>
        new CommandSweeper(records, changes, devices, sessions),
      inject: [CommandRecords, CommandChanges, DeviceRecords, Sessions],
    },
  ],
  exports: [CommandChanges, CommandDispatcher, CommandSupport, CommandSweeper],
})
export class CommandsModule {}
