import type { DeviceId } from './device-id.js'

/** One value of a position's free attributes. */
export type AttributeValue = string | number | boolean

/** A flat object of what a unit says beyond the named fields. */
export type Attributes = Readonly<Record<string, AttributeValue>>

/**
 * A WGS84 position of one device at one moment of the unit's own clock.
 * `(deviceId, timeMs, discriminator)` is its identity: the first one stored under it stays.
 */
export interface Position {
  readonly deviceId: DeviceId
  /** Unit's clock, epoch milliseconds UTC. */
  readonly timeMs: number
  /** 0 for JSON units; for trackers a hash (0..2^48) that tells several records of one second apart. */
  readonly discriminator: number
  /** Server's clock at arrival, epoch milliseconds UTC. */
  readonly receivedAtMs: number
  /** Degrees, −90..90; null only without a fix. */
  readonly latitude: number | null
  /** Degrees, −180..180; null only without a fix. */
  readonly longitude: number | null
  /** False: a record without a current fix; never the latest position, never part of the odometer. */
  readonly hasFix: boolean
  readonly altitudeM: number | null
  readonly speedKmh: number | null
  /** Degrees clockwise from north, 0 ≤ heading < 360. */
  readonly headingDeg: number | null
  readonly accuracyM: number | null
  readonly satellites: number | null
  readonly attributes: Attributes | null
  /**
   * Other messages may bring more of the same record: where its identity is stored, attributes that are not there yet are added to it
   * (`GatheredAttributes`), and the rest stays as it is. Never read from a store.
   */
  readonly isPart?: boolean
}

/** A half-open span of the unit's clock: `fromMs` inclusive, `toMs` exclusive; undefined = unbounded. */
export interface TimeRange {
  readonly fromMs?: number
  readonly toMs?: number
}

/** A box of degrees; `minLongitude > maxLongitude` crosses the 180° meridian. */
export interface BoundingBox {
  readonly minLongitude: number
  readonly minLatitude: number
  readonly maxLongitude: number
  readonly maxLatitude: number
}

/** Whether a point lies in the box, edges included. */
export function isInBox(box: BoundingBox, latitude: number, longitude: number): boolean {
  if (latitude < box.minLatitude || latitude > box.maxLatitude) return false
  if (box.minLongitude <= box.maxLongitude) return longitude >= box.minLongitude && longitude <= box.maxLongitude
  return longitude >= box.minLongitude || longitude <= box.maxLongitude
}
