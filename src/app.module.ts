import { type DynamicModule, Module } from '@nestjs/common'
import { AlarmsModule } from './alarms/alarms.module.js'
import { CommandsModule } from './commands/commands.module.js'
import type { AppConfig } from './config/app-config.js'
import { ConfigModule } from './config/config.module.js'
import { DevicesModule } from './devices/devices.module.js'
import { IdentityModule } from './identity/identity.module.js'
import { IngressModule } from './ingress/ingress.module.js'
import { LiveModule } from './live/live.module.js'
import { MetricsModule } from './metrics/metrics.module.js'
import { OperationsModule } from './operations/operations.module.js'
import { PipelineModule } from './pipeline/pipeline.module.js'
import { RawArchiveModule } from './pipeline/raw-archive.module.js'
import { SessionsModule } from './sessions/sessions.module.js'
import { Commits, Connections, Evidence, IntakeGate, Shutdown } from './shutdown.js'
import { DiskGuardModule } from './storage/disk-guard.module.js'
import { StorageModule } from './storage/storage.module.js'
import { TracksModule } from './tracks/tracks.module.js'
import { VideosModule } from './videos/videos.module.js'
import { WebModule } from './web/web.module.js'
import { Wiring } from './wiring.js'

/** What runs, in dependency order; shutdown hooks run the other way round. */
@Module({})
export class AppModule {
  static of(config: AppConfig): DynamicModule {
    return {
      module: AppModule,
      imports: [
        ConfigModule.of(config),
        MetricsModule,
        DiskGuardModule,
        SessionsModule,
        StorageModule,
        WebModule,
        IdentityModule,
        LiveModule,
        DevicesModule,
        AlarmsModule,
        VideosModule,
        TracksModule,
        CommandsModule,
        PipelineModule,
        RawArchiveModule,
        IngressModule,
        OperationsModule,
      ],
      providers: [Wiring, IntakeGate, Commits, Connections, Evidence, Shutdown],
    }
  }
}
