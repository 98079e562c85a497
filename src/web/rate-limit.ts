import type { FastifyReply } from 'fastify'
import { LRUCache } from 'lru-cache'

/** What is left of a limit. */
export interface Allowance {
  readonly limit: number
  readonly remaining: number
  /** Until the whole limit is there again. */
  readonly resetMs: number
}

interface Window {
  count: number
  readonly endsAtMs: number
}

/**
 * Counts per key in windows that begin with the first count. Its memory is bounded by the number of keys: whoever floods it from
 * ever new addresses pushes out the oldest, which is why this is not a limiter that keeps a timer for each key.
 */
export class WindowCounter {
  private readonly windows: LRUCache<string, Window>

  /** @param limit counts that a key may have within a window */
  constructor(
    readonly limit: number,
    private readonly windowMs: number,
    maxKeys: number,
    private readonly now: () => number = Date.now,
  ) {
    this.windows = new LRUCache({ max: maxKeys })
  }

  add(key: string): void {
    const window = this.current(key)
    if (window === undefined) this.windows.set(key, { count: 1, endsAtMs: this.now() + this.windowMs })
    else window.count += 1
  }

  isUsedUp(key: string): boolean {
    return (this.current(key)?.count ?? 0) >= this.limit
  }

  allowance(key: string): Allowance {
    const window = this.current(key)
    return {
      limit: this.limit,
      remaining: Math.max(0, this.limit - (window?.count ?? 0)),
      resetMs: window === undefined ? 0 : window.endsAtMs - this.now(),
    }
  }

  private current(key: string): Window | undefined {
    const window = this.windows.get(key)
    return window !== undefined && window.endsAtMs > this.now() ? window : undefined
  }
}

/** Tells the client what is left, in `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset` (seconds). */
export function setRateLimitHeaders(reply: FastifyReply, { limit, remaining, resetMs }: Allowance): void {
  void reply.headers({
    'ratelimit-limit': String(limit),
    'ratelimit-remaining': String(remaining),
    'ratelimit-reset': String(Math.ceil(resetMs / 1000)),
  })
}
