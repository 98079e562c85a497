import type { Position } from '../../model/position.js'
import type { PositionStore } from './position-store.js'

/** Where a store's data lives for one test: opening again finds what was stored before. */
export interface PositionPlace {
  open(): Promise<PositionStore>
  /** Removes the data; stores opened here are closed already. */
  remove(): Promise<void>
}

/**
 * What a server that stands in for another does differently: `byteOrder`: it compares texts by UTF-16; `scale`: it looks at every document
 * where the other uses an index.
 */
export type Difference = 'byteOrder' | 'scale'

/** A test that a server with this difference is not put to; its name says so. */
export function itUnless(differences: readonly Difference[], difference: Difference) {
  return (name: string, test: () => Promise<void>, timeoutMs?: number) =>
    differences.includes(difference)
      ? it.skip(`${name} (not on this server: ${difference})`, test)
      : it(name, test, timeoutMs)
}

/** A moment that is like any other, to count from. */
export const NOON_MS = Date.UTC(2026, 4, 17, 12)

/** A fix in Munich at noon, with what is given instead. */
export function samplePosition(changes: Partial<Position> = {}): Position {
  return {
    deviceId: 'truck-1',
    timeMs: NOON_MS,
    discriminator: 0,
    receivedAtMs: NOON_MS + 250,
    latitude: 48.137154,
    longitude: 11.576124,
    hasFix: true,
    altitudeM: 519.2,
    speedKmh: 36.5,
    headingDeg: 271.3,
    accuracyM: 4.5,
    satellites: 11,
    attributes: null,
    ...changes,
  }
}

/** Fixes of one device, a second apart, each a little further north. */
export function sampleTrack(deviceId: string, count: number, startMs = NOON_MS): Position[] {
  return Array.from({ length: count }, (_, index) =>
    samplePosition({
      deviceId,
      timeMs: startMs + index * 1000,
      receivedAtMs: startMs + index * 1000 + 250,
      latitude: 48 + index / 10_000,
    }),
  )
}

/** The whole track of a device, records without a fix included, in one page. */
export function wholeTrack(store: PositionStore, deviceId: string): Promise<Position[]> {
  return store.listTrack(deviceId, { limit: 100_000, includeWithoutFix: true })
}
