import type { Worker } from 'node:worker_threads'
import { AppError } from '../model/app-error.js'
import { CLOSE_METHOD, type WorkerFailure, type WorkerRequest, type WorkerResponse } from './sqlite-worker-host.js'
import { StoreOpenError } from './store-open-error.js'

export interface WorkerClientOptions {
  /** What the thread does, for messages: `positions writer`. */
  readonly name: string
  readonly start: () => Worker
  /** Calls that may wait for the thread; one more is refused with `overloaded`. */
  readonly maxWaiting: number
}

interface Waiting {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: AppError) => void
}

type ArgumentOf<Method> = Method extends (argument: infer Argument) => unknown ? Argument : never
type ResultOf<Method> = Method extends (argument: never) => infer Result ? Result : never

/** A thread that lived this long was healthy: when it dies, the next may start at once. */
const HEALTHY_AFTER_MS = 10_000
const FIRST_DELAY_MS = 100
const LONGEST_DELAY_MS = 5000

/**
 * Calls the methods of an object that lives in a worker thread, in order. When the thread dies, what waits is rejected with
 * `store_unavailable`, and the next call starts another one: at once the first time, then after a delay that doubles to 5 s.
 */
export class SqliteWorkerClient<Served extends object> {
  private thread: Worker | undefined
  private startedAtMs = 0
  private startAllowedAtMs = 0
  private delayMs = 0
  private lastReason: Error | undefined
  /** Why the last thread died. */
  private deathReason: Error | undefined
  private isClosed = false
  private lastId = 0
  private readonly waiting = new Map<number, Waiting>()
  private readonly onceOpen: Waiting[] = []

  constructor(private readonly options: WorkerClientOptions) {}

  /**
   * Starts the thread.
   * @param store what it opens, for the message
   * @throws StoreOpenError
   */
  async open(store: string): Promise<void> {
    try {
      await new Promise<unknown>((resolve, reject) => {
        this.onceOpen.push({ resolve, reject })
        this.thread ??= this.startThread()
      })
    } catch (cause) {
      const reason = cause instanceof AppError && cause.cause instanceof Error ? cause.cause : cause
      throw new StoreOpenError(store, reason instanceof Error ? reason.message : String(reason), { cause })
    }
  }

  /** Calls that were sent and are not answered. */
  get waitingCalls(): number {
    return this.waiting.size
  }

  /**
   * @param transfer buffers of the argument that move to the thread
   * @throws AppError `store_unavailable` | `disk_full` | `overloaded`
   */
  async call<Name extends keyof Served & string>(
    method: Name,
    argument: ArgumentOf<Served[Name]>,
    transfer: readonly ArrayBuffer[] = [],
  ): Promise<ResultOf<Served[Name]>> {
    if (this.isClosed) throw this.unavailable('it is closed')
    if (this.waiting.size >= this.options.maxWaiting)
      throw new AppError('overloaded', `${this.options.name}: too many calls wait`)
    return (await this.send(method, argument, transfer)) as ResultOf<Served[Name]>
  }

  /** Lets the thread finish what it was sent, then ends it. */
  async close(): Promise<void> {
    if (this.isClosed) return
    this.isClosed = true
    const thread = this.thread
    if (!thread) return
    const ended = new Promise((resolve) => thread.once('exit', resolve))
    // Whatever was acknowledged is on disk already: a thread that fails to tidy up has lost nothing.
    await Promise.allSettled([this.send(CLOSE_METHOD, undefined, []), ended])
  }

  private send(method: string, argument: unknown, transfer: readonly ArrayBuffer[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.thread ??= this.startThread()
      const id = ++this.lastId
      this.thread.postMessage({ id, method, argument } satisfies WorkerRequest, transfer)
      this.waiting.set(id, { resolve, reject })
    })
  }

  private startThread(): Worker {
    const now = Date.now()
    if (now < this.startAllowedAtMs) {
      throw this.unavailable(
        'its thread ended and is not started again yet',
        this.deathReason,
        this.startAllowedAtMs - now,
      )
    }
    this.startedAtMs = now
    this.lastReason = undefined
    this.deathReason = undefined
    const thread = this.options.start()
    thread.on('message', (response: WorkerResponse) => this.settle(response))
    thread.on('error', (error) => {
      this.deathReason = error
    })
    thread.on('exit', (exitCode) => this.handleExit(exitCode))
    return thread
  }

  private settle(response: WorkerResponse): void {
    const waiting = response.id === 0 ? this.onceOpen.splice(0) : [this.waiting.get(response.id)]
    this.waiting.delete(response.id)
    if ('value' in response) {
      this.lastReason = undefined
      for (const one of waiting) one?.resolve(response.value)
    } else {
      const error = toAppError(this.options.name, response.failure)
      this.lastReason = error
      for (const one of waiting) one?.reject(error)
    }
  }

  private handleExit(exitCode: number): void {
    this.thread = undefined
    const lived = Date.now() - this.startedAtMs
    this.startAllowedAtMs = Date.now() + (lived > HEALTHY_AFTER_MS ? 0 : this.delayMs)
    this.delayMs = lived > HEALTHY_AFTER_MS ? 0 : Math.min(LONGEST_DELAY_MS, this.delayMs * 2 || FIRST_DELAY_MS)
    // An answer that was sent before the thread died may be read after its error.
    const reason = this.deathReason ?? this.lastReason ?? new Error(`exit code ${exitCode}`)
    this.deathReason = reason
    const error = this.unavailable(`its thread ended: ${reason.message}`, reason)
    for (const waiting of [...this.waiting.values(), ...this.onceOpen.splice(0)]) waiting.reject(error)
    this.waiting.clear()
  }

  private unavailable(reason: string, cause?: unknown, retryAfterMs?: number): AppError {
    return new AppError('store_unavailable', `${this.options.name}: ${reason}`, { cause, retryAfterMs })
  }
}

function toAppError(name: string, { code, message, stack }: WorkerFailure): AppError {
  const cause = new Error(message)
  cause.stack = stack
  return new AppError(code, `${name}: ${message}`, { cause })
}
