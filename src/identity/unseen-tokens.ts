import { LRUCache } from 'lru-cache'

/** A client that got an error asks again within seconds. */
const KEPT_MS = 30_000
const MAX_EXCHANGES = 10_000
/** Tries of one exchange. */
const MAX_TRIES = 10

interface Unseen {
  readonly hashes: readonly string[]
  readonly untilMs: number
}

/**
 * Refresh tokens that were made and given to nobody, since the store lost its answer: whether they were exchanged for the one that the
 * client still has is not known.
 */
export class UnseenTokens {
  private readonly unseen = new LRUCache<string, Unseen>({ max: MAX_EXCHANGES })

  /** @returns the hashes of those made for this one, the newest first; they are not known any more */
  take(presentedHash: string): readonly string[] {
    const known = this.unseen.get(presentedHash)
    this.unseen.delete(presentedHash)
    return known === undefined || known.untilMs <= Date.now() ? [] : known.hashes
  }

  /** @param hashes newest first */
  keep(presentedHash: string, hashes: readonly string[]): void {
    this.unseen.set(presentedHash, { hashes: hashes.slice(0, MAX_TRIES), untilMs: Date.now() + KEPT_MS })
  }
}
