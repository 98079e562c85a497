import { Injectable } from '@nestjs/common'
import type { DeviceId } from '../model/device-id.js'
import { RawFrameStore } from '../storage/frames/raw-frame-store.js'
import { PositionStore } from '../storage/positions/position-store.js'
import { QuarantineStore } from '../storage/quarantine/quarantine-store.js'
import { SpoolStore } from '../storage/spool/spool-store.js'
import { AlarmRecords } from '../storage/sql/alarm-records.js'
import { CommandRecords } from '../storage/sql/command-records.js'
import { VideoErasure } from './video-erasure.js'

/** Removes what a device sent and what it was told, for good. The registry is not touched. */
@Injectable()
export class DeviceErasure {
  private readonly listeners: Array<(deviceId: DeviceId) => Promise<void>> = []

  constructor(
    private readonly positions: PositionStore,
    private readonly quarantine: QuarantineStore,
    private readonly alarms: AlarmRecords,
    private readonly videos: VideoErasure,
    private readonly commands: CommandRecords,
    private readonly frames: RawFrameStore,
    private readonly spool: SpoolStore,
  ) {}

  /** Registers for what must end before the data of a device goes. An erasure waits for it, and fails with it. */
  onErasing(listener: (deviceId: DeviceId) => Promise<void>): void {
    this.listeners.push(listener)
  }

  /** Whether there is anything of this device. */
  async hasData(deviceId: DeviceId): Promise<boolean> {
    const some = { limit: 1 }
    const looks = [
      () => this.positions.listTrack(deviceId, { ...some, includeWithoutFix: true }),
      () => this.alarms.list({ ...some, deviceIds: [deviceId], order: 'newest' as const }),
      () => this.commands.list({ ...some, deviceId }),
      () => this.videos.listSome(deviceId),
      () => this.quarantine.list({ ...some, deviceIds: [deviceId] }),
      () => this.spool.list({ ...some, deviceId }),
      () => this.frames.list({ ...some, deviceId, order: 'newest' as const }),
    ]
    for (const look of looks) if ((await look()).length > 0) return true
    return false
  }

  /**
   * Call it when the device may not speak any more. Repeating it is safe.
   * @param signal ends it between two steps, with its reason
   */
  async erase(deviceId: DeviceId, signal: AbortSignal): Promise<void> {
    await this.sweep(deviceId, signal)
    // What was on its way to the stores when the device was shut out was committed, at the latest, while the first sweep ran.
    await this.sweep(deviceId, signal)
  }

  private async sweep(deviceId: DeviceId, signal: AbortSignal): Promise<void> {
    const steps = [
      ...this.listeners,
      () => this.positions.eraseDevice(deviceId),
      () => this.quarantine.eraseDevice(deviceId),
      () => this.frames.eraseDevice(deviceId),
      () => this.alarms.eraseDevice(deviceId),
      () => this.videos.eraseDevice(deviceId),
      () => this.commands.eraseDevice(deviceId),
    ]
    for (const step of steps) {
      signal.throwIfAborted()
      await step(deviceId)
    }
  }
}
