import type { Fix } from '../drives/drive.js'

/** A position as JSON units send it: degrees, metres, km/h; what a unit does not know is left out. */
export interface WirePosition {
  readonly time: string
  readonly latitude: number
  readonly longitude: number
  readonly altitude?: number
  readonly speed?: number
  readonly heading?: number
  readonly satellites?: number
}

export function wirePositionOf({ timeMs, latitude, longitude, ...fix }: Fix): WirePosition {
  return {
    time: new Date(timeMs).toISOString(),
    latitude,
    longitude,
    ...(fix.altitudeM === null ? {} : { altitude: fix.altitudeM }),
    ...(fix.speedKmh === null ? {} : { speed: fix.speedKmh }),
    ...(fix.headingDeg === null ? {} : { heading: fix.headingDeg }),
    ...(fix.satellites === null ? {} : { satellites: fix.satellites }),
  }
}
