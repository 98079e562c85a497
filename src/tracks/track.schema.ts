import { z } from 'zod'
import { cursorIn, isForwardRange, limitIn, timeIn } from '../web/schemas.js'

const range = {
  from: timeIn("Inclusive, by the unit's clock").optional(),
  to: timeIn("Exclusive, by the unit's clock").optional(),
}

const forward = { path: ['from'], message: 'must not be after to' }

export const rangeIn = z.strictObject(range).refine(isForwardRange, forward)

export const trackQueryIn = z
  .strictObject({
    ...range,
    include: z.enum(['all']).optional().describe('all: also positions without a fix'),
    limit: limitIn().describe('Of a JSON page; files hold the whole range and do not heed it'),
    cursor: cursorIn().describe('nextCursor of the page before; files hold the whole range and do not heed it'),
  })
  .refine(isForwardRange, forward)

export const odometerOut = z
  .object({
    meters: z.number().min(0).describe('Sum of great-circle legs, mean earth radius 6 371 008.8 m'),
    points: z.int().min(0).describe('Positions with a fix'),
  })
  .meta({ id: 'Odometer', examples: [{ meters: 13647.1, points: 1194 }] })

export type RangeIn = z.output<typeof rangeIn>
export type TrackQueryIn = z.output<typeof trackQueryIn>
export type OdometerJson = z.output<typeof odometerOut>
