import { MOST_DEADLOCKS, pauseAfterDeadlock, retryDeadlocks } from './mongo-calls.js'
import { DEADLOCK, DUPLICATE_KEY, writeFaultsOf } from './mongo-errors.js'

/**
 * Inserts documents whose keys are not there. Those that met another write are sent again, and only those: what a first try stored
 * would come back as stored before.
 * @param insert one unordered insert
 * @returns indexes of those whose keys were there before
 * @throws what the driver throws; of a document that was refused an Error with the server's code
 */
export async function insertAbsent<T>(
  documents: readonly T[],
  insert: (documents: T[]) => Promise<unknown>,
): Promise<ReadonlySet<number>> {
  const known = new Set<number>()
  let open = [...documents.entries()]
  for (let met = 1; open.length > 0; met++) {
    if (met > 1) await pauseAfterDeadlock(met - 1)
    open = await insertOnce(open, insert, known, met > MOST_DEADLOCKS)
  }
  return known
}

/** @returns what must be sent again */
async function insertOnce<T>(
  entries: Array<[number, T]>,
  insert: (documents: T[]) => Promise<unknown>,
  known: Set<number>,
  isLastTry: boolean,
): Promise<Array<[number, T]>> {
  try {
    await retryDeadlocks(() => insert(entries.map(([, document]) => document)))
    return []
  } catch (error) {
    const faults = writeFaultsOf(error)
    if (!faults) throw error
    const again: Array<[number, T]> = []
    for (const { index, code, message } of faults) {
      const entry = entries[index]
      if (entry === undefined) throw error
      if (code === DUPLICATE_KEY) known.add(entry[0])
      else if (code === DEADLOCK && !isLastTry) again.push(entry)
      else throw Object.assign(new Error(message, { cause: error }), { code })
    }
    return again
  }
}
