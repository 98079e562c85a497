import fc from 'fast-check'
import { parseByteRange } from './byte-range.js'

describe('parseByteRange', () => {
  it.each<[string, object | string | undefined]>([
    ['bytes=0-0', { first: 0, last: 0 }],
    ['bytes=0-99', { first: 0, last: 99 }],
    ['bytes=10-19', { first: 10, last: 19 }],
    ['bytes=10-', { first: 10, last: 99 }],
    ['bytes=99-', { first: 99, last: 99 }],
    ['bytes=-1', { first: 99, last: 99 }],
    ['bytes=-100', { first: 0, last: 99 }],
    ['Bytes=1-2', { first: 1, last: 2 }],
    ['bytes= 1-2 ', { first: 1, last: 2 }],
  ])('takes %s of a hundred bytes', (header, expected) => {
    expect(parseByteRange(header, 100)).toEqual(expected)
  })

  it('gives what there is of a range that goes beyond the end', () => {
    expect(parseByteRange('bytes=90-1000', 100)).toEqual({ first: 90, last: 99 })
    expect(parseByteRange('bytes=0-99999999999999999999', 100)).toEqual({ first: 0, last: 99 })
    expect(parseByteRange(`bytes=0-${'9'.repeat(9000)}`, 100)).toEqual({ first: 0, last: 99 })
    expect(parseByteRange('bytes=-1000', 100)).toEqual({ first: 0, last: 99 })
    expect(parseByteRange(`bytes=-${'9'.repeat(9000)}`, 100)).toEqual({ first: 0, last: 99 })
  })

  it.each(['bytes=100-', 'bytes=100-200', `bytes=${'9'.repeat(23)}-`, `bytes=${'9'.repeat(9000)}-`, 'bytes=-0'])(
    'finds %s outside of a hundred bytes',
    (header) => {
      expect(parseByteRange(header, 100)).toBe('unsatisfiable')
    },
  )

  it('finds every range outside of an empty file', () => {
    expect([parseByteRange('bytes=0-', 0), parseByteRange('bytes=-5', 0)]).toEqual(['unsatisfiable', 'unsatisfiable'])
  })

  it.each([
    undefined,
    '',
    'bytes',
    'bytes=',
    'bytes=-',
    'bytes=a-b',
    'bytes=5-2',
    'bytes=1.5-2',
    'bytes=+1-2',
    'bytes=0x1-',
    'bytes 1-2',
    'items=0-5',
    'bytes=0-1,5-6',
    'bytes=0-1,',
  ])('ignores %p', (header) => {
    expect(parseByteRange(header, 100)).toBeUndefined()
  })

  it('ignores very many ranges at once', () => {
    expect(parseByteRange(`bytes=${'0-,'.repeat(2000)}0-`, 100)).toBeUndefined()
  })

  it('never leaves the file, whatever is asked', () => {
    const part = fc.oneof(fc.nat(300).map(String), fc.constant(''), fc.string({ maxLength: 3 }))
    fc.assert(
      fc.property(part, part, fc.nat(200), (from, to, bytes) => {
        const range = parseByteRange(`bytes=${from}-${to}`, bytes)
        if (range === undefined || range === 'unsatisfiable') return
        expect(0 <= range.first && range.first <= range.last && range.last < bytes).toBe(true)
      }),
    )
  })
})
