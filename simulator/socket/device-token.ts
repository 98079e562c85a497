import { z } from 'zod'
import { isImei } from '../../src/model/device-id.js'
import type { Clock } from '../clock.js'
import type { Random } from '../random.js'
import type { Refusal } from '../unit/unit-transport.js'
import type { ServerApi } from './server-api.js'

/** Who a unit says it is. */
export interface UnitIdentity {
  readonly deviceId: string
  readonly secret?: string
}

export interface Token {
  readonly value: string
  readonly expiresAtMs: number
  /** When a unit should have a new one, at a random point between 80 and 90 per cent of its life. */
  readonly renewAtMs: number
}

export type TokenOutcome =
  | { readonly token: Token; readonly isFresh: boolean; readonly refusal?: undefined }
  | { readonly token?: undefined; readonly isFresh?: undefined; readonly refusal: Refusal }

const Login = z.object({ accessToken: z.string().min(1), expiresIn: z.number().positive() })

/** One unit's token: got by logging in, used as long as it is good, got anew when it is refused or near its end. */
export class DeviceToken {
  private held: Token | undefined

  constructor(
    private readonly api: ServerApi,
    private readonly identity: UnitIdentity,
    private readonly clock: Clock,
    private readonly random: Random,
  ) {}

  /** The token held, unless it is due for renewal; otherwise a fresh one. */
  async get(signal?: AbortSignal): Promise<TokenOutcome> {
    if (this.held !== undefined && this.clock.nowMs() < this.held.renewAtMs) return { token: this.held, isFresh: false }
    return this.renew(signal)
  }

  /** Logs in for a fresh token. */
  async renew(signal?: AbortSignal): Promise<TokenOutcome> {
    const { deviceId, secret } = this.identity
    const key = isImei(deviceId, 'any') ? 'imei' : 'deviceId'
    const body = { [key]: deviceId, ...(secret === undefined ? {} : { secret }) }
    const answer = await this.api.post({ path: '/auth/device', body, signal })
    if (answer.refusal !== undefined) return { refusal: answer.refusal }
    const login = Login.safeParse(answer.body)
    if (!login.success) return { refusal: { code: 'bad_answer', message: 'the login was answered without a token' } }
    this.held = this.tokenOf(login.data.accessToken, login.data.expiresIn * 1000)
    return { token: this.held, isFresh: true }
  }

  /** The server does not take the token any more. */
  forget(): void {
    this.held = undefined
  }

  private tokenOf(value: string, lifeMs: number): Token {
    const nowMs = this.clock.nowMs()
    return { value, expiresAtMs: nowMs + lifeMs, renewAtMs: nowMs + lifeMs * (0.8 + 0.1 * this.random()) }
  }
}
