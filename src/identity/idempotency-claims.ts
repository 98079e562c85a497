import { Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common'
import { LRUCache } from 'lru-cache'
import { AppError } from '../model/app-error.js'
import type { IdempotencyRecord, IdempotencyRecords } from '../storage/sql/idempotency-records.js'

/** A key means the same request for so long. */
export const IDEMPOTENCY_KEY_MS = 86_400_000
/** No request of a user runs longer: a key that another server has held for longer is held by nobody. */
const LONGEST_REQUEST_MS = 600_000
const KEEP_AGAIN_AFTER_MS = 5000
const RETRY_AFTER_MS = 1000
/** Answers that the store did not take. */
const MAX_UNKEPT = 10_000
const MAX_UNKEPT_CHARS = 50_000_000
/** Of claims that turn out to be held by nobody, in one call. */
const MAX_TRIES = 10

/** One request under its key. */
export interface Claim {
  readonly scopeHash: string
  readonly bodyHash: string
}

/** How the first request ended, sealed. */
export interface KeptAnswer {
  readonly status: number
  readonly sealed: string
}

interface Running {
  readonly bodyHash: string
  readonly createdAtMs: number
}

interface Unkept extends KeptAnswer {
  readonly bodyHash: string
}

/**
 * Which request holds which key. What runs here is known in memory, so a claim of this server's in the store that does not run here is
 * a left-over: of a process that was killed, or of a call whose answer was lost on its way. It is free. An answer that the store did
 * not take is given from memory until the store has it.
 */
export class IdempotencyClaims implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new Logger('idempotency')
  private readonly running = new Map<string, Running>()
  /** Questions to the store that are under way: of each key one. */
  private readonly looks = new Map<string, Promise<IdempotencyRecord | undefined>>()
  private readonly unkept = new LRUCache<string, Unkept>({
    max: MAX_UNKEPT,
    maxSize: MAX_UNKEPT_CHARS,
    sizeCalculation: ({ sealed }) => sealed.length + 1,
    ttl: IDEMPOTENCY_KEY_MS,
  })
  private timer: NodeJS.Timeout | undefined
  private isStopped = false

  /** @param owner what this server is known by, after a restart too; no two that run at the same time are known by the same */
  constructor(
    private readonly records: IdempotencyRecords,
    private readonly owner: string,
  ) {}

  /** A request that was running when the process was killed will never be answered: its key is free again. */
  async onModuleInit(): Promise<void> {
    const released = await this.records.releaseRunning(this.owner)
    if (released > 0) this.logger.warn({ event: 'idempotency_keys_released', count: released })
  }

  onModuleDestroy(): void {
    this.isStopped = true
    clearTimeout(this.timer)
  }

  /**
   * Takes the key for the request, which then has to be completed or released.
   * @returns undefined: it is this request's now; else how the first one ended
   * @throws AppError `idempotency_key_reused` | `idempotency_in_progress` | `store_unavailable`
   */
  async take(claim: Claim): Promise<KeptAnswer | undefined> {
    const { scopeHash, bodyHash } = claim
    this.assertFree(claim)
    const unkept = this.unkept.get(scopeHash)
    if (unkept !== undefined) {
      assertSame(unkept, bodyHash)
      return { status: unkept.status, sealed: unkept.sealed }
    }
    const looking = this.looks.get(scopeHash)
    const held = await (looking ?? this.look(claim))
    if (held === undefined) {
      if (looking === undefined) return undefined
      this.assertFree(claim)
      throw inProgress()
    }
    assertSame(held, bodyHash)
    const { status, sealed } = held
    if (status === null || sealed === null) throw inProgress()
    return { status, sealed }
  }

  /** The request has ended, and so would a repeat. Never throws: what it did is done, and its answer is due. */
  async complete({ scopeHash, bodyHash }: Claim, status: number, sealed: string): Promise<void> {
    try {
      await this.records.complete(scopeHash, status, sealed)
    } catch (error) {
      this.unkept.set(scopeHash, { bodyHash, status, sealed })
      this.logger.warn({ event: 'idempotent_answer_not_kept', reason: String(error) })
      this.keepLater()
    } finally {
      this.running.delete(scopeHash)
    }
  }

  /** The request may be tried again. Never throws: what the store does not give back is known to be left over. */
  async release({ scopeHash }: Claim): Promise<void> {
    const running = this.running.get(scopeHash)
    try {
      if (running !== undefined) await this.records.release(scopeHash, running.createdAtMs)
    } catch (error) {
      this.logger.warn({ event: 'idempotency_key_not_released', reason: String(error) })
    } finally {
      this.running.delete(scopeHash)
    }
  }

  private assertFree({ scopeHash, bodyHash }: Claim): void {
    const running = this.running.get(scopeHash)
    if (running === undefined) return
    assertSame(running, bodyHash)
    throw inProgress()
  }

  /** @returns undefined: claimed for this request, which runs from now on; else the record that holds the key */
  private look(claim: Claim): Promise<IdempotencyRecord | undefined> {
    const look = this.claim(claim).finally(() => this.looks.delete(claim.scopeHash))
    this.looks.set(claim.scopeHash, look)
    return look
  }

  private async claim({ scopeHash, bodyHash }: Claim): Promise<IdempotencyRecord | undefined> {
    const createdAtMs = Date.now()
    const record = { scopeHash, bodyHash, createdAtMs, owner: this.owner, status: null, sealed: null }
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const held = await this.records.claim(record)
      if (held === undefined) {
        this.running.set(scopeHash, { bodyHash, createdAtMs })
        return undefined
      }
      if (held.createdAtMs <= createdAtMs - IDEMPOTENCY_KEY_MS) await this.records.removeOlderThan(held.createdAtMs + 1)
      else if (this.isLeftOver(held, createdAtMs)) await this.records.release(scopeHash, held.createdAtMs)
      else return held
    }
    throw inProgress()
  }

  private isLeftOver({ status, owner, createdAtMs }: IdempotencyRecord, nowMs: number): boolean {
    return status === null && (owner === this.owner || createdAtMs <= nowMs - LONGEST_REQUEST_MS)
  }

  private keepLater(): void {
    if (this.isStopped || this.timer !== undefined) return
    this.timer = setTimeout(() => void this.keepAgain(), KEEP_AGAIN_AFTER_MS).unref()
  }

  private async keepAgain(): Promise<void> {
    try {
      for (const [scopeHash, { status, sealed }] of [...this.unkept.entries()]) {
        if (this.isStopped) return
        await this.records.complete(scopeHash, status, sealed)
        this.unkept.delete(scopeHash)
      }
    } catch {
      // Nothing is lost meanwhile; that the store is away was told.
    }
    this.timer = undefined
    if (this.unkept.size > 0) this.keepLater()
  }
}

function assertSame(first: { readonly bodyHash: string }, bodyHash: string): void {
  if (first.bodyHash !== bodyHash) throw new AppError('idempotency_key_reused')
}

function inProgress(): AppError {
  return new AppError('idempotency_in_progress', undefined, { retryAfterMs: RETRY_AFTER_MS })
}
