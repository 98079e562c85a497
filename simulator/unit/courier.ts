import type { Clock } from '../clock.js'
import type { Random } from '../random.js'
import { BackOff } from './back-off.js'
import type { LinkHealth, LinkRider } from './link-rider.js'
import type { Delivery, Refusal, UnitLink } from './unit-transport.js'

/** Where a courier gets its things from; nothing leaves but by `settle`. */
export interface CourierQueue<T> {
  readonly pending: number
  take(): T | undefined
  giveBack(item: T): void
  settle(item: T): void
}

export interface CourierParts<T, Answer> {
  readonly clock: Clock
  readonly random: Random
  readonly queue: CourierQueue<T>
  /** undefined: the link has no line for such things. */
  send(link: UnitLink, item: T): Promise<Delivery<Answer>> | undefined
  /** Refusals that hold for every repetition: the thing is settled. */
  readonly lastingRefusals: ReadonlySet<string>
  handleSent?(item: T): void
  /** Called when the item has been settled, like the next. */
  handleAnswer?(item: T, answer: Answer): void
  handleRefusal?(item: T, refusal: Refusal, isLasting: boolean): void
  handleDroppedAck?(): void
  /** Something was settled. */
  handleChange(): void
  /** The queue cannot keep its promise any more. */
  handleFailure(error: unknown): void
}

export interface CourierSettings {
  readonly inFlight: number
  readonly ackTimeoutMs: number
  readonly dropAcks: number
}

/** Carries single things such as alarms: each is sent, over one link after the other, until the server has answered for it. */
export class Courier<T, Answer> implements LinkRider {
  private readonly backOff: BackOff
  private readonly inFlight = new Set<Promise<void>>()
  private ride: { readonly link: UnitLink; readonly health: LinkHealth } | undefined
  private pausedUntilMs = 0
  private isStopped = false
  private forgetPause: () => void = () => {}

  constructor(
    private readonly parts: CourierParts<T, Answer>,
    private readonly settings: CourierSettings,
  ) {
    this.backOff = new BackOff(parts.random)
  }

  get pending(): number {
    return this.parts.queue.pending
  }

  handleLink(link: UnitLink, health: LinkHealth): void {
    this.ride = { link, health }
    this.wake()
  }

  async handleLinkEnd(): Promise<void> {
    this.ride = undefined
    await Promise.all(this.inFlight)
  }

  stop(): void {
    this.isStopped = true
    this.ride = undefined
    this.forgetPause()
  }

  /** There may be something to carry. */
  wake(): void {
    const { clock, queue } = this.parts
    while (this.ride && this.inFlight.size < this.settings.inFlight && clock.nowMs() >= this.pausedUntilMs) {
      const item = queue.take()
      if (item === undefined) return
      const carrying: Promise<void> = this.carry(this.ride.link, this.ride.health, item)
        .catch((error: unknown) => this.parts.handleFailure(error))
        .finally(() => {
          this.inFlight.delete(carrying)
          this.parts.handleChange()
          this.wake()
        })
      this.inFlight.add(carrying)
    }
  }

  private async carry(link: UnitLink, health: LinkHealth, item: T): Promise<void> {
    const { clock, queue, random } = this.parts
    const sending = this.parts.send(link, item)
    if (sending === undefined) {
      this.ride = undefined // not over this link
      return queue.giveBack(item)
    }
    this.parts.handleSent?.(item)
    const delivery = await clock.within(this.settings.ackTimeoutMs, sending)
    if (delivery === undefined || delivery.kind === 'unanswered') {
      queue.giveBack(item)
      return health.noteSilence()
    }
    health.noteAnswer()
    if (delivery.kind === 'refused') return this.handleRefusal(item, delivery.refusal)
    this.backOff.noteSuccess()
    health.noteSuccess()
    if (this.settings.dropAcks > 0 && random() < this.settings.dropAcks) {
      this.parts.handleDroppedAck?.()
      return queue.giveBack(item)
    }
    queue.settle(item)
    this.parts.handleAnswer?.(item, delivery.answer)
  }

  private handleRefusal(item: T, refusal: Refusal): void {
    const { clock, lastingRefusals, queue } = this.parts
    const isLasting = lastingRefusals.has(refusal.code) && refusal.retryAfterMs === undefined
    if (isLasting) queue.settle(item)
    else queue.giveBack(item)
    this.parts.handleRefusal?.(item, refusal, isLasting)
    const nowMs = clock.nowMs()
    if (isLasting || nowMs < this.pausedUntilMs) return // refused together: one setback
    if (this.isStopped) return // refused in the moment of the end: nobody would take the timer back
    this.pausedUntilMs = nowMs + this.backOff.nextMs(refusal)
    this.forgetPause()
    this.forgetPause = clock.after(this.pausedUntilMs - nowMs, () => {
      this.pausedUntilMs = 0 // a timer may come a moment before the time it was set for
      this.wake()
    })
  }
}
