import fc from 'fast-check'
import { z } from 'zod'
import { bboxIn, cursorIn, readableIn, severalIn, textIn, timeIn, timeInBody, wordIn } from './schemas.js'

/** The pattern that the documentation shows. */
const patternOf = (schema: z.ZodType) => {
  const { pattern } = z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'input', unrepresentable: 'any' })
  return new RegExp(pattern as string)
}
const isTaken = (schema: z.ZodType, value: unknown) => schema.safeParse(value).success

describe('textIn', () => {
  it('counts characters as JSON Schema does, not halves of them', () => {
    const schema = textIn(2, 3)
    expect(['🚚', '🚚🚚', '🚚🚚🚚', '🚚🚚🚚🚚', 'a', 'ab', 'abc', 'abcd'].map((text) => isTaken(schema, text))).toEqual(
      [false, true, true, false, false, true, true, false],
    )
    expect(z.toJSONSchema(schema, { target: 'openapi-3.0' })).toMatchObject({
      type: 'string',
      minLength: 2,
      maxLength: 3,
    })
  })
})

describe('readableIn', () => {
  it('takes what the documented pattern matches and nothing else', () => {
    const schema = readableIn(0, 1000)
    const pattern = patternOf(schema)
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.string({ unit: fc.integer({ min: 0, max: 0xa0 }).map(String.fromCharCode) })),
        (text) => expect(isTaken(schema, text)).toBe(pattern.test(text)),
      ),
    )
  })

  it('refuses half of a surrogate pair, which no JSON text should hold', () => {
    expect([isTaken(readableIn(0, 9), 'a\ud83d'), isTaken(readableIn(0, 9), 'a🚚')]).toEqual([false, true])
  })
})

describe('bboxIn', () => {
  const pattern = patternOf(bboxIn())

  it.each([
    ['11.3,48,11.8,48.3', [11.3, 48, 11.8, 48.3]],
    [' -180 , +90.0,180.000, 90', [-180, 90, 180, 90]],
    // The meridian of 180° has two names, and a box that ends there holds what lies on it under either.
    ['-180,-1,-170,1', [180, -1, -170, 1]],
    ['170,-1,180,1', [170, -1, -180, 1]],
    ['180,-1,-170,1', [180, -1, -170, 1]],
    ['-180,-1,-180,1', [180, -1, -180, 1]],
    ['180,-1,180,1', [180, -1, -180, 1]],
    ['1e-7,-1.5e-7,.5,5.', [1e-7, -1.5e-7, 0.5, 5]],
    ['07,08,9,10', [7, 8, 9, 10]],
  ])('reads %j', (text, [minLongitude, minLatitude, maxLongitude, maxLatitude]) => {
    expect(pattern.test(text)).toBe(true)
    expect(bboxIn().parse(text)).toEqual({ minLongitude, minLatitude, maxLongitude, maxLatitude })
  })

  it.each(['180.1,0,1,1', '0,90.0001,0,91', '0x1,0,1,1', '1e1,0,1,1', '--1,0,1,1', '0,0,0', '0,0,0,0,0', ',,,', ''])(
    'refuses %j, as documented',
    (text) => expect([isTaken(bboxIn(), text), pattern.test(text)]).toEqual([false, false]),
  )

  it('takes whatever the documented pattern matches once its latitudes are in order', () => {
    fc.assert(
      fc.property(fc.stringMatching(pattern), (text) => {
        const [west, one, east, other] = text.split(',') as [string, string, string, string]
        const [south, north] = Number(one) <= Number(other) ? [one, other] : [other, one]
        expect(isTaken(bboxIn(), [west, south, east, north].join(','))).toBe(true)
      }),
    )
  })
})

describe('severalIn', () => {
  const schema = severalIn(wordIn('[a-z]{1,3}'))

  it.each([
    [undefined, undefined],
    ['a', ['a']],
    ['a,b', ['a', 'b']],
    [
      ['a,b', 'c'],
      ['a', 'b', 'c'],
    ],
  ])('reads %j', (given, values) => expect(schema.parse(given)).toEqual(values))

  it.each([[''], ['a,'], [','], ['a,,b'], ['A'], ['abcd'], [['a', '']], [['', '']]])('refuses %j', (given) =>
    expect(isTaken(schema, given)).toBe(false),
  )

  it('refuses more than 500 values, however they come', () => {
    expect([isTaken(schema, Array(500).fill('a').join()), isTaken(schema, Array(501).fill('a').join())]).toEqual([
      true,
      false,
    ])
  })
})

describe('cursorIn', () => {
  it.each(['', 'a b', '!', 'a=', 'x'.repeat(1001)])('refuses %j by its own code', (text) => {
    const { error } = cursorIn().safeParse(text)
    expect(error?.issues).toMatchObject([{ params: { code: 'invalid_cursor' } }])
    expect(patternOf(cursorIn()).test(text)).toBe(false)
  })
})

describe('times', () => {
  it('come as text in a query and as text or number in a body', () => {
    const moment = Date.UTC(2026, 10, 22, 7, 30)
    expect([timeIn('Inclusive').parse('2026-11-22T08:30:00+01:00'), timeIn('Inclusive').parse(String(moment))]).toEqual(
      [moment, moment],
    )
    expect([
      isTaken(timeIn('Inclusive'), moment),
      timeInBody().parse(moment),
      isTaken(timeInBody(), 8.64e15 + 1),
    ]).toEqual([false, moment, false])
  })
})
