import fc from 'fast-check'
import { MAX_EPOCH_MS } from '../../model/time.js'
import { AlarmIds, blockOf, dayOf, dayText, idFloorOf, storedEventKey } from './alarm-keys.js'

const moments = fc.integer({ min: -MAX_EPOCH_MS, max: MAX_EPOCH_MS })

describe('ids of alarms', () => {
  it('sort by the time of the alarm, before 1970 and at the ends of time too', () => {
    const ids = new AlarmIds()
    fc.assert(
      fc.property(moments, moments, (a, b) => {
        const [idA, idB] = [ids.next(a), ids.next(b)]
        if (a !== b) expect(idA < idB).toBe(a < b)
      }),
    )
  })

  it('are not below the floor of their moment, and below that of the next', () => {
    const ids = new AlarmIds()
    fc.assert(
      fc.property(fc.integer({ min: -MAX_EPOCH_MS, max: MAX_EPOCH_MS - 1 }), (timeMs) => {
        const id = ids.next(timeMs)
        expect(id).toMatch(/^[0-9a-f]{32}$/)
        expect(id >= idFloorOf(timeMs)).toBe(true)
        expect(id < idFloorOf(timeMs + 1)).toBe(true)
      }),
    )
  })

  it('of one moment sort as they were made', () => {
    const ids = new AlarmIds()
    const made = Array.from({ length: 1000 }, () => ids.next(5))

    expect([...made].sort()).toEqual(made)
    expect(new Set(made).size).toBe(1000)
  })
})

describe('days of alarms', () => {
  it.each([
    ['1970-01-01T00:00:00.000Z', 0, '1970-01-01'],
    ['1969-12-31T23:59:59.999Z', -1, '1969-12-31'],
    ['2026-11-22T23:59:59.999Z', 20_779, '2026-11-22'],
    ['2026-11-23T00:00:00.000Z', 20_780, '2026-11-23'],
    ['0001-01-01T00:00:00.000Z', -719_162, '0001-01-01'],
    ['+275760-09-13T00:00:00.000Z', 100_000_000, '+275760-09-13'],
  ])('%s is day %d, %s', (time, day, text) => {
    expect(dayOf(Date.parse(time))).toBe(day)
    expect(dayText(day)).toBe(text)
  })

  it('before 1970 are one block and after 2100 another, between which blocks are days', () => {
    expect([-100_000_000, -1, 0, 20_779, 47_846, 47_847, 100_000_000].map(blockOf)).toEqual([
      -1, -1, 0, 20_779, 47_846, 47_847, 47_847,
    ])
    expect(dayText(47_846)).toBe('2100-12-31')
  })
})

describe('event keys', () => {
  it('are kept as they are when short, and as a hash of one length when long or like a hash', () => {
    expect(storedEventKey('')).toBe('')
    expect(storedEventKey('x'.repeat(64))).toBe('x'.repeat(64))
    expect(storedEventKey('x'.repeat(65))).toMatch(/^#[A-Za-z0-9+/]{43}=$/)
    expect(storedEventKey('#1')).toMatch(/^#[A-Za-z0-9+/]{43}=$/)
    expect(storedEventKey('#1')).not.toBe(storedEventKey('#2'))
  })
})
