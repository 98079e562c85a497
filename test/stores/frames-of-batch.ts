import type { RawFrame } from '../../src/storage/frames/raw-frame-store.js'

export const BATCH_DEVICES = 40
const START_MS = Date.UTC(2026, 0, 1)

/** The batch with this number: 200 frames, five of each of 40 devices, each with bytes of its own. */
export function framesOfBatch(batch: number): RawFrame[] {
  return Array.from({ length: 200 }, (_, index) => ({
    deviceId: `batched-${index % BATCH_DEVICES}`,
    atMs: START_MS + batch * 10,
    direction: index % 2 === 0 ? 'in' : 'out',
    protocol: 'teltonika',
    link: `tcp:203.0.113.7:${40_000 + (index % BATCH_DEVICES)}#1`,
    bytes: Buffer.from(`${batch}/${index}`.padEnd(60, '.')),
  }))
}

/** Number of the batch and of the frame in it. */
export function placeInBatch({ bytes }: Pick<RawFrame, 'bytes'>): string {
  return Buffer.from(bytes).toString().replace(/\.+$/, '')
}
