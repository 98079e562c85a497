import { z } from 'zod'
import type { Clock } from './clock.js'
import type { Random } from './random.js'
import { makeSecret, type SecretBook } from './secret-book.js'
import type { ApiAnswer, ApiCall, ServerApi } from './socket/server-api.js'
import { BackOff } from './unit/back-off.js'
import type { Refusal } from './unit/unit-transport.js'

export interface AdminCredentials {
  readonly username: string
  readonly password: string
}

export interface TruckEntry {
  readonly deviceId: string
  readonly name: string
}

export interface RegistrationParts {
  readonly api: ServerApi
  readonly admin: AdminCredentials
  /** Registers each truck with a secret, and keeps it here; undefined: without. */
  readonly secrets?: SecretBook
  /** Set on every truck, also on those that exist, such as `{ trackerSack: true }`. */
  readonly settings?: Readonly<Record<string, unknown>>
  readonly clock: Clock
  readonly random: Random
  /** Ends the waiting for a server that is away. */
  readonly signal?: AbortSignal
}

/** The trucks cannot be registered; the message says why. */
export class RegistrationError extends Error {
  override readonly name = 'RegistrationError'
}

const Session = z.object({ accessToken: z.string() })
const Created = z.object({ secret: z.string() })

const AT_A_TIME = 8
/** A server that has just been started, or is away for a moment, is waited for. */
const PATIENCE_MS = 60_000
const PASSING = new Set(['unreachable', 'store_unavailable', 'overloaded', 'too_many_requests', 'shutting_down'])

/** Registers trucks as an admin does over the REST interface; trucks that exist stay as they are. */
export class Registration {
  private token: string | undefined
  private signingIn: Promise<string> | undefined

  constructor(private readonly parts: RegistrationParts) {}

  /**
   * @returns how many were new
   * @throws RegistrationError the admin is refused, a truck is, or the server cannot be reached for a minute
   */
  async register(trucks: readonly TruckEntry[]): Promise<{ readonly created: number }> {
    let created = 0
    const queue = trucks.values()
    const work = async () => {
      for (const truck of queue) {
        if (await this.registerOne(truck)) created++
        await this.setUp(truck)
      }
    }
    await Promise.all(Array.from({ length: AT_A_TIME }, work))
    return { created }
  }

  private async registerOne({ deviceId, name }: TruckEntry): Promise<boolean> {
    const { secrets } = this.parts
    const secret = secrets && (secrets.find(deviceId) ?? makeSecret())
    const answer = await this.asAdmin('/devices', { deviceId, name, ...(secret === undefined ? {} : { secret }) })
    if (answer.refusal === undefined) {
      if (secrets && secret && secrets.find(deviceId) !== secret) secrets.keep(deviceId, secret)
      return true
    }
    if (answer.refusal.code !== 'device_exists') throw refused(`registering ${deviceId}`, answer.refusal)
    if (secrets && secrets.find(deviceId) === undefined) secrets.keep(deviceId, await this.rotateSecret(deviceId))
    return false
  }

  private async setUp({ deviceId }: TruckEntry): Promise<void> {
    const { settings } = this.parts
    if (settings === undefined) return
    const answer = await this.asAdmin(`/devices/${deviceId}`, settings, 'PATCH')
    if (answer.refusal !== undefined) throw refused(`setting up ${deviceId}`, answer.refusal)
  }

  /** A truck that exists with a secret unknown here, or with none, gets one. */
  private async rotateSecret(deviceId: string): Promise<string> {
    const answer = await this.asAdmin(`/devices/${deviceId}/secret`, {})
    if (answer.refusal !== undefined) throw refused(`setting the secret of ${deviceId}`, answer.refusal)
    return Created.parse(answer.body).secret
  }

  private async asAdmin(path: string, body: unknown, method: ApiCall['method'] = 'POST'): Promise<ApiAnswer> {
    const token = this.token ?? (await this.signIn())
    const answer = await this.patiently(() => this.parts.api.call({ method, path, body, token }))
    if (answer.refusal?.code !== 'token_expired') return answer
    if (this.token === token) this.token = undefined
    return this.asAdmin(path, body, method)
  }

  /** One sign-in for all that wait for it. */
  private signIn(): Promise<string> {
    this.signingIn ??= this.signInOnce().finally(() => {
      this.signingIn = undefined
    })
    return this.signingIn
  }

  private async signInOnce(): Promise<string> {
    const { username, password } = this.parts.admin
    const answer = await this.patiently(() =>
      this.parts.api.post({ path: '/auth/login', body: { username, password } }),
    )
    if (answer.refusal !== undefined) throw refused(`signing in as ${username}`, answer.refusal)
    this.token = Session.parse(answer.body).accessToken
    return this.token
  }

  private async patiently(call: () => Promise<ApiAnswer>): Promise<ApiAnswer> {
    const { clock, random, signal } = this.parts
    const backOff = new BackOff(random)
    const untilMs = clock.nowMs() + PATIENCE_MS
    for (;;) {
      const answer = await call()
      if (answer.refusal === undefined || !PASSING.has(answer.refusal.code)) return answer
      const waitMs = backOff.nextMs(answer.refusal)
      if (signal?.aborted || clock.nowMs() + waitMs > untilMs) return answer
      await clock.sleep(waitMs, signal)
    }
  }
}

function refused(doing: string, { code, message }: Refusal): RegistrationError {
  return new RegistrationError(`${doing}: ${message} (${code})`)
}
