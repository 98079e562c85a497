import { AppError } from '../model/app-error.js'

const LIMIT_MS = 2000

/** Asks a store's thread for a sign of life with a time limit; however often it is asked, one probe waits at a time. */
export class SqliteHealthProbe {
  private running: Promise<void> | undefined

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
    this.running ??= this.probe().finally(() => {
      this.running = undefined
    })
    let timer: NodeJS.Timeout | undefined
    const tooSlow = new Promise<never>((_, reject) => {
      const error = new AppError('store_unavailable', `${this.name}: no commit within ${this.limitMs} ms`)
      timer = setTimeout(() => reject(error), this.limitMs)
    })
    try {
      await Promise.race([this.running, tooSlow])
    } finally {
      clearTimeout(timer)
    }
  }
}
