import type { BoundingBox } from '../../model/position.js'

/** Cells along each axis: 2 km at the equator. */
const LEVELS = 14
const CELLS = 2 ** LEVELS
/** Ranges that a box is taken apart into; more would fit it closer and cost more searches. */
const MAX_RANGES = 12

/** Cells in their order, both ends inclusive. */
export interface CellRange {
  readonly first: number
  readonly last: number
}

/** A square of the grid of some level. */
interface Square {
  readonly x: number
  readonly y: number
  readonly level: number
}

/** The cell of a point, numbered along a Z-order curve: what is near on earth is mostly near in number. */
export function cellOf(latitude: number, longitude: number): number {
  const x = stepOf(longitude, 360)
  const y = stepOf(latitude, 180)
  return numberOf(x, y)
}

/** Ranges of cells that hold all points of the box, and more; no cell is in two of them. */
export function cellRangesOf(box: BoundingBox): CellRange[] {
  const { minLongitude, maxLongitude } = box
  if (minLongitude <= maxLongitude) return coverOf(box, MAX_RANGES)
  // Where the two sides nearly meet, their covers overlap.
  return joinedRanges([
    ...coverOf({ ...box, maxLongitude: 180 }, MAX_RANGES / 2),
    ...coverOf({ ...box, minLongitude: -180 }, MAX_RANGES / 2),
  ])
}

/** Takes the squares that are only partly in the box apart, the largest first, while there may be more of them. */
function coverOf(box: BoundingBox, most: number): CellRange[] {
  const [minX, maxX] = [stepOf(box.minLongitude, 360), stepOf(box.maxLongitude, 360)]
  const [minY, maxY] = [stepOf(box.minLatitude, 180), stepOf(box.maxLatitude, 180)]
  const isApart = ({ x, y, level }: Square) => {
    const size = 2 ** (LEVELS - level)
    return x * size > maxX || x * size + size <= minX || y * size > maxY || y * size + size <= minY
  }
  const isInside = ({ x, y, level }: Square) => {
    const size = 2 ** (LEVELS - level)
    return x * size >= minX && x * size + size - 1 <= maxX && y * size >= minY && y * size + size - 1 <= maxY
  }
  const whole: Square[] = []
  let partly: Square[] = [{ x: 0, y: 0, level: 0 }]
  for (let level = 0; level < LEVELS && partly.length > 0; level++) {
    const quarters = partly.flatMap(quartersOf).filter((square) => !isApart(square))
    const insideNow = quarters.filter(isInside)
    const ranges = joinedRanges([...whole, ...quarters].map(rangeOf))
    if (ranges.length > most) break
    whole.push(...insideNow)
    partly = quarters.filter((square) => !isInside(square))
  }
  return joinedRanges([...whole, ...partly].map(rangeOf))
}

function quartersOf({ x, y, level }: Square): Square[] {
  return [0, 1].flatMap((dy) => [0, 1].map((dx) => ({ x: x * 2 + dx, y: y * 2 + dy, level: level + 1 })))
}

function rangeOf({ x, y, level }: Square): CellRange {
  const size = 2 ** (LEVELS - level)
  const first = numberOf(x * size, y * size)
  return { first, last: first + size * size - 1 }
}

/** In order; ranges that touch or overlap become one. */
function joinedRanges(ranges: readonly CellRange[]): CellRange[] {
  const joined: CellRange[] = []
  for (const range of ranges.toSorted((a, b) => a.first - b.first)) {
    const before = joined.at(-1)
    if (before === undefined || before.last + 1 < range.first) joined.push(range)
    else joined[joined.length - 1] = { first: before.first, last: Math.max(before.last, range.last) }
  }
  return joined
}

function stepOf(degrees: number, span: 180 | 360): number {
  return Math.min(CELLS - 1, Math.max(0, Math.floor(((degrees + span / 2) / span) * CELLS)))
}

function numberOf(x: number, y: number): number {
  return spread(x) + spread(y) * 2
}

/** Puts a zero before each of the bits. */
function spread(value: number): number {
  let spreaded = 0
  for (let bit = 0; bit < LEVELS; bit++) if (value & (1 << bit)) spreaded += 4 ** bit
  return spreaded
}
