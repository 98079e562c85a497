import type { Position } from '../model/position.js'
import { geoJsonOf } from './geo-json.js'

const START_MS = Date.parse('2026-11-22T07:30:00.000Z')

const position = (fields: Partial<Position> = {}): Position => ({
  deviceId: 'd1',
  timeMs: START_MS,
  discriminator: 0,
  receivedAtMs: START_MS,
  latitude: 48.1635066,
  longitude: 11.5643883,
  hasFix: true,
  altitudeM: 519,
  speedKmh: 42.5,
  headingDeg: 271,
  accuracyM: 3,
  satellites: 11,
  attributes: { ignition: true, driver: 'Zoë "Z"' },
  ...fields,
})

async function write(pages: Position[][]): Promise<string> {
  async function* source() {
    yield* pages
  }
  const pieces: string[] = []
  for await (const piece of geoJsonOf(source())) pieces.push(piece)
  return pieces.join('')
}

/** What RFC 7946 demands of a FeatureCollection of points; the wrong places. */
function problemsOf(value: unknown): string[] {
  const { type, features, ...foreign } = value as Record<string, unknown>
  const problems = [
    ...(type === 'FeatureCollection' ? [] : ['type']),
    ...(Array.isArray(features) ? [] : ['features']),
    // 7.1: a FeatureCollection must not have what makes another object of it.
    ...['coordinates', 'geometries', 'geometry', 'properties'].filter((name) => name in foreign),
    ...('crs' in foreign ? ['crs was removed from GeoJSON'] : []),
  ]
  return [...problems, ...((features as unknown[] | undefined) ?? []).flatMap(problemsOfFeature)]
}

function problemsOfFeature(value: unknown, index: number): string[] {
  const feature = value as { type?: unknown; geometry?: unknown; properties?: unknown; features?: unknown }
  const geometry = feature.geometry as { type?: unknown; coordinates?: unknown } | null | undefined
  const coordinates = geometry?.coordinates as unknown[] | undefined
  const [longitude, latitude] = (coordinates ?? []) as number[]
  const isLocated = geometry !== null
  const wrong: Array<[string, boolean]> = [
    ['type', feature.type !== 'Feature'],
    ['properties', typeof feature.properties !== 'object'],
    ['geometry', geometry === undefined],
    ['geometry type', isLocated && geometry?.type !== 'Point'],
    ['coordinates', isLocated && !(Array.isArray(coordinates) && [2, 3].includes(coordinates.length))],
    ['numbers', isLocated && !(coordinates ?? []).every((one) => typeof one === 'number')],
    ['longitude', isLocated && !(Math.abs(longitude ?? Number.NaN) <= 180)],
    ['latitude', isLocated && !(Math.abs(latitude ?? Number.NaN) <= 90)],
  ]
  return wrong.filter(([, isWrong]) => isWrong).map(([what]) => `${index} ${what}`)
}

describe('GeoJSON', () => {
  it('has one point per position, longitude first, and the other fields as properties', async () => {
    const value = JSON.parse(await write([[position()]]))
    expect(problemsOf(value)).toEqual([])
    expect(value).toEqual({
      type: 'FeatureCollection',
      features: [
        {
          type: 'Feature',
          geometry: { type: 'Point', coordinates: [11.5643883, 48.1635066] },
          properties: {
            time: '2026-11-22T07:30:00.000Z',
            altitude: 519,
            speed: 42.5,
            heading: 271,
            accuracy: 3,
            satellites: 11,
            hasFix: true,
            attributes: { ignition: true, driver: 'Zoë "Z"' },
          },
        },
      ],
    })
  })

  it('is valid without positions, and across pages of which some are empty', async () => {
    for (const pages of [[], [[]]]) {
      expect(JSON.parse(await write(pages))).toEqual({ type: 'FeatureCollection', features: [] })
    }
    const value = JSON.parse(await write([[], [position()], [], [position({ longitude: -180 }), position()], []]))
    expect(problemsOf(value)).toEqual([])
    expect(value.features).toHaveLength(3)
  })

  it('gives a position without coordinates no geometry', async () => {
    const value = JSON.parse(await write([[position({ latitude: null, longitude: null, hasFix: false })]]))
    expect(problemsOf(value)).toEqual([])
    expect(value.features[0].geometry).toBeNull()
    expect(value.features[0].properties.hasFix).toBe(false)
  })

  it('is checked by rules that bite', () => {
    const feature = (geometry: unknown) => ({ type: 'Feature', geometry, properties: {} })
    const collection = (geometry: unknown) => ({ type: 'FeatureCollection', features: [feature(geometry)] })
    expect(problemsOf(collection({ type: 'Point', coordinates: [48, 191] }))).toEqual(['0 latitude'])
    expect(problemsOf(collection({ type: 'Point', coordinates: ['1', 2] }))).toEqual(['0 numbers'])
    expect(problemsOf(collection({ type: 'Point', coordinates: [1] }))).toEqual(['0 coordinates', '0 latitude'])
    expect(problemsOf(collection(undefined))).toContain('0 geometry')
    expect(problemsOf({ type: 'FeatureCollection', features: [], crs: {} })).toEqual(['crs was removed from GeoJSON'])
  })
})
