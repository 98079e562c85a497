import { Injectable } from '@nestjs/common'
import type { DeviceId } from '../model/device-id.js'
import { PositionStore } from '../storage/positions/position-store.js'
import { QuarantineStore } from '../storage/quarantine/quarantine-store.js'

/** Removes what a device sent, for good. The registry is not touched. */
@Injectable()
export class DeviceErasure {
  constructor(
    private readonly positions: PositionStore,
    private readonly quarantine: QuarantineStore,
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
  }
}
