/** A refusal that came sooner says nothing about the size: the store is away. */
const SLOW_MS = 1000
/** Twice as many are sure to be over in time when a write took no longer. */
const QUICK_MS = 2000

/** What became of a write of a whole batch. */
export interface BatchOutcome {
  readonly count: number
  readonly tookMs: number
  /** Undefined: it was stored. */
  readonly refusal: string | undefined
}

/**
 * How many items go to the store at once. A store may be so slow that a full batch is never over in time: each would be refused, and come
 * again as large. So after one that took too long half as many go, down to one by one, and twice as many after a full one that was quick.
 */
export class BatchSize {
  private size: number

  /** @param tooLongMs whoever waits for a write is refused after it, whatever becomes of it */
  constructor(
    private readonly max: number,
    private readonly tooLongMs: number,
  ) {
    this.size = max
  }

  get current(): number {
    return this.size
  }

  settle({ count, tookMs, refusal }: BatchOutcome): void {
    const wasGivenUp = refusal === 'store_unavailable' && tookMs >= SLOW_MS
    if (wasGivenUp || tookMs >= this.tooLongMs) this.size = Math.max(1, Math.floor(Math.min(this.size, count) / 2))
    else if (refusal === undefined && count >= this.size && tookMs < QUICK_MS) {
      this.size = Math.min(this.max, this.size * 2)
    }
  }
}
