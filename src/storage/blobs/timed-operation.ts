import type { Metrics } from '../../metrics/metrics.js'

/** What of a blob store is timed: not the appends, which last as long as their sources. */
export type TimedOperation = 'complete' | 'put' | 'open' | 'remove'

/** Does it, and tells the metrics how long it took and how it ended. */
export async function timedOperation<T>(
  metrics: Metrics | undefined,
  operation: TimedOperation,
  act: () => Promise<T>,
): Promise<T> {
  const startedAtMs = performance.now()
  const observe = (outcome: 'ok' | 'error') => {
    const seconds = (performance.now() - startedAtMs) / 1000
    metrics?.storeSeconds.observe({ store: 'blobs', operation, outcome }, seconds)
  }
  try {
    const result = await act()
    observe('ok')
    return result
  } catch (error) {
    observe('error')
    throw error
  }
}
