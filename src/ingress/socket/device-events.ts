import { Injectable } from '@nestjs/common'
import { decodeCommandResult } from '../../codecs/device-json/decode-command-result.js'
import { encodeAlarmAnswer, encodeLocationAnswer } from '../../codecs/device-json/encode-answer.js'
import { TokenVerifier } from '../../identity/token-verifier.js'
import { AppError } from '../../model/app-error.js'
import { CommandResults } from '../../pipeline/command-results.js'
import { Sessions } from '../../sessions/sessions.js'
import { TOO_LARGE } from '../../web/limited-parser.js'
import { within } from '../../web/within.js'
import { AlarmIntake } from '../alarm-intake.js'
import { EventLimiter } from '../event-limiter.js'
import { LocationIntake } from '../location-intake.js'
import type { SocketLink } from './socket-link.js'

/** An event that waits for something else than the commit is answered within this. */
const ANSWER_WITHIN_MS = 9000
/** So many events over the limit within the window end the link. */
const FLOOD_EVENTS = 1000
const FLOOD_WINDOW_MS = 10_000

/** One unit on its socket. */
export interface Unit {
  readonly link: SocketLink
  floodedSinceMs: number
  floodedEvents: number
}

type EventHandler = (payload: unknown, unit: Unit) => Promise<unknown>

/** What units may say on their socket; each event's answer becomes its acknowledgement. */
@Injectable()
export class DeviceEvents {
  private readonly handlers: ReadonlyMap<string, EventHandler> = new Map<string, EventHandler>([
    ['location', (payload, unit) => this.takeLocation(payload, unit)],
    ['alarm', (payload, unit) => this.takeAlarm(payload, unit)],
    ['command:result', (payload, unit) => within(this.takeCommandResult(payload, unit), ANSWER_WITHIN_MS)],
    ['auth', (payload, unit) => within(this.renew(payload, unit), ANSWER_WITHIN_MS)],
  ])

  constructor(
    private readonly intake: LocationIntake,
    private readonly alarms: AlarmIntake,
    private readonly verifier: TokenVerifier,
    private readonly sessions: Sessions,
    private readonly limiter: EventLimiter,
    private readonly commandResults: CommandResults,
  ) {}

  /**
   * Not an async function, nor are those below it: each one costs half a microsecond an event.
   * @throws AppError, at once or by the promise, what the event is answered with when it cannot be taken
   */
  take(event: unknown, payload: unknown, unit: Unit): Promise<unknown> {
    this.sessions.heard(unit.link.deviceId)
    this.limit(unit)
    if (payload === TOO_LARGE) throw new AppError('message_too_large', 'A message may have 1 MiB')
    const handler = typeof event === 'string' ? this.handlers.get(event) : undefined
    if (handler === undefined)
      throw new AppError('unknown_event', `There is no event ${JSON.stringify(String(event).slice(0, 50))}`)
    return handler(payload, unit)
  }

  /** Ends the link of a unit that sends more than it may. */
  endFlood({ link }: Unit): void {
    this.sessions.end(link, 'too_many_requests')
  }

  private takeLocation(payload: unknown, { link }: Unit): Promise<unknown> {
    return this.intake.take(payload, link.deviceId, 'socket').then(encodeLocationAnswer)
  }

  private takeAlarm(payload: unknown, { link }: Unit): Promise<unknown> {
    return this.alarms.take(payload, link.deviceId, 'socket').then(encodeAlarmAnswer)
  }

  private async takeCommandResult(payload: unknown, { link }: Unit): Promise<unknown> {
    const result = decodeCommandResult(payload, link.deviceId)
    if (result === undefined)
      throw new AppError('invalid_request', 'Send {id, status: "done" or "failed", result?, message?}')
    await this.commandResults.take(result)
    return { ok: true }
  }

  private async renew(payload: unknown, { link }: Unit): Promise<unknown> {
    const token = (payload as { token?: unknown } | null | undefined)?.token
    if (typeof token !== 'string') throw new AppError('token_invalid', 'Send {token}')
    const { deviceId, expiresAtMs } = await this.verify(token)
    if (deviceId !== link.deviceId) throw new AppError('token_invalid', 'The token is of another device')
    link.expireAt(expiresAtMs)
    return { expiresIn: Math.floor((expiresAtMs - Date.now()) / 1000) }
  }

  /** Whatever is wrong with the token, this event knows one code for it. */
  private async verify(token: string): Promise<{ deviceId: string; expiresAtMs: number }> {
    try {
      return await this.verifier.verifyDevice(token)
    } catch (error) {
      throw error instanceof AppError && error.status === 401 ? new AppError('token_invalid', error.message) : error
    }
  }

  private limit(unit: Unit): void {
    if (this.limiter.isOff) return
    const allowance = this.limiter.take(unit.link.deviceId)
    if (allowance.isAllowed) return
    const now = Date.now()
    if (now - unit.floodedSinceMs > FLOOD_WINDOW_MS) {
      unit.floodedSinceMs = now
      unit.floodedEvents = 0
    }
    unit.floodedEvents += 1
    if (unit.floodedEvents > FLOOD_EVENTS) this.endFlood(unit)
    throw new AppError('too_many_requests', 'Too many events of this device', { retryAfterMs: allowance.retryAfterMs })
  }
}
