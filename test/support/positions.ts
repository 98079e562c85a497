import type { Position } from '../../src/model/position.js'

/** A position in Munich, or with what is given instead. */
export function makePosition(given: Partial<Position> = {}): Position {
  return {
    deviceId: '356938035643809',
    timeMs: Date.UTC(2026, 10, 22, 7, 30),
    discriminator: 0,
    receivedAtMs: Date.UTC(2026, 10, 22, 7, 30, 1),
    latitude: 48.1635066,
    longitude: 11.5643883,
    hasFix: true,
    altitudeM: 519,
    speedKmh: 42.5,
    headingDeg: 271,
    accuracyM: null,
    satellites: 11,
    attributes: { ignition: true },
    ...given,
  }
}
