import { z } from 'zod'
import { timeIn } from '../../web/schemas.js'

const attributeValue = z.union([z.string(), z.number(), z.boolean()])

/** One position as units send it; documents the body, whose records are checked one by one by the codec. */
export const positionIn = z
  .object({
    time: timeIn(),
    latitude: z.number().min(-90).max(90).nullish().describe('degrees WGS84; may be absent only with hasFix: false'),
    longitude: z.number().min(-180).max(180).nullish().describe('degrees WGS84; may be absent only with hasFix: false'),
    altitude: z.number().nullish().describe('metres'),
    speed: z.number().min(0).nullish().describe('km/h'),
    heading: z.number().min(0).max(360).nullish().describe('degrees clockwise from north; 360 is 0'),
    accuracy: z.number().min(0).nullish().describe('metres'),
    satellites: z.int().min(0).nullish(),
    hasFix: z.boolean().nullish().describe('default true; exactly 0/0 counts as no fix'),
    attributes: z.record(z.string(), attributeValue).nullish().describe('flat, at most 50 values and 4 kB in all'),
  })
  .meta({
    example: {
      time: '2026-11-22T07:30:00.000Z',
      latitude: 48.1635066,
      longitude: 11.5643883,
      speed: 42.5,
      heading: 271,
    },
  })

/** Body of `POST /locations`: one position or 1..1000 of them. */
export const locationsIn = z.union([positionIn, z.array(positionIn).min(1).max(1000)])

export const locationsOut = z
  .object({
    accepted: z.int().min(0).describe('stored now'),
    duplicates: z.int().min(0).describe('stored before, repeats within the batch included'),
    rejected: z
      .array(z.object({ index: z.int().min(0), code: z.string(), message: z.string() }))
      .describe('never storable'),
  })
  .meta({ id: 'LocationsAnswer', examples: [{ accepted: 59, duplicates: 1, rejected: [] }] })
