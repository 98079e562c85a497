import { Injectable } from '@nestjs/common'
import { DeviceDirectory } from '../identity/device-directory.js'
import { AppError } from '../model/app-error.js'
import type { DeviceId } from '../model/device-id.js'

/** As what a device was let in; another one as soon as it was disabled, deleted or got another secret, also if it is back by now. */
export type Standing = string

/**
 * Who may upload now. The guard asks when a request begins; an upload may last for hours, and what it leaves behind must not outlive
 * a device that is shut out or erased meanwhile.
 */
@Injectable()
export class UploadAdmission {
  constructor(private readonly directory: DeviceDirectory) {}

  /** @throws AppError `token_invalid` the device is disabled or gone */
  async admit(deviceId: DeviceId): Promise<Standing> {
    const device = await this.directory.find(deviceId)
    if (device?.status !== 'active') throw shutOut()
    return device.generation
  }

  /** @throws AppError `token_invalid` it is not any more what it was let in as */
  async assertStands(deviceId: DeviceId, standing: Standing): Promise<void> {
    if ((await this.admit(deviceId)) !== standing) throw shutOut()
  }

  /** Whether the device is in the registry, shut out or not. */
  async isKnown(deviceId: DeviceId): Promise<boolean> {
    return (await this.directory.find(deviceId)) !== undefined
  }

  /** Registers for devices that may have lost their standing. */
  onDoubt(listener: (deviceId: DeviceId) => void): void {
    this.directory.onChange(listener)
  }
}

function shutOut(): AppError {
  return new AppError('token_invalid', 'The device was disabled or removed, or its secret was changed: log in again')
}
