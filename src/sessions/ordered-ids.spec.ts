import fc from 'fast-check'
import { OrderedIds } from './ordered-ids.js'

describe('OrderedIds', () => {
  it('holds what a sorted set would, whatever is added and deleted, and gives it page by page', () => {
    const change = fc.record({ id: fc.nat(4000).map((n) => `d${n}`), isAdded: fc.boolean() })
    fc.assert(
      fc.property(
        fc.array(change, { maxLength: 3000, size: 'max' }),
        fc.integer({ min: 1, max: 700 }),
        (changes, limit) => {
          const ordered = new OrderedIds()
          const expected = new Set<string>()
          for (const { id, isAdded } of changes) {
            if (isAdded) ordered.add(id)
            else ordered.delete(id)
            if (isAdded) expected.add(id)
            else expected.delete(id)
          }
          const pages: string[][] = []
          let after: string | undefined
          do {
            pages.push(ordered.list(limit, after))
            after = pages.at(-1)?.at(-1)
          } while (after !== undefined)
          expect(pages.flat()).toEqual([...expected].sort())
          expect(pages.slice(0, -2).every((page) => page.length === limit)).toBe(true)
          expect(ordered.size).toBe(expected.size)
        },
      ),
      { numRuns: 30 },
    )
  })

  it('goes on after an id that is not there', () => {
    const ordered = new OrderedIds()
    for (const id of ['b', 'd', 'B']) ordered.add(id)
    expect([ordered.list(9, 'A'), ordered.list(9, 'c'), ordered.list(9, 'e')]).toEqual([['B', 'b', 'd'], ['d'], []])
  })
})
