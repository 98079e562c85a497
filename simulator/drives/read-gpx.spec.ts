import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { greatCircleM } from '../../src/model/geo.js'
import { removeTemporaryDirectories, temporaryDirectory } from '../../test/support/temporary-directory.js'
import { GpxError, readGpx } from './read-gpx.js'

afterAll(removeTemporaryDirectories)

const MUNICH = path.join('test', 'data', 'munich-2014-1hz.gpx')

function written(text: string): string {
  const file = path.join(temporaryDirectory(), 'drive.gpx')
  writeFileSync(file, text)
  return file
}

const gpx = (points: string) => `<?xml version="1.0"?>\n<gpx version="1.1">\n${points}\n</gpx>\n`

const refusal = (text: string) => {
  const file = written(text)
  return readGpx(file).then(
    () => 'read',
    (error: unknown) => (error instanceof GpxError ? error.message.replace(file, 'FILE') : String(error)),
  )
}

describe('readGpx', () => {
  it('reads the recorded drive through Munich whole', async () => {
    const { name, fixes } = await readGpx(MUNICH)
    let metres = 0
    for (const [index, fix] of fixes.entries()) {
      const before = fixes[index - 1] ?? fix
      metres += greatCircleM(before.latitude, before.longitude, fix.latitude, fix.longitude)
    }
    expect(name).toBe('munich-2014-1hz')
    expect(fixes).toHaveLength(1194)
    expect(metres).toBeCloseTo(13_647.1, 1)
    expect(new Date(fixes[0]?.timeMs ?? 0).toISOString()).toBe('2014-09-10T04:54:07.000Z')
    expect(new Date(fixes.at(-1)?.timeMs ?? 0).toISOString()).toBe('2014-09-10T05:14:02.000Z')
    expect(fixes[0]).toMatchObject({ latitude: 48.1635066, longitude: 11.5643883, altitudeM: null, satellites: null })
  })

  it('joins tracks and segments in time order and leaves waypoints and routes out', async () => {
    const file = written(
      gpx(`
        <wpt lat="1" lon="1"><time>2026-01-01T00:00:00Z</time></wpt>
        <rte><rtept lat="2" lon="2"/></rte>
        <trk><trkseg><trkpt lat="3" lon="3"><time>2026-01-01T00:00:03Z</time></trkpt></trkseg>
        <trkseg><trkpt lat="4" lon="4"><time>2026-01-01T00:00:01Z</time></trkpt></trkseg></trk>
        <trk><trkseg><trkpt lat="5" lon="5"><time>2026-01-01T00:00:02Z</time></trkpt></trkseg></trk>`),
    )
    expect((await readGpx(file)).fixes.map(({ latitude }) => latitude)).toEqual([4, 5, 3])
  })

  it('takes GPX 1.0 speed and course, and those in the extensions of 1.1, in km/h and degrees', async () => {
    const file = written(
      gpx(`<trk><trkseg>
        <trkpt lat="48.1" lon="11.5"><ele>519.5</ele><time>2026-01-01T00:00:00Z</time><course>360</course><speed>10</speed><sat>7</sat></trkpt>
        <trkpt lat="48.2" lon="11.5"><time>2026-01-01T01:00:00Z</time><extensions><x:TrackPointExtension xmlns:x="urn:x">
          <x:speed>2.5</x:speed><x:course>90.5</x:course></x:TrackPointExtension></extensions></trkpt>
      </trkseg></trk>`),
    )
    const { fixes } = await readGpx(file)
    expect(fixes).toEqual([
      {
        timeMs: Date.UTC(2026, 0, 1),
        latitude: 48.1,
        longitude: 11.5,
        altitudeM: 519.5,
        speedKmh: 36,
        headingDeg: 0,
        satellites: 7,
      },
      {
        timeMs: Date.UTC(2026, 0, 1, 1),
        latitude: 48.2,
        longitude: 11.5,
        altitudeM: null,
        speedKmh: 9,
        headingDeg: 90.5,
        satellites: null,
      },
    ])
  })

  it.each([
    ['2026-01-01T00:00:00.1239Z', Date.UTC(2026, 0, 1, 0, 0, 0, 123)],
    ['2026-01-01T00:00:00.5Z', Date.UTC(2026, 0, 1, 0, 0, 0, 500)],
    ['2026-01-01T02:00:00+02:00', Date.UTC(2026, 0, 1)],
    ['2026-01-01T02:00:00+0200', Date.UTC(2026, 0, 1)],
    ['2026-01-01T00:00:00', Date.UTC(2026, 0, 1)],
    ['2016-12-31T23:59:60Z', Date.UTC(2016, 11, 31, 23, 59, 59, 999)],
  ])('reads the time %s', async (text, timeMs) => {
    const file = written(gpx(`<trk><trkseg><trkpt lat="1" lon="1"><time>${text}</time></trkpt></trkseg></trk>`))
    expect((await readGpx(file)).fixes[0]?.timeMs).toBe(timeMs)
  })

  it.each([
    ['<gpx>\n<trk>\n</gpx>', 'FILE, line 3: not well-formed XML: unexpected close tag.'],
    ['not xml', 'FILE, line 1: not well-formed XML: text data outside of root node.'],
    ['', 'FILE, line 1: not well-formed XML: document must contain a root element.'],
    [
      gpx('<trkpt lat="1" lon="1"><time>2026-13-01T00:00:00Z</time></trkpt>'),
      'FILE, line 3: <time> "2026-13-01T00:00:00Z" is not a moment like 2026-01-31T06:30:00Z',
    ],
    ['<kml/>', 'FILE, line 1: not a GPX file: its root element is <kml>'],
    [gpx(''), 'FILE: has no track points'],
    [gpx('<trkpt lat="1" lon="1"></trkpt>'), 'FILE, line 3: a track point has no <time>'],
    [gpx('\n<trkpt lat="91" lon="1">'), 'FILE, line 4: lat of a track point must be a number from -90 to 90'],
    [gpx('<trkpt lat="1">'), 'FILE, line 3: lon of a track point must be a number from -180 to 180'],
    [
      gpx('<trkpt lat="1" lon="1"><time>yesterday</time></trkpt>'),
      'FILE, line 3: <time> "yesterday" is not a moment like 2026-01-31T06:30:00Z',
    ],
    [
      gpx('<trkpt lat="1" lon="1"><ele>high</ele><time>2026-01-01T00:00:00Z</time></trkpt>'),
      'FILE, line 3: <ele> must be a number, not "high"',
    ],
  ])('refuses %j naming file and line', async (text, message) => {
    expect(await refusal(text)).toBe(message)
  })

  it('names a file that is not there', async () => {
    await expect(readGpx('/nowhere/drive.gpx')).rejects.toThrow(/^\/nowhere\/drive\.gpx: cannot be read: .*ENOENT/)
  })
})
