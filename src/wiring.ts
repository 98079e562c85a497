import { Injectable, type OnModuleInit } from '@nestjs/common'
import { AlarmLinks } from './alarms/alarm-links.js'
import { LiveFeed } from './live/live-feed.js'
import { Sessions } from './sessions/sessions.js'
import { VideoEvents } from './videos/video-events.js'

/** What must flow upwards between rooms, by subscription; before anything is set going, so that nothing is missed. */
@Injectable()
export class Wiring implements OnModuleInit {
  constructor(
    private readonly sessions: Sessions,
    private readonly live: LiveFeed,
    private readonly videos: VideoEvents,
    private readonly alarmLinks: AlarmLinks,
  ) {}

  onModuleInit(): void {
    this.sessions.onPresence((change) => this.live.publishPresence(change))
    // Also when it only changed: the work on it, which begins again after a crash, brings back what the crash may have cut off.
    this.videos.onVideo(({ deviceId, fileName }) => this.alarmLinks.videoChanged(deviceId, fileName))
  }
}
