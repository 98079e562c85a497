import { AppError } from '../model/app-error.js'

/** Under what readiness waits, which then is told the reason. */
const LIMIT_MS = 1800

/** Asks a store for a sign of life with a time limit; however often it is asked, one probe waits at a time. */
export class HealthProbe {
  private running: Promise<void> | undefined
  /** What the latest probe that ended was ended by; a server that is away may take longer to say so than the limit. */
  private reason = ''

  /**
   * @param name for the message, such as `positions`
   * @param probe a tiny commit, waiting its turn behind the writes that were sent before it
   */
  constructor(
    private readonly name: string,
    private readonly probe: () => Promise<void>,
    private readonly limitMs = LIMIT_MS,
  ) {}

  /** @throws AppError `store_unavailable` (too slow) or what the probe ended with */
  async check(): Promise<void> {
    this.running ??= this.run().finally(() => {
      this.running = undefined
    })
    let timer: NodeJS.Timeout | undefined
    const tooSlow = new Promise<never>((_, reject) => {
      const error = new AppError('store_unavailable', `${this.name}: no commit within ${this.limitMs} ms${this.reason}`)
      timer = setTimeout(() => reject(error), this.limitMs)
    })
    try {
      await Promise.race([this.running, tooSlow])
    } finally {
      clearTimeout(timer)
    }
  }

  private async run(): Promise<void> {
    try {
      await this.probe()
      this.reason = ''
    } catch (error) {
      this.reason = `; before that: ${error instanceof Error ? error.message : String(error)}`
      throw error
    }
  }
}
