import type { Clock } from '../clock.js'
import type { Fix } from '../drives/drive.js'
import type { Random } from '../random.js'
import { BackOff } from './back-off.js'
import type { LinkHealth, LinkRider } from './link-rider.js'
import type { Outbox, OutboxEntry } from './outbox.js'
import { count, Tally } from './tally.js'
import type { Refusal, SendOutcome, UnitLink, UnitTransport } from './unit-transport.js'

export interface UnitSettings {
  /** Records in one event, at most; single ones while the unit is not behind. */
  readonly batch: number
  /** Events that may wait for their answer at a time. */
  readonly inFlight: number
  /** An event without an answer for so long is sent again. */
  readonly ackTimeoutMs: number
  /** Share (0..1) of answers that are ignored; what they settled is sent again at once. */
  readonly dropAcks: number
  /** Mean life of a link before it is cut; 0: never. */
  readonly disconnectEveryMs: number
}

export interface UnitParts {
  readonly transport: UnitTransport
  readonly outbox: Outbox
  readonly clock: Clock
  readonly random: Random
}

/** How a unit's life ended: it was stopped, or the server never let it in. */
export type UnitEnd = { readonly kind: 'stopped' } | { readonly kind: 'shut_out'; readonly refusal: Refusal }

/** Refusals of a whole event that hold for every repetition of it: smaller events, or none. */
const LASTING_REFUSALS = new Set(['invalid_request', 'message_too_large', 'batch_too_large', 'empty_batch'])
/** Refusals that end the life of a unit which has never been let in: nobody knows it, or its secret is wrong. */
const SHUT_OUT = new Set(['login_refused', 'invalid_imei', 'invalid_request'])
const SHUT_OUT_AFTER = 3
/** A link on which so many answers in a row stayed out is not believed in any more. */
const UNANSWERED_IN_A_ROW = 3

/**
 * One truck's unit as it should behave on a bad network: keeps every record until the server has settled it, sends again what
 * was not answered, opens a new link with back-off when one ends, and waits as long as the server asks.
 */
export class UnitClient {
  readonly tally = new Tally()
  private readonly backOff: BackOff
  private readonly stopping = new AbortController()
  private readonly inFlight = new Set<Promise<void>>()
  private readonly waiters = new Set<{ isMet(): boolean; resolve(): void; reject(error: unknown): void }>()
  private readonly riders: LinkRider[] = []
  private link: UnitLink | undefined
  private downUntilMs = 0
  private hasBeenLetIn = false
  private pausedUntilMs = 0
  private forgetPause: () => void = () => {}
  private eventLimit: number
  private unansweredInARow = 0
  private isPumpDue = false
  /** Why the unit can no longer keep its promise, as when its disk is full. */
  private failure: { readonly error: unknown } | undefined

  private readonly settings: UnitSettings

  constructor(
    private readonly parts: UnitParts,
    settings: UnitSettings,
  ) {
    const { limits } = parts.transport
    const [batch, inFlight] = [Math.min(settings.batch, limits.records), Math.min(settings.inFlight, limits.inFlight)]
    this.settings = { ...settings, batch, inFlight }
    this.backOff = new BackOff(parts.random)
    this.eventLimit = batch
    this.tally.recorded = parts.outbox.pending
  }

  get isConnected(): boolean {
    return this.link !== undefined
  }

  get pending(): number {
    return this.parts.outbox.pending
  }

  /** Whether nothing is left to be sent or done, of records and of whatever else rides on the links. */
  get isSettled(): boolean {
    return this.pending === 0 && this.riders.every(({ pending }) => pending === 0)
  }

  /** Lets someone else use the links as well; before `run`. */
  board(rider: LinkRider): void {
    this.riders.push(rider)
  }

  /** A rider's work may be over. */
  noteChange(): void {
    this.wakeWaiters()
  }

  /** Ends the life of a unit that cannot keep its promise any more: `run` rejects with the error. */
  fail(error: unknown): void {
    this.failure ??= { error }
    this.stop()
    this.wakeWaiters()
  }

  /** Ends the link and opens none for so long, as a unit does that restarts. What it has recorded stays. */
  restart(downMs: number): void {
    this.downUntilMs = this.parts.clock.nowMs() + downMs
    this.tally.restarts++
    this.link?.close()
  }

  /** Keeps the records and sends them as soon as may be. Throws when they cannot be kept. */
  record(fixes: readonly Fix[]): void {
    this.parts.outbox.add(fixes)
    this.tally.recorded += fixes.length
    this.forgetOldest()
    this.schedulePump()
  }

  /** Resolves when the server has answered for everything so far. */
  whenSettled(): Promise<void> {
    return this.until(() => this.isSettled)
  }

  /** Resolves when there is no more waiting than the next few events take: a recorder without a pace of its own waits here. */
  whenRoom(): Promise<void> {
    return this.until(() => this.parts.outbox.waiting < 2 * this.settings.batch * this.settings.inFlight)
  }

  /** Opens links, one after the other, until stopped. Rejects only when records can no longer be kept. */
  async run(): Promise<UnitEnd> {
    const { clock, transport } = this.parts
    const { signal } = this.stopping
    let refusedLogins = 0
    while (!signal.aborted) {
      if (this.downMs > 0) await clock.sleep(this.downMs, signal)
      if (signal.aborted) break
      const { link, refusal } = await transport.open(signal)
      if (signal.aborted || this.downMs > 0) {
        link?.close()
      } else if (link !== undefined) {
        const { setback, lifeMs } = await this.ride(link)
        this.backOff.noteLinkEnded(lifeMs)
        if (this.downMs === 0) await clock.sleep(this.backOff.nextMs(setback), signal)
      } else {
        count(this.tally.failedAttempts, refusal.code)
        if (!this.hasBeenLetIn && SHUT_OUT.has(refusal.code) && ++refusedLogins === SHUT_OUT_AFTER) {
          return { kind: 'shut_out', refusal }
        }
        await clock.sleep(this.backOff.nextMs(refusal), signal)
      }
    }
    if (this.failure !== undefined) throw this.failure.error
    return { kind: 'stopped' }
  }

  /** Sends nothing new and ends the link. What is pending stays in the outbox. */
  stop(): void {
    this.stopping.abort()
    this.forgetPause()
    for (const rider of this.riders) rider.stop()
    this.link?.close()
  }

  /** How much longer the unit is down for a restart. */
  private get downMs(): number {
    return Math.max(0, this.downUntilMs - this.parts.clock.nowMs())
  }

  /** Uses the link until it ends. When this resolves, nothing is in flight. */
  private async ride(link: UnitLink) {
    const { clock } = this.parts
    const openedMs = clock.nowMs()
    if (this.hasBeenLetIn) this.tally.reconnects++
    this.hasBeenLetIn = true
    this.unansweredInARow = 0
    this.link = link
    this.schedulePump()
    const health = this.healthOf(link)
    for (const rider of this.riders) rider.handleLink(link, health)
    const forgetCut = this.planCut(link)
    const setback = await link.ended
    forgetCut()
    this.link = undefined
    if (setback.code !== undefined) count(this.tally.closings, setback.code)
    await Promise.all([...this.inFlight, ...this.riders.map((rider) => rider.handleLinkEnd())])
    return { setback, lifeMs: clock.nowMs() - openedMs }
  }

  private healthOf(link: UnitLink): LinkHealth {
    return {
      noteAnswer: () => this.noteAnswer(),
      noteSuccess: () => this.backOff.noteSuccess(),
      noteSilence: () => this.noteSilence(link),
    }
  }

  private noteAnswer(): void {
    this.unansweredInARow = 0
  }

  private noteSilence(link: UnitLink): void {
    this.tally.unanswered++
    if (++this.unansweredInARow >= UNANSWERED_IN_A_ROW) link.cut()
  }

  private planCut(link: UnitLink): () => void {
    const { clock, random } = this.parts
    const { disconnectEveryMs } = this.settings
    if (disconnectEveryMs === 0) return () => {}
    return clock.after(disconnectEveryMs * (0.5 + random()), () => link.cut())
  }

  /** Sends after whatever else happens in this turn, so that records made together leave together. */
  private schedulePump(): void {
    if (this.isPumpDue) return
    this.isPumpDue = true
    setImmediate(() => {
      this.isPumpDue = false
      this.pump()
    })
  }

  /** What the unit's memory does not hold is lost, as the units of some protocols have it. */
  private forgetOldest(): void {
    const { outbox, transport } = this.parts
    while (outbox.pending > transport.limits.memory && outbox.waiting > 0) {
      const oldest = outbox.take(outbox.pending - transport.limits.memory)
      outbox.settle(oldest)
      count(this.tally.rejected, 'memory_full', oldest.length)
    }
  }

  private pump(): void {
    const { clock, outbox } = this.parts
    const { link } = this
    if (link === undefined || this.stopping.signal.aborted || clock.nowMs() < this.pausedUntilMs) return
    while (this.inFlight.size < this.settings.inFlight && outbox.waiting > 0) {
      const sending: Promise<void> = this.send(link, outbox.take(this.eventLimit))
        .catch((error: unknown) => this.fail(error))
        .finally(() => {
          this.inFlight.delete(sending)
          this.schedulePump()
          this.wakeWaiters()
        })
      this.inFlight.add(sending)
    }
  }

  private async send(link: UnitLink, entries: readonly OutboxEntry[]): Promise<void> {
    this.tally.events++
    this.tally.sent += entries.length
    this.tally.resent += entries.filter(({ tries }) => tries > 0).length
    const outcome = await this.inTime(link.send(entries.map(({ fix }) => fix)))
    if (outcome.kind === 'settled') this.handleAnswer(entries, outcome)
    else if (outcome.kind === 'refused') this.handleRefusal(entries, outcome.refusal)
    else this.handleSilence(link, entries)
  }

  private inTime(sending: Promise<SendOutcome>): Promise<SendOutcome> {
    return new Promise((resolve) => {
      const forget = this.parts.clock.after(this.settings.ackTimeoutMs, () => resolve({ kind: 'unanswered' }))
      void sending.then((outcome) => {
        forget()
        resolve(outcome)
      })
    })
  }

  private handleAnswer(entries: readonly OutboxEntry[], answer: Extract<SendOutcome, { kind: 'settled' }>): void {
    this.noteAnswer()
    this.backOff.noteSuccess()
    if (this.settings.dropAcks > 0 && this.parts.random() < this.settings.dropAcks) {
      this.tally.droppedAcks++
      this.parts.outbox.giveBack(entries)
      return
    }
    this.parts.outbox.settle(entries)
    this.tally.accepted += answer.accepted
    this.tally.duplicates += answer.duplicates
    for (const { code } of answer.rejected) count(this.tally.rejected, code)
    this.eventLimit = Math.min(this.settings.batch, this.eventLimit * 2)
  }

  /** A lasting refusal is narrowed down to the one record it is about, which is then settled: sent for ever, it would block the rest. */
  private handleRefusal(entries: readonly OutboxEntry[], refusal: Refusal): void {
    const { clock, outbox } = this.parts
    this.noteAnswer()
    count(this.tally.refusals, refusal.code)
    const isLasting = LASTING_REFUSALS.has(refusal.code) && refusal.retryAfterMs === undefined
    if (isLasting && entries.length === 1) {
      outbox.settle(entries)
      count(this.tally.rejected, refusal.code)
      return
    }
    outbox.giveBack(entries)
    if (isLasting) {
      this.eventLimit = Math.ceil(entries.length / 2)
      return
    }
    const nowMs = clock.nowMs()
    const isPaused = nowMs < this.pausedUntilMs // events refused together are one setback
    const waitMs = isPaused ? (refusal.retryAfterMs ?? 0) : this.backOff.nextMs(refusal)
    this.pauseUntil(Math.max(this.pausedUntilMs, nowMs + waitMs))
  }

  private pauseUntil(timeMs: number): void {
    const { clock } = this.parts
    this.forgetPause()
    if (this.stopping.signal.aborted) return // refused in the moment of the end: nobody would take the timer back
    this.pausedUntilMs = timeMs
    this.forgetPause = clock.after(timeMs - clock.nowMs(), () => {
      this.pausedUntilMs = 0 // a timer may come a moment before the time it was set for
      this.schedulePump()
    })
  }

  private handleSilence(link: UnitLink, entries: readonly OutboxEntry[]): void {
    this.parts.outbox.giveBack(entries)
    this.noteSilence(link)
  }

  private until(isMet: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.failure !== undefined) return reject(this.failure.error)
      if (isMet()) return resolve()
      this.waiters.add({ isMet, resolve, reject })
    })
  }

  private wakeWaiters(): void {
    for (const waiter of this.waiters) {
      if (this.failure !== undefined) waiter.reject(this.failure.error)
      else if (waiter.isMet()) waiter.resolve()
      else continue
      this.waiters.delete(waiter)
    }
  }
}
