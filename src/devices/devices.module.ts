import { Module } from '@nestjs/common'
import { DeviceErasure } from './device-erasure.js'
import { DeviceErasures } from './device-erasures.js'
import { DeviceImport } from './device-import.js'
import { DeviceManagement } from './device-management.js'
import { DeviceRegistry } from './device-registry.js'
import { DeviceSearch } from './device-search.js'
import { DevicesController } from './devices.controller.js'
import { DevicesService } from './devices.service.js'
import { PresenceFlush } from './presence-flush.js'
import { VideoErasure } from './video-erasure.js'

@Module({
  controllers: [DevicesController],
  providers: [
    DevicesService,
    DeviceSearch,
    DeviceRegistry,
    DeviceManagement,
    DeviceImport,
    DeviceErasure,
    DeviceErasures,
    VideoErasure,
    PresenceFlush,
  ],
  exports: [DeviceErasure, VideoErasure],
})
export class DevicesModule {}
