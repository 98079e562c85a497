import { greatCircleM } from '../../src/model/geo.js'
import type { Fix } from './drive.js'

const RADIANS_PER_DEGREE = Math.PI / 180
/** A longer silence tells nothing about the speed before and after it. */
const LONGEST_LEG_MS = 60_000
/** Shorter moves are the noise of a receiver that stands still. */
const SHORTEST_MOVE_M = 1
const KMH_PER_METRE_PER_MS = 3600

/**
 * The fixes, in time order, with speed and heading where they had none: the speed over the legs before and after a fix, the
 * heading from the fix before to the one after, and, while the unit stands, the heading it came with.
 */
export function withMotion(fixes: readonly Fix[]): Fix[] {
  let lastHeadingDeg: number | null = null
  return fixes.map((fix, index) => {
    const before = neighbour(fix, fixes[index - 1])
    const after = neighbour(fix, fixes[index + 1])
    const headingDeg: number | null = fix.headingDeg ?? headingBetween(before ?? fix, after ?? fix) ?? lastHeadingDeg
    lastHeadingDeg = headingDeg
    return { ...fix, speedKmh: fix.speedKmh ?? speedOver(before, fix, after), headingDeg }
  })
}

function neighbour(fix: Fix, other: Fix | undefined): Fix | undefined {
  if (other === undefined) return undefined
  const legMs = Math.abs(other.timeMs - fix.timeMs)
  return legMs > 0 && legMs <= LONGEST_LEG_MS ? other : undefined
}

function speedOver(before: Fix | undefined, fix: Fix, after: Fix | undefined): number | null {
  const first = before ?? fix
  const last = after ?? fix
  if (first === last) return null
  const metres = distanceM(first, fix) + distanceM(fix, last)
  return round((metres / (last.timeMs - first.timeMs)) * KMH_PER_METRE_PER_MS)
}

function headingBetween(from: Fix, to: Fix): number | null {
  return distanceM(from, to) < SHORTEST_MOVE_M ? null : round(bearingDeg(from, to)) % 360
}

function distanceM(from: Fix, to: Fix): number {
  return greatCircleM(from.latitude, from.longitude, to.latitude, to.longitude)
}

/** Initial bearing of the great circle, degrees clockwise from north, 0 ≤ bearing < 360. */
function bearingDeg(from: Fix, to: Fix): number {
  const fromLat = from.latitude * RADIANS_PER_DEGREE
  const toLat = to.latitude * RADIANS_PER_DEGREE
  const deltaLon = (to.longitude - from.longitude) * RADIANS_PER_DEGREE
  const east = Math.sin(deltaLon) * Math.cos(toLat)
  const north = Math.cos(fromLat) * Math.sin(toLat) - Math.sin(fromLat) * Math.cos(toLat) * Math.cos(deltaLon)
  return (Math.atan2(east, north) / RADIANS_PER_DEGREE + 360) % 360
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}
