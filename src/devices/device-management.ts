import { Injectable } from '@nestjs/common'
import { AuditLog } from '../identity/audit-log.js'
import { generateDeviceSecret, hashDeviceSecret } from '../identity/device-secrets.js'
import { AppError } from '../model/app-error.js'
import type { DeviceId } from '../model/device-id.js'
import type { DeviceRecord } from '../storage/sql/device-records.js'
import type { DeviceChangesIn, NewDeviceIn } from './device.schema.js'
import { DeviceErasure } from './device-erasure.js'
import { type AddedDevice, DeviceRegistry } from './device-registry.js'

/** Who makes a change, and from where. */
export interface Actor {
  readonly by: string
  readonly address: string
}

/** What an admin does to single devices; all of it is in the audit log. */
@Injectable()
export class DeviceManagement {
  constructor(
    private readonly registry: DeviceRegistry,
    private readonly erasure: DeviceErasure,
    private readonly audit: AuditLog,
  ) {}

  /** @throws AppError `device_exists` | `invalid_imei` */
  async create(device: NewDeviceIn, actor: Actor): Promise<AddedDevice> {
    const added = await this.registry.add(device)
    if (added === undefined) throw new AppError('device_exists')
    const { kind, name, plate, secretHash } = added.record
    const detail = { kind, name, plate, hasSecret: secretHash !== null }
    await this.audit.record({ ...actor, action: 'device.create', target: device.deviceId, detail })
    return added
  }

  /** @throws AppError `not_found` */
  async change(deviceId: DeviceId, wanted: DeviceChangesIn, actor: Actor): Promise<DeviceRecord> {
    const done = await this.registry.change(deviceId, wanted)
    if (done === undefined) throw new AppError('not_found')
    const { record, changed } = done
    if (changed.length === 0) return record
    const detail = Object.fromEntries(
      changed.map((field) => [field, field === 'commandPassword' ? '(not shown)' : record[field]]),
    )
    await this.audit.record({ ...actor, action: 'device.update', target: deviceId, detail })
    return record
  }

  /**
   * Gives the device a new secret. The old one and all tokens are void and its links are told `token_expired`.
   * @returns the secret, which nobody can be told again
   * @throws AppError `not_found`
   */
  async renewSecret(deviceId: DeviceId, actor: Actor): Promise<string> {
    const secret = generateDeviceSecret()
    const done = await this.registry.change(deviceId, { secretHash: hashDeviceSecret(secret) })
    if (done === undefined) throw new AppError('not_found')
    await this.audit.record({ ...actor, action: 'device.secret', target: deviceId })
    return secret
  }

  /**
   * Removes the device from the registry.
   * @param isErasing also removes what it sent. It is disabled first and leaves the registry last, so that when this ends half-way,
   * in a crash too, the device is there still, takes nothing in, and deleting it again finishes the work.
   * @throws AppError `not_found`
   */
  async delete(deviceId: DeviceId, isErasing: boolean, actor: Actor): Promise<void> {
    if (isErasing) {
      if ((await this.registry.change(deviceId, { status: 'disabled' })) === undefined) throw new AppError('not_found')
      await this.audit.record({ ...actor, action: 'device.erase', target: deviceId })
      await this.erasure.erase(deviceId)
    }
    if (!(await this.registry.remove(deviceId))) throw new AppError('not_found')
    await this.audit.record({ ...actor, action: 'device.delete', target: deviceId, detail: { erase: isErasing } })
  }
}
