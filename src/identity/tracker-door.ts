import { Injectable } from '@nestjs/common'
import { AppConfig } from '../config/app-config.js'
import { AppError } from '../model/app-error.js'
import { type DeviceId, deviceKindOf } from '../model/device-id.js'
import { addressKeyOf } from '../web/client-address.js'
import { DeviceDirectory, type DeviceIdentity } from './device-directory.js'
import { DeviceEnrolment } from './device-enrolment.js'
import { DeviceGate } from './login-gate.js'

/** Lets trackers in, which can present no secret: whoever has one is believed only where an admin allowed it. */
@Injectable()
export class TrackerDoor {
  constructor(
    private readonly config: AppConfig,
    private readonly directory: DeviceDirectory,
    private readonly enrolment: DeviceEnrolment,
    private readonly gate: DeviceGate,
  ) {}

  /**
   * @returns undefined: unknown, disabled, or a device whose secret would be needed; which of them, is not told
   * @throws AppError `too_many_requests` | `store_unavailable` | `disk_full` | `overloaded`
   */
  async admit(imei: string, address: string): Promise<DeviceIdentity | undefined> {
    // What is no IMEI is refused before it is used for anything.
    const isImei = deviceKindOf(imei, this.config.IMEI_CHECK) === 'imei'
    const entrance = await this.gate.enter({ id: isImei ? imei : '', address })
    const device = isImei ? await this.findAdmissible(imei) : undefined
    if (device === undefined) {
      await this.gate.refuse(entrance).catch(swallowRefusal)
      return undefined
    }
    await this.gate.pass(entrance)
    return device
  }

  /**
   * The device as memory knows it, if it may come in: nobody is asked and nothing is counted, so that it may be asked for every datagram.
   * Who registers, disables or changes a device changes what this says at once.
   */
  recall(imei: string): DeviceIdentity | undefined {
    if (deviceKindOf(imei, this.config.IMEI_CHECK) !== 'imei') return undefined
    const remembered = this.directory.peek(imei)
    return isAdmissible(remembered) ? remembered : undefined
  }

  /**
   * As {@link admit}, for who is told nothing when it is refused, and at once. The address is what the sender claims: refusals count
   * against it apart from those of logins, or whoever forges it would shut others out.
   * @returns undefined: not let in
   * @throws AppError `too_many_requests` | `store_unavailable` | `disk_full` | `overloaded`
   */
  async admitUnanswered(imei: string, claimedAddress: string): Promise<DeviceIdentity | undefined> {
    if (deviceKindOf(imei, this.config.IMEI_CHECK) !== 'imei') return undefined
    const entrance = await this.gate.enter({ id: imei, address: `claimed ${addressKeyOf(claimedAddress)}` })
    const device = await this.findAdmissible(imei)
    if (device === undefined) await this.gate.refuseUnanswered(entrance)
    else await this.gate.pass(entrance)
    return device
  }

  private async findAdmissible(deviceId: DeviceId): Promise<DeviceIdentity | undefined> {
    const remembered = this.directory.peek(deviceId)
    if (isAdmissible(remembered)) return remembered
    const stored = await this.directory.reload(deviceId)
    if (isAdmissible(stored)) return stored
    if (stored !== undefined || !(await this.enrolment.enrol(deviceId))) return undefined
    this.directory.invalidate(deviceId)
    const enrolled = await this.directory.find(deviceId)
    return isAdmissible(enrolled) ? enrolled : undefined
  }
}

function isAdmissible(device: DeviceIdentity | undefined): device is DeviceIdentity {
  return device?.status === 'active' && (device.secretHash === null || device.trackerAllowed)
}

/** The caller is told by what it is given. */
function swallowRefusal(error: unknown): void {
  if (!(error instanceof AppError) || error.code !== 'login_refused') throw error
}
