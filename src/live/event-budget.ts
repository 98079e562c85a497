const PER_SECOND = 25
const BURST = 100
const INTERVAL_MS = 1000 / PER_SECOND

/** How many events one watcher may send: plenty for a map that is dragged, too few to keep the server busy. */
export class EventBudget {
  private fullAtMs = 0

  /** Counts one event. @returns milliseconds until one passes; 0: this one did */
  take(nowMs: number): number {
    const fullAtMs = Math.max(this.fullAtMs, nowMs)
    const excessMs = fullAtMs - nowMs - (BURST - 1) * INTERVAL_MS
    if (excessMs > 0) return Math.ceil(excessMs)
    this.fullAtMs = fullAtMs + INTERVAL_MS
    return 0
  }
}
