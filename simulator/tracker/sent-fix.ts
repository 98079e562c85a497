import type { SentElement, SentRecord } from '../../src/codecs/sent-record.js'
import type { Fix } from '../drives/drive.js'
import type { UnitAlarm } from '../unit/unit-alarm.js'

/** Recordings that do not say how many there were have a fix all the same. */
const USUAL_SATELLITES = 9
/** What every format can say. */
const LOWEST_M = -3000
const HIGHEST_M = 3276
const MOVING_KMH = 3

/** A fix as trackers send it; what a format cannot hold it rounds. */
export function sentFix(fix: Fix, elements: readonly SentElement[]): SentRecord {
  return {
    timeMs: Math.max(0, fix.timeMs),
    latitude: fix.latitude,
    longitude: fix.longitude,
    altitudeM: Math.min(HIGHEST_M, Math.max(LOWEST_M, fix.altitudeM ?? 0)),
    speedKmh: fix.speedKmh ?? 0,
    headingDeg: fix.headingDeg ?? 0,
    satellites: fix.satellites === null || fix.satellites < 1 ? USUAL_SATELLITES : Math.min(fix.satellites, 99),
    eventId: 0,
    elements,
  }
}

/** The moment of an alarm: a record of its own. */
export function sentAlarm(alarm: UnitAlarm, elements: readonly SentElement[]): SentRecord {
  return sentFix({ ...alarm, altitudeM: null, headingDeg: null, satellites: null }, elements)
}

/** Whether the truck is under way, as trackers say in an element. */
export function isMoving(speedKmh: number | null): boolean {
  return (speedKmh ?? 0) > MOVING_KMH
}
