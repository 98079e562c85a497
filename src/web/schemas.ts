import { z } from 'zod'
import type { BoundingBox } from '../model/position.js'
import { MAX_EPOCH_MS, parseTime, TIME_PATTERN } from '../model/time.js'

/** Control characters but tab and line ends. */
const CONTROLS = '\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f'
const READABLE = new RegExp(`^[^${CONTROLS}]*$`)
const HALF_OF_A_PAIR = /\p{Cs}/u

/** A text of so many characters, counted as JSON Schema counts them: one beyond the basic plane is one, not two. */
export const textIn = (min: number, max: number) =>
  z
    .string()
    .refine((text) => charactersOf(text) >= min, `must have at least ${min} characters`)
    .refine((text) => charactersOf(text) <= max, `must have at most ${max} characters`)
    .meta({ ...(min === 0 ? {} : { minLength: min }), maxLength: max })

/** The same without what no person can read: control characters but tab and line ends, and halves of surrogate pairs. */
export const readableIn = (min: number, max: number) =>
  textIn(min, max)
    .refine((text) => READABLE.test(text) && !HALF_OF_A_PAIR.test(text), 'must hold no control characters')
    .meta({ pattern: READABLE.source })

function charactersOf(text: string): number {
  let characters = 0
  for (const _ of text) characters++
  return characters
}

const TIME_EXAMPLE = '2026-11-22T08:30:00+01:00'
const TIME_WORDS = 'ISO 8601 with a time and an offset, or epoch milliseconds'

const toMoment = (value: string | number, context: z.RefinementCtx): number => {
  const parsed = parseTime(value)
  if (parsed !== undefined) return parsed
  context.addIssue({ code: 'custom', params: { code: 'invalid_time' }, message: `must be ${TIME_WORDS}` })
  return z.NEVER
}

/** A moment in a query; becomes epoch milliseconds. @param what it is for, in words */
export const timeIn = (what: string) =>
  z
    .string()
    .meta({ pattern: TIME_PATTERN })
    .transform(toMoment)
    .meta({
      description: `${what}. ISO 8601 with a time and an offset, such as \`${TIME_EXAMPLE}\`, or epoch milliseconds`,
    })

/** A moment in a JSON body; becomes epoch milliseconds. */
export const timeInBody = () =>
  z
    .union([
      z.string().meta({ pattern: TIME_PATTERN }),
      z.number().meta({ minimum: -MAX_EPOCH_MS, maximum: MAX_EPOCH_MS }),
    ])
    .transform(toMoment)
    .meta({ description: TIME_WORDS })

/** A moment in an answer. */
export const timeOut = () =>
  z.string().meta({
    format: 'date-time',
    description: 'ISO 8601 UTC with milliseconds',
    examples: ['2026-11-22T07:30:00.000Z'],
  })

/** What any moment looks like in an answer, also one of a broken clock, which is no `date-time` of RFC 3339. */
export const UNIT_TIME_PATTERN = '^(?:[0-9]{4}|[+-][0-9]{6})-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z$'

/** `limit` of a list. */
export const limitIn = () =>
  z
    .preprocess(
      (value) => (typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : value),
      z
        .int('must be a whole number from 1 to 500')
        .min(1, 'must be at least 1')
        .max(500, 'must be at most 500')
        .default(50),
    )
    .describe('Items of a page at most')

const CURSOR = /^[A-Za-z0-9_-]{1,1000}$/

/** `cursor` of a list: the `nextCursor` of the page before. */
export const cursorIn = () =>
  z
    .string()
    .refine((text) => CURSOR.test(text), { message: 'is no cursor', params: { code: 'invalid_cursor' } })
    .meta({ pattern: CURSOR.source })
    .optional()
    .describe('nextCursor of the page before')

/**
 * Several values: the parameter repeated, or values separated by commas. An empty value is none that a filter knows.
 * @param one without commas; a rule for texts of a certain form: {@link wordIn}
 */
export const severalIn = <T extends z.ZodType<unknown, string>>(one: T) =>
  z.preprocess(
    (value) => (value === undefined ? undefined : [value].flat().flatMap(partsOf)),
    z.array(one).max(500, 'at most 500 values').optional(),
  )

const partsOf = (value: unknown): unknown[] => (typeof value === 'string' ? value.split(',') : [value])

/**
 * One of {@link severalIn}'s texts.
 * @param form what it is made of, as the source of an expression that knows no comma
 */
export const wordIn = (form: string) =>
  z
    .string()
    .regex(new RegExp(`^${form}$`), `must match ${form}`)
    .meta({ pattern: `^${form}(?:,${form})*$` })

/** `true` or `false` in a query. */
export const booleanIn = () =>
  z.preprocess(
    (value) => (value === 'true' ? true : value === 'false' ? false : value),
    z.boolean('must be true or false').optional(),
  )

const DECIMALS = '(?:\\.[0-9]{0,40})?'
const SMALL = '\\.[0-9]{1,40}|[0-9](?:\\.[0-9]{1,40})?[eE]-[0-9]{1,3}'
const LATITUDE = ` *[+-]?(?:90(?:\\.0{0,40})?|[0-8]?[0-9]${DECIMALS}|${SMALL}) *`
const LONGITUDE = ` *[+-]?(?:180(?:\\.0{0,40})?|(?:1[0-7][0-9]|[0-9]?[0-9])${DECIMALS}|${SMALL}) *`
const BOX = new RegExp(`^${[LONGITUDE, LATITUDE, LONGITUDE, LATITUDE].join(',')}$`)

/** `bbox=minLon,minLat,maxLon,maxLat` in degrees; minLon > maxLon crosses the 180° meridian, and a box that ends there holds both names of it. */
export const bboxIn = () =>
  z
    .string()
    .meta({ pattern: BOX.source })
    .transform((text, context): BoundingBox => {
      const [minLongitude, minLatitude, maxLongitude, maxLatitude] = text.split(',').map(Number) as [
        number,
        number,
        number,
        number,
      ]
      if (BOX.test(text) && minLatitude <= maxLatitude) {
        return withWholeMeridian({ minLongitude, minLatitude, maxLongitude, maxLatitude })
      }
      context.addIssue({ code: 'custom', message: 'must be minLon,minLat,maxLon,maxLat in degrees' })
      return z.NEVER
    })
    .optional()
    .meta({
      description:
        'minLon,minLat,maxLon,maxLat in degrees, such as `11.3,48.0,11.8,48.3`; minLon > maxLon crosses 180°, and a box that ends there holds what lies on it, as 180 or −180',
    })

/** The meridian of 180° is that of −180° too: a box that ends on it becomes one that reaches across it by nothing. */
function withWholeMeridian(box: BoundingBox): BoundingBox {
  const { minLongitude, maxLongitude } = box
  if (minLongitude === -180 && maxLongitude === 180) return box
  return {
    ...box,
    minLongitude: minLongitude === -180 ? 180 : minLongitude,
    maxLongitude: maxLongitude === 180 ? -180 : maxLongitude,
  }
}

/** What the documentation says of `nextCursor`. */
export const NEXT_CURSOR = {
  description: 'Give it as `cursor` to get the next page; null: this is the last one',
  example: 'WyJ0cmFjayIsWzE3OTUzMzI2MDAwMDAsMF1d',
}

/** A list's answer. */
export const pageOut = <T extends z.ZodType>(item: T) =>
  z.object({
    items: z.array(item),
    nextCursor: z.string().nullable().meta(NEXT_CURSOR),
  })

/** Refuses `from` after `to`. */
export const isForwardRange = ({ from, to }: { from?: number | undefined; to?: number | undefined }) =>
  from === undefined || to === undefined || from <= to
