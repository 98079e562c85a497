import path from 'node:path'
import fc from 'fast-check'
import { directoryPathOf, filePathOf, segmentsOf } from './blob-path.js'

const MOST_BYTES = 255
/** What file systems take for one and the same, at their loosest. */
const looselyOf = (name: string) =>
  name
    .normalize('NFKD')
    .toLowerCase()
    .normalize('NFKD')
    .replace(/[. ]+$/, '')

const segment = fc
  .oneof(
    fc.string({ minLength: 1, maxLength: 200, unit: 'grapheme' }),
    fc.string({ minLength: 1, maxLength: 200, unit: 'binary' }),
    fc.string({
      minLength: 1,
      maxLength: 6,
      unit: fc.constantFrom('a', 'A', '.', ' ', '%', 'e\u0301', '\u00e9', '\ud83d'),
    }),
    fc.constantFrom('con', 'CON', 'con.mp4', 'nul', 'lpt1.x', '.', '..', '...', '~1', 'a'.repeat(200), 'A'.repeat(200)),
  )
  .filter((name) => !name.includes('/') && !name.includes('\0'))

describe('the place of an object', () => {
  it.each([
    ['860000000000001/clip-0712.mp4', '860000000000001/clip-0712.mp4'],
    ['truck-7/2026 11 22.jpg', 'truck-7/2026 11 22.jpg'],
    ['derived/019a/thumbnail.jpg', 'derived/019a%/thumbnail.jpg'],
    ['alone', 'alone%'],
  ])('of %s is readable', (key, relative) => {
    expect(filePathOf(segmentsOf(key))).toBe(path.normalize(relative))
  })

  it.each([
    ['t/Clip.MP4', /^t\/Clip\.MP4%[0-9a-f]{64}$/],
    ['t/..', /^t\/_\.\.%[0-9a-f]{64}$/],
    ['t/con.mp4', /^t\/_con\.mp4%[0-9a-f]{64}$/],
    ['t/事故 1.mp4', /^t\/__ 1\.mp4%[0-9a-f]{64}$/],
    ['Truck/a', /^Truck%[0-9a-f]{64}\/a$/],
    [`t/${'A'.repeat(200)}`, /^t\/A{120}%[0-9a-f]{64}$/],
  ])('of %s keeps what can be read of it', (key, form) => {
    expect(filePathOf(segmentsOf(key))).toMatch(form)
  })

  it('is a name that every file system can hold', () => {
    fc.assert(
      fc.property(fc.array(segment, { minLength: 1, maxLength: 4 }), (segments) => {
        for (const name of [...filePathOf(segments).split(path.sep), ...directoryPathOf(segments).split(path.sep)]) {
          expect(Buffer.byteLength(name)).toBeLessThanOrEqual(MOST_BYTES)
          expect(name).toMatch(/^[A-Za-z0-9_ -][A-Za-z0-9._ %-]*$/)
          expect(name).not.toMatch(/[. ]$/)
          expect(name).not.toMatch(/^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i)
        }
      }),
    )
  })

  it('is never that of another object, however loosely names are compared', () => {
    fc.assert(
      fc.property(
        fc.array(segment, { minLength: 1, maxLength: 3 }),
        fc.array(segment, { minLength: 1, maxLength: 3 }),
        (one, other) => {
          fc.pre(one.join('/') !== other.join('/'))
          expect(looselyOf(filePathOf(one))).not.toBe(looselyOf(filePathOf(other)))
          expect(looselyOf(filePathOf(one))).not.toBe(looselyOf(directoryPathOf(other)))
        },
      ),
      { numRuns: 2000 },
    )
  })

  it('tells names apart that differ in case, accents or their ends only', () => {
    const alike = [
      'clip',
      'Clip',
      'CLIP',
      'clip.',
      'clip ',
      'clip..',
      'caf\u00e9',
      'cafe\u0301',
      'CAF\u00c9',
      '\ud83d',
      '\ud83e',
    ]
    const places = alike.map((name) => looselyOf(filePathOf(['t', name])))

    expect(new Set(places).size).toBe(alike.length)
  })
})
