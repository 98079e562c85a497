import type { Metrics } from '../metrics/metrics.js'
import { AppError } from '../model/app-error.js'
import type { Position } from '../model/position.js'
import type { AppendResult, PositionStore } from '../storage/positions/position-store.js'
import { Lanes } from './lanes.js'

/** The commit gives up on a caller after this long, so that every event is answered within 10 s. */
export const ANSWER_WITHIN_MS = 8000
const WATCH_EVERY_MS = 250
const MAX_BATCH_POSITIONS = 5000
const MAX_PER_DEVICE = 10_000
/** Attributes weigh: so many characters count as one more position against the cap. */
const CHARACTERS_PER_POSITION = 256
const RETRY_AFTER_MS = 2000

const NOTHING: AppendResult = { isNew: [], isLatest: [] }

interface Waiting {
  readonly positions: readonly Position[]
  readonly weight: number
  readonly sinceMs: number
  resolve(result: AppendResult): void
  reject(error: unknown): void
  isAnswered: boolean
}

/**
 * Many small reports become one store write. While the store is busy the queue gathers; when it is free, everything that waits goes as
 * one batch: no timer, latency is that of the store, and batches grow with the load. First in, first out, one batch under way.
 */
export class GroupCommit {
  private readonly lanes = new Lanes(MAX_PER_DEVICE)
  private queue: Waiting[] = []
  private underWay: Waiting[] = []
  private weight = 0
  private watch: NodeJS.Timeout | undefined
  private idle: Array<() => void> = []

  constructor(
    private readonly store: PositionStore,
    private readonly metrics: Metrics,
    private readonly maxWaiting: number,
    /** A clock that is never set: a jump back of the other one would keep callers waiting for as long. */
    private readonly now: () => number = () => performance.now(),
  ) {
    metrics.watchWaitingPositions(() => this.weight)
  }

  /**
   * Resolves when the positions, all of one device, are on disk.
   * @throws AppError `overloaded` when too much waits already, `store_unavailable` when the store fails or takes too long, `disk_full`
   */
  append(positions: readonly Position[]): Promise<AppendResult> {
    const first = positions[0]
    if (first === undefined) return Promise.resolve(NOTHING)
    const weight = weigh(positions)
    if (this.weight + weight > this.maxWaiting)
      return Promise.reject(overloaded('Too many positions wait for the store'))
    if (!this.lanes.enter(first.deviceId, positions.length)) {
      return Promise.reject(overloaded('Too many positions of this device wait for the store'))
    }
    this.weight += weight
    return new Promise((resolve, reject) => {
      this.queue.push({ positions, weight, sinceMs: this.now(), resolve, reject, isAnswered: false })
      this.watch ??= setInterval(() => this.answerLate(), WATCH_EVERY_MS)
      if (this.underWay.length === 0) this.scheduleWrite()
    })
  }

  /** Resolves when nothing waits any more. */
  drain(): Promise<void> {
    if (this.queue.length === 0 && this.underWay.length === 0) return Promise.resolve()
    return new Promise((resolve) => this.idle.push(resolve))
  }

  /** What arrives within one turn of the event loop goes together. */
  private scheduleWrite(): void {
    if (this.isScheduled) return
    this.isScheduled = true
    setImmediate(() => {
      this.isScheduled = false
      void this.write()
    })
  }

  private isScheduled = false

  private async write(): Promise<void> {
    if (this.underWay.length > 0) return
    const batch = this.takeBatch()
    const positions = batch.flatMap((waiting) => waiting.positions)
    const result = batch.length === 0 ? NOTHING : await this.tryAppend(positions)
    this.underWay = []
    // Before the answers: the store works on the next batch while those of this one leave.
    if (this.queue.length > 0) void this.write()
    this.answer(batch, result)
    if (this.queue.length === 0 && this.underWay.length === 0) this.rest()
  }

  private async tryAppend(positions: readonly Position[]): Promise<AppendResult | AppError> {
    const startedMs = performance.now()
    try {
      const result = await this.store.append(positions)
      this.observe('ok', startedMs, positions.length)
      return result
    } catch (error) {
      this.observe('error', startedMs, positions.length)
      return toRefusal(error)
    }
  }

  private takeBatch(): Waiting[] {
    let count = 0
    let taken = 0
    for (const waiting of this.queue) {
      if (taken > 0 && count + waiting.positions.length > MAX_BATCH_POSITIONS) break
      count += waiting.positions.length
      taken += 1
    }
    this.underWay = this.queue.slice(0, taken)
    this.queue = this.queue.slice(taken)
    return this.underWay
  }

  private answer(batch: readonly Waiting[], result: AppendResult | AppError): void {
    let start = 0
    for (const waiting of batch) {
      const end = start + waiting.positions.length
      if (result instanceof AppError) this.refuse(waiting, result)
      else if (!waiting.isAnswered) {
        waiting.isAnswered = true
        waiting.resolve({ isNew: result.isNew.slice(start, end), isLatest: result.isLatest.slice(start, end) })
      }
      this.release(waiting)
      start = end
    }
  }

  /** Callers that waited too long are told so; what is under way may still be stored, and a repeat will fold into it. */
  private answerLate(): void {
    const lateMs = this.now() - ANSWER_WITHIN_MS
    for (const waiting of this.underWay) if (waiting.sinceMs <= lateMs) this.refuse(waiting, tooSlow())
    const firstInTime = this.queue.findIndex((waiting) => waiting.sinceMs > lateMs)
    const late = this.queue.splice(0, firstInTime === -1 ? this.queue.length : firstInTime)
    for (const waiting of late) {
      this.refuse(waiting, tooSlow())
      this.release(waiting)
    }
    if (this.queue.length === 0 && this.underWay.length === 0) this.rest()
  }

  private refuse(waiting: Waiting, error: AppError): void {
    if (waiting.isAnswered) return
    waiting.isAnswered = true
    waiting.reject(error)
  }

  private release(waiting: Waiting): void {
    this.weight -= waiting.weight
    const first = waiting.positions[0]
    if (first !== undefined) this.lanes.leave(first.deviceId, waiting.positions.length)
  }

  private rest(): void {
    clearInterval(this.watch)
    this.watch = undefined
    for (const resolve of this.idle.splice(0)) resolve()
  }

  private observe(outcome: 'ok' | 'error', startedMs: number, positions: number): void {
    const seconds = (performance.now() - startedMs) / 1000
    this.metrics.storeSeconds.observe({ store: 'positions', operation: 'append', outcome }, seconds)
    this.metrics.batchPositions.observe(positions)
  }
}

function weigh(positions: readonly Position[]): number {
  let weight = positions.length
  for (const { attributes } of positions) {
    if (attributes === null) continue
    let characters = 0
    for (const [key, value] of Object.entries(attributes))
      characters += key.length + (typeof value === 'string' ? value.length : 8)
    weight += Math.ceil(characters / CHARACTERS_PER_POSITION)
  }
  return weight
}

function overloaded(message: string): AppError {
  return new AppError('overloaded', message, { retryAfterMs: RETRY_AFTER_MS })
}

function tooSlow(): AppError {
  return new AppError('store_unavailable', 'The position store did not answer in time', {
    retryAfterMs: RETRY_AFTER_MS,
  })
}

/** Only a refusal with a code leaves; whatever else a store throws means that it is not available. */
function toRefusal(error: unknown): AppError {
  const code = error instanceof AppError && error.code === 'disk_full' ? 'disk_full' : 'store_unavailable'
  return new AppError(code, undefined, { retryAfterMs: RETRY_AFTER_MS, cause: error })
}
