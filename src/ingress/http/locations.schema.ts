import { z } from 'zod'
import { MAX_ATTRIBUTES } from '../../codecs/device-json/decode-attributes.js'
import { MAX_BATCH } from '../../codecs/device-json/decode-positions.js'
import type { RecordCode } from '../../model/report.js'
import { formatTime } from '../../model/time.js'
import { timeInBody } from '../../web/schemas.js'

const MINUTE_MS = 60_000
// An example that is old is refused as too_old when somebody tries it out: the server's start is recent enough for most.
export const RECENTLY = formatTime(Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS)

export const attributeValue = z.union([z.string(), z.number(), z.boolean()])

/** One position as units send it; documents the body, whose records are checked one by one by the codec. */
export const positionIn = z
  .object({
    time: timeInBody(),
    latitude: z.number().min(-90).max(90).nullish().describe('degrees WGS84; may be absent only with hasFix: false'),
    longitude: z.number().min(-180).max(180).nullish().describe('degrees WGS84; may be absent only with hasFix: false'),
    altitude: z.number().min(-100_000).max(1_000_000).nullish().describe('metres'),
    speed: z.number().min(0).max(100_000).nullish().describe('km/h'),
    heading: z.number().min(0).max(360).nullish().describe('degrees clockwise from north; 360 is 0'),
    accuracy: z.number().min(0).max(1e9).nullish().describe('metres'),
    satellites: z.int().min(0).max(1000).nullish(),
    hasFix: z.boolean().nullish().describe('default true; exactly 0/0 counts as no fix'),
    attributes: z
      .record(z.string(), attributeValue)
      .nullish()
      .meta({ description: `flat, at most ${MAX_ATTRIBUTES} values and 4 kB in all`, maxProperties: MAX_ATTRIBUTES }),
  })
  .meta({
    title: 'Position',
    example: {
      time: RECENTLY,
      latitude: 48.1635066,
      longitude: 11.5643883,
      altitude: 519,
      speed: 42.5,
      heading: 271,
      attributes: { ignition: true },
    },
  })

/** Body of `POST /locations`: one position or 1..1000 of them. */
export const locationsIn = z.union([positionIn, z.array(positionIn).min(1).max(MAX_BATCH)])

const recordCode = z.enum([
  'invalid_time',
  'time_in_future',
  'too_old',
  'invalid_latitude',
  'invalid_longitude',
  'invalid_field',
  'attributes_too_large',
]) satisfies z.ZodType<RecordCode>

export const locationsOut = z
  .object({
    accepted: z.int().min(0).describe('stored now'),
    duplicates: z.int().min(0).describe('stored before, repeats within the batch included'),
    rejected: z
      .array(
        z.object({ index: z.int().min(0).describe('of the record, from 0'), code: recordCode, message: z.string() }),
      )
      .describe('never storable; kept in quarantine'),
  })
  .meta({ id: 'LocationsAnswer', examples: [{ accepted: 59, duplicates: 1, rejected: [] }] })
