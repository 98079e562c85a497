import { openMongoRawFrames } from '../../src/storage/frames/mongo-raw-frame-store.js'
import type { RawFrameStore } from '../../src/storage/frames/raw-frame-store.js'
import { openSqliteRawFrames } from '../../src/storage/frames/sqlite-raw-frame-store.js'
import { openMongoConnection } from '../../src/storage/mongo-connection.js'
import { framesOfBatch } from './frames-of-batch.js'

/** Keeps batch after batch of frames, three under way at a time, and writes the number of each to the output once it is kept. */
async function keepUntilKilled(place: string, firstBatch: number): Promise<void> {
  const store = await openAt(place)
  let next = firstBatch
  const goOn = async () => {
    for (;;) {
      const batch = next++
      await store.keep(framesOfBatch(batch))
      process.stdout.write(`${batch}\n`)
    }
  }
  await Promise.all([goOn(), goOn(), goOn()])
}

/** @param place a directory, or a URL of MongoDB */
async function openAt(place: string): Promise<RawFrameStore> {
  const mostBytes = 2 ** 40
  if (!place.startsWith('mongodb')) return openSqliteRawFrames({ directory: place, mostBytes })
  return openMongoRawFrames(await openMongoConnection({ url: place }), { mostBytes })
}

const [place = '', firstBatch = '0'] = process.argv.slice(1)
keepUntilKilled(place, Number(firstBatch)).catch((error: unknown) => {
  console.error(error)
  process.exit(1)
})
