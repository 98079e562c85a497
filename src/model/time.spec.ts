import fc from 'fast-check'
import { formatTime, parseTime, TIME_PATTERN } from './time.js'

const at = (text: string) => {
  const ms = parseTime(text)
  return ms === undefined ? undefined : formatTime(ms)
}

describe('parseTime', () => {
  it.each([
    ['2026-11-22T07:30:00Z', '2026-11-22T07:30:00.000Z'],
    ['2026-11-22T07:30:00.5Z', '2026-11-22T07:30:00.500Z'],
    ['2026-11-22T07:30:00.123Z', '2026-11-22T07:30:00.123Z'],
    ['2026-12-31T23:59:59.999Z', '2026-12-31T23:59:59.999Z'],
    ['2026-02-28T09:05:07.040Z', '2026-02-28T09:05:07.040Z'],
    ['1914-06-28T10:45:00.000Z', '1914-06-28T10:45:00.000Z'],
    ['0099-01-02T03:04:05.006Z', '0099-01-02T03:04:05.006Z'],
    ['2026-11-22T07:30Z', '2026-11-22T07:30:00.000Z'],
    ['2026-11-22t07:30:00z', '2026-11-22T07:30:00.000Z'],
    ['2026-11-22T08:30:00+01:00', '2026-11-22T07:30:00.000Z'],
    ['2026-11-22T08:30:00+0100', '2026-11-22T07:30:00.000Z'],
    ['2026-11-22T08:30:00+01', '2026-11-22T07:30:00.000Z'],
    ['2026-11-22T02:00:00-05:30', '2026-11-22T07:30:00.000Z'],
    ['2024-02-29T00:00:00Z', '2024-02-29T00:00:00.000Z'],
    ['2026-11-21T24:00:00Z', '2026-11-22T00:00:00.000Z'],
    ['+058861-10-28T12:00:00.000Z', '+058861-10-28T12:00:00.000Z'],
    ['+002026-11-22T08:30:00+01:00', '2026-11-22T07:30:00.000Z'],
    [' 058861-10-28T12:00:00.000Z', '+058861-10-28T12:00:00.000Z'],
    ['+010000-01-01T00:30:00+01:00', '9999-12-31T23:30:00.000Z'],
    ['-000004-02-29T00:00Z', '-000004-02-29T00:00:00.000Z'],
    ['+000000-02-29T00:00:00Z', '0000-02-29T00:00:00.000Z'],
    ['+275760-09-13T00:00:00.000Z', '+275760-09-13T00:00:00.000Z'],
    ['-271821-04-20T00:00:00.000Z', '-271821-04-20T00:00:00.000Z'],
  ])('reads %s', (text, expected) => expect(at(text)).toBe(expected))

  it('cuts what is finer than a millisecond instead of rounding it', () => {
    expect(at('2026-11-22T07:30:00.123999999Z')).toBe('2026-11-22T07:30:00.123Z')
    expect(parseTime(1_790_000_000_000.9)).toBe(1_790_000_000_000)
  })

  it('takes the leap second as the last millisecond before it', () => {
    expect(at('2016-12-31T23:59:60Z')).toBe('2016-12-31T23:59:59.999Z')
    expect(at('2016-12-31T23:59:60.700Z')).toBe('2016-12-31T23:59:59.999Z')
  })

  it('tolerates a blank where an unencoded plus was', () => {
    expect(at('2026-11-22T08:30:00 +01:00')).toBe('2026-11-22T07:30:00.000Z')
    expect(at('2026-11-22T08:30:00 01:00')).toBe('2026-11-22T07:30:00.000Z')
  })

  it('reads whatever formatTime writes', () => {
    fc.assert(
      fc.property(fc.integer({ min: -8.64e15, max: 8.64e15 }), (ms) => {
        expect(parseTime(formatTime(ms))).toBe(ms)
      }),
    )
  })

  it('reads epoch milliseconds as number and as digits', () => {
    expect(parseTime(1_410_324_847_000)).toBe(1_410_324_847_000)
    expect(parseTime('1410324847000')).toBe(1_410_324_847_000)
    expect(parseTime(-1)).toBe(-1)
  })

  it.each([
    '+275760-09-13T00:00:00.001Z',
    '-271821-04-19T23:59:59.999Z',
    '-271821-04-20T00:00:00+00:01',
    '+999999-01-01T00:00:00Z',
    '+02026-11-22T07:30:00Z',
    '002026-11-22T07:30:00Z',
    '-000001-02-29T00:00:00Z',
    '2026-11-22',
    '2026-11-22T07:30:00',
    '2026-02-29T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-11-22T25:00:00Z',
    '2026-11-22T24:00:01Z',
    '2026-11-22T07:60:00Z',
    '2026-11-00T07:30:00.000Z',
    '2026-00-22T07:30:00.000Z',
    '2026-04-31T07:30:00.000Z',
    '2026-11-22T07:30:0xZ',
    '2026-11-22T07:30:00.1 3Z',
    '2026-11-22T07:30:00:123Z',
    '2026-11-22T07:30:61Z',
    '2026-11-22T07:30:00+24:00',
    '2026-11-22T07:30:00+01:60',
    ' 2026-11-22T07:30:00Z',
    'yesterday',
    '',
    'NaN',
  ])('refuses %j', (text) => expect(parseTime(text)).toBeUndefined())

  it.each([null, undefined, true, {}, [], Number.NaN, Number.POSITIVE_INFINITY, 8.64e15 + 1])('refuses %p', (value) =>
    expect(parseTime(value)).toBeUndefined(),
  )
})

it('cuts what is finer than a millisecond of epoch milliseconds too, as a text and as a number', () => {
  expect(['1790000000000.7', 1790000000000.7, '-1.9', '0.5'].map(parseTime)).toEqual([
    1_790_000_000_000, 1_790_000_000_000, -1, 0,
  ])
})

describe('TIME_PATTERN', () => {
  const pattern = new RegExp(TIME_PATTERN)
  const digits = (count: number) => fc.stringMatching(new RegExp(`^\\d{${count}}$`))
  const nearly = fc
    .tuple(
      fc.oneof(
        digits(4),
        fc.tuple(fc.constantFrom('+', '-'), fc.constantFrom('00', '05', '26'), digits(4)).map((p) => p.join('')),
      ),
      fc.constantFrom('00', '01', '02', '02', '04', '06', '11', '12', '13'),
      fc.constantFrom('00', '01', '28', '29', '29', '30', '31', '32'),
      fc.constantFrom('T', 't', ' ', '_'),
      fc.constantFrom('00:00', '07:30', '23:59', '24:00', '24:01', '25:00', '07:60', '7:30'),
      fc.constantFrom('', ':00', ':59', ':60', ':61', ':00.0', ':00.0009', ':00,001', ':00.12345678901234567890', ':'),
      fc.constantFrom('Z', 'z', ' Z', '+01', '+0100', '+01:00', '-23:59', '+24:00', '+1', ' 01:00', ' 0100', ' 01', ''),
    )
    .map(([year, month, day, separator, time, second, offset]) =>
      [year, '-', month, '-', day, separator, time, second, offset].join(''),
    )
  const epoch = fc
    .tuple(
      fc.constantFrom('', '-', '+'),
      fc.constantFrom('', '8640', '863', '0', '86400000000000'),
      fc.nat(1e15),
      fc.constantFrom('', '', '.', '.7', '.00', '.9999999', ',5'),
    )
    .map(([sign, start, end, cut]) => `${sign}${start}${end}${cut}`)

  it('matches what parseTime reads and nothing else', () => {
    fc.assert(
      fc.property(fc.oneof(nearly, epoch, fc.stringMatching(pattern), fc.string()), (text) => {
        expect([text, pattern.test(text)]).toEqual([text, parseTime(text) !== undefined])
      }),
      { numRuns: 5000 },
    )
  })

  it.each([
    '2024-02-29T00:00:00Z',
    '2000-02-29T00:00Z',
    '8640000000000000',
    '8640000000000000.9',
    '2026-11-21T24:00:00.0009Z',
    '+058861-10-28T12:00:00.000Z',
    '-000004-02-29T00:00Z',
  ])('matches %s', (text) => expect([pattern.test(text), parseTime(text) !== undefined]).toEqual([true, true]))

  it.each(['2023-02-29T00:00:00Z', '1900-02-29T00:00Z', '8640000000000001', '2026-11-21T24:00:00.001Z'])(
    'does not match %s',
    (text) => expect([pattern.test(text), parseTime(text) !== undefined]).toEqual([false, false]),
  )
})
