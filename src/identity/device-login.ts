import { Injectable } from '@nestjs/common'
import type { DeviceId } from '../model/device-id.js'
import { DeviceDirectory, type DeviceIdentity } from './device-directory.js'
import { DeviceEnrolment } from './device-enrolment.js'
import { isDeviceSecret } from './device-secrets.js'
import { DeviceGate } from './login-gate.js'
import { type IssuedToken, TokenIssuer } from './tokens.js'

/** A unit's login: a well-formed id, and the secret if it sent one. */
export interface DeviceLoginRequest {
  readonly deviceId: DeviceId
  readonly secret: string | undefined
  /** Client address. */
  readonly address: string
}

/** Lets units in. Unknown, disabled, missing and wrong secret cannot be told apart from outside. */
@Injectable()
export class DeviceLogin {
  constructor(
    private readonly directory: DeviceDirectory,
    private readonly enrolment: DeviceEnrolment,
    private readonly gate: DeviceGate,
    private readonly issuer: TokenIssuer,
  ) {}

  /** @throws AppError `login_refused` | `too_many_requests` | `store_unavailable` | `disk_full` | `overloaded` */
  async login({ deviceId, secret, address }: DeviceLoginRequest): Promise<IssuedToken> {
    const entrance = await this.gate.enter({ id: deviceId, address })
    const device = await this.findAdmissible(deviceId, secret)
    if (device === undefined) return this.gate.refuse(entrance)
    await this.gate.pass(entrance)
    return this.issuer.issueDevice(device)
  }

  /**
   * A good login is served from memory. A bad one always asks the store, known or not: the same work for every refusal, and
   * nobody is refused by what memory has kept too long.
   */
  private async findAdmissible(deviceId: DeviceId, secret: string | undefined): Promise<DeviceIdentity | undefined> {
    const remembered = this.directory.peek(deviceId)
    if (isAdmissible(remembered, secret)) return remembered
    const stored = await this.directory.reload(deviceId)
    if (isAdmissible(stored, secret)) return stored
    if (stored !== undefined || !(await this.enrolment.enrol(deviceId))) return undefined
    this.directory.invalidate(deviceId)
    const enrolled = await this.directory.find(deviceId)
    return isAdmissible(enrolled, undefined) ? enrolled : undefined
  }
}

/** A secret sent for a device that has none is ignored. */
function isAdmissible(device: DeviceIdentity | undefined, secret: string | undefined): device is DeviceIdentity {
  const isRight = isDeviceSecret(secret ?? '', device?.secretHash ?? null)
  if (device === undefined || device.status !== 'active') return false
  return device.secretHash === null ? device.kind === 'imei' : isRight
}
