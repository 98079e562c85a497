import { Module, type OnApplicationBootstrap } from '@nestjs/common'
import { AppConfig } from '../config/app-config.js'
import { EventLimiter } from './event-limiter.js'
import { LocationsController } from './http/locations.controller.js'
import { LocationIntake } from './location-intake.js'
import { Admission } from './socket/admission.js'
import { DeviceEvents } from './socket/device-events.js'
import { DeviceSocket } from './socket/device-socket.js'

/** The ways in. */
@Module({
  controllers: [LocationsController],
  providers: [
    {
      provide: EventLimiter,
      useFactory: (config: AppConfig) => new EventLimiter(config.DEVICE_EVENTS_PER_SECOND),
      inject: [AppConfig],
    },
    LocationIntake,
    Admission,
    DeviceEvents,
    DeviceSocket,
  ],
  exports: [LocationIntake, Admission],
})
export class IngressModule implements OnApplicationBootstrap {
  constructor(private readonly socket: DeviceSocket) {}

  onApplicationBootstrap(): void {
    this.socket.listen()
  }
}
