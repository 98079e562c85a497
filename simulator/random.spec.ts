import { below, randomOf, shuffle } from './random.js'

const draw = (seed: string, count: number) => {
  const random = randomOf(seed)
  return Array.from({ length: count }, () => random())
}

describe('randomOf', () => {
  it('repeats itself for the same seed only', () => {
    expect(draw('a', 100)).toEqual(draw('a', 100))
    expect(draw('a', 100)).not.toEqual(draw('b', 100))
  })

  it('spreads evenly between 0 and 1', () => {
    const numbers = draw('even', 100_000)
    const tenths = Array.from({ length: 10 }, (_, tenth) => numbers.filter((x) => Math.floor(x * 10) === tenth).length)
    expect(numbers.every((x) => x >= 0 && x < 1)).toBe(true)
    expect(tenths.every((count) => Math.abs(count - 10_000) < 500)).toBe(true)
  })
})

describe('shuffle', () => {
  it('brings every item to every place about as often', () => {
    const random = randomOf('places')
    const counts = Array.from({ length: 4 }, () => [0, 0, 0, 0])
    for (let time = 0; time < 8000; time++) {
      const items = [0, 1, 2, 3]
      shuffle(random, items)
      for (const [place, item] of items.entries()) {
        const row = counts[item]
        if (row) row[place] = (row[place] ?? 0) + 1
      }
    }
    expect(counts.flat().every((count) => Math.abs(count - 2000) < 250)).toBe(true)
  })
})

describe('below', () => {
  it('gives whole numbers below the limit', () => {
    const random = randomOf('limit')
    expect(new Set(Array.from({ length: 1000 }, () => below(random, 3)))).toEqual(new Set([0, 1, 2]))
  })
})
