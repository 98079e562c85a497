import { geoJsonOf } from './geo-json.js'
import { gpxOf } from './gpx.js'
import { trackCsvOf } from './track-csv.js'
import type { TrackOwner, TrackPages } from './track-owner.js'

/** A way to write a whole track: piece by piece, at most one page of positions in each. */
export interface TrackFile {
  readonly contentType: string
  readonly extension: string
  readonly write: (pages: TrackPages, owner: TrackOwner) => AsyncGenerator<string>
}

/** The file formats by the media type that asks for them. */
export const TRACK_FILES = {
  'application/geo+json': { contentType: 'application/geo+json', extension: 'geojson', write: geoJsonOf },
  'application/gpx+xml': { contentType: 'application/gpx+xml', extension: 'gpx', write: gpxOf },
  'text/csv': { contentType: 'text/csv; charset=utf-8', extension: 'csv', write: trackCsvOf },
} as const satisfies Record<string, TrackFile>

export type TrackFileType = keyof typeof TRACK_FILES
