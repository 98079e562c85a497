import { z } from 'zod'
import type { Position } from '../model/position.js'
import { formatTime } from '../model/time.js'
import { timeOut } from './schemas.js'

export const POSITION_EXAMPLE = {
  time: '2026-11-22T07:30:00.000Z',
  latitude: 48.1635066,
  longitude: 11.5643883,
  altitude: 519,
  speed: 42.5,
  heading: 271,
  accuracy: 3,
  satellites: 11,
  hasFix: true,
  attributes: { ignition: true },
}

/** A position as every answer and live event carries it; km/h, metres, degrees. */
export const positionOut = z
  .object({
    time: timeOut(),
    latitude: z.number().min(-90).max(90).nullable(),
    longitude: z.number().min(-180).max(180).nullable(),
    altitude: z.number().nullable().describe('metres'),
    speed: z.number().min(0).nullable().describe('km/h'),
    heading: z.number().min(0).lt(360).nullable().describe('degrees clockwise from north'),
    accuracy: z.number().min(0).nullable().describe('metres'),
    satellites: z.int().min(0).nullable(),
    hasFix: z.boolean(),
    attributes: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).nullable(),
  })
  .meta({
    id: 'Position',
    examples: [POSITION_EXAMPLE],
  })

export type PositionJson = z.output<typeof positionOut>

/** The wire shape of a stored position. */
export function toPositionJson(position: Position): PositionJson {
  return {
    time: formatTime(position.timeMs),
    latitude: position.latitude,
    longitude: position.longitude,
    altitude: position.altitudeM,
    speed: position.speedKmh,
    heading: position.headingDeg,
    accuracy: position.accuracyM,
    satellites: position.satellites,
    hasFix: position.hasFix,
    attributes: position.attributes,
  }
}
