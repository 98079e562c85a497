import { z } from 'zod'
import type { BoundingBox } from '../model/position.js'
import { parseTime } from '../model/time.js'

/** A moment in a body or query: ISO 8601 with an offset, or epoch milliseconds; becomes epoch milliseconds. */
export const timeIn = () =>
  z
    .union([z.string().max(64), z.number()])
    .transform((value, context) => {
      const parsed = parseTime(value)
      if (parsed !== undefined) return parsed
      context.addIssue({
        code: 'custom',
        params: { code: 'invalid_time' },
        message: 'must be ISO 8601 with a time and an offset, or epoch milliseconds',
      })
      return z.NEVER
    })
    .meta({ description: 'ISO 8601 with an offset, or epoch milliseconds', example: '2026-11-22T07:30:00.000Z' })

/** A moment in an answer. */
export const timeOut = () =>
  z.string().meta({
    format: 'date-time',
    description: 'ISO 8601 UTC with milliseconds',
    examples: ['2026-11-22T07:30:00.000Z'],
  })

/** `limit` of a list. */
export const limitIn = () =>
  z.preprocess(
    (value) => (typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : value),
    z
      .int('must be a whole number from 1 to 500')
      .min(1, 'must be at least 1')
      .max(500, 'must be at most 500')
      .default(50),
  )

/** `cursor` of a list: the `nextCursor` of the page before. */
export const cursorIn = () => z.string().min(1).max(1000).optional().describe('nextCursor of the page before')

/** Several values: the parameter repeated, or values separated by commas; empty parts are dropped. */
export const severalIn = <T extends z.ZodType<unknown, string>>(one: T) =>
  z.preprocess(
    (value) =>
      value === undefined
        ? undefined
        : [value]
            .flat()
            .flatMap((part) => (typeof part === 'string' ? part.split(',') : [part]))
            .filter((part) => part !== ''),
    z.array(one).max(500, 'at most 500 values').optional(),
  )

/** `true` or `false` in a query. */
export const booleanIn = () =>
  z.preprocess(
    (value) => (value === 'true' ? true : value === 'false' ? false : value),
    z.boolean('must be true or false').optional(),
  )

/** `bbox=minLon,minLat,maxLon,maxLat` in degrees; minLon > maxLon crosses the 180° meridian. */
export const bboxIn = () =>
  z
    .string()
    .transform((text, context): BoundingBox => {
      const parts = text.split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part)))
      const [minLongitude, minLatitude, maxLongitude, maxLatitude] = parts as [number, number, number, number]
      const isValid =
        parts.length === 4 &&
        parts.every(Number.isFinite) &&
        Math.abs(minLongitude) <= 180 &&
        Math.abs(maxLongitude) <= 180 &&
        minLatitude >= -90 &&
        maxLatitude <= 90 &&
        minLatitude <= maxLatitude
      if (isValid) return { minLongitude, minLatitude, maxLongitude, maxLatitude }
      context.addIssue({ code: 'custom', message: 'must be minLon,minLat,maxLon,maxLat in degrees' })
      return z.NEVER
    })
    .optional()
    .meta({
      description: 'minLon,minLat,maxLon,maxLat in degrees; minLon > maxLon crosses 180°',
      example: '11.3,48.0,11.8,48.3',
    })

/** A list's answer. */
export const pageOut = <T extends z.ZodType>(item: T) =>
  z.object({
    items: z.array(item),
    nextCursor: z.string().nullable().describe('Give it as cursor to get the next page; null: this is the last one'),
  })

/** Refuses `from` after `to`. */
export const isForwardRange = ({ from, to }: { from?: number | undefined; to?: number | undefined }) =>
  from === undefined || to === undefined || from <= to
