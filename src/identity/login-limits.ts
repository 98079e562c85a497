import { AppError } from '../model/app-error.js'
import { addressKeyOf } from '../web/client-address.js'
import { type Allowance, WindowCounter } from '../web/rate-limit.js'
import type { KnownAddresses } from './known-addresses.js'

const WINDOW_MS = 60_000
const MAX_KEYS = 100_000

/** Someone tries to log in as `id` from `address`. */
export interface LoginAttempt {
  readonly id: string
  readonly address: string
}

/**
 * Limits refused logins per minute: so many from one address (IPv6: one /64), half of that for one id from one address. Good
 * logins never count, since many trucks share one carrier's address; over the address's limit, ids that logged in from there
 * before still pass.
 *
 * A refusal is counted at the moment of the decision and every decision looks at the count again, so that guesses sent all at
 * once get no more answers than guesses sent one by one.
 */
export class LoginLimits {
  private readonly byAddress: WindowCounter
  private readonly byPair: WindowCounter

  /** @param perMinute refused logins of one address; 0: no limit */
  constructor(
    private readonly perMinute: number,
    private readonly addresses: KnownAddresses,
    now: () => number = Date.now,
  ) {
    this.byAddress = new WindowCounter(perMinute, WINDOW_MS, MAX_KEYS, now)
    this.byPair = new WindowCounter(Math.max(1, Math.floor(perMinute / 2)), WINDOW_MS, MAX_KEYS, now)
  }

  /**
   * To be passed before the secret is looked at, and again before a good login is answered.
   * @returns whether the id is known to come from this address; only looked up when the address is over its limit
   * @throws AppError `too_many_requests`
   */
  async admit(attempt: LoginAttempt): Promise<boolean> {
    if (this.perMinute === 0) return true
    this.assertPairWithin(attempt)
    if (!this.byAddress.isUsedUp(addressKeyOf(attempt.address))) return false
    if (!(await this.addresses.isKnown(attempt.id, attempt.address))) throw this.refusal(attempt)
    this.assertPairWithin(attempt)
    return true
  }

  /**
   * Counts a refused login.
   * @param isKnownHere what {@link admit} said
   * @throws AppError `too_many_requests` when others were refused meanwhile and the limit is used up
   */
  refuse(attempt: LoginAttempt, isKnownHere: boolean): void {
    if (this.perMinute === 0) return
    this.assertPairWithin(attempt)
    if (!isKnownHere && this.byAddress.isUsedUp(addressKeyOf(attempt.address))) throw this.refusal(attempt)
    this.byAddress.add(addressKeyOf(attempt.address))
    this.byPair.add(pairOf(attempt))
  }

  /** What is left of the limit that will be met first; undefined: there is no limit. */
  allowance(attempt: LoginAttempt): Allowance | undefined {
    if (this.perMinute === 0) return undefined
    const ofAddress = this.byAddress.allowance(addressKeyOf(attempt.address))
    const ofPair = this.byPair.allowance(pairOf(attempt))
    return ofPair.remaining <= ofAddress.remaining ? ofPair : ofAddress
  }

  private assertPairWithin(attempt: LoginAttempt): void {
    if (this.byPair.isUsedUp(pairOf(attempt))) throw this.refusal(attempt)
  }

  private refusal(attempt: LoginAttempt): AppError {
    const retryAfterMs = this.byPair.isUsedUp(pairOf(attempt))
      ? this.byPair.allowance(pairOf(attempt)).resetMs
      : this.byAddress.allowance(addressKeyOf(attempt.address)).resetMs
    return new AppError('too_many_requests', 'Too many logins were refused', { retryAfterMs })
  }
}

function pairOf({ id, address }: LoginAttempt): string {
  return `${addressKeyOf(address)} ${id}`
}
