import type { DeviceId } from '../model/device-id.js'
import type { Position } from '../model/position.js'
import type { PresenceChange } from '../sessions/link.js'

/** A thing that came or changed, as it stands now. */
export interface LiveNews {
  readonly name: 'alarm' | 'command' | 'video'
  /** Of the thing; newer news of the same thing stand for older ones that a watcher has not got yet. */
  readonly id: string
  readonly deviceId: DeviceId
  /** Where it happened, in degrees; null: nowhere. A watcher's box says nothing about what has no place. */
  readonly point: { readonly latitude: number; readonly longitude: number } | null
  /** Makes the item as REST shows it; called at most once, and only if somebody watches. */
  readonly item: () => unknown
}

/** Stored things to watching users. Nothing here throws or waits. */
export abstract class LiveFeed {
  /** Positions that became their device's latest. */
  abstract publishPositions(positions: readonly Position[]): void
  abstract publishNews(news: LiveNews): void
  abstract publishPresence(change: PresenceChange): void
}
