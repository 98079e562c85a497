import { setTimeout as sleep } from 'node:timers/promises'
import { AppError } from '../model/app-error.js'
import { isDeadlock, mongoUnavailable, toMongoFault } from './mongo-errors.js'

/** A caller is told after this long: what is above has time left to answer its unit within 10 s. */
const CALL_LIMIT_MS = 7000
/** A statement is given up after meeting others so often. */
export const MOST_DEADLOCKS = 8
const DEADLOCK_PAUSE_MS = 15

export interface CallOptions {
  readonly limitMs?: number
}

/**
 * Calls of one store to the server: a bounded number, each answered in time whatever becomes of the network, writes one after
 * the other in the order in which they were made. A write that was answered late may still be carried out.
 */
export class MongoCalls {
  private waiting = 0
  private isClosed = false
  private whenIdle: Array<() => void> = []
  private lastWrite: Promise<unknown> = Promise.resolve()

  constructor(
    private readonly store: string,
    private readonly mostWaiting: number,
  ) {}

  /** @throws AppError `store_unavailable` | `disk_full` | `overloaded`, RangeError of documents that are refused */
  async read<T>(work: () => Promise<T>, { limitMs = CALL_LIMIT_MS }: CallOptions = {}): Promise<T> {
    if (this.isClosed) throw mongoUnavailable(`${this.store}: it is closed`)
    if (this.waiting >= this.mostWaiting) throw new AppError('overloaded', `${this.store}: too many calls wait`)
    this.waiting++
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      const refuse = () => reject(mongoUnavailable(`${this.store}: no answer within ${limitMs} ms`))
      timer = setTimeout(refuse, limitMs)
    })
    try {
      return await Promise.race([work(), late])
    } catch (error) {
      throw toMongoFault(this.store, error)
    } finally {
      clearTimeout(timer)
      this.waiting--
      if (this.waiting === 0) for (const resolve of this.whenIdle.splice(0)) resolve()
    }
  }

  /** As {@link read}, after the writes that were asked for before. What is no longer waited for is not begun. */
  write<T>(work: () => Promise<T>, options?: CallOptions): Promise<T> {
    let isAnswered = false
    const turn = () => {
      const mine = this.lastWrite.then(() => {
        if (isAnswered) throw mongoUnavailable(`${this.store}: given up before its turn`)
        return work()
      })
      this.lastWrite = mine.catch(() => {})
      return mine
    }
    return this.read(turn, options).finally(() => {
      isAnswered = true
    })
  }

  /** Refuses what comes from now on; resolves when everything under way was answered. */
  async close(): Promise<void> {
    this.isClosed = true
    if (this.waiting > 0) await new Promise<void>((resolve) => this.whenIdle.push(resolve))
  }
}

/** One statement to the server, again when the whole of it met another one there. */
export async function retryDeadlocks<T>(statement: () => Promise<T>): Promise<T> {
  for (let met = 1; ; met++) {
    try {
      return await statement()
    } catch (error) {
      if (!isDeadlock(error) || met > MOST_DEADLOCKS) throw error
      await pauseAfterDeadlock(met)
    }
  }
}

/** @param met how often it was met */
export async function pauseAfterDeadlock(met: number): Promise<void> {
  await sleep(DEADLOCK_PAUSE_MS * met * (0.5 + Math.random()))
}
