import type { Metrics } from '../metrics/metrics.js'
import { AppError } from '../model/app-error.js'
import type { Allowance } from '../web/rate-limit.js'
import type { KnownAddresses } from './known-addresses.js'
import type { LoginAttempt, LoginLimits } from './login-limits.js'
import type { RefusalPace } from './refusal-pace.js'

/** A login on its way. */
export interface Entrance {
  readonly attempt: LoginAttempt
  /** By `performance.now()`. */
  readonly arrivedAtMs: number
  readonly isKnownHere: boolean
}

/** What every login passes, of units and people alike: limits, an even pace of refusals, the count of outcomes. */
export class LoginGate {
  constructor(
    private readonly kind: 'device' | 'user',
    private readonly limits: LoginLimits,
    private readonly addresses: KnownAddresses,
    private readonly pace: RefusalPace,
    private readonly metrics: Metrics,
  ) {}

  /** Before the secret is looked at. @throws AppError `too_many_requests` */
  async enter(attempt: LoginAttempt): Promise<Entrance> {
    const arrivedAtMs = performance.now()
    const isKnownHere = await this.counted(() => this.limits.admit(attempt))
    return { attempt, arrivedAtMs, isKnownHere }
  }

  /** The secret was right. @throws AppError `too_many_requests` when guesses made at the same time used the limit up */
  async pass({ attempt }: Entrance): Promise<void> {
    await this.counted(() => this.limits.admit(attempt))
    this.addresses.remember(attempt.id, attempt.address)
    this.count('ok')
  }

  /** @throws AppError `login_refused`, at the pace of all refusals | `too_many_requests` */
  async refuse(entrance: Entrance): Promise<never> {
    await this.refuseUnanswered(entrance)
    await this.pace.keep(entrance.arrivedAtMs)
    throw new AppError('login_refused')
  }

  /** For who is told nothing, so that the moment of it tells nothing either. @throws AppError `too_many_requests` */
  async refuseUnanswered({ attempt, isKnownHere }: Entrance): Promise<void> {
    await this.counted(() => this.limits.refuse(attempt, isKnownHere))
    this.count('refused')
  }

  /** What is left of the limits; undefined: there are none. */
  allowance(attempt: LoginAttempt): Allowance | undefined {
    return this.limits.allowance(attempt)
  }

  private async counted<T>(ask: () => T | Promise<T>): Promise<T> {
    try {
      return await ask()
    } catch (error) {
      if (error instanceof AppError && error.code === 'too_many_requests') this.count('limited')
      throw error
    }
  }

  private count(outcome: 'ok' | 'refused' | 'limited'): void {
    this.metrics.logins.inc({ kind: this.kind, outcome })
  }
}

/** The gate of units; the class is the injection token. */
export class DeviceGate extends LoginGate {}

/** The gate of people; the class is the injection token. */
export class UserGate extends LoginGate {}
