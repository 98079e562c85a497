import { AppError } from '../../model/app-error.js'
import { storeUnavailable } from './sql-errors.js'

interface Waiting {
  readonly grant: () => void
  readonly timer: NodeJS.Timeout
}

const MAX_WAITING = 10_000
const RETRY_AFTER_MS = 1000

/** Lets one writer in at a time, in the order they came. */
export class WriteLock {
  private isHeld = false
  private readonly queue = new Set<Waiting>()

  /** @param waitLimitMs who waits longer is refused */
  constructor(private readonly waitLimitMs: number) {}

  /**
   * @returns gives the lock back; calling it again does nothing
   * @throws AppError `store_unavailable` after the limit | `overloaded` when too many wait
   */
  acquire(): Promise<() => void> {
    if (!this.isHeld) {
      this.isHeld = true
      return Promise.resolve(this.makeRelease())
    }
    if (this.queue.size >= MAX_WAITING) {
      return Promise.reject(
        new AppError('overloaded', 'Too many writes wait for the database', { retryAfterMs: RETRY_AFTER_MS }),
      )
    }
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        grant: () => resolve(this.makeRelease()),
        timer: setTimeout(() => {
          this.queue.delete(waiting)
          reject(storeUnavailable(`its write lock was not free within ${this.waitLimitMs} ms`))
        }, this.waitLimitMs),
      }
      this.queue.add(waiting)
    })
  }

  private makeRelease(): () => void {
    let isMine = true
    return () => {
      if (!isMine) return
      isMine = false
      this.passOn()
    }
  }

  private passOn(): void {
    const [next] = this.queue
    if (!next) {
      this.isHeld = false
      return
    }
    this.queue.delete(next)
    clearTimeout(next.timer)
    next.grant()
  }
}
