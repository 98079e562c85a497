/** What columns of times hold on every database: beyond it one refuses the value, another compares it as text, another finds nothing. */
const EARLIEST_MS = Date.UTC(1000, 0, 1)
const LATEST_MS = Date.UTC(10_000, 0, 1) - 1

/** A moment as conditions compare columns of times with it; of moments beyond the years 1000 to 9999 the nearest within. */
export function datetimeOf(epochMs: number): Date {
  return new Date(Math.min(Math.max(epochMs, EARLIEST_MS), LATEST_MS))
}
