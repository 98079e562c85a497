import type { Position } from '../src/model/position.js'

const START_MS = Date.UTC(2026, 0, 1)

export interface RowPlan {
  readonly devices: number
  readonly batchSize: number
  readonly batches: number
  /** Number of the first row: a later plan goes on where an earlier one ended. */
  readonly firstRow: number
}

/** Batches of positions as a fleet sends them: every device in turn, a second later each time, now and then attributes. */
export function makeBatches({ devices, batchSize, batches, firstRow }: RowPlan): Position[][] {
  return Array.from({ length: batches }, (_, batch) =>
    Array.from({ length: batchSize }, (_, row) => makePosition(firstRow + batch * batchSize + row, devices)),
  )
}

function makePosition(row: number, devices: number): Position {
  const timeMs = START_MS + Math.floor(row / devices) * 1000
  return {
    deviceId: String(350_000_000_000_000 + (row % devices)),
    timeMs,
    discriminator: 0,
    receivedAtMs: timeMs + 180,
    latitude: 48 + Math.sin(row) / 2,
    longitude: 11 + Math.cos(row) / 2,
    hasFix: true,
    altitudeM: 500 + (row % 50),
    speedKmh: (row % 130) + 0.5,
    headingDeg: row % 360,
    accuracyM: row % 4 === 0 ? 5 : null,
    satellites: row % 14,
    attributes: row % 10 === 0 ? { ignition: true, batteryV: 12.5 } : null,
  }
}
