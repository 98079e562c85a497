import fc from 'fast-check'
import { objectKeyOf, prefixOf, UPLOADS_PREFIX, uploadOfKey } from './s3-keys.js'

const segment = fc
  .oneof(
    fc.string({ minLength: 1, maxLength: 200, unit: 'grapheme' }),
    fc.string({ minLength: 1, maxLength: 200, unit: 'binary' }),
    fc.string({
      minLength: 1,
      maxLength: 5,
      unit: fc.constantFrom('a', 'A', '.', ' ', '!', '%', 'e\u0301', '\u00e9', '\ud83d'),
    }),
    fc.constantFrom('!uploads', '~uploads', '.', '..', 'uploads', 'a'.repeat(200)),
  )
  .filter((name) => !name.includes('/') && !name.includes('\0'))

describe('the place of an object in a bucket', () => {
  it.each([
    ['860000000000001/clip-0712.mp4', '860000000000001/clip-0712.mp4'],
    ['Truck-7/Fahrt 11 (2).MP4', 'Truck-7/Fahrt 11 (2).MP4'],
    ['truck/事故現場.mp4', 'truck/事故現場.mp4'],
    ['derived/019a/thumbnail.jpg', 'derived/019a!/thumbnail.jpg'],
    ['alone', 'alone!'],
  ])('of %s is readable', (key, place) => {
    expect(objectKeyOf(key.split('/'))).toBe(place)
  })

  it.each([
    ['t/..', /^t\/_\.\.![0-9a-f]{64}$/],
    ['t/a!b', /^t\/a_b![0-9a-f]{64}$/],
    ['t/cafe\u0301', /^t\/cafe_![0-9a-f]{64}$/],
    ['!uploads/a', /^_uploads![0-9a-f]{64}\/a$/],
  ])('of %s keeps what can be read of it', (key, form) => {
    expect(objectKeyOf(key.split('/'))).toMatch(form)
  })

  it('is never that of another object, nor on its way, nor among the uploads', () => {
    const keys = fc.array(segment, { minLength: 1, maxLength: 3 })
    fc.assert(
      fc.property(keys, keys, (one, other) => {
        const place = objectKeyOf(one)
        expect(place.startsWith(UPLOADS_PREFIX)).toBe(false)
        expect(place).not.toMatch(/(^|\/)\.{1,2}(\/|$)|\p{C}/u)
        if (one.join('/') === other.join('/')) return
        expect(objectKeyOf(other)).not.toBe(place)
        expect(objectKeyOf(other).startsWith(`${place}/`)).toBe(false)
        const isBelow = other.length > one.length && one.every((name, i) => name === other[i])
        expect(objectKeyOf(other).startsWith(prefixOf(one))).toBe(isBelow)
      }),
      { numRuns: 2000 },
    )
  })

  it('is refused when S3 has no room for it', () => {
    expect(() => objectKeyOf(Array.from({ length: 8 }, () => 'a'.repeat(200)))).toThrow(RangeError)
  })

  it('of an upload says what it is for', () => {
    const id = 'a'.repeat(32)

    expect(uploadOfKey(`!uploads/${id}/tail.0-5`)).toEqual({ id, entry: { kind: 'piece', start: 0, end: 5 } })
    expect(uploadOfKey(`!uploads/${id}/upload`)).toEqual({ id, entry: { kind: 'marker' } })
    expect(uploadOfKey(`!uploads/${id}/other`)).toEqual({ id, entry: undefined })
    expect(uploadOfKey('!uploads/probe')).toBeUndefined()
    expect(uploadOfKey(`truck/${id}/upload`)).toBeUndefined()
  })
})
