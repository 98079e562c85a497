import { statfs } from 'node:fs/promises'
import type { Metrics } from '../metrics/metrics.js'
import { AppError } from '../model/app-error.js'

const CHECK_EVERY_MS = 2000
const RETRY_AFTER_MS = 30_000
/** Of what must be free: under this much what can be done without makes room, long before good data is refused. */
const LOW_SHARE = 2

/** Refuses writes while the data disk has too little free, before a store breaks by itself. Looks at the disk every two seconds. */
export class DiskGuard {
  private freeBytes = Number.POSITIVE_INFINITY
  private timer: NodeJS.Timeout | undefined
  private readonly listeners: Array<(missingBytes: number) => void> = []

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

  /** Less is free than twice that under which writes are refused. What can be done without is written no more, and makes room. */
  get isLow(): boolean {
    return this.missingBytes > 0
  }

  /** @param listener is called at each look at which the disk is low, with how many bytes more must be free; must not throw */
  whileLow(listener: (missingBytes: number) => void): void {
    this.listeners.push(listener)
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

  private get missingBytes(): number {
    return this.minFreeBytes * LOW_SHARE - this.freeBytes
  }

  private async look(): Promise<void> {
    try {
      const { bavail, bsize } = await statfs(this.directory)
      this.freeBytes = bavail * bsize
      this.metrics.diskFreeBytes.set(this.freeBytes)
    } catch {
      // The directory went away: the stores say so themselves, in words of their own.
      return
    }
    if (this.isLow) for (const listener of this.listeners) listener(this.missingBytes)
  }
}
