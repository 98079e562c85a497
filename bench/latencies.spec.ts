import { Latencies, median } from './latencies.js'

describe('Latencies', () => {
  it('gives exact quantiles of whatever order they came in, also of more than it had room for', () => {
    const latencies = new Latencies()
    for (let n = 100_000; n > 0; n--) latencies.add(n)
    expect(latencies.count).toBe(100_000)
    expect(latencies.quantiles([0, 0.5, 0.95, 0.99, 1])).toEqual([1, 50_000, 95_000, 99_000, 100_000])
  })

  it('has none before the first value', () => {
    expect(new Latencies().quantiles([0.5])).toEqual([Number.NaN])
  })
})

describe('median', () => {
  it.each([
    [[3, 1, 2], 2],
    [[4, 1, 2, 3], 2.5],
    [[7], 7],
  ])('of %j is %d', (values, expected) => expect(median(values)).toBe(expected))
})
