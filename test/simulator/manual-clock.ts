import { setImmediate as nextTurn } from 'node:timers/promises'
import { Clock } from '../../simulator/clock.js'

/** A clock that goes when a test says so. */
export class ManualClock extends Clock {
  private timers: Array<{ readonly atMs: number; readonly call: () => void }> = []

  constructor(private timeMs = Date.UTC(2026, 0, 1)) {
    super()
  }

  /** Timers that nobody has taken back. */
  get pending(): number {
    return this.timers.length
  }

  /** Until the next timer; undefined: there is none. */
  get nextInMs(): number | undefined {
    if (this.timers.length === 0) return undefined
    return Math.min(...this.timers.map(({ atMs }) => atMs)) - this.timeMs
  }

  nowMs(): number {
    return this.timeMs
  }

  after(delayMs: number, call: () => void): () => void {
    const timer = { atMs: this.timeMs + Math.max(0, delayMs), call }
    this.timers.push(timer)
    return () => {
      this.timers = this.timers.filter((other) => other !== timer)
    }
  }

  /** Lets the time pass, timer by timer, and everything they cause come to rest in between. */
  async advance(byMs: number): Promise<void> {
    const endMs = this.timeMs + byMs
    await atRest()
    for (;;) {
      const [next] = this.timers.filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs)
      if (next === undefined) break
      this.timers = this.timers.filter((other) => other !== next)
      this.timeMs = Math.max(this.timeMs, next.atMs)
      next.call()
      await atRest()
    }
    this.timeMs = endMs
  }
}

/** Enough turns of the event loop for what does not wait for a timer or a socket. */
export async function atRest(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await nextTurn()
}
