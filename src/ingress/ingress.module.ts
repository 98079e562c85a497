import { Module, type OnApplicationBootstrap } from '@nestjs/common'
import { AppConfig } from '../config/app-config.js'
import { UploadsModule } from '../videos/uploads.module.js'
import { AlarmIntake } from './alarm-intake.js'
import { EventLimiter } from './event-limiter.js'
import { AlarmReportsController } from './http/alarm-reports.controller.js'
import { DirectUploadsController } from './http/direct-uploads.controller.js'
import { LocationsController } from './http/locations.controller.js'
import { TusUploadsController } from './http/tus-uploads.controller.js'
import { TusUploads } from './http/tus-uploads.js'
import { VideoUploadsController } from './http/video-uploads.controller.js'
import { LocationIntake } from './location-intake.js'
import { Admission } from './socket/admission.js'
import { DeviceEvents } from './socket/device-events.js'
import { DeviceSocket } from './socket/device-socket.js'
import { MessageArchive } from './socket/message-archive.js'
import { DatagramTrackers } from './tracker/datagram-trackers.js'
import { FrameArchive } from './tracker/frame-archive.js'
import { SentCommands } from './tracker/sent-commands.js'
import { TrackerIntake } from './tracker/tracker-intake.js'
import { TrackerNotes } from './tracker/tracker-notes.js'
import { TrackerReplies } from './tracker/tracker-replies.js'
import { Trackers } from './tracker/trackers.js'

/** The ways in. */
@Module({
  imports: [UploadsModule],
  controllers: [
    AlarmReportsController,
    LocationsController,
    VideoUploadsController,
    TusUploadsController,
    DirectUploadsController,
  ],
  providers: [
    {
      provide: EventLimiter,
      useFactory: (config: AppConfig) => new EventLimiter(config.DEVICE_EVENTS_PER_SECOND),
      inject: [AppConfig],
    },
    LocationIntake,
    AlarmIntake,
    TusUploads,
    Admission,
    DeviceEvents,
    DeviceSocket,
    MessageArchive,
    FrameArchive,
    TrackerIntake,
    TrackerReplies,
    SentCommands,
    TrackerNotes,
    DatagramTrackers,
    Trackers,
  ],
  exports: [LocationIntake, AlarmIntake, Admission, Trackers, UploadsModule],
})
export class IngressModule implements OnApplicationBootstrap {
  constructor(
    private readonly socket: DeviceSocket,
    private readonly trackers: Trackers,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    this.socket.listen()
    await this.trackers.listen()
  }
}
