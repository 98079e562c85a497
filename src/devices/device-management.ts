import { Injectable } from '@nestjs/common'
import { AuditLog } from '../identity/audit-log.js'
import { generateDeviceSecret, hashDeviceSecret } from '../identity/device-secrets.js'
import { AppError } from '../model/app-error.js'
import type { DeviceId } from '../model/device-id.js'
import type { DeviceRecord } from '../storage/sql/device-records.js'
import type { DeviceChangesIn, NewDeviceIn } from './device.schema.js'
import { DeviceErasures } from './device-erasures.js'
import { type AddedDevice, type ChangedDevice, DeviceRegistry } from './device-registry.js'

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
    private readonly erasures: DeviceErasures,
    private readonly audit: AuditLog,
  ) {}

  /** @throws AppError `device_exists` | `invalid_imei` */
  async create(device: NewDeviceIn, actor: Actor): Promise<AddedDevice> {
    const { deviceId } = device
    const added = await this.registry.add(device, (write) =>
      this.audit.change(
        ({ devices }) => write(devices),
        (one) => one && { ...actor, action: 'device.create', target: deviceId, detail: factsOf(one.record) },
      ),
    )
    if (added === undefined) throw new AppError('device_exists')
    return added
  }

  /** @throws AppError `not_found` */
  async change(deviceId: DeviceId, wanted: DeviceChangesIn, actor: Actor): Promise<DeviceRecord> {
    const done = await this.registry.change(deviceId, wanted, (write) =>
      this.audit.change(
        ({ devices }) => write(devices),
        (one) => one && { ...actor, action: 'device.update', target: deviceId, detail: changesOf(one) },
      ),
    )
    if (done === undefined) throw new AppError('not_found')
    return done.record
  }

  /**
   * Gives the device a new secret. The old one and all tokens are void and its links are told `token_expired`.
   * @returns the secret, which nobody can be told again
   * @throws AppError `not_found`
   */
  async renewSecret(deviceId: DeviceId, actor: Actor): Promise<string> {
    const secret = generateDeviceSecret()
    const done = await this.registry.change(deviceId, { secretHash: hashDeviceSecret(secret) }, (write) =>
      this.audit.change(
        ({ devices }) => write(devices),
        (one) => one && { ...actor, action: 'device.secret', target: deviceId },
      ),
    )
    if (done === undefined) throw new AppError('not_found')
    return secret
  }

  /**
   * Removes the device from the registry.
   * @param isErasing also removes what it sent, also of a device that left the registry before. What is left half-way, in a crash too,
   * is finished later by itself.
   * @throws AppError `not_found`
   */
  async delete(deviceId: DeviceId, isErasing: boolean, actor: Actor): Promise<void> {
    if (isErasing) return this.erasures.erase(deviceId, actor)
    const wasThere = await this.registry.remove(deviceId, (write) =>
      this.audit.change(
        ({ devices }) => write(devices),
        (isRemoved) =>
          isRemoved ? { ...actor, action: 'device.delete', target: deviceId, detail: { erase: false } } : undefined,
      ),
    )
    if (!wasThere) throw new AppError('not_found')
  }
}

function factsOf({ kind, name, plate, secretHash }: DeviceRecord) {
  return { kind, name, plate, hasSecret: secretHash !== null }
}

/** What the fields are now, without secrets. */
function changesOf({ record, changed }: ChangedDevice): Record<string, unknown> {
  return Object.fromEntries(
    changed.map((field) => [field, field === 'commandPassword' ? '(not shown)' : record[field]]),
  )
}
