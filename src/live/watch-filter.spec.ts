import { AppError } from '../model/app-error.js'
import { LiveEvent } from './live-event.js'
import { isWanted, parseWatch } from './watch-filter.js'

const refusalOf = (payload: unknown): AppError => {
  try {
    parseWatch(payload)
  } catch (error) {
    return error as AppError
  }
  throw new Error('was not refused')
}

describe('parseWatch', () => {
  it('takes an empty object as everything', () => {
    expect(parseWatch({})).toEqual({})
    expect(parseWatch({ deviceIds: null, bbox: null })).toEqual({})
  })

  it('takes devices and a box, as an array or as the text of a query', () => {
    const box = { minLongitude: 11.3, minLatitude: 48, maxLongitude: 11.8, maxLatitude: 48.3 }
    expect(parseWatch({ deviceIds: ['a', 'b', 'a'] })).toEqual({ deviceIds: new Set(['a', 'b']) })
    expect(parseWatch({ bbox: [11.3, 48, 11.8, 48.3] })).toEqual({ box })
    expect(parseWatch({ bbox: '11.3,48.0,11.8,48.3' })).toEqual({ box })
  })

  it('takes what lies on the meridian of 180° into a box that ends on it, under either of its names', () => {
    const west = parseWatch({ bbox: [-180, -1, -170, 1] })
    const east = parseWatch({ bbox: '170,-1,180,1' })
    const at = (longitude: number) => new LiveEvent('alarm', 'alarm:1', 'a', { latitude: 0, longitude }, () => null)
    expect([180, -180, 179, -179].map((longitude) => isWanted(west, at(longitude)))).toEqual([true, true, false, true])
    expect([180, -180, 179, -179].map((longitude) => isWanted(east, at(longitude)))).toEqual([true, true, true, false])
  })

  it('takes 10,000 devices and refuses one more', () => {
    const ids = Array.from({ length: 10_000 }, (_, index) => `truck-${index}`)
    expect(parseWatch({ deviceIds: ids }).deviceIds?.size).toBe(10_000)
    const refusal = refusalOf({ deviceIds: [...ids, 'one-more'] })
    expect([refusal.code, refusal.message]).toEqual(['invalid_request', 'deviceIds: at most 10000 devices'])
  })

  it.each([
    undefined,
    null,
    'everything',
    [],
    () => undefined,
    { deviceIds: 'a' },
    { deviceIds: [1] },
    { deviceIds: [''] },
    { deviceIds: ['x'.repeat(65)] },
    { bbox: [1, 2, 3] },
    { bbox: [1, 2, 3, 4, 5] },
    { bbox: [0, 91, 1, 92] },
    { bbox: [0, 10, 1, 9] },
    { bbox: [-181, 0, 0, 1] },
    { bbox: [null, 0, 0, 1] },
    { bbox: {} },
    { bbox: '1,2,3' },
    { devices: ['a'] },
  ])('refuses %p', (payload) => {
    expect(refusalOf(payload).code).toBe('invalid_request')
  })
})

describe('isWanted', () => {
  const at = (deviceId: string, longitude: number) =>
    new LiveEvent('position', deviceId, deviceId, { latitude: 10, longitude }, () => ({}))
  const presence = new LiveEvent('presence', 'a', 'a', undefined, () => ({}))

  it('wants a device that is in the list and in the box', () => {
    const filter = parseWatch({ deviceIds: ['a'], bbox: [0, 0, 20, 20] })
    expect([at('a', 10), at('b', 10), at('a', 21)].map((event) => isWanted(filter, event))).toEqual([
      true,
      false,
      false,
    ])
  })

  it('takes a box over the 180th meridian, both edges included', () => {
    const filter = parseWatch({ bbox: [170, 0, -170, 20] })
    const longitudes = [169.9, 170, 180, -180, -170, -169.9, 0]
    expect(longitudes.map((longitude) => isWanted(filter, at('a', longitude)))).toEqual([
      false,
      true,
      true,
      true,
      true,
      false,
      false,
    ])
  })

  it('filters what has no place by device only', () => {
    expect(isWanted(parseWatch({ bbox: [0, 0, 1, 1] }), presence)).toBe(true)
    expect(isWanted(parseWatch({ deviceIds: ['b'] }), presence)).toBe(false)
  })
})
