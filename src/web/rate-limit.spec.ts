import { WindowCounter } from './rate-limit.js'

describe('WindowCounter', () => {
  let nowMs = 0
  const counter = (limit: number, maxKeys = 10) => new WindowCounter(limit, 60_000, maxKeys, () => nowMs)

  beforeEach(() => {
    nowMs = 1_000_000
  })

  it('is used up after as many counts as the limit, for that key only', () => {
    const counts = counter(2)
    counts.add('a')
    expect(counts.isUsedUp('a')).toBe(false)
    counts.add('a')
    expect(counts.isUsedUp('a')).toBe(true)
    expect(counts.isUsedUp('b')).toBe(false)
  })

  it('is whole again when the window that began with the first count ends', () => {
    const counts = counter(2)
    counts.add('a')
    nowMs += 59_000
    counts.add('a')
    expect(counts.allowance('a')).toEqual({ limit: 2, remaining: 0, resetMs: 1000 })
    nowMs += 1000
    expect(counts.allowance('a')).toEqual({ limit: 2, remaining: 2, resetMs: 0 })
  })

  it('keeps only so many keys, the latest', () => {
    const counts = counter(1, 2)
    for (const key of ['a', 'b', 'c']) counts.add(key)
    expect(['a', 'b', 'c'].map((key) => counts.isUsedUp(key))).toEqual([false, true, true])
  })
})
