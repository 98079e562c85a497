import { AppError } from '../model/app-error.js'
import type { DeviceId } from '../model/device-id.js'
import { BatchSize } from './batch-size.js'
import { Lanes } from './lanes.js'

/** The commit gives up on a caller after this long, so that every event is answered within 10 s. */
export const ANSWER_WITHIN_MS = 8000
const WATCH_EVERY_MS = 250
const RETRY_AFTER_MS = 2000

/** How much may wait, and how much of it goes to the store at once. */
export interface QueueLimits {
  /** What the items are called, in the words of refusals. */
  readonly items: string
  /** In all, by weight. */
  readonly maxWaiting: number
  /** Of one device, by number. */
  readonly maxPerDevice: number
  /** Of one write, by number, of a store that is quick enough; one caller's items are never parted. */
  readonly maxBatch: number
}

interface Waiting<Item, Written> {
  readonly deviceId: DeviceId
  readonly items: readonly Item[]
  readonly weight: number
  readonly sinceMs: number
  resolve(result: Written): void
  reject(error: unknown): void
  isAnswered: boolean
}

/**
 * Many small reports become one store write. While the store is busy the queue gathers; when it is free, everything that waits goes as
 * one batch: no timer, latency is that of the store, and batches grow with the load. First in, first out, one batch under way. A store that
 * is too slow for a full one gets smaller ones.
 */
export abstract class CommitQueue<Item, Written> {
  private readonly lanes: Lanes
  private readonly batchSize: BatchSize
  private queue: Array<Waiting<Item, Written>> = []
  private underWay: Array<Waiting<Item, Written>> = []
  private waitingWeight = 0
  private isScheduled = false
  private watch: NodeJS.Timeout | undefined
  private idle: Array<() => void> = []
  private leaving: Array<{ readonly deviceId: DeviceId; readonly resolve: () => void }> = []

  constructor(
    private readonly limits: QueueLimits,
    /** A clock that is never set: a jump back of the other one would keep callers waiting for as long. */
    private readonly now: () => number = () => performance.now(),
  ) {
    this.lanes = new Lanes(limits.maxPerDevice)
    this.batchSize = new BatchSize(limits.maxBatch, ANSWER_WITHIN_MS)
  }

  /** What waits, what is under way included. */
  get weight(): number {
    return this.waitingWeight
  }

  /** Resolves when nothing waits any more. */
  drain(): Promise<void> {
    if (this.queue.length === 0 && this.underWay.length === 0) return Promise.resolve()
    return new Promise((resolve) => this.idle.push(resolve))
  }

  /** Resolves when nothing of the device waits any more, also what its callers were told took too long. */
  left(deviceId: DeviceId): Promise<void> {
    return new Promise((resolve) => {
      this.leaving.push({ deviceId, resolve })
      this.tellWhoLeft()
    })
  }

  /** Writes the items of one batch; whatever it throws refuses them all. */
  protected abstract store(items: readonly Item[]): Promise<Written>

  /** What became of the items from `start` until before `end` of the batch. */
  protected abstract partOf(written: Written, start: number, end: number): Written

  /**
   * Resolves when the items, at least one and all of one device, are on disk.
   * @throws AppError `overloaded` when too much waits already, `store_unavailable` when the store fails or takes too long, `disk_full`
   */
  protected enqueue(deviceId: DeviceId, items: readonly Item[], weight: number): Promise<Written> {
    const { limits } = this
    if (this.waitingWeight + weight > limits.maxWaiting) {
      return Promise.reject(overloaded(`Too many ${limits.items} wait for the store`))
    }
    if (!this.lanes.enter(deviceId, items.length)) {
      return Promise.reject(overloaded(`Too many ${limits.items} of this device wait for the store`))
    }
    this.waitingWeight += weight
    return new Promise((resolve, reject) => {
      this.queue.push({ deviceId, items, weight, sinceMs: this.now(), resolve, reject, isAnswered: false })
      this.watch ??= setInterval(() => this.answerLate(), WATCH_EVERY_MS)
      if (this.underWay.length === 0) this.scheduleWrite()
    })
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

  private async write(): Promise<void> {
    if (this.underWay.length > 0) return
    const batch = this.takeBatch()
    const result = batch.length === 0 ? undefined : await this.tryStore(batch.flatMap(({ items }) => items))
    this.underWay = []
    // Before the answers: the store works on the next batch while those of this one leave.
    if (this.queue.length > 0) void this.write()
    if (result !== undefined) this.answer(batch, result)
    this.tellWhoLeft()
    if (this.queue.length === 0 && this.underWay.length === 0) this.rest()
  }

  private async tryStore(items: readonly Item[]): Promise<Written | AppError> {
    const beganMs = this.now()
    const result = await this.store(items).catch(toRefusal)
    const refusal = result instanceof AppError ? result.code : undefined
    this.batchSize.settle({ count: items.length, tookMs: this.now() - beganMs, refusal })
    return result
  }

  private takeBatch(): ReadonlyArray<Waiting<Item, Written>> {
    let count = 0
    let taken = 0
    for (const waiting of this.queue) {
      if (taken > 0 && count + waiting.items.length > this.batchSize.current) break
      count += waiting.items.length
      taken += 1
    }
    this.underWay = this.queue.slice(0, taken)
    this.queue = this.queue.slice(taken)
    return this.underWay
  }

  private answer(batch: ReadonlyArray<Waiting<Item, Written>>, result: Written | AppError): void {
    let start = 0
    for (const waiting of batch) {
      const end = start + waiting.items.length
      if (result instanceof AppError) this.refuse(waiting, result)
      else if (!waiting.isAnswered) {
        waiting.isAnswered = true
        waiting.resolve(this.partOf(result, start, end))
      }
      this.release(waiting)
      start = end
    }
  }

  /** Callers that waited too long are told so; what is under way may still be stored, and a repeat will fold into it. */
  private answerLate(): void {
    const lateMs = this.now() - ANSWER_WITHIN_MS
    for (const waiting of this.underWay) if (waiting.sinceMs <= lateMs) this.refuse(waiting, this.tooSlow())
    const firstInTime = this.queue.findIndex((waiting) => waiting.sinceMs > lateMs)
    const late = this.queue.splice(0, firstInTime === -1 ? this.queue.length : firstInTime)
    for (const waiting of late) {
      this.refuse(waiting, this.tooSlow())
      this.release(waiting)
    }
    this.tellWhoLeft()
    if (this.queue.length === 0 && this.underWay.length === 0) this.rest()
  }

  private tellWhoLeft(): void {
    if (this.leaving.length === 0) return
    const waiting = new Set([...this.underWay, ...this.queue].map(({ deviceId }) => deviceId))
    const left = this.leaving.filter(({ deviceId }) => !waiting.has(deviceId))
    this.leaving = this.leaving.filter(({ deviceId }) => waiting.has(deviceId))
    for (const { resolve } of left) resolve()
  }

  private refuse(waiting: Waiting<Item, Written>, error: AppError): void {
    if (waiting.isAnswered) return
    waiting.isAnswered = true
    waiting.reject(error)
  }

  private release({ deviceId, items, weight }: Waiting<Item, Written>): void {
    this.waitingWeight -= weight
    this.lanes.leave(deviceId, items.length)
  }

  private rest(): void {
    clearInterval(this.watch)
    this.watch = undefined
    for (const resolve of this.idle.splice(0)) resolve()
  }

  private tooSlow(): AppError {
    return new AppError('store_unavailable', `The store of ${this.limits.items} did not answer in time`, {
      retryAfterMs: RETRY_AFTER_MS,
    })
  }
}

function overloaded(message: string): AppError {
  return new AppError('overloaded', message, { retryAfterMs: RETRY_AFTER_MS })
}

/** Only a refusal with a code leaves; whatever else a store throws means that it is not available. */
export function toRefusal(error: unknown): AppError {
  const code = error instanceof AppError && error.code === 'disk_full' ? 'disk_full' : 'store_unavailable'
  return new AppError(code, undefined, { retryAfterMs: RETRY_AFTER_MS, cause: error })
}
