import type { Metrics } from '../metrics/metrics.js'
import { within } from '../web/within.js'

/** What one store said of itself. */
export interface StoreState {
  readonly status: 'ok' | 'error'
  /** Why it does not work, or what else a person is to know; null: nothing. */
  readonly message: string | null
}

/** Whether the server can do its work. */
export interface ReadinessReport {
  readonly status: 'ok' | 'error'
  readonly details: Readonly<Record<string, StoreState>>
}

/** Rejects with the reason when the store does not work. A text that it resolves to is told. */
export type StoreCheck = () => Promise<unknown>

/** A store that says nothing within this does not work. */
export const CHECK_WITHIN_MS = 2000
/** However many ask, stores are not asked more often. */
export const REPORT_GOOD_FOR_MS = 1000

/** Asks every store at once whether it works; what they said is good for a second, and a store that hangs is not asked twice. */
export class Readiness {
  private readonly running = new Map<string, Promise<unknown>>()
  private asking: Promise<ReadinessReport> | undefined
  private latest: ReadinessReport | undefined
  private latestAtMs = 0

  /**
   * @param checks of what the server cannot do without
   * @param extras of what units can do without: it is told, and the server is ready all the same
   */
  constructor(
    private readonly checks: Readonly<Record<string, StoreCheck>>,
    private readonly metrics: Metrics,
    private readonly extras: Readonly<Record<string, StoreCheck>> = {},
    private readonly now: () => number = () => performance.now(),
  ) {}

  async report(): Promise<ReadinessReport> {
    if (this.latest !== undefined && this.now() - this.latestAtMs < REPORT_GOOD_FOR_MS) return this.latest
    this.asking ??= this.ask().finally(() => {
      this.asking = undefined
    })
    return this.asking
  }

  private async ask(): Promise<ReadinessReport> {
    const entries = await Promise.all(
      Object.entries({ ...this.checks, ...this.extras }).map(
        async ([store, check]) => [store, await this.stateOf(store, check)] as const,
      ),
    )
    for (const [store, { status }] of entries) this.metrics.storeUp.set({ store }, status === 'ok' ? 1 : 0)
    const isOk = entries.every(([store, { status }]) => status === 'ok' || store in this.extras)
    this.latest = { status: isOk ? 'ok' : 'error', details: Object.fromEntries(entries) }
    this.latestAtMs = this.now()
    return this.latest
  }

  private async stateOf(store: string, check: StoreCheck): Promise<StoreState> {
    const late = () => new Error(`no answer within ${CHECK_WITHIN_MS} ms`)
    try {
      const said = await within(this.run(store, check), CHECK_WITHIN_MS, late)
      return { status: 'ok', message: typeof said === 'string' ? said : null }
    } catch (error) {
      return { status: 'error', message: error instanceof Error ? error.message : String(error) }
    }
  }

  private run(store: string, check: StoreCheck): Promise<unknown> {
    const running = this.running.get(store)
    if (running !== undefined) return running
    const started = Promise.resolve()
      .then(check)
      .finally(() => this.running.delete(store))
    this.running.set(store, started)
    return started
  }
}
