import type { DeviceId } from '../../model/device-id.js'
import type { BoundingBox, Position, TimeRange } from '../../model/position.js'

/** What an append says of each position, in the order given. */
export interface AppendResult {
  /**
   * `isNew[i]`: stored by this call; false: its identity was stored before (or earlier in the same call), also where attributes of a part
   * were added to it.
   */
  readonly isNew: readonly boolean[]
  /** `isLatest[i]`: new, has a fix, and no stored fix of its device is later (after this call). */
  readonly isLatest: readonly boolean[]
  /** `isTooLarge[i]`: a part that would make its record too large, and was not added to it; absent: there were no parts. */
  readonly isTooLarge?: readonly boolean[]
}

/** A place in the order of one device's records: just before everything of a moment, or before the record of this discriminator. */
export interface TrackPlace {
  /** By the unit's clock. */
  readonly timeMs: number
  readonly discriminator?: number
}

/** Where a page of a track begins and how far it goes. */
export interface TrackQuery extends TimeRange {
  /** Exclusive start: the page begins after this identity. */
  readonly after?: { readonly timeMs: number; readonly discriminator: number }
  /** At most this many rows. */
  readonly limit: number
  /** Also records without a fix. */
  readonly includeWithoutFix: boolean
}

/**
 * Where positions live. An `append` that resolved is on disk; one that rejected may or may not have been stored and may be
 * repeated: a position's identity is `(deviceId, timeMs, discriminator)` and the first one stored stays. A part of a record that is
 * stored adds its attributes to it (model/gathered-attributes.ts), in whatever order parts and their repeats come.
 * Long reads are pages by key: no read holds up an append, none keeps a snapshot open between pages.
 */
export abstract class PositionStore {
  /**
   * Stores what is new, durably, in one transaction where the store has them.
   * @throws AppError `store_unavailable` | `disk_full`: nothing may be acknowledged
   */
  abstract append(positions: readonly Position[]): Promise<AppendResult>

  /** The latest position with a fix by the unit's time (ties by discriminator), whatever the order of arrival. */
  abstract findLatest(deviceId: DeviceId): Promise<Position | undefined>

  /**
   * The last records before a place, also those without a fix, descending by time and discriminator. What a few of them cost does not grow
   * with what is stored of the device.
   * @param before exclusive
   */
  abstract listBefore(deviceId: DeviceId, before: TrackPlace, limit: number): Promise<Position[]>

  /** The latest positions of those of the devices that have one. */
  abstract listLatest(deviceIds: readonly DeviceId[]): Promise<Position[]>

  /** Ids, ascending byte by byte, of devices whose latest position lies in the box; at most `limit`, after `afterDeviceId`. */
  abstract listDeviceIdsInBox(box: BoundingBox, limit: number, afterDeviceId?: DeviceId): Promise<DeviceId[]>

  /** Ids, ascending byte by byte, of devices that any position is stored of; at most `limit`, after `afterDeviceId`. */
  abstract listDeviceIds(limit: number, afterDeviceId?: DeviceId): Promise<DeviceId[]>

  /** One page of a device's track, ascending by time and discriminator. */
  abstract listTrack(deviceId: DeviceId, query: TrackQuery): Promise<Position[]>

  /** Sum of great-circle legs between consecutive positions with a fix, and their number. */
  abstract measureDistance(deviceId: DeviceId, range: TimeRange): Promise<{ meters: number; points: number }>

  /** Removes everything of one device that was appended before, its latest position first. May be repeated when it failed. */
  abstract eraseDevice(deviceId: DeviceId): Promise<void>

  /**
   * Removes positions older than the moment, in small steps that do not stall appends. A device's latest position with a fix stays,
   * also in its track, so that it is known wherever the device was seen last.
   * @returns how many were removed
   */
  abstract removeOlderThan(timeMs: number): Promise<number>

  /** @throws AppError `store_unavailable` with the reason, when an append would not work now */
  abstract checkHealth(): Promise<void>

  /** Finishes what is under way and closes. */
  abstract close(): Promise<void>
}
