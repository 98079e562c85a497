import type { RawFrameStore, StoredRawFrame } from '../../src/storage/frames/raw-frame-store.js'
import { BATCH_DEVICES, framesOfBatch, placeInBatch } from './frames-of-batch.js'
import { killAppender } from './kill-appender.js'

/**
 * Kills a process that keeps frames three times, and looks for everything it was told to be kept.
 * @param place a directory, or a URL of MongoDB
 */
export async function expectKeptThroughKills(place: string, open: () => Promise<RawFrameStore>): Promise<void> {
  let acknowledged: number[] = []
  for (let kill = 0; kill < 3; kill++) {
    const first = (kill + 1) * 10_000
    acknowledged = [...acknowledged, ...(await killAppender(place, first, 10 + kill * 10, 'keep-until-killed.ts'))]
  }
  expect(acknowledged.length).toBeGreaterThanOrEqual(60)
  const store = await open()
  try {
    const found = new Map<string, number>()
    for (let device = 0; device < BATCH_DEVICES; device++) {
      for await (const frame of framesOf(store, `batched-${device}`)) {
        expect([frame.protocol, frame.link]).toEqual(['teltonika', `tcp:203.0.113.7:${40_000 + device}#1`])
        found.set(placeInBatch(frame), (found.get(placeInBatch(frame)) ?? 0) + 1)
      }
    }
    const expected = acknowledged.flatMap((batch) => framesOfBatch(batch).map(placeInBatch))
    expect(expected.filter((place) => found.get(place) !== 1)).toEqual([])
  } finally {
    await store.close()
  }
}

async function* framesOf(store: RawFrameStore, deviceId: string): AsyncGenerator<StoredRawFrame> {
  let page: StoredRawFrame[] = []
  do {
    page = await store.list({ deviceId, order: 'oldest', limit: 1000, after: page.at(-1) })
    yield* page
  } while (page.length > 0)
}
