import { Injectable } from '@nestjs/common'
import { AppConfig } from '../config/app-config.js'
import { DeviceDirectory } from '../identity/device-directory.js'
import { generateDeviceSecret, hashDeviceSecret, newGeneration } from '../identity/device-secrets.js'
import { newDeviceRecord } from '../identity/new-device-record.js'
import { AppError } from '../model/app-error.js'
import { type DeviceId, deviceKindOf } from '../model/device-id.js'
import type { ClosingCode } from '../sessions/link.js'
import { Sessions } from '../sessions/sessions.js'
import { type DeviceChanges, type DeviceRecord, DeviceRecords } from '../storage/sql/device-records.js'
import type { Through } from '../storage/sql/sql-store.js'

const LABELS = ['name', 'plate', 'brand', 'model'] as const

/** What is known of a new device; a blank label is none. */
export interface NewDevice extends Partial<Pick<DeviceRecord, 'name' | 'plate' | 'brand' | 'model'>> {
  readonly deviceId: DeviceId
  readonly secret?: string | undefined
}

export interface AddedDevice {
  readonly record: DeviceRecord
  /** Generated and known to nobody else; null: none was. */
  readonly generatedSecret: string | null
}

export interface ChangedDevice {
  readonly record: DeviceRecord
  /** Names of the fields that were changed. */
  readonly changed: ReadonlyArray<keyof DeviceChanges>
}

/**
 * Adds, changes and removes devices, and makes each change felt: what decides whether a device may speak reaches the directory
 * that checks tokens, and links that may no longer be are ended, before the call returns. Changes of one device are made one
 * after another, so that the directory never ends up with the older of two.
 */
@Injectable()
export class DeviceRegistry {
  private readonly lastOf = new Map<DeviceId, Promise<unknown>>()

  constructor(
    private readonly records: DeviceRecords,
    private readonly directory: DeviceDirectory,
    private readonly sessions: Sessions,
    private readonly config: AppConfig,
  ) {}

  /** The device as it is stored; undefined: there is none. */
  find(deviceId: DeviceId): Promise<DeviceRecord | undefined> {
    return this.records.find(deviceId)
  }

  /** Whether devices of this id always have a secret. @throws AppError `invalid_imei` */
  mustHaveSecret(deviceId: string): boolean {
    return this.kindOf(deviceId) === 'named'
  }

  /**
   * @param through how it is stored, such as with what else is written then
   * @returns undefined: there is a device with this id
   * @throws AppError `invalid_imei`
   */
  async add(
    { deviceId, secret, ...labels }: NewDevice,
    through: Through<DeviceRecords, AddedDevice | undefined> = (write) => write(this.records),
  ): Promise<AddedDevice | undefined> {
    const kind = this.kindOf(deviceId)
    const generatedSecret = kind === 'named' && secret === undefined ? generateDeviceSecret() : null
    const known = secret ?? generatedSecret
    const record = newDeviceRecord(deviceId, kind, {
      name: labels.name || null,
      plate: labels.plate || null,
      brand: labels.brand || null,
      model: labels.model || null,
      secretHash: known === null ? null : hashDeviceSecret(known),
    })
    return this.inOrder(deviceId, async () => {
      const added = await through(async (devices) =>
        (await devices.insert(record)) ? { record, generatedSecret } : undefined,
      )
      if (added !== undefined) this.directory.put(record)
      return added
    })
  }

  /**
   * Changes a device; a blank label is none. Disabling it or changing its secret voids its tokens and ends its links.
   * @param through how a change is stored, such as with what else is written then
   * @returns undefined: there is none
   */
  change(
    deviceId: DeviceId,
    wanted: DeviceChanges,
    through: Through<DeviceRecords, ChangedDevice | undefined> = (write) => write(this.records),
  ): Promise<ChangedDevice | undefined> {
    return this.inOrder(deviceId, async () => {
      const before = await this.records.find(deviceId)
      if (before === undefined) return undefined
      const changes = differences(before, withoutBlanks(wanted))
      const changed = Object.keys(changes) as Array<keyof DeviceChanges>
      if (changed.length === 0) return { record: before, changed }
      const isDisabled = changes.status === 'disabled'
      const hasNewSecret = changes.secretHash !== undefined
      const generation = isDisabled || hasNewSecret ? { generation: newGeneration() } : {}
      const done = await through(async (devices) => {
        const record = await devices.update(deviceId, { ...changes, ...generation })
        return record && { record, changed }
      })
      if (done === undefined) return undefined
      const { record } = done
      this.directory.put(record)
      const mayNotSpeakAsTracker = changes.trackerAllowed === false && record.secretHash !== null
      if (isDisabled || mayNotSpeakAsTracker) this.endLinks(deviceId, 'device_disabled')
      // Its token is void: what the unit has to do is what it does when one has expired, log in again (with the new secret).
      else if (hasNewSecret) this.endLinks(deviceId, 'token_expired')
      return done
    })
  }

  /**
   * @param through how it is removed, such as with what else is written then
   * @returns false when there was none
   */
  remove(
    deviceId: DeviceId,
    through: Through<DeviceRecords, boolean> = (write) => write(this.records),
  ): Promise<boolean> {
    return this.inOrder(deviceId, async () => {
      const wasThere = await through((devices) => devices.delete(deviceId))
      this.directory.invalidate(deviceId)
      this.sessions.forget(deviceId)
      this.endLinks(deviceId, 'device_disabled')
      return wasThere
    })
  }

  /** Twice: a handshake whose token passed just before the directory learned of the change has opened its link by the next turn. */
  private endLinks(deviceId: DeviceId, code: ClosingCode): void {
    this.sessions.endLinks(deviceId, code)
    setImmediate(() => this.sessions.endLinks(deviceId, code))
  }

  private kindOf(deviceId: string) {
    const kind = deviceKindOf(deviceId, this.config.IMEI_CHECK)
    if (kind !== undefined) return kind
    const words = 'is neither a valid IMEI nor a name of 1..64 of A-Z a-z 0-9 . _ - unlike an IMEI'
    throw new AppError('invalid_imei', `deviceId ${words}`, {
      errors: [{ path: 'deviceId', code: 'invalid_imei', message: words }],
    })
  }

  private async inOrder<T>(deviceId: DeviceId, task: () => Promise<T>): Promise<T> {
    const before = this.lastOf.get(deviceId) ?? Promise.resolve()
    const running = before.then(task, task)
    this.lastOf.set(deviceId, running)
    try {
      return await running
    } finally {
      if (this.lastOf.get(deviceId) === running) this.lastOf.delete(deviceId)
    }
  }
}

function withoutBlanks(wanted: DeviceChanges): DeviceChanges {
  const blank = LABELS.filter((label) => wanted[label] === '')
  return { ...wanted, ...Object.fromEntries(blank.map((label) => [label, null])) }
}

function differences(before: DeviceRecord, wanted: DeviceChanges): DeviceChanges {
  return Object.fromEntries(
    Object.entries(wanted).filter(
      ([field, value]) => value !== undefined && value !== before[field as keyof DeviceChanges],
    ),
  )
}
