import { AppError } from '../model/app-error.js'
import { UserAddresses } from './known-addresses.js'
import { LoginLimits } from './login-limits.js'

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000

describe('LoginLimits', () => {
  let nowMs: number
  let addresses: UserAddresses
  const now = () => nowMs
  const limits = (perMinute: number) => new LoginLimits(perMinute, addresses, now)
  const attempt = (id: string, address = '192.0.2.7') => ({ id, address })

  beforeEach(() => {
    nowMs = Date.parse('2026-11-22T07:30:00.000Z')
    addresses = new UserAddresses(now)
  })

  /** Tries one login with a wrong secret. @returns `refused`, or the code of the limit */
  async function guess(some: LoginLimits, id: string, address?: string): Promise<string> {
    try {
      some.refuse(attempt(id, address), await some.admit(attempt(id, address)))
      return 'refused'
    } catch (error) {
      return (error as AppError).code
    }
  }

  async function guessMany(some: LoginLimits, count: number, idOf: (n: number) => string, address?: string) {
    const outcomes: string[] = []
    for (let n = 0; n < count; n++) outcomes.push(await guess(some, idOf(n), address))
    return outcomes
  }

  it('refuse the 21st guess of one address, whatever ids it names', async () => {
    const outcomes = await guessMany(limits(20), 22, (n) => `box-${n}`)
    expect(outcomes.slice(0, 20)).toEqual(Array(20).fill('refused'))
    expect(outcomes.slice(20)).toEqual(['too_many_requests', 'too_many_requests'])
  })

  it('refuse the 11th guess of one id from one address, and not that of another id', async () => {
    const some = limits(20)
    const outcomes = await guessMany(some, 11, () => 'box')
    expect(outcomes).toEqual([...Array(10).fill('refused'), 'too_many_requests'])
    expect(await guess(some, 'other-box')).toBe('refused')
  })

  it('count an IPv6 network as one address', async () => {
    const some = limits(4)
    for (let n = 0; n < 4; n++) expect(await guess(some, `box-${n}`, `2001:db8:1:2::${n}`)).toBe('refused')
    expect(await guess(some, 'box-5', '2001:db8:1:2:ffff::1')).toBe('too_many_requests')
    expect(await guess(some, 'box-5', '2001:db8:1:3::1')).toBe('refused')
  })

  it('never count good logins', async () => {
    const some = limits(4)
    for (let n = 0; n < 100; n++) expect(await some.admit(attempt(`truck-${n}`))).toBe(false)
    expect(some.allowance(attempt('truck-1'))).toEqual({ limit: 2, remaining: 2, resetMs: 0 })
  })

  it('let ids that logged in from the address before pass over its limit, for 30 days', async () => {
    const some = limits(4)
    addresses.remember('truck', '192.0.2.7')
    nowMs += 30 * DAY_MS - 1
    await guessMany(some, 4, (n) => `box-${n}`)
    expect(await some.admit(attempt('truck'))).toBe(true)
    await expect(some.admit(attempt('other-truck'))).rejects.toThrow(AppError)
    nowMs += 1
    await expect(some.admit(attempt('truck'))).rejects.toThrow(AppError)
  })

  it('hold a known id to its own limit', async () => {
    const some = limits(4)
    addresses.remember('truck', '192.0.2.7')
    expect(await guessMany(some, 3, () => 'truck')).toEqual(['refused', 'refused', 'too_many_requests'])
    await expect(some.admit(attempt('truck'))).rejects.toMatchObject({ code: 'too_many_requests' })
    expect(await some.admit(attempt('truck', '198.51.100.1'))).toBe(false)
  })

  it('end a minute after the first refusal, and say so', async () => {
    const some = limits(2)
    await guess(some, 'box')
    nowMs += 20_000
    await expect(some.admit(attempt('box'))).rejects.toMatchObject({ retryAfterMs: 40_000 })
    nowMs += MINUTE_MS - 20_000
    expect(await guess(some, 'box')).toBe('refused')
  })

  it('tell what is left of the limit that is met first', async () => {
    const some = limits(20)
    await guess(some, 'box')
    nowMs += 10_000
    expect(some.allowance(attempt('box'))).toEqual({ limit: 10, remaining: 9, resetMs: 50_000 })
    await guessMany(some, 12, (n) => `box-${n}`)
    expect(some.allowance(attempt('fresh'))).toEqual({ limit: 20, remaining: 7, resetMs: 50_000 })
  })

  it('give guesses sent all at once no more answers than guesses sent one by one', async () => {
    const some = limits(20)
    const admitted = await Promise.all(Array.from({ length: 100 }, () => some.admit(attempt('box'))))
    const outcomes = admitted.map((isKnownHere) => {
      try {
        some.refuse(attempt('box'), isKnownHere)
        return 'refused'
      } catch {
        return 'limited'
      }
    })
    expect(outcomes.filter((outcome) => outcome === 'refused')).toHaveLength(10)
    await expect(some.admit(attempt('box'))).rejects.toMatchObject({ code: 'too_many_requests' })
  })

  it('are off at 0', async () => {
    const some = limits(0)
    expect(await guessMany(some, 50, () => 'box')).toEqual(Array(50).fill('refused'))
    expect(some.allowance(attempt('box'))).toBeUndefined()
  })
})
