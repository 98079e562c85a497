import fc from 'fast-check'
import { GatheredAttributes, MOST_GATHERED_CHARACTERS } from './gathered-attributes.js'
import type { Attributes } from './position.js'

const gather = (parts: readonly (Attributes | null)[]) => {
  const gathered = new GatheredAttributes(parts[0] ?? null)
  for (const part of parts.slice(1)) expect(gathered.add(part)).toBe(true)
  return gathered
}

describe('GatheredAttributes', () => {
  it('are what was there when nothing is new', () => {
    const first = { a: 1, b: 'x' }
    const gathered = gather([first, { b: 'x' }, null, {}])
    expect(gathered.isGrown).toBe(false)
    expect(gathered.toAttributes()).toBe(first)
    expect(gather([null, {}]).toAttributes()).toBe(null)
  })

  it('number another value of a name, once', () => {
    const gathered = gather([
      { 'io.5': 1, 'io.50': 1 },
      { 'io.5': 2, 'io.5.2': 3 },
      { 'io.5': 3 },
      { 'io.5': 2, 'io.5.2': 3 },
    ])
    expect(gathered.toAttributes()).toEqual({ 'io.5': 1, 'io.50': 1, 'io.5.2': 2, 'io.5.3': 3 })
  })

  it('tell a number from a text', () => {
    expect(gather([{ a: 1 }, { a: '1' }, { a: true }]).toAttributes()).toEqual({ a: 1, 'a.2': '1', 'a.3': true })
  })

  it('take a part wholly or not at all', () => {
    const gathered = new GatheredAttributes({ a: 'x'.repeat(MOST_GATHERED_CHARACTERS - 30) })
    expect(gathered.add({ b: 1, c: 'y'.repeat(40) })).toBe(false)
    expect(gathered.isGrown).toBe(false)
    expect(gathered.add({ b: 1 })).toBe(true)
  })

  it('are put together in time that grows with what comes, also where all of it has one name', () => {
    const part = (from: number) =>
      Object.fromEntries(Array.from({ length: 200 }, (_, n) => [n ? `io.5.${n}` : 'io.5', from + n]))
    const gathered = new GatheredAttributes(null)
    const startedMs = performance.now()
    for (let n = 0; n < 2000; n++) gathered.add(part(n * 200))
    expect(performance.now() - startedMs).toBeLessThan(5000)
    const { length } = JSON.stringify(gathered.toAttributes())
    expect(length).toBeGreaterThan(MOST_GATHERED_CHARACTERS - 5000)
    expect(length).toBeLessThanOrEqual(MOST_GATHERED_CHARACTERS + 1000)
  })

  it('have every value of every part, whatever the order, and are no other after repeats', () => {
    const value = fc.oneof(fc.nat(3), fc.constantFrom('a', 'b', true, false))
    const name = fc.constantFrom('io.1', 'io.2', 'io.1.2', 'ignition', 'hdop', '__proto__')
    const part = fc.array(fc.tuple(name, value)).map((entries): Attributes => Object.fromEntries(entries))
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 6 }), (parts) => {
        const gathered = gather(parts)
        const attributes = gathered.toAttributes() ?? {}
        const baseOf = (key: string) => /^(io\.\d|\w+)/.exec(key)?.[0]
        for (const [key, one] of parts.flatMap((each) => Object.entries(each)))
          expect(Object.entries(attributes).some(([at, other]) => baseOf(at) === baseOf(key) && other === one)).toBe(
            true,
          )
        const again = new GatheredAttributes(attributes)
        for (const each of parts) again.add(each)
        expect(again.isGrown).toBe(false)
      }),
    )
  })
})
