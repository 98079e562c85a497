import { setTimeout as sleep } from 'node:timers/promises'
import { orNoSuchMultipart } from './s3-bucket.js'
import { isRefusedAs } from './s3-errors.js'

const MOST_TRIES = 20
const PAUSE_MS = 100

/**
 * Completes a multipart upload that another node may be completing as well. While a server puts its parts together they may be gone
 * already and the upload still be there; and a part that arrives in that moment may leave something of the upload behind for good. Both
 * it calls a part that is not there.
 * @param isCompleted whether the object is there
 * @returns undefined: there is no such upload any more, or its object is there
 * @throws the server's error, also `InvalidPart` when it stays so
 */
export async function completeBesideOthers<T>(
  send: () => Promise<T>,
  isCompleted: () => Promise<boolean>,
  pauseMs = PAUSE_MS,
): Promise<T | undefined> {
  for (let tries = 1; ; tries++) {
    try {
      return await orNoSuchMultipart(send())
    } catch (error) {
      if (!isRefusedAs(error, 'InvalidPart')) throw error
      if (await isCompleted()) return undefined
      if (tries === MOST_TRIES) throw error
      await sleep(pauseMs)
    }
  }
}
