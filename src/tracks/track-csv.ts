import type { Position } from '../model/position.js'
import { toCsv } from '../web/csv.js'
import { toPositionJson } from '../web/position-json.js'
import type { TrackPages } from './track-owner.js'

const COLUMNS = [
  'time',
  'latitude',
  'longitude',
  'altitude',
  'speed',
  'heading',
  'accuracy',
  'satellites',
  'hasFix',
] as const

/** A track as CSV: a header row, then one line per position with its scalar fields; what is unset is an empty cell. */
export async function* trackCsvOf(pages: TrackPages): AsyncGenerator<string> {
  yield toCsv([COLUMNS])
  for await (const page of pages) if (page.length > 0) yield toCsv(page.map(toRow))
}

function toRow(position: Position): unknown[] {
  const json = toPositionJson(position)
  return COLUMNS.map((column) => json[column])
}
