import { Logger } from '@nestjs/common'
import type { DeviceId } from '../model/device-id.js'
import type { SpooledEntry, SpoolQuery, SpoolStore } from '../storage/spool/spool-store.js'

/**
 * What became of an entry. `away`: a store does not take it now. `held`: its device has to wait, whatever the stores do. Of both nothing
 * that the device said later goes on either.
 */
export type DrainAnswer = 'settled' | 'away' | 'held'

/** What the drain needs of those who know what an entry is. */
export interface DrainHost {
  /** Never throws. */
  settle(entry: SpooledEntry): Promise<DrainAnswer>
  /** How many devices have entries that wait. */
  countDevices(): number
  /** They wait no longer. */
  removed(entries: readonly SpooledEntry[]): void
}

interface Pass {
  readonly settled: number
  /** Some are left that were tried, or not looked at. */
  readonly isLeft: boolean
  /** Some of them since a store is away. */
  readonly isAway: boolean
}

/** Entries that are read at once. */
const WINDOW = 500
/** The same as long as a store is away: to see whether it is back. */
const PROBE = 20
/** Windows in a row of which nothing could be settled since a store is away: what comes after them will not be either. */
const MOST_MISSES = 4
const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 5000

/**
 * Empties the spool: oldest first, several devices at once and each device's entries in their order. What cannot be settled now is tried
 * again, after pauses that grow as long as nothing can; a device that has to wait does not hold up the others.
 */
export class SpoolDrain {
  private readonly logger = new Logger('spool')
  private running: Promise<void> | undefined
  private hasNews = false
  private isStopping = false
  private isAway = false
  private readonly leaving = new Set<DeviceId>()
  private turn: Promise<unknown> = Promise.resolve()
  private endPause: () => void = () => undefined

  constructor(
    private readonly store: SpoolStore,
    private readonly host: DrainHost,
  ) {}

  /** Something waits. */
  wake(): void {
    this.hasNews = true
    if (this.isStopping) return
    this.running ??= this.run()
  }

  /** Begins nothing new, and resolves when what was begun has ended. */
  async stop(): Promise<void> {
    this.isStopping = true
    this.endPause()
    await this.running
  }

  /** Does the work while nothing of the device is on its way from the spool to the stores. */
  async without(deviceId: DeviceId, work: () => Promise<void>): Promise<void> {
    this.leaving.add(deviceId)
    try {
      await this.inTurn(work)
    } finally {
      this.leaving.delete(deviceId)
    }
  }

  private async run(): Promise<void> {
    let pauseMs = FIRST_PAUSE_MS
    while (this.hasNews && !this.isStopping) {
      this.hasNews = false
      const { settled, isLeft, isAway } = await this.pass()
      this.isAway = isAway && settled === 0
      if (settled > 0 || !isLeft) pauseMs = FIRST_PAUSE_MS
      if (!isLeft) continue
      this.hasNews = true
      await this.pause(pauseMs)
      pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)
    }
    this.running = undefined
  }

  /** Once through the spool. */
  private async pass(): Promise<Pass> {
    const blocked = new Set<DeviceId>()
    let settled = 0
    let isAway = false
    let misses = 0
    let afterId = 0
    let limit = this.isAway ? PROBE : WINDOW
    try {
      while (misses < MOST_MISSES && !this.isStopping) {
        const window = await this.inTurn(() => this.drainWindow({ limit, afterId }, blocked))
        if (window.lastId === undefined) return { settled, isLeft: blocked.size > 0, isAway }
        afterId = window.lastId
        settled += window.settled
        isAway ||= window.isAway
        if (window.settled > 0) misses = 0
        else if (window.isAway) misses += 1
        if (window.settled > 0 || !window.isAway) limit = WINDOW
        // Nobody is left who could be better off further on.
        if (blocked.size > 0 && blocked.size >= this.host.countDevices()) break
      }
    } catch (error) {
      // The entries stay where they are, or come back.
      const reason = error instanceof Error ? error.message : String(error)
      this.logger.warn({ event: 'spool_not_drained', reason })
      isAway = true
    }
    return { settled, isLeft: true, isAway }
  }

  private async drainWindow(query: SpoolQuery, blocked: Set<DeviceId>) {
    const entries = await this.store.list(query)
    const byDevice = new Map<DeviceId, SpooledEntry[]>()
    for (const entry of entries) {
      if (blocked.has(entry.deviceId)) continue
      const some = byDevice.get(entry.deviceId)
      if (some === undefined) byDevice.set(entry.deviceId, [entry])
      else some.push(entry)
    }
    const settled: SpooledEntry[] = []
    const answers = await Promise.all(
      [...byDevice].map(async ([deviceId, some]) => {
        const answer = await this.settleInOrder(some, settled)
        if (answer !== 'settled') blocked.add(deviceId)
        return answer
      }),
    )
    await this.store.remove(settled.map(({ id }) => id))
    this.host.removed(settled)
    return { lastId: entries.at(-1)?.id, settled: settled.length, isAway: answers.includes('away') }
  }

  /** @returns what became of the first that could not be settled */
  private async settleInOrder(entries: readonly SpooledEntry[], settled: SpooledEntry[]): Promise<DrainAnswer> {
    for (const entry of entries) {
      if (this.isStopping || this.leaving.has(entry.deviceId)) return 'held'
      const answer = await this.host.settle(entry)
      if (answer !== 'settled') return answer
      settled.push(entry)
    }
    return 'settled'
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.turn.then(work)
    this.turn = result.catch(() => undefined)
    return result
  }

  private pause(forMs: number): Promise<void> {
    if (this.isStopping) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, forMs)
      this.endPause = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}
