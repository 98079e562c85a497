import { statfs } from 'node:fs/promises'
import type { Metrics } from '../metrics/metrics.js'
import { AppError } from '../model/app-error.js'

const CHECK_EVERY_MS = 2000
const RETRY_AFTER_MS = 30_000

/** Refuses writes while the data disk has too little free, before a store breaks by itself. Looks at the disk every two seconds. */
export class DiskGuard {
  private freeBytes = Number.POSITIVE_INFINITY
  private timer: NodeJS.Timeout | undefined

  /**
   * @param directory on the disk to watch
   * @param minFreeBytes under this much every write is refused; 0: never
   */
  constructor(
    private readonly directory: string,
    private readonly minFreeBytes: number,
    private readonly metrics: Metrics,
  ) {}

  get isFull(): boolean {
    return this.freeBytes < this.minFreeBytes
  }

  /** @throws AppError `disk_full` */
  assertWritable(): void {
    if (this.isFull) throw this.refusal()
  }

  /** The refusal that every way in answers with while the disk is full. */
  refusal(): AppError {
    return new AppError('disk_full', `Less than ${this.minFreeBytes} bytes are free on the data disk`, {
      retryAfterMs: RETRY_AFTER_MS,
    })
  }

  /** Looks once, then keeps looking. */
  async start(): Promise<void> {
    await this.look()
    this.timer = setInterval(() => void this.look(), CHECK_EVERY_MS)
    this.timer.unref()
  }

  stop(): void {
    clearInterval(this.timer)
  }

  private async look(): Promise<void> {
    try {
      const { bavail, bsize } = await statfs(this.directory)
      this.freeBytes = bavail * bsize
      this.metrics.diskFreeBytes.set(this.freeBytes)
    } catch {
      // The directory went away: the stores say so themselves, in words of their own.
    }
  }
}
