import { Turns } from './turns.js'

/** Lets one writer in at a time, in the order they came. */
export class WriteLock extends Turns {
  /** @param waitLimitMs who waits longer is refused */
  constructor(waitLimitMs: number) {
    super({ refusal: 'its write lock was not free', count: 1, waitLimitMs })
  }
}
