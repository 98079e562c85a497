import type { DeviceId } from '../model/device-id.js'
import type { Position } from '../model/position.js'

/** Whose track a file holds. */
export interface TrackOwner {
  readonly deviceId: DeviceId
  readonly name: string | null
}

/** A track in order, a page at a time. */
export type TrackPages = AsyncIterable<readonly Position[]>
