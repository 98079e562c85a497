import { Injectable, type OnApplicationBootstrap } from '@nestjs/common'
import { AlarmLinks } from './alarms/alarm-links.js'
import { LiveFeed } from './live/live-feed.js'
import { Sessions } from './sessions/sessions.js'
import { VideoEvents } from './videos/video-events.js'

/** What must flow upwards between rooms, by subscription. */
@Injectable()
export class Wiring implements OnApplicationBootstrap {
  constructor(
    private readonly sessions: Sessions,
    private readonly live: LiveFeed,
    private readonly videos: VideoEvents,
    private readonly alarmLinks: AlarmLinks,
  ) {}

  onApplicationBootstrap(): void {
    this.sessions.onPresence((change) => this.live.publishPresence(change))
    this.videos.onVideo(({ deviceId, fileName }, event) => {
      if (event !== 'changed') this.alarmLinks.videoChanged(deviceId, fileName)
    })
  }
}
