import { Injectable, type OnModuleInit } from '@nestjs/common'
import { AlarmLinks } from './alarms/alarm-links.js'
import { findUnsupported } from './codecs/find-unsupported.js'
import { CommandSupport } from './commands/command-support.js'
import { CommandSweeper } from './commands/command-sweeper.js'
import { DeviceErasure } from './devices/device-erasure.js'
import { VideoErasure } from './devices/video-erasure.js'
import { DeviceLearning } from './identity/device-learning.js'
import { TrackerDoor } from './identity/tracker-door.js'
import { LiveFeed } from './live/live-feed.js'
import { AlarmCommit } from './pipeline/alarm-commit.js'
import { GroupCommit } from './pipeline/group-commit.js'
import { Quarantine } from './pipeline/quarantine.js'
import { RawArchive } from './pipeline/raw-archive.js'
import { Spool } from './pipeline/spool.js'
import { Sessions } from './sessions/sessions.js'
import { VideoEvents } from './videos/video-events.js'
import { VideoLocks } from './videos/video-locks.js'

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
    private readonly support: CommandSupport,
    private readonly learning: DeviceLearning,
    private readonly spool: Spool,
    private readonly door: TrackerDoor,
    private readonly positionCommit: GroupCommit,
    private readonly alarmCommit: AlarmCommit,
    private readonly quarantine: Quarantine,
    private readonly archive: RawArchive,
    private readonly videoErasure: VideoErasure,
    private readonly videoLocks: VideoLocks,
  ) {}

  onModuleInit(): void {
    this.sessions.onLink((link) => this.learning.handleLink(link))
    this.sessions.onPresence((change) => this.live.publishPresence(change))
    // Who could not be looked up when it sent is looked up before what it said goes on.
    this.spool.onAdmission(async (deviceId, address) => {
      const device = this.door.recall(deviceId) ?? (await this.door.admitUnanswered(deviceId, address))
      return device !== undefined
    })
    this.erasure.onErasing((deviceId) => this.spool.eraseDevice(deviceId))
    // Behind the spool, which feeds the commits, as those do the quarantine.
    this.erasure.onErasing((deviceId) => this.positionCommit.left(deviceId))
    this.erasure.onErasing((deviceId) => this.alarmCommit.left(deviceId))
    this.erasure.onErasing((deviceId) => this.quarantine.forget(deviceId))
    this.erasure.onErasing((deviceId) => this.archive.forget(deviceId))
    // Before its commands go with the rest: who waits for one, or watches, is told of its end.
    this.erasure.onErasing((deviceId) => this.commands.handleErasing(deviceId))
    // The worker may be just putting pictures of what is erased in their places.
    this.videoErasure.onTurn((id, work) => this.videoLocks.run(id, work))
    // What commands do not know of, and codecs do.
    this.support.onAsk(findUnsupported)
    // Also when it only changed: the work on it, which begins again after a crash, brings back what the crash may have cut off.
    this.videos.onVideo(({ deviceId, fileName }) => this.alarmLinks.videoChanged(deviceId, fileName))
  }
}
