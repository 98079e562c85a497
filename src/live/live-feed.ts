import type { Position } from '../model/position.js'
import type { PresenceChange } from '../sessions/link.js'

/** Stored things to watching users. Nothing here throws or waits. */
export abstract class LiveFeed {
  /** Positions that became their device's latest. */
  abstract publishPositions(positions: readonly Position[]): void
  abstract publishPresence(change: PresenceChange): void
}
