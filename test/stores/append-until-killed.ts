import { openSqlitePositions } from '../../src/storage/positions/sqlite-position-store.js'
import { numberedPositions } from './numbered-positions.js'

/** Appends batch after batch, three under way at a time, and writes the number of each to the output once it is stored. */
async function appendUntilKilled(directory: string, firstBatch: number): Promise<void> {
  const store = await openSqlitePositions({ directory })
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

const [directory = '', firstBatch = '0'] = process.argv.slice(1)
appendUntilKilled(directory, Number(firstBatch)).catch((error: unknown) => {
  console.error(error)
  process.exit(1)
})
