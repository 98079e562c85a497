import { Logger } from '@nestjs/common'

const FIRST_PAUSE_MS = 1000
const LONGEST_PAUSE_MS = 30_000
const LOG_EVERY_MS = 10_000

interface Failure {
  readonly retry: () => void
  readonly pauseMs: number
  readonly atMs: number
}

/**
 * What a store refused to take, tried again with growing pauses until it is done: at most one piece of work of each name, the
 * latest. Nothing here throws.
 */
export class UnfinishedWork {
  private readonly logger = new Logger('commands')
  /** By name; with a time of infinity while it is tried. */
  private readonly failures = new Map<string, Failure>()
  private loggedAtMs = Number.NEGATIVE_INFINITY
  private isStopped = false

  constructor(private readonly now: () => number = Date.now) {}

  /**
   * Does it now.
   * @param retry begins it again later, if it fails; by default it is done in the same way
   */
  async finish(name: string, run: () => Promise<unknown>, retry?: () => void): Promise<void> {
    try {
      await run()
      this.failures.delete(name)
    } catch (error) {
      this.postpone(name, error, retry ?? (() => void this.finish(name, run)))
    }
  }

  /** Whether it failed and has not been done since. */
  has(name: string): boolean {
    return this.failures.has(name)
  }

  /** Begins again what has paused for long enough; call it every second. */
  tick(): void {
    for (const [name, failure] of [...this.failures]) {
      if (failure.atMs > this.now()) continue
      this.failures.set(name, { ...failure, atMs: Number.POSITIVE_INFINITY })
      failure.retry()
    }
  }

  stop(): void {
    this.isStopped = true
    this.failures.clear()
  }

  private postpone(name: string, error: unknown, retry: () => void): void {
    if (this.isStopped) return
    this.log(error)
    const lastPauseMs = this.failures.get(name)?.pauseMs ?? FIRST_PAUSE_MS / 2
    const pauseMs = Math.min(lastPauseMs * 2, LONGEST_PAUSE_MS)
    this.failures.set(name, { retry, pauseMs, atMs: this.now() + pauseMs })
  }

  /** A store that is away fails them all: once in a while is enough. */
  private log(error: unknown): void {
    if (this.now() - this.loggedAtMs < LOG_EVERY_MS) return
    this.loggedAtMs = this.now()
    const reason = error instanceof Error ? error.message : String(error)
    this.logger.warn({ event: 'command_work_delayed', reason })
  }
}
