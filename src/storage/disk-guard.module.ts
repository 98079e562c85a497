import { Global, Module, type OnModuleDestroy } from '@nestjs/common'
import { AppConfig } from '../config/app-config.js'
import { Metrics } from '../metrics/metrics.js'
import { prepareDataDirectory } from './data-directory.js'
import { DiskGuard } from './disk-guard.js'

/** One watch over the data disk, which has looked once before anything can ask it. */
@Global()
@Module({
  providers: [
    {
      provide: DiskGuard,
      useFactory: async (config: AppConfig, metrics: Metrics) => {
        const guard = new DiskGuard(prepareDataDirectory(config.DATA_DIR), config.DISK_MIN_FREE, metrics)
        await guard.start()
        return guard
      },
      inject: [AppConfig, Metrics],
    },
  ],
  exports: [DiskGuard],
})
export class DiskGuardModule implements OnModuleDestroy {
  constructor(private readonly guard: DiskGuard) {}

  onModuleDestroy(): void {
    this.guard.stop()
  }
}
