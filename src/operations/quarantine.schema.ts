import { z } from 'zod'
import { DEVICE_ID_FORM } from '../web/device-id-param.js'
import { cursorIn, isForwardRange, limitIn, pageOut, severalIn, timeIn, timeOut, wordIn } from '../web/schemas.js'

export const quarantineQueryIn = z
  .strictObject({
    deviceId: severalIn(wordIn(DEVICE_ID_FORM)).describe('Ids of devices'),
    code: severalIn(wordIn('[a-z_]{1,64}')).describe('Why they were refused, such as `invalid_time`'),
    from: timeIn('Inclusive, by the time of arrival').optional(),
    to: timeIn('Exclusive, by the time of arrival').optional(),
    limit: limitIn(),
    cursor: cursorIn(),
  })
  .refine(isForwardRange, { path: ['from'], message: 'must not be after to' })

export const quarantinedOut = z
  .object({
    id: z.string(),
    deviceId: z.string(),
    ingress: z.string().describe('The way in: socket, http, …'),
    code: z.string().describe('Why it was refused'),
    receivedAt: timeOut(),
    raw: z.string().describe('What came, as JSON text, cut to 8 KiB'),
  })
  .meta({
    id: 'QuarantinedRecord',
    examples: [
      {
        id: '42',
        deviceId: '350123451234567',
        ingress: 'socket',
        code: 'invalid_latitude',
        receivedAt: '2026-11-22T07:30:01.250Z',
        raw: '{"time":"2026-11-22T07:30:00Z","latitude":98,"longitude":11.5}',
      },
    ],
  })

export const quarantinePageOut = pageOut(quarantinedOut).meta({ id: 'QuarantinePage' })

export type QuarantineQueryIn = z.output<typeof quarantineQueryIn>
export type QuarantinedJson = z.output<typeof quarantinedOut>
