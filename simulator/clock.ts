/** Time as a unit meets it; tests bring their own. */
export abstract class Clock {
  /** Epoch milliseconds. */
  abstract nowMs(): number

  /** Calls back once, after the delay; the function that comes back takes it back. */
  abstract after(delayMs: number, call: () => void): () => void

  /** Resolves after the delay, or as soon as the signal is given. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve()
      const wake = () => {
        cancel()
        signal?.removeEventListener('abort', wake)
        resolve()
      }
      const cancel = this.after(delayMs, wake)
      signal?.addEventListener('abort', wake)
    })
  }

  /** What the promise resolves to, or `undefined` when the delay is over first. */
  async within<T>(delayMs: number, promise: Promise<T>): Promise<T | undefined> {
    const waiting = new AbortController()
    try {
      return await Promise.race([promise, this.sleep(delayMs, waiting.signal).then(() => undefined)])
    } finally {
      waiting.abort()
    }
  }
}

/** The longest delay that a timer of Node takes; a longer one fires at once. */
const TIMER_LIMIT_MS = 2 ** 31 - 1

/** The clock of the machine. */
export class SystemClock extends Clock {
  nowMs(): number {
    return Date.now()
  }

  after(delayMs: number, call: () => void): () => void {
    let timer: NodeJS.Timeout
    const arm = (restMs: number) => {
      const stepMs = Math.min(restMs, TIMER_LIMIT_MS)
      timer = setTimeout(() => (restMs > stepMs ? arm(restMs - stepMs) : call()), stepMs)
    }
    arm(Math.max(0, delayMs))
    return () => clearTimeout(timer)
  }
}
