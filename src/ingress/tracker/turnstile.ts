const SECOND_MS = 1000

export interface TurnstileLimits {
  /** Inside at a time. */
  readonly atOnce: number
  /** Let in within a second. */
  readonly perSecond: number
  /** In line before it. */
  readonly waiting: number
}

/** `full`: there is no place in line either. `closed`: nobody is let in any more. */
export type TurnstileAnswer = 'in' | 'full' | 'closed'

/** Lets so many in at a time and so many a second; others wait in line, in their order, and the line has an end. */
export class Turnstile {
  private readonly line: Array<(answer: TurnstileAnswer) => void> = []
  private inside = 0
  private windowEndsMs = 0
  private leftInWindow = 0
  private timer: NodeJS.Timeout | undefined
  private isClosed = false

  constructor(
    private readonly limits: TurnstileLimits,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Who is let in calls {@link leave}. */
  enter(): Promise<TurnstileAnswer> {
    if (this.isClosed) return Promise.resolve('closed')
    if (this.line.length >= this.limits.waiting) return Promise.resolve('full')
    return new Promise((resolve) => {
      this.line.push(resolve)
      this.serve()
    })
  }

  leave(): void {
    this.inside -= 1
    this.serve()
  }

  /** Nobody is let in any more, those in line included. */
  close(): void {
    this.isClosed = true
    clearTimeout(this.timer)
    for (const resolve of this.line.splice(0)) resolve('closed')
  }

  private serve(): void {
    while (this.line.length > 0 && this.inside < this.limits.atOnce && this.takesOneMore()) {
      this.inside += 1
      this.line.shift()?.('in')
    }
  }

  private takesOneMore(): boolean {
    const now = this.now()
    if (now >= this.windowEndsMs) {
      this.windowEndsMs = now + SECOND_MS
      this.leftInWindow = this.limits.perSecond
    }
    if (this.leftInWindow > 0) {
      this.leftInWindow -= 1
      return true
    }
    this.timer ??= setTimeout(
      () => {
        this.timer = undefined
        this.serve()
      },
      this.windowEndsMs - now + 1,
    )
    return false
  }
}
