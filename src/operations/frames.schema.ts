import { z } from 'zod'
import { cursorIn, isForwardRange, limitIn, pageOut, timeIn, timeOut } from '../web/schemas.js'

export const framesQueryIn = z
  .strictObject({
    from: timeIn("Inclusive, by the server's clock").optional(),
    to: timeIn("Exclusive, by the server's clock").optional(),
    direction: z.enum(['in', 'out']).optional().describe('in: what the unit sent; out: what it was sent'),
    limit: limitIn().describe('Of a JSON page; a file holds the whole range and does not heed it'),
    cursor: cursorIn().describe('nextCursor of the page before; a file holds the whole range and does not heed it'),
  })
  .refine(isForwardRange, { path: ['from'], message: 'must not be after to' })

const rawFrameOut = z
  .object({
    id: z.string(),
    at: timeOut().describe("When it was read or written, by the server's clock"),
    direction: z.enum(['in', 'out']),
    protocol: z.string().describe('teltonika, queclink, ruptela, galileosky, or socket'),
    link: z.string().describe('Tells connections apart; its form may change'),
    hex: z
      .string()
      .meta({ pattern: '^(?:[0-9a-f]{2})*$' })
      .describe('Its bytes; of protocol socket they are JSON text'),
  })
  .meta({
    id: 'RawFrame',
    examples: [
      {
        id: '0KBWHc0mW000000042',
        at: '2026-11-22T07:30:01.250Z',
        direction: 'in',
        protocol: 'teltonika',
        link: 'tcp:203.0.113.7:40112#17',
        hex: '000f333536333037303432343431303133',
      },
    ],
  })

export const framesPageOut = pageOut(rawFrameOut).meta({ id: 'RawFramePage' })

export type FramesQueryIn = z.output<typeof framesQueryIn>
export type RawFrameJson = z.output<typeof rawFrameOut>
