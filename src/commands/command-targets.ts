import { Injectable } from '@nestjs/common'
import { DeviceDirectory } from '../identity/device-directory.js'
import { AppError } from '../model/app-error.js'
import type { CommandParams, CommandType } from '../model/command.js'
import type { DeviceId } from '../model/device-id.js'
import { CommandSupport } from './command-support.js'

/** The devices that commands are for. */
@Injectable()
export class CommandTargets {
  constructor(
    private readonly directory: DeviceDirectory,
    private readonly support: CommandSupport,
  ) {}

  /** @throws AppError `store_unavailable` */
  async isThere(deviceId: DeviceId): Promise<boolean> {
    return (await this.directory.find(deviceId)) !== undefined
  }

  /**
   * That the device may be sent this. One whose protocol nobody knows yet may: its link says what it cannot do.
   * @throws AppError `not_found` | `device_disabled` | `unsupported_command` | `store_unavailable`
   */
  async check(deviceId: DeviceId, type: CommandType, params: CommandParams): Promise<void> {
    const device = await this.directory.find(deviceId)
    if (device === undefined) throw new AppError('not_found', 'There is no such device')
    if (device.status === 'disabled') throw new AppError('device_disabled')
    const { protocol, model, commandPassword } = device
    if (protocol === null) return
    const obstacle = this.support.findObstacle(protocol, { type, params, deviceId, model, commandPassword })
    if (obstacle !== undefined) throw new AppError('unsupported_command', obstacle)
  }
}
