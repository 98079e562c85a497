import { Injectable, type OnApplicationBootstrap } from '@nestjs/common'
import { LiveFeed } from './live/live-feed.js'
import { Sessions } from './sessions/sessions.js'

/** What must flow upwards between rooms, by subscription. */
@Injectable()
export class Wiring implements OnApplicationBootstrap {
  constructor(
    private readonly sessions: Sessions,
    private readonly live: LiveFeed,
  ) {}

  onApplicationBootstrap(): void {
    this.sessions.onPresence((change) => this.live.publishPresence(change))
  }
}
