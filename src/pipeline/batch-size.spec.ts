import { type BatchOutcome, BatchSize } from './batch-size.js'

const TOO_LONG_MS = 8000

const size = (...outcomes: readonly Partial<BatchOutcome>[]): number => {
  const batch = new BatchSize(500, TOO_LONG_MS)
  for (const outcome of outcomes) batch.settle({ count: batch.current, tookMs: 10, refusal: undefined, ...outcome })
  return batch.current
}
const GIVEN_UP = { refusal: 'store_unavailable', tookMs: 8000 }
const STORED = {}

describe('BatchSize', () => {
  it('is the largest at first, and stays so', () => {
    expect([size(), size(STORED)]).toEqual([500, 500])
  })

  it('is half of a batch that was given up, down to one', () => {
    expect(size(GIVEN_UP)).toBe(250)
    expect(size({ ...GIVEN_UP, count: 31 })).toBe(15)
    expect(size(...Array.from({ length: 20 }, () => GIVEN_UP))).toBe(1)
  })

  it('is halved by a write that was stored too late for those who waited', () => {
    expect(size({ tookMs: TOO_LONG_MS })).toBe(250)
  })

  it('doubles after each full batch that was quick, up to the largest', () => {
    expect(size(GIVEN_UP, GIVEN_UP, STORED)).toBe(250)
    expect(size(GIVEN_UP, GIVEN_UP, STORED, STORED, STORED)).toBe(500)
  })

  it('stays when a batch was not full or took its time', () => {
    expect(size(GIVEN_UP, { count: 249 })).toBe(250)
    expect(size(GIVEN_UP, { tookMs: 2000 })).toBe(250)
  })

  it('stays when the store refused at once, or for another reason', () => {
    expect(size({ refusal: 'store_unavailable', tookMs: 999 })).toBe(500)
    expect(size({ refusal: 'disk_full', tookMs: 5000 })).toBe(500)
  })
})
