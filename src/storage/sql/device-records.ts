import type { DeviceId, DeviceKind } from '../../model/device-id.js'

export type DeviceStatus = 'active' | 'disabled'

/** A device as the registry keeps it. Times are epoch milliseconds UTC. */
export interface DeviceRecord {
  readonly deviceId: DeviceId
  readonly kind: DeviceKind
  readonly name: string | null
  readonly plate: string | null
  readonly brand: string | null
  readonly model: string | null
  readonly protocol: string | null
  readonly status: DeviceStatus
  /** SHA-256 of the secret, lower-case hex; null: the device has none and is only believed. */
  readonly secretHash: string | null
  readonly trackerAllowed: boolean
  readonly trackerSack: boolean
  /** For trackers whose commands need one; never shown. */
  readonly commandPassword: string | null
  /** Random; a token carries the one it was issued under and dies with it. */
  readonly generation: string
  readonly createdAtMs: number
  /** Last time it was heard, as of the last flush of presence; null: never. */
  readonly lastSeenAtMs: number | null
}

/** What a device's own messages say of it. */
export interface DeviceFacts {
  /** As it is spoken now; null: that of units that speak JSON, which has no name. */
  readonly protocol: string | null
  readonly brand?: string | undefined
  readonly model?: string | undefined
}

export type DeviceChanges = Partial<Omit<DeviceRecord, 'deviceId' | 'kind' | 'createdAtMs'>>

/** Filters narrow each other; an empty list among them lets nothing through, except in `except`. */
export interface DeviceQuery {
  /** Case-folded beginnings of words in id, name, plate, brand and model; all words must match. Blank: no filter. */
  readonly text?: string
  readonly statuses?: readonly DeviceStatus[]
  readonly kinds?: readonly DeviceKind[]
  /** Only these devices; at most 500 a call, longer lists are the caller's to cut. */
  readonly among?: readonly DeviceId[]
  /** None of these devices; at most 500 a call. */
  readonly except?: readonly DeviceId[]
  /** Exclusive. */
  readonly afterDeviceId?: DeviceId
  readonly limit: number
}

/** The registry of devices. Ids compare byte by byte. */
export abstract class DeviceRecords {
  abstract find(deviceId: DeviceId): Promise<DeviceRecord | undefined>
  /** Ascending by id. */
  abstract list(query: DeviceQuery): Promise<DeviceRecord[]>
  /** @returns false when a device with this id exists (nothing is changed then) */
  abstract insert(record: DeviceRecord): Promise<boolean>
  /** @returns the record after the change, or undefined when there is none */
  abstract update(deviceId: DeviceId, changes: DeviceChanges): Promise<DeviceRecord | undefined>
  /**
   * Keeps what a device's messages say of it: the protocol as it is now, brand and model only where there is none yet, in one step with
   * looking. Nothing is written where nothing is new.
   * @returns the record after it, or undefined when there is none
   */
  abstract learn(deviceId: DeviceId, facts: DeviceFacts): Promise<DeviceRecord | undefined>
  /** @returns false when there was none */
  abstract delete(deviceId: DeviceId): Promise<boolean>
  /** Writes many last-heard times in one go; a time never moves backwards. */
  abstract touch(lastSeen: readonly { readonly deviceId: DeviceId; readonly atMs: number }[]): Promise<void>

  /** Remembers that a device logged in from an address, at most one write a day for the pair. */
  abstract rememberAddress(deviceId: DeviceId, address: string, atMs: number): Promise<void>
  /** Whether it logged in from there since the moment. */
  abstract isKnownAddress(deviceId: DeviceId, address: string, sinceMs: number): Promise<boolean>
  /** @returns how many were removed */
  abstract forgetAddresses(beforeMs: number): Promise<number>
}
