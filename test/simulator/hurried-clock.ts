import { SystemClock } from '../../simulator/clock.js'

/** The clock of the machine, so many times as fast: waits of seconds pass in a test without being others. */
export class HurriedClock extends SystemClock {
  private readonly startMs = Date.now()

  constructor(private readonly times: number) {
    super()
  }

  override nowMs(): number {
    return this.startMs + (super.nowMs() - this.startMs) * this.times
  }

  override after(delayMs: number, call: () => void): () => void {
    return super.after(delayMs / this.times, call)
  }
}
