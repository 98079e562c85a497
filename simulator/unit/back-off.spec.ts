import { BackOff } from './back-off.js'

const waits = (backOff: BackOff, code: string | undefined, count: number) =>
  Array.from({ length: count }, () => backOff.nextMs({ code }))

describe('BackOff', () => {
  it('doubles from one second to a minute', () => {
    expect(waits(new BackOff(() => 1), undefined, 8)).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000])
  })

  it('spreads each wait between half and the whole of it', () => {
    expect(waits(new BackOff(() => 0), 'unreachable', 3)).toEqual([500, 1000, 2000])
    expect(waits(new BackOff(() => 0.5), 'unreachable', 3)).toEqual([750, 1500, 3000])
  })

  it('begins again after a success', () => {
    const backOff = new BackOff(() => 1)
    waits(backOff, undefined, 5)
    backOff.noteSuccess()
    expect(waits(backOff, undefined, 2)).toEqual([1000, 2000])
  })

  it('waits a minute after having been replaced, doubling to a quarter of an hour, successes between them or not', () => {
    const backOff = new BackOff(() => 0)
    const afterReplaced = Array.from({ length: 6 }, () => {
      backOff.noteSuccess()
      return backOff.nextMs({ code: 'replaced' })
    })
    expect(afterReplaced).toEqual([60_000, 120_000, 240_000, 480_000, 900_000, 900_000])
  })

  it('never waits less than the minute after having been replaced', () => {
    expect(waits(new BackOff(() => 0.99), 'replaced', 1)).toEqual([65_940])
  })

  it('forgets replacements after a link that was not fought over', () => {
    const backOff = new BackOff(() => 0)
    waits(backOff, 'replaced', 3)
    backOff.noteLinkEnded(14 * 60_000)
    expect(backOff.nextMs({ code: 'replaced' })).toBe(480_000)
    backOff.noteLinkEnded(15 * 60_000)
    expect(backOff.nextMs({ code: 'replaced' })).toBe(60_000)
  })

  it('waits at least as long as the server asks, and a little more so that a fleet does not come at once', () => {
    expect(new BackOff(() => 0).nextMs({ code: 'overloaded', retryAfterMs: 20_000 })).toBe(20_000)
    expect(new BackOff(() => 0.5).nextMs({ code: 'overloaded', retryAfterMs: 20_000 })).toBe(21_000)
  })

  it('does not come back sooner than its own wait because the server asks for less', () => {
    expect(new BackOff(() => 1).nextMs({ code: 'overloaded', retryAfterMs: 10 })).toBe(1000)
  })
})
