import { openMongoConnection } from '../../src/storage/mongo-connection.js'
import { openMongoPositions } from '../../src/storage/positions/mongo-position-store.js'
import type { PositionStore } from '../../src/storage/positions/position-store.js'
import { openSqlitePositions } from '../../src/storage/positions/sqlite-position-store.js'
import { numberedPositions } from './numbered-positions.js'

/** Appends batch after batch, three under way at a time, and writes the number of each to the output once it is stored. */
async function appendUntilKilled(place: string, firstBatch: number): Promise<void> {
  const store = await openAt(place)
  let next = firstBatch
  const keepAppending = async () => {
    for (;;) {
      const batch = next++
      await store.append(numberedPositions(batch))
      process.stdout.write(`${batch}\n`)
    }
  }
  await Promise.all([keepAppending(), keepAppending(), keepAppending()])
}

/** @param place a directory, or a URL of MongoDB */
async function openAt(place: string): Promise<PositionStore> {
  if (!place.startsWith('mongodb')) return openSqlitePositions({ directory: place })
  return openMongoPositions(await openMongoConnection({ url: place }))
}

const [place = '', firstBatch = '0'] = process.argv.slice(1)
appendUntilKilled(place, Number(firstBatch)).catch((error: unknown) => {
  console.error(error)
  process.exit(1)
})
