import { Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common'
import type { Metrics } from '../metrics/metrics.js'

const HOUR_MS = 3_600_000
/** Soon after the start, but after those who wait for it had their turn. */
const FIRST_AFTER_MS = 15_000
/** Several servers that were started together do not stay in step. */
const JITTER = 0.2

/** What is removed by its age. */
export interface RetentionRule {
  /** As in the metric's label and the log. */
  readonly store: string
  /** 0: for ever. */
  readonly keepMs: number
  /** Removes what is older than the moment, in steps small enough for those who write meanwhile. @returns how much */
  remove(beforeMs: number): Promise<number>
}

/** Removes what is too old: soon after the start and then hourly, one store after the other; none waits for one that fails. */
export class Retention implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('retention')
  private timer: NodeJS.Timeout | undefined
  private isStopping = false

  constructor(
    private readonly rules: readonly RetentionRule[],
    private readonly metrics: Metrics,
    private readonly random: () => number = Math.random,
  ) {}

  onApplicationBootstrap(): void {
    this.scheduleIn(FIRST_AFTER_MS)
  }

  onModuleDestroy(): void {
    this.isStopping = true
    clearTimeout(this.timer)
  }

  /** Never throws: what could not be removed now is tried again the next hour. */
  async run(): Promise<void> {
    for (const rule of this.rules) {
      if (this.isStopping) return
      if (rule.keepMs > 0) await this.apply(rule)
    }
  }

  private async apply({ store, keepMs, remove }: RetentionRule): Promise<void> {
    const startedMs = performance.now()
    try {
      const removed = await remove(Date.now() - keepMs)
      if (removed === 0) return
      this.metrics.retentionRemoved.inc({ store }, removed)
      const tookMs = Math.round(performance.now() - startedMs)
      this.logger.log({ event: 'retention_removed', store, removed, tookMs })
    } catch (error) {
      // A store that is closing under a removal is no failure.
      if (this.isStopping) return
      this.metrics.retentionFailed.inc({ store })
      const reason = error instanceof Error ? error.message : String(error)
      this.logger.warn({ event: 'retention_failed', store, reason })
    }
  }

  private scheduleIn(delayMs: number): void {
    if (this.isStopping) return
    const jitteredMs = delayMs * (1 + JITTER * (this.random() - 0.5))
    this.timer = setTimeout(() => void this.run().then(() => this.scheduleIn(HOUR_MS)), jitteredMs)
    this.timer.unref()
  }
}
