import type { Position } from '../../src/model/position.js'

const DEVICES = 40
const START_MS = Date.UTC(2026, 0, 1)

/** The batch with this number: 200 positions, five of each of 40 devices, no two batches share one. */
export function numberedPositions(batch: number): Position[] {
  return Array.from({ length: 200 }, (_, index) => ({
    deviceId: `numbered-${index % DEVICES}`,
    timeMs: START_MS + batch * 10_000 + Math.floor(index / DEVICES) * 1000,
    discriminator: 0,
    receivedAtMs: START_MS,
    latitude: (index % 90) / 2,
    longitude: (batch % 180) / 2,
    hasFix: true,
    altitudeM: null,
    speedKmh: index,
    headingDeg: null,
    accuracyM: null,
    satellites: null,
    attributes: index % 20 === 0 ? { batch } : null,
  }))
}
