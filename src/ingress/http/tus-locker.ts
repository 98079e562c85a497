import type { Lock, Locker } from '@tus/server'
import { AppError } from '../../model/app-error.js'
import type { KeyedLocks, Release } from '../../videos/keyed-locks.js'
import { within } from '../../web/within.js'

/** The one before ends as soon as its bytes so far are durable. */
const LOCKED_WITHIN_MS = 15_000
const RETRY_AFTER_MS = 2000

/** Gives the requests of tus their turns on an upload. A request that comes for an upload whose bytes another one brings ends that one: a unit that lost its connection comes back before the server knows. */
export class TusLocker implements Locker {
  /** @param onWanted ends what this request is doing */
  constructor(
    private readonly locks: KeyedLocks,
    private readonly onWanted: () => void,
  ) {}

  newLock(id: string): Lock {
    let release: Release | undefined
    return {
      lock: async () => {
        const turn = this.locks.acquire(id, this.onWanted)
        release = await within(turn, LOCKED_WITHIN_MS, () => {
          void turn.then((later) => later())
          return new AppError('overloaded', 'Another request works on this upload', { retryAfterMs: RETRY_AFTER_MS })
        })
      },
      unlock: async () => release?.(),
    }
  }
}
