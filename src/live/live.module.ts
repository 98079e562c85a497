import { Global, Module } from '@nestjs/common'
import { Metrics } from '../metrics/metrics.js'
import { LiveFeed } from './live-feed.js'
import { LiveSocket } from './live-socket.js'
import { SocketLiveFeed } from './socket-live-feed.js'
import { UserLinks } from './user-links.js'

/** Stored things to watching users. */
@Global()
@Module({
  providers: [
    { provide: SocketLiveFeed, useFactory: (metrics: Metrics) => new SocketLiveFeed(metrics), inject: [Metrics] },
    { provide: LiveFeed, useExisting: SocketLiveFeed },
    UserLinks,
    LiveSocket,
  ],
  exports: [LiveFeed],
})
export class LiveModule {}
