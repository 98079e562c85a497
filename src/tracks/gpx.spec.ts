import { readFileSync } from 'node:fs'
import path from 'node:path'
import { validateXML } from 'xmllint-wasm'
import type { Position } from '../model/position.js'
import { gpxOf } from './gpx.js'
import type { TrackOwner } from './track-owner.js'

const SCHEMA = readFileSync(path.resolve('test/data/gpx-1.1.xsd'), 'utf8')
const START_MS = Date.parse('2026-11-22T07:30:00.000Z')

const position = (fields: Partial<Position> = {}): Position => ({
  deviceId: 'd1',
  timeMs: START_MS,
  discriminator: 0,
  receivedAtMs: START_MS,
  latitude: 48.1635066,
  longitude: 11.5643883,
  hasFix: true,
  altitudeM: null,
  speedKmh: null,
  headingDeg: null,
  accuracyM: null,
  satellites: null,
  attributes: null,
  ...fields,
})

async function write(pages: Position[][], owner: TrackOwner = { deviceId: 'd1', name: null }): Promise<string> {
  async function* source() {
    yield* pages
  }
  const pieces: string[] = []
  for await (const piece of gpxOf(source(), owner)) pieces.push(piece)
  return pieces.join('')
}

async function problemsOf(xml: string): Promise<string[]> {
  const { errors } = await validateXML({ xml, schema: SCHEMA })
  return errors.map(({ message }) => message)
}

const pointsOf = (xml: string) => xml.match(/<trkpt .*<\/trkpt>/g) ?? []

describe('GPX', () => {
  it('is valid GPX 1.1 with every field set, and writes each in its unit', async () => {
    const full = position({
      altitudeM: 519.5,
      speedKmh: 42.5,
      headingDeg: 271,
      accuracyM: 3,
      satellites: 11,
      attributes: { ignition: true },
    })
    const xml = await write([[full]])
    expect(await problemsOf(xml)).toEqual([])
    expect(pointsOf(xml)).toEqual([
      '<trkpt lat="48.1635066" lon="11.5643883"><ele>519.5</ele><time>2026-11-22T07:30:00.000Z</time><sat>11</sat>' +
        '<extensions><mp:speedKmh>42.5</mp:speedKmh><mp:courseDeg>271</mp:courseDeg><mp:accuracyM>3</mp:accuracyM></extensions></trkpt>',
    ])
  })

  it('is valid GPX 1.1 without positions', async () => {
    expect(await problemsOf(await write([]))).toEqual([])
    expect(pointsOf(await write([[]]))).toEqual([])
  })

  it('is valid at the ends of every range: 180° is written as its other name, numbers have no exponent', async () => {
    const edges = [
      position({ latitude: 90, longitude: 180, altitudeM: 1e-7, speedKmh: 1e21 }),
      position({ latitude: -90, longitude: -180, altitudeM: -0, satellites: 2.5 }),
      position({ latitude: 1e-7, longitude: -1e-9, satellites: 0, headingDeg: 359.99 }),
      position({ timeMs: 8.64e15 }),
      position({ timeMs: -62_198_755_200_000 }),
    ]
    const xml = await write([edges.slice(0, 2), edges.slice(2)])
    expect(await problemsOf(xml)).toEqual([])
    expect(pointsOf(xml)).toEqual([
      '<trkpt lat="90" lon="-180"><ele>0.00000010000000000000</ele><time>2026-11-22T07:30:00.000Z</time>' +
        '<extensions><mp:speedKmh>1000000000000000000000</mp:speedKmh></extensions></trkpt>',
      '<trkpt lat="-90" lon="-180"><ele>0</ele><time>2026-11-22T07:30:00.000Z</time></trkpt>',
      '<trkpt lat="0.00000010000000000000" lon="-0.00000000100000000000"><time>2026-11-22T07:30:00.000Z</time><sat>0</sat>' +
        '<extensions><mp:courseDeg>359.99</mp:courseDeg></extensions></trkpt>',
      '<trkpt lat="48.1635066" lon="11.5643883"></trkpt>',
      '<trkpt lat="48.1635066" lon="11.5643883"></trkpt>',
    ])
  })

  it('leaves out a position without coordinates and marks one without a current fix', async () => {
    const xml = await write([
      [
        position({ latitude: null, longitude: null, hasFix: false }),
        position({ latitude: 0, longitude: 0, hasFix: false }),
      ],
    ])
    expect(await problemsOf(xml)).toEqual([])
    expect(pointsOf(xml)).toEqual([
      '<trkpt lat="0" lon="0"><time>2026-11-22T07:30:00.000Z</time><fix>none</fix></trkpt>',
    ])
  })

  it('escapes the name and drops what XML cannot hold', async () => {
    const xml = await write([], { deviceId: 'd1', name: 'A&B <"7">]]>\u0000\u001f\ud800 \u{1f69a}\r\n' })
    expect(await problemsOf(xml)).toEqual([])
    expect(xml).toContain(
      '<trk><name>A&amp;B &lt;&quot;7&quot;&gt;]]&gt;\ufffd\ufffd\ufffd \u{1f69a}&#13;\n</name><src>d1</src>',
    )
  })

  it('is checked by a schema that bites', async () => {
    const good = await write([[position({ altitudeM: 1, satellites: 3 })]])
    const wrong = [
      good.replace(/<ele>1<\/ele>(<time>.*<\/time>)/, '$1<ele>1</ele>'),
      good.replace('lon="11.5643883"', 'lon="180"'),
      good.replace('<ele>1<', '<ele>1e0<'),
      good.replace('version="1.1"', 'version="1.0"'),
      good.replace('<sat>3</sat>', '<speed>3</speed>'),
    ]
    for (const xml of wrong) expect((await problemsOf(xml)).length).toBeGreaterThan(0)
  })
})
