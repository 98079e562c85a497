import { openSqliteSpool } from '../../src/storage/spool/sqlite-spool-store.js'

const MAX_BYTES = 2 ** 30

/** Keeps numbered entries in a spool, several under way, and writes the number of each to the output once it is kept. */
async function spoolUntilKilled(directory: string, firstNumber: number): Promise<void> {
  const store = await openSqliteSpool({ directory, maxBytes: MAX_BYTES })
  const entryOf = (number: number) => {
    const deviceId = `truck-${number % 7}`
    return { deviceId, key: String(number), keptAtMs: number, body: `${number} ${'x'.repeat(number % 5000)}` }
  }
  let next = firstNumber
  const goOn = async () => {
    for (;;) {
      const number = next++
      await store.keep([entryOf(number)])
      process.stdout.write(`${number}\n`)
    }
  }
  await Promise.all([goOn(), goOn(), goOn(), goOn(), goOn()])
}

const [directory = '', firstNumber = '0'] = process.argv.slice(1)
spoolUntilKilled(directory, Number(firstNumber)).catch((error: unknown) => {
  console.error(error)
  process.exit(1)
})
