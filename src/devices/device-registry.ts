import { Injectable, type OnModuleDestroy } from '@nestjs/common'
import { AppConfig } from '../config/app-config.js'
import { DeviceDirectory } from '../identity/device-directory.js'
import { generateDeviceSecret, hashDeviceSecret, newGeneration } from '../identity/device-secrets.js'
import { ErasingDevices } from '../identity/erasing-devices.js'
import { newDeviceRecord } from '../identity/new-device-record.js'
import { AppError } from '../model/app-error.js'
import { type DeviceId, deviceKindOf } from '../model/device-id.js'
import type { ClosingCode } from '../sessions/link.js'
import { Sessions } from '../sessions/sessions.js'
import { type DeviceChanges, type DeviceRecord, DeviceRecords } from '../storage/sql/device-records.js'
import type { Through } from '../storage/sql/sql-store.js'
import { DeviceDoubts } from './device-doubts.js'

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
 * after another, so that the directory never ends up with the older of two. A change that the store failed in may be kept all the same:
 * memory is not believed from then on, and what was kept is felt as soon as the store says it.
 */
@Injectable()
export class DeviceRegistry implements OnModuleDestroy {
  private readonly lastOf = new Map<DeviceId, Promise<unknown>>()
  private readonly doubts = new DeviceDoubts((deviceId) => this.inOrder(deviceId, () => this.findFelt(deviceId)))

  constructor(
    private readonly records: DeviceRecords,
    private readonly directory: DeviceDirectory,
    private readonly sessions: Sessions,
    private readonly config: AppConfig,
    private readonly erasing: ErasingDevices,
  ) {}

  onModuleDestroy(): void {
    this.doubts.stop()
  }

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
   * @throws AppError `invalid_imei` | `overloaded` when what a device of this id left is being erased
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
    const insert = async (devices: DeviceRecords) =>
      (await devices.insert(record)) ? { record, generatedSecret } : undefined
    return this.erasing.add(deviceId, () =>
      this.inOrder(deviceId, async () => {
        const added = await this.orDoubt(deviceId, undefined, () => through(insert))
        if (added !== undefined) this.directory.put(record)
        return added
      }),
    )
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
      const before = await this.findFelt(deviceId)
      if (before === undefined) return undefined
      const changes = differences(before, withoutBlanks(wanted))
      const changed = Object.keys(changes) as Array<keyof DeviceChanges>
      if (changed.length === 0) {
        // Whoever made it so may not have been able to make it felt.
        this.makeFelt(before, before)
        return { record: before, changed }
      }
      const isVoid = changes.status === 'disabled' || changes.secretHash !== undefined
      const generation = isVoid ? { generation: newGeneration() } : {}
      const update = async (devices: DeviceRecords) => {
        const record = await devices.update(deviceId, { ...changes, ...generation })
        return record && { record, changed }
      }
      const done = await this.orDoubt(deviceId, before, () => through(update))
      if (done === undefined) return undefined
      this.makeFelt(before, done.record)
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
      const wasThere = await this.orDoubt(deviceId, undefined, () => through((devices) => devices.delete(deviceId)))
      this.makeAbsenceFelt(deviceId)
      return wasThere
    })
  }

  /** @param before the device as it is before the write, if that was read */
  private async orDoubt<T>(deviceId: DeviceId, before: DeviceRecord | undefined, write: () => Promise<T>): Promise<T> {
    try {
      const done = await write()
      this.doubts.drop(deviceId)
      return done
    } catch (error) {
      this.directory.invalidate(deviceId)
      this.doubts.add(deviceId, before)
      throw error
    }
  }

  /** The device as it is stored; what became of a change that was in doubt is felt then. */
  private async findFelt(deviceId: DeviceId): Promise<DeviceRecord | undefined> {
    const record = await this.records.find(deviceId)
    const doubt = this.doubts.seen(deviceId, record)
    if (doubt !== undefined) {
      if (record === undefined) this.makeAbsenceFelt(deviceId)
      else this.makeFelt(doubt.before ?? record, record)
    }
    return record
  }

  private makeFelt(before: DeviceRecord, after: DeviceRecord): void {
    const { deviceId } = after
    this.directory.put(after)
    const mayNoLongerBeTracker = before.trackerAllowed && !after.trackerAllowed && after.secretHash !== null
    if (after.status === 'disabled' || mayNoLongerBeTracker) this.endLinks(deviceId, 'device_disabled')
    // Its token is void: what the unit has to do is what it does when one has expired, log in again (with the new secret).
    else if (after.generation !== before.generation) this.endLinks(deviceId, 'token_expired')
  }

  private makeAbsenceFelt(deviceId: DeviceId): void {
    this.directory.invalidate(deviceId)
    this.sessions.forget(deviceId)
    this.endLinks(deviceId, 'device_disabled')
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
