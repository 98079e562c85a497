import { io, type Socket } from 'socket.io-client'
import { z } from 'zod'
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
import { cuttableAgent } from './cuttable-agent.js'
import type { DeviceToken, Token } from './device-token.js'
import { SocketCommands } from './socket-commands.js'
import { wireAlarmOf } from './wire-alarm.js'
import { wirePositionOf } from './wire-position.js'

export interface SocketLinkParts {
  readonly origin: string
  readonly token: Token
  /** Where a fresh token comes from before this one expires. */
  readonly tokens: DeviceToken
  readonly clock: Clock
  readonly signal: AbortSignal
}

const Whole = z.object({ code: z.string(), message: z.string().default(''), retryAfterMs: z.number().optional() })
const Taken = z.object({
  accepted: z.number().int().nonnegative(),
  duplicates: z.number().int().nonnegative(),
  rejected: z.array(z.object({ index: z.number().int().nonnegative(), code: z.string() })),
})
const Answer = z.union([z.object({ error: Whole }), Taken])
const Renewed = z.union([z.object({ error: Whole }), z.object({ expiresIn: z.number().positive() })])
const AlarmAnswer = z.union([z.object({ error: Whole }), z.object({ id: z.string(), duplicate: z.boolean() })])
const ResultAnswer = z.union([z.object({ error: Whole }), z.object({ ok: z.literal(true) })])
const Announcement = Whole.partial({ code: true })

const CONNECT_TIMEOUT_MS = 20_000
const RENEWAL_TIMEOUT_MS = 15_000
/** A renewal that failed is tried again after a share of what is left of the old token. */
const RENEWAL_RETRY_SHARE = 0.25
const RENEWAL_RETRY_AT_LEAST_MS = 1_000

/** Connects to the device socket with the token. Never rejects. */
export function connect(parts: SocketLinkParts): Promise<OpenOutcome> {
  const { origin, token, signal, clock } = parts
  const { agent, cut } = cuttableAgent(origin)
  const socket = io(origin, {
    auth: { token: token.value },
    forceNew: true,
    reconnection: false, // a unit decides by itself when it comes back
    timeout: CONNECT_TIMEOUT_MS,
    transports: ['websocket'],
    agent: agent as unknown as string, // typed as text, for browsers; on Node it is an agent
  })
  return new Promise((resolve) => {
    const decide = () => {
      socket.off('connect').off('connect_error').off('disconnect')
      signal.removeEventListener('abort', abandon)
      forgetTimeout()
    }
    const giveUp = (refusal: Refusal) => {
      decide()
      socket.disconnect()
      resolve({ refusal })
    }
    const giveUpBecause = (reason: string) => giveUp({ code: 'unreachable', message: `${origin}: ${reason}` })
    const abandon = () => giveUpBecause('stopped')
    const forgetTimeout = clock.after(CONNECT_TIMEOUT_MS, () => giveUpBecause('no answer to the handshake'))
    signal.addEventListener('abort', abandon)
    socket.once('connect_error', (error) => giveUp(refusalOf(origin, error)))
    socket.once('disconnect', (reason) => giveUpBecause(reason))
    socket.once('connect', () => {
      decide()
      resolve({ link: new SocketLink(socket, cut, parts) })
    })
    if (signal.aborted) abandon()
  })
}

/** A link to the device socket as `docs/device-guide.md` describes it. */
class SocketLink extends UnitLink {
  override readonly alarms: AlarmLine = { send: (alarm) => this.sendAlarm(alarm) }
  override readonly commands: SocketCommands
  readonly ended: Promise<Setback>
  private readonly unanswered = new Set<() => void>()
  private announced: Setback = {}
  private forgetRenewal: () => void = () => {}

  constructor(
    private readonly socket: Socket,
    private readonly dropConnection: () => void,
    private readonly parts: SocketLinkParts,
  ) {
    super()
    this.commands = new SocketCommands(socket, async (result) => {
      const reply = await this.ask('command:result', result)
      return deliveryOf(reply, ResultAnswer, () => undefined)
    })
    socket.on('closing', (reason: unknown) => {
      this.announced = Announcement.catch({ message: '' }).parse(reason)
    })
    this.ended = new Promise((resolve) => socket.once('disconnect', () => resolve(this.handleEnd())))
    this.renewAt(parts.token.renewAtMs, parts.token.expiresAtMs)
  }

  async send(fixes: readonly Fix[]): Promise<SendOutcome> {
    const positions = fixes.map(wirePositionOf)
    const reply = await this.ask('location', positions.length === 1 ? positions[0] : positions)
    return reply === undefined ? { kind: 'unanswered' } : outcomeOf(reply.answer, fixes.length)
  }

  private async sendAlarm(alarm: UnitAlarm): Promise<Delivery<{ readonly isDuplicate: boolean }>> {
    const reply = await this.ask('alarm', wireAlarmOf(alarm))
    return deliveryOf(reply, AlarmAnswer, ({ duplicate }) => ({ isDuplicate: duplicate }))
  }

  cut(): void {
    this.dropConnection()
  }

  close(): void {
    this.socket.disconnect()
  }

  private handleEnd(): Setback {
    this.forgetRenewal()
    for (const giveUp of this.unanswered) giveUp()
    return this.announced
  }

  /** What the server acknowledges the event with, or `undefined` when the link ends before. */
  private ask(event: string, payload: unknown): Promise<{ readonly answer: unknown } | undefined> {
    if (!this.socket.connected) return Promise.resolve(undefined)
    return new Promise((resolve) => {
      const giveUp = () => resolve(undefined)
      this.unanswered.add(giveUp)
      this.socket.emit(event, payload, (answer: unknown) => {
        this.unanswered.delete(giveUp)
        resolve({ answer })
      })
    })
  }

  /** Offers a fresh token; a server that does not answer is asked again later, like one that cannot be reached. */
  private async offer(token: Token): Promise<z.infer<typeof Renewed> | undefined> {
    const reply = await this.parts.clock.within(RENEWAL_TIMEOUT_MS, this.ask('auth', { token: token.value }))
    return Renewed.safeParse(reply?.answer).data
  }

  private renewAt(atMs: number, expiresAtMs: number): void {
    if (!this.socket.connected) return // ended with the answer: nobody would take the timer back
    this.forgetRenewal = this.parts.clock.after(atMs - this.parts.clock.nowMs(), () => void this.renew(expiresAtMs))
  }

  private async renew(expiresAtMs: number): Promise<void> {
    const { clock, signal, tokens } = this.parts
    const { token } = await tokens.renew(signal)
    if (token !== undefined) {
      const renewed = await this.offer(token)
      if (renewed !== undefined && 'expiresIn' in renewed) return this.renewAt(token.renewAtMs, token.expiresAtMs)
      if (renewed !== undefined) tokens.forget() // refused: not to be offered again
    }
    const nowMs = clock.nowMs()
    const waitMs = Math.max(RENEWAL_RETRY_AT_LEAST_MS, (expiresAtMs - nowMs) * RENEWAL_RETRY_SHARE)
    this.renewAt(nowMs + waitMs, expiresAtMs)
  }
}

function refusalOf(origin: string, error: Error): Refusal {
  const data: unknown = 'data' in error ? error.data : undefined
  const refusal = Whole.safeParse(data).data
  if (refusal !== undefined) return { ...refusal, message: error.message }
  return { code: 'unreachable', message: `${origin}: ${error.message}` }
}

/** An answer counts only if it accounts for every record. */
function outcomeOf(answer: unknown, records: number): SendOutcome {
  const read = Answer.safeParse(answer).data
  if (read !== undefined && 'error' in read) return { kind: 'refused', refusal: read.error }
  if (read !== undefined && read.accepted + read.duplicates + read.rejected.length === records) {
    return { kind: 'settled', ...read }
  }
  return { kind: 'refused', refusal: { code: 'bad_answer', message: 'the answer does not account for every record' } }
}

function deliveryOf<Taken extends object, Answer>(
  reply: { readonly answer: unknown } | undefined,
  schema: z.ZodType<Taken | { error: z.infer<typeof Whole> }>,
  answerOf: (taken: Taken) => Answer,
): Delivery<Answer> {
  if (reply === undefined) return { kind: 'unanswered' }
  const read = schema.safeParse(reply.answer).data
  if (read === undefined) return { kind: 'refused', refusal: { code: 'bad_answer', message: 'not as agreed' } }
  if ('error' in read) return { kind: 'refused', refusal: read.error }
  return { kind: 'settled', answer: answerOf(read) }
}
