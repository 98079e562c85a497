import { MOST_GATHERED_CHARACTERS } from '../model/gathered-attributes.js'
import type { Attributes } from '../model/position.js'
import { samplePosition } from '../storage/positions/position-samples.contract.js'
import { foldRepeats } from './fold-repeats.js'

const part = (attributes: Attributes | null, discriminator = 7) =>
  samplePosition({ attributes, discriminator, isPart: true })

describe('records of one report with one identity', () => {
  it('are the first of them', () => {
    const first = samplePosition({ speedKmh: 1 })
    const other = samplePosition({ discriminator: 3 })
    const { once, repeats } = foldRepeats([first, samplePosition({ speedKmh: 2 }), other, first])
    expect([once, repeats]).toEqual([[first, other], 2])
  })

  it('are the first with all that its parts bring, and the others count as repeats', () => {
    const whole = samplePosition({ discriminator: 9 })
    const { once, repeats } = foldRepeats([
      part({ a: 1 }),
      whole,
      part({ b: 2 }),
      part({ x: 1 }, 8),
      part({ a: 1 }),
      whole,
    ])
    expect(once).toEqual([part({ a: 1, b: 2 }), whole, part({ x: 1 }, 8)])
    expect(repeats).toBe(3)
  })

  it('stay apart where one is a part and the one before it is none', () => {
    const whole = samplePosition({ discriminator: 7, attributes: { whole: 1 } })
    const { once, repeats } = foldRepeats([whole, part({ a: 1 }), whole, part({ b: 2 })])
    expect([once, repeats]).toEqual([[whole, part({ a: 1, b: 2 })], 2])
    expect(foldRepeats([part({ a: 1 }), whole])).toMatchObject({ once: [part({ a: 1 })], repeats: 1 })
  })

  it('leave to the store what would be too large', () => {
    const large = part({ large: 'x'.repeat(MOST_GATHERED_CHARACTERS - 20) })
    const [more, b] = [part({ more: 'y'.repeat(50) }), part({ b: 2 })]
    const { once, repeats, sourcesOf } = foldRepeats([large, more, b])
    expect(once.map(({ attributes }) => Object.keys(attributes ?? {}))).toEqual([['large', 'b'], ['more']])
    expect(repeats).toBe(1)
    expect([sourcesOf(0), sourcesOf(1)]).toEqual([[large, b], [more]])
  })

  it('tell of what each was made', () => {
    const [whole, first, second] = [samplePosition({ discriminator: 9 }), part({ a: 1 }), part({ a: 1 })]
    const { sourcesOf } = foldRepeats([whole, first, whole, second])
    expect([sourcesOf(0), sourcesOf(1)]).toEqual([[whole], [first, second]])
    expect(foldRepeats([whole, whole]).sourcesOf(0)).toEqual([whole])
    expect(foldRepeats([first]).sourcesOf(0)).toEqual([first])
  })
})
