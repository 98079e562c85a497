/** One position of a report and the places of its fields among those of the message. */
export interface PositionBlock {
  /** Where its first field stands, and the one after its last. */
  readonly first: number
  readonly end: number
  /** NaN: what it says is no moment; undefined: it says nothing. */
  readonly timeMs: number | undefined
  /** Also that it says when. */
  readonly hasFix: boolean
  /** Both null: one of them is not there, or cannot be read. */
  readonly latitude: number | null
  readonly longitude: number | null
  readonly altitudeM: number | null
  readonly speedKmh: number | null
  readonly headingDeg: number | null
  readonly hdop: number | null
  readonly cell: Readonly<Record<string, number>>
}

const COORDINATE = /^-?\d{1,3}\.\d{6}$/
const MOMENT = /^\d{14}$/
const NUMBER = /^-?\d{1,6}(?:\.\d{1,3})?$/
const CODE = /^\d{3,4}$/
const HEX = /^[0-9A-Fa-f]{1,8}$/
/** Accuracy, speed, azimuth and altitude stand before the coordinates; the cell after the time. */
const BEFORE = 4
const AFTER = 3
/** Head, version, identity and name; time of sending and count. */
const FIRST_FIELDS = 4
const LAST_FIELDS = 2
const COUNT = /^(?:[1-9]|1[0-5])$/
/** Country and network by decimal digits, area and cell by hexadecimal ones. */
const CELL = [
  ['mcc', CODE, 10],
  ['mnc', CODE, 10],
  ['lac', HEX, 16],
  ['cellId', HEX, 16],
] as const
/** By the maker's documents; higher ones are mistakes. */
const MOST_KMH = 999.9
const MOST_HDOP = 50

/**
 * Finds the positions of a report of any model: longitude and latitude with six decimals and a moment are nowhere else, and two of the
 * three tell a position whose third was damaged. Each of the other fields may be empty; one that is no number of its kind is taken for
 * empty.
 * @source Queclink, @Track air interface, reports of positions
 */
export function findPositions(fields: readonly string[]): PositionBlock[] {
  const blocks: PositionBlock[] = []
  for (let i = BEFORE; i + 2 < fields.length; i++) {
    const block = positionAt(fields, i)
    if (block === undefined) continue
    blocks.push(block)
    i = block.end + BEFORE - 1
  }
  return blocks
}

/**
 * Where the position stands in a report in which {@link findPositions} finds none, since its place is empty: its moment is there, or there is
 * nothing of it behind the number of positions. Of such numbers side by side the last is it: what stands before it may look like one.
 */
export function findHollow(fields: readonly string[]): PositionBlock | undefined {
  let empty: number | undefined
  for (let i = FIRST_FIELDS + BEFORE; i + AFTER <= fields.length - LAST_FIELDS; i++) {
    const isEmpty = (from: number, to: number) => fields.slice(from, to).every((field) => field === '')
    if (!isEmpty(i, i + 2)) continue
    if (MOMENT.test(fields[i + 2] ?? '')) return blockAt(fields, i)
    const isRival = empty === undefined || i === empty + 1
    if (isRival && COUNT.test(fields[i - BEFORE - 1] ?? '') && isEmpty(i - BEFORE + 1, i + AFTER)) empty = i
  }
  return empty === undefined ? undefined : blockAt(fields, empty)
}

/** @param i of the longitude */
function positionAt(fields: readonly string[], i: number): PositionBlock | undefined {
  const [longitude = '', latitude = '', moment = ''] = fields.slice(i, i + AFTER)
  const isPlace = COORDINATE.test(longitude) && COORDINATE.test(latitude)
  const isHalfPlace = COORDINATE.test(longitude) || COORDINATE.test(latitude)
  return isPlace || (isHalfPlace && MOMENT.test(moment)) ? blockAt(fields, i) : undefined
}

/** @param i of the longitude */
function blockAt(fields: readonly string[], i: number): PositionBlock {
  const [longitude = '', latitude = '', moment = ''] = fields.slice(i, i + AFTER)
  const isPlace = COORDINATE.test(longitude) && COORDINATE.test(latitude)
  const [hdop, speed, azimuth, altitude] = fields.slice(i - BEFORE, i).map((field) => parseNumber(field))
  const isNull = Number(latitude) === 0 && Number(longitude) === 0
  const { cell, length } = cellAt(fields, i + AFTER)
  return {
    first: i - BEFORE,
    end: i + AFTER + length,
    timeMs: moment === '' ? undefined : parseMoment(moment),
    // 0: no fix now, and the place is the last one known.
    hasFix: isPlace && hdop !== 0 && !isNull && moment !== '',
    latitude: isPlace ? Number(latitude) : null,
    longitude: isPlace ? Number(longitude) : null,
    altitudeM: altitude ?? null,
    speedKmh: within(speed, 0, MOST_KMH),
    headingDeg: headingOf(azimuth),
    hdop: within(hdop, 1, MOST_HDOP),
    cell,
  }
}

/** Each of the fields may be empty; where one is something else the cell is not told at all. */
function cellAt(fields: readonly string[], at: number): { cell: Record<string, number>; length: number } {
  const isTold = at + CELL.length <= fields.length - LAST_FIELDS
  const cell: Record<string, number> = {}
  for (const [i, [name, form, radix]] of CELL.entries()) {
    const field = fields[at + i] ?? ''
    if (!isTold || (field !== '' && !form.test(field))) return { cell: {}, length: 0 }
    if (field !== '') cell[name] = Number.parseInt(field, radix)
  }
  return { cell, length: CELL.length }
}

/** @param digits fourteen of them. @returns epoch milliseconds, or NaN for what is in no calendar */
export function parseMoment(digits: string): number {
  if (!MOMENT.test(digits)) return Number.NaN
  const [year, month, day, hour, minute, second] = [
    digits.slice(0, 4),
    digits.slice(4, 6),
    digits.slice(6, 8),
    digits.slice(8, 10),
    digits.slice(10, 12),
    digits.slice(12, 14),
  ]
  const ms = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`)
  // A 30th of February is another day to some calendars.
  return !Number.isNaN(ms) && new Date(ms).getUTCDate() === Number(day) ? ms : Number.NaN
}

export function parseNumber(field: string): number | undefined {
  return NUMBER.test(field) ? Number(field) : undefined
}

function within(value: number | undefined, min: number, max: number): number | null {
  return value !== undefined && value >= min && value <= max ? value : null
}

function headingOf(azimuth: number | undefined): number | null {
  const heading = within(azimuth, 0, 360)
  return heading === 360 ? 0 : heading
}
