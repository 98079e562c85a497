import { DecodeError, orDecodeError } from '../../src/codecs/decode-error.js'
import type { Clock } from '../clock.js'
import type { Fix } from '../drives/drive.js'
import type { Setback } from '../unit/back-off.js'
import type { UnitAlarm } from '../unit/unit-alarm.js'
import {
  type AlarmLine,
  type Delivery,
  type OpenOutcome,
  type Refusal,
  type SendOutcome,
  UnitLink,
} from '../unit/unit-transport.js'
import type { Dialect, Incoming, Outgoing } from './dialect.js'
import { TrackerCommands } from './tracker-commands.js'
import type { Wire } from './wire.js'

interface Waiting {
  readonly key: string
  readonly bytes: Buffer
  readonly records: number
  readonly outcome: Promise<SendOutcome>
  readonly resolve: (outcome: SendOutcome) => void
}

const OPENING_TIMEOUT_MS = 30_000
/** A link over which nothing was said for so long has a sign of life. */
const HEARTBEAT_MS = 60_000
const HEARTBEAT_ANSWER_MS = 30_000
/** No server says so much without an end. */
const MOST_UNREAD_BYTES = 65_536
const UNANSWERED: SendOutcome = { kind: 'unanswered' }

/** A tracker's link: frames of its brand out, answers and orders in. */
export class TrackerLink extends UnitLink {
  override readonly alarms: AlarmLine = { send: (alarm) => this.sendAlarm(alarm) }
  override readonly commands: TrackerCommands
  readonly ended: Promise<Setback>
  private readonly waiting: Waiting[] = []
  private unread: Buffer = Buffer.alloc(0)
  private decide: ((refusal?: Refusal) => void) | undefined
  private isOver = false
  private heard = 0
  private forgetHeartbeat: () => void = () => {}

  private constructor(
    private readonly wire: Wire,
    private readonly dialect: Dialect,
    private readonly clock: Clock,
  ) {
    super()
    this.commands = new TrackerCommands((order, reply) => {
      const bytes = order.encodeReply(reply, clock.nowMs())
      if (bytes !== undefined) this.wire.write(bytes)
    })
    wire.onBytes((bytes) => this.take(bytes))
    this.ended = wire.ended.then(() => this.handleEnd())
  }

  /** Says who it is, and waits to be let in. Never rejects. */
  static async open(wire: Wire, dialect: Dialect, clock: Clock, signal: AbortSignal): Promise<OpenOutcome> {
    const link = new TrackerLink(wire, dialect, clock)
    const refusal = await link.logIn(signal)
    if (refusal === undefined) {
      link.planHeartbeat()
      return { link }
    }
    wire.cut()
    return { refusal }
  }

  async send(fixes: readonly Fix[]): Promise<SendOutcome> {
    return this.exchange(this.dialect.encodeFixes(fixes), fixes.length)
  }

  cut(): void {
    this.wire.cut()
  }

  close(): void {
    this.wire.close()
  }

  private async sendAlarm(alarm: UnitAlarm): Promise<Delivery<{ readonly isDuplicate: boolean }>> {
    if (!this.dialect.alarmTypes.has(alarm.type)) {
      return { kind: 'refused', refusal: { code: 'unknown_alarm_type', message: `the brand has no ${alarm.type}` } }
    }
    const outcome = await this.exchange(this.dialect.encodeAlarm(alarm), 1)
    // No brand's answer tells whether the server had it before.
    return outcome.kind === 'settled' ? { kind: 'settled', answer: { isDuplicate: false } } : outcome
  }

  private async logIn(signal: AbortSignal): Promise<Refusal | undefined> {
    const opening = this.dialect.encodeOpening(this.clock.nowMs())
    if (opening === undefined) return undefined
    const giveUp = (message: string) => this.decide?.({ code: 'unreachable', message })
    const abandon = () => giveUp('stopped')
    signal.addEventListener('abort', abandon)
    const forget = this.clock.after(OPENING_TIMEOUT_MS, () => giveUp('the login was not answered'))
    const refusal = await new Promise<Refusal | undefined>((resolve) => {
      this.decide = resolve
      this.wire.write(opening)
      if (signal.aborted) abandon()
      void this.wire.ended.then(({ isQuiet }) => {
        const isRefused = isQuiet && this.dialect.isRefusedInSilence
        resolve(isRefused ? REFUSED : { code: 'unreachable', message: 'the connection ended during the login' })
      })
    })
    this.decide = undefined
    forget()
    signal.removeEventListener('abort', abandon)
    return refusal
  }

  private async exchange({ bytes, key }: Outgoing, records: number): Promise<SendOutcome> {
    if (key === undefined) return this.sendUnanswered(bytes, records)
    // One answer would be taken for that of both.
    const rival = this.dialect.answersInOrder ? undefined : this.findRival(key, bytes)
    if (rival !== undefined) await rival.outcome
    if (this.isOver) return UNANSWERED
    let resolve: (outcome: SendOutcome) => void = () => {}
    const outcome = new Promise<SendOutcome>((done) => {
      resolve = done
    })
    this.waiting.push({ key, bytes, records, outcome, resolve })
    this.write(bytes)
    return outcome
  }

  /** Settled when it has left: nobody will ever say more of it. */
  private sendUnanswered(bytes: Buffer, records: number): Promise<SendOutcome> {
    return new Promise((resolve) => {
      this.write(bytes, (isOut) => resolve(isOut ? settled(records) : UNANSWERED))
    })
  }

  private findRival(key: string, bytes: Buffer): Waiting | undefined {
    return this.waiting.find((other) => other.key === key && !other.bytes.equals(bytes))
  }

  private write(bytes: Buffer, handleOut?: (isOut: boolean) => void): void {
    this.planHeartbeat()
    this.wire.write(bytes, handleOut)
  }

  private take(bytes: Buffer): void {
    this.heard++
    this.unread = this.wire.hasMessages ? bytes : Buffer.concat([this.unread, bytes])
    while (this.unread.length > 0) {
      const read = orDecodeError(() => this.dialect.read(this.unread, this.decide !== undefined))
      if (read instanceof DecodeError) {
        this.wire.cut()
        return
      }
      if (read === undefined) break
      this.unread = this.unread.subarray(read.length)
      this.handle(read.incoming)
    }
    if (this.unread.length > MOST_UNREAD_BYTES) this.wire.cut()
  }

  private handle(incoming: Incoming): void {
    switch (incoming.kind) {
      case 'let_in':
        this.decide?.()
        this.decide = undefined // what follows in the same piece is read as of an open link
        return
      case 'refused':
        this.decide?.(REFUSED)
        return
      case 'answer':
        this.handleAnswer(incoming)
        return
      case 'command':
        this.commands.take(incoming)
        return
      case 'garbage':
        this.wire.cut()
        return
      case 'other':
    }
  }

  private handleAnswer(answer: Extract<Incoming, { kind: 'answer' }>): void {
    const { answersInOrder } = this.dialect
    const answered = answersInOrder ? this.waiting.slice(0, 1) : this.waiting.filter(({ key }) => key === answer.key)
    for (const one of answered) {
      this.waiting.splice(this.waiting.indexOf(one), 1)
      one.resolve(outcomeOf(answer, one.records))
    }
  }

  private planHeartbeat(): void {
    this.forgetHeartbeat()
    if (this.isOver) return
    this.forgetHeartbeat = this.clock.after(HEARTBEAT_MS, () => this.sendHeartbeat())
  }

  private sendHeartbeat(): void {
    const { dialect, clock } = this
    const bytes = dialect.encodeHeartbeat(clock.nowMs())
    if (bytes === undefined) return
    this.wire.write(bytes)
    if (!dialect.awaitsHeartbeat) {
      this.planHeartbeat()
      return
    }
    const heardBefore = this.heard
    this.forgetHeartbeat = clock.after(HEARTBEAT_ANSWER_MS, () => {
      if (this.heard === heardBefore) this.wire.cut()
      else this.planHeartbeat()
    })
  }

  private handleEnd(): Setback {
    this.isOver = true
    this.forgetHeartbeat()
    for (const { resolve } of this.waiting.splice(0)) resolve(UNANSWERED)
    return {}
  }
}

const REFUSED: Refusal = { code: 'login_refused', message: 'the server does not let this unit in' }

function settled(records: number): SendOutcome {
  return { kind: 'settled', accepted: records, duplicates: 0, rejected: [] }
}

/** An answer counts only if it is about every record. */
function outcomeOf({ isPositive, records }: Extract<Incoming, { kind: 'answer' }>, sent: number): SendOutcome {
  if (isPositive && (records ?? sent) === sent) return settled(sent)
  const message = isPositive ? `${sent} records were sent, and ${records} answered` : 'the server took none of it'
  return { kind: 'refused', refusal: { code: isPositive ? 'wrong_count' : 'not_taken', message } }
}
