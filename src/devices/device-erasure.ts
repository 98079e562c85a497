import { Injectable } from '@nestjs/common'
import type { DeviceId } from '../model/device-id.js'
import { PositionStore } from '../storage/positions/position-store.js'
import { QuarantineStore } from '../storage/quarantine/quarantine-store.js'
import { AlarmRecords } from '../storage/sql/alarm-records.js'
import { CommandRecords } from '../storage/sql/command-records.js'
import { VideoErasure } from './video-erasure.js'

/** Removes what a device sent and what it was told, for good. The registry is not touched. */
@Injectable()
export class DeviceErasure {
  constructor(
    private readonly positions: PositionStore,
    private readonly quarantine: QuarantineStore,
    private readonly alarms: AlarmRecords,
    private readonly videos: VideoErasure,
    private readonly commands: CommandRecords,
  ) {}

  /** Call it when the device may not speak any more. Repeating it is safe. */
  async erase(deviceId: DeviceId): Promise<void> {
    await this.sweep(deviceId)
    // What was on its way to the stores when the device was shut out was committed, at the latest, while the first sweep ran.
    await this.sweep(deviceId)
  }

  private async sweep(deviceId: DeviceId): Promise<void> {
    await this.positions.eraseDevice(deviceId)
    await this.quarantine.eraseDevice(deviceId)
    await this.alarms.eraseDevice(deviceId)
    await this.videos.eraseDevice(deviceId)
    await this.commands.eraseDevice(deviceId)
  }
}
