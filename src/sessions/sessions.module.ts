import { Global, Module } from '@nestjs/common'
import { Metrics } from '../metrics/metrics.js'
import { Sessions } from './sessions.js'

@Global()
@Module({
  providers: [{ provide: Sessions, useFactory: (metrics: Metrics) => new Sessions(metrics), inject: [Metrics] }],
  exports: [Sessions],
})
export class SessionsModule {}
