import { AppError } from '../../model/app-error.js'
import { storeUnavailable } from './sql-errors.js'

interface Waiting {
  readonly grant: () => void
  readonly timer: NodeJS.Timeout
}

export interface TurnOptions {
  /** What is said to who waited too long, such as `no connection was free`. */
  readonly refusal: string
  readonly count: number
  /** Who waits longer is refused. */
  readonly waitLimitMs: number
}

const MAX_WAITING = 10_000
const RETRY_AFTER_MS = 1000

/** Lets so many in at a time, the others in the order they came. */
export class Turns {
  private free: number
  private readonly queue = new Set<Waiting>()

  constructor(private readonly options: TurnOptions) {
    this.free = options.count
  }

  /**
   * @returns gives the turn back; calling it again does nothing
   * @throws AppError `store_unavailable` after the limit | `overloaded` when too many wait
   */
  acquire(waitLimitMs = this.options.waitLimitMs): Promise<() => void> {
    if (this.free > 0) {
      this.free--
      return Promise.resolve(this.makeRelease())
    }
    if (this.queue.size >= MAX_WAITING) {
      return Promise.reject(
        new AppError('overloaded', 'Too many calls wait for the database', { retryAfterMs: RETRY_AFTER_MS }),
      )
    }
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        grant: () => resolve(this.makeRelease()),
        timer: setTimeout(() => {
          this.queue.delete(waiting)
          reject(storeUnavailable(`${this.options.refusal} within ${waitLimitMs} ms`))
        }, waitLimitMs),
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
      this.free++
      return
    }
    this.queue.delete(next)
    clearTimeout(next.timer)
    next.grant()
  }
}
