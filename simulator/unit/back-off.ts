import type { Random } from '../random.js'

/** Why a unit has to wait: a code of the contract, where there is one, and the time the server asked for. */
export interface Setback {
  readonly code?: string
  readonly retryAfterMs?: number
}

const FIRST_WAIT_MS = 1_000
const LONGEST_WAIT_MS = 60_000
const FIRST_WAIT_AFTER_REPLACED_MS = 60_000
const LONGEST_WAIT_AFTER_REPLACED_MS = 15 * 60_000
/** Waits with a lower bound grow by up to this share, or a fleet would come back in one moment. */
const SPREAD = 0.1

/**
 * How long a unit waits before it tries again: doubling from 1 s to 60 s, each wait between half and the whole of that; never
 * less than the server asked for; after `replaced` at least 60 s, doubling to 15 min, since the other one may be a clone of it.
 */
export class BackOff {
  private setbacks = 0
  private replacements = 0

  constructor(private readonly random: Random) {}

  /** Milliseconds to wait after one more setback. */
  nextMs({ code, retryAfterMs = 0 }: Setback): number {
    const ownMs = code === 'replaced' ? this.afterReplacedMs() : this.afterAnyMs()
    const askedMs = retryAfterMs > 0 ? retryAfterMs * (1 + SPREAD * this.random()) : 0
    return Math.ceil(Math.max(ownMs, askedMs))
  }

  /** The server answered well: the next setback is a first one. Replacements are forgotten by `noteLinkEnded` only. */
  noteSuccess(): void {
    this.setbacks = 0
  }

  /** A link that outlived the longest wait was not fought over. */
  noteLinkEnded(lifeMs: number): void {
    if (lifeMs >= LONGEST_WAIT_AFTER_REPLACED_MS) this.replacements = 0
  }

  private afterAnyMs(): number {
    const wholeMs = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.setbacks++)
    return wholeMs * (0.5 + 0.5 * this.random())
  }

  private afterReplacedMs(): number {
    const wholeMs = Math.min(LONGEST_WAIT_AFTER_REPLACED_MS, FIRST_WAIT_AFTER_REPLACED_MS * 2 ** this.replacements++)
    return wholeMs * (1 + SPREAD * this.random())
  }
}
