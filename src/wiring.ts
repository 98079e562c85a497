import { Injectable, type OnModuleInit } from '@nestjs/common'
import { AlarmLinks } from './alarms/alarm-links.js'
import { CommandSweeper } from './commands/command-sweeper.js'
import { DeviceErasure } from './devices/device-erasure.js'
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
    private readonly erasure: DeviceErasure,
    private readonly commands: CommandSweeper,
  ) {}

  onModuleInit(): void {
    this.sessions.onPresence((change) => this.live.publishPresence(change))
    // Before its commands go with the rest: who waits for one, or watches, is told of its end.
    this.erasure.onErasing((deviceId) => this.commands.handleErasing(deviceId))
    // Also when it only changed: the work on it, which begins again after a crash, brings back what the crash may have cut off.
    this.videos.onVideo(({ deviceId, fileName }) => this.alarmLinks.videoChanged(deviceId, fileName))
  }
}
