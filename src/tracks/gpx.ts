import type { Position } from '../model/position.js'
import { formatTime } from '../model/time.js'
import type { TrackOwner, TrackPages } from './track-owner.js'

/** Namespace of what GPX 1.1 has no element for: `speedKmh`, `courseDeg`, `accuracyM`. */
export const GPX_EXTENSION_NAMESPACE = 'urn:milepost:gpx:1'

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\r': '&#13;',
}
/** What XML 1.0 cannot hold in any spelling. */
const UNWRITABLE = /[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu
const FOUR_DIGIT_YEAR = /^(?!0000)\d{4}-/

/**
 * A track as GPX 1.1: one track of one segment, in order. A position without coordinates is left out, since a track point must
 * have them; one with coordinates but without a current fix says `<fix>none</fix>`.
 */
export async function* gpxOf(pages: TrackPages, owner: TrackOwner): AsyncGenerator<string> {
  yield headOf(owner)
  for await (const page of pages) {
    const points = page.map(toPoint).join('')
    if (points !== '') yield points
  }
  yield '</trkseg></trk>\n</gpx>\n'
}

function headOf({ deviceId, name }: TrackOwner): string {
  const title = escapeXml(name ?? deviceId)
  return (
    '<?xml version="1.0" encoding="UTF-8"?>\n' +
    `<gpx version="1.1" creator="Milepost" xmlns="http://www.topografix.com/GPX/1/1" xmlns:mp="${GPX_EXTENSION_NAMESPACE}">\n` +
    `<metadata><name>${title}</name></metadata>\n` +
    `<trk><name>${title}</name><src>${escapeXml(deviceId)}</src><trkseg>\n`
  )
}

/** The children stand in the order that the schema demands. */
function toPoint(position: Position): string {
  const { latitude, longitude, altitudeM, satellites } = position
  if (latitude === null || longitude === null) return ''
  const time = formatTime(position.timeMs)
  const children = [
    altitudeM === null ? '' : `<ele>${decimal(altitudeM)}</ele>`,
    FOUR_DIGIT_YEAR.test(time) ? `<time>${time}</time>` : '',
    position.hasFix ? '' : '<fix>none</fix>',
    satellites !== null && Number.isInteger(satellites) && satellites >= 0 ? `<sat>${decimal(satellites)}</sat>` : '',
    extensionsOf(position),
  ]
  // GPX ends the range of longitudes before 180, where −180 is the same meridian.
  const lon = longitude === 180 ? -180 : longitude
  return `<trkpt lat="${decimal(latitude)}" lon="${decimal(lon)}">${children.join('')}</trkpt>\n`
}

function extensionsOf({ speedKmh, headingDeg, accuracyM }: Position): string {
  const inner = [
    speedKmh === null ? '' : `<mp:speedKmh>${decimal(speedKmh)}</mp:speedKmh>`,
    headingDeg === null ? '' : `<mp:courseDeg>${decimal(headingDeg)}</mp:courseDeg>`,
    accuracyM === null ? '' : `<mp:accuracyM>${decimal(accuracyM)}</mp:accuracyM>`,
  ].join('')
  return inner === '' ? '' : `<extensions>${inner}</extensions>`
}

/** A number as `xs:decimal` writes it: never with an exponent. */
function decimal(value: number): string {
  const text = String(value)
  if (!text.includes('e')) return text
  return Number.isInteger(value) ? BigInt(value).toString() : value.toFixed(20)
}

function escapeXml(text: string): string {
  return text.replace(UNWRITABLE, '\ufffd').replace(/[&<>"\r]/g, (character) => ENTITIES[character] ?? character)
}
