import type { Metrics } from '../metrics/metrics.js'
import type { Position } from '../model/position.js'
import type { AppendResult, PositionStore } from '../storage/positions/position-store.js'
import { CommitQueue } from './commit-queue.js'
import { weightOf } from './weight.js'

const MAX_BATCH_POSITIONS = 5000
const MAX_PER_DEVICE = 10_000

const NOTHING: AppendResult = { isNew: [], isLatest: [] }

/** The group commit of positions. */
export class GroupCommit extends CommitQueue<Position, AppendResult> {
  constructor(
    private readonly positions: PositionStore,
    private readonly metrics: Metrics,
    maxWaiting: number,
    now?: () => number,
  ) {
    super({ items: 'positions', maxWaiting, maxPerDevice: MAX_PER_DEVICE, maxBatch: MAX_BATCH_POSITIONS }, now)
    metrics.watchWaitingPositions(() => this.weight)
  }

  /**
   * Resolves when the positions, all of one device, are on disk.
   * @throws AppError `overloaded` when too much waits already, `store_unavailable` when the store fails or takes too long, `disk_full`
   */
  append(positions: readonly Position[]): Promise<AppendResult> {
    const first = positions[0]
    if (first === undefined) return Promise.resolve(NOTHING)
    return this.enqueue(first.deviceId, positions, weigh(positions))
  }

  protected async store(positions: readonly Position[]): Promise<AppendResult> {
    const startedMs = performance.now()
    try {
      const result = await this.positions.append(positions)
      this.observe('ok', startedMs, positions.length)
      return result
    } catch (error) {
      this.observe('error', startedMs, positions.length)
      throw error
    }
  }

  protected partOf({ isNew, isLatest, isTooLarge }: AppendResult, start: number, end: number): AppendResult {
    const part = { isNew: isNew.slice(start, end), isLatest: isLatest.slice(start, end) }
    return isTooLarge === undefined ? part : { ...part, isTooLarge: isTooLarge.slice(start, end) }
  }

  private observe(outcome: 'ok' | 'error', startedMs: number, positions: number): void {
    const seconds = (performance.now() - startedMs) / 1000
    this.metrics.storeSeconds.observe({ store: 'positions', operation: 'append', outcome }, seconds)
    this.metrics.batchPositions.observe(positions)
  }
}

function weigh(positions: readonly Position[]): number {
  let weight = positions.length
  for (const { attributes } of positions) weight += weightOf(attributes)
  return weight
}
