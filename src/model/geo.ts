/** Mean earth radius in metres (IUGG), the one the odometer is defined by. */
export const MEAN_EARTH_RADIUS_M = 6_371_008.8

const RADIANS_PER_DEGREE = Math.PI / 180

/** Great-circle distance in metres between two points in degrees, by the haversine formula. */
export function greatCircleM(latitude1: number, longitude1: number, latitude2: number, longitude2: number): number {
  const sinHalfLat = Math.sin(((latitude2 - latitude1) * RADIANS_PER_DEGREE) / 2)
  const sinHalfLon = Math.sin(((longitude2 - longitude1) * RADIANS_PER_DEGREE) / 2)
  const a =
    sinHalfLat * sinHalfLat +
    Math.cos(latitude1 * RADIANS_PER_DEGREE) * Math.cos(latitude2 * RADIANS_PER_DEGREE) * sinHalfLon * sinHalfLon
  return 2 * MEAN_EARTH_RADIUS_M * Math.asin(Math.min(1, Math.sqrt(a)))
}
