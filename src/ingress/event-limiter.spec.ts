import { EventLimiter } from './event-limiter.js'

describe('EventLimiter', () => {
  it('allows a burst of five times the rate, then the rate', () => {
    let now = 0
    const limiter = new EventLimiter(10, () => now)
    const allowed = () => Array.from({ length: 100 }, () => limiter.take('d1').isAllowed).filter(Boolean).length
    expect(allowed()).toBe(50)
    now += 1000
    expect(allowed()).toBe(10)
    now += 60_000
    expect(allowed()).toBe(50)
  })

  it('says what is left and when to come back', () => {
    const limiter = new EventLimiter(10, () => 0)
    expect(limiter.take('d1')).toEqual({ isAllowed: true, limit: 50, remaining: 49, resetMs: 100, retryAfterMs: 0 })
    for (let n = 0; n < 49; n++) limiter.take('d1')
    expect(limiter.take('d1')).toEqual({ isAllowed: false, limit: 50, remaining: 0, resetMs: 5000, retryAfterMs: 100 })
  })

  it('keeps devices apart', () => {
    const limiter = new EventLimiter(1, () => 0)
    for (let n = 0; n < 6; n++) limiter.take('d1')
    expect(limiter.take('d2').isAllowed).toBe(true)
  })

  it('does not look at the whole fleet on every event while all of it sends', () => {
    const limiter = new EventLimiter(1, () => 0)
    for (let n = 0; n < 10_000; n++) limiter.take(`d${n}`)
    const startedUs = process.cpuUsage().user
    for (let n = 10_000; n < 40_000; n++) limiter.take(`d${n}`)
    // Each event by itself takes about a microsecond; with a look at some 20,000 others it would take hundreds.
    expect(process.cpuUsage().user - startedUs).toBeLessThan(1_000_000)
  })

  it('goes on when the clock of the machine is set back', () => {
    jest.useFakeTimers()
    try {
      const limiter = new EventLimiter(1)
      for (let n = 0; n < 5; n++) limiter.take('d1')
      jest.setSystemTime(Date.now() - 3_600_000)
      jest.advanceTimersByTime(1000)
      expect(limiter.take('d1').isAllowed).toBe(true)
    } finally {
      jest.useRealTimers()
    }
  })

  it('allows everything at 0', () => {
    const limiter = new EventLimiter(0, () => 0)
    for (let n = 0; n < 10_000; n++) expect(limiter.take('d1').isAllowed).toBe(true)
  })
})
