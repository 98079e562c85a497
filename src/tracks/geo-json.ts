import type { Position } from '../model/position.js'
import { toPositionJson } from '../web/position-json.js'
import type { TrackPages } from './track-owner.js'

/**
 * A track as GeoJSON (RFC 7946): a FeatureCollection of one Point per position, its other fields as properties; one feature a
 * line. A position without coordinates is an unlocated feature (`geometry: null`). Altitude stays a property: units give it
 * above the sea, GeoJSON would have it above the ellipsoid.
 */
export async function* geoJsonOf(pages: TrackPages): AsyncGenerator<string> {
  let separator = '\n'
  yield '{"type":"FeatureCollection","features":['
  for await (const page of pages) {
    if (page.length === 0) continue
    yield separator + page.map(toFeature).join(',\n')
    separator = ',\n'
  }
  yield '\n]}\n'
}

function toFeature(position: Position): string {
  const { latitude, longitude, ...properties } = toPositionJson(position)
  const geometry =
    latitude === null || longitude === null ? null : { type: 'Point', coordinates: [longitude, latitude] }
  return JSON.stringify({ type: 'Feature', geometry, properties })
}
