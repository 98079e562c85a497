import { z } from 'zod'
import { ALARM_STATUSES, ALARM_TYPES, type AlarmType, parseAlarmType } from '../model/alarm.js'
import { ALARM_GROUPINGS } from '../storage/sql/alarm-records.js'
import { DEVICE_ID_FORM } from '../web/device-id-param.js'
import {
  bboxIn,
  booleanIn,
  cursorIn,
  isForwardRange,
  limitIn,
  readableIn,
  severalIn,
  textIn,
  timeIn,
  wordIn,
} from '../web/schemas.js'

const MAX_TEXT_LENGTH = 200
const MAX_NOTE_LENGTH = 2000
const MAX_USERNAME_LENGTH = 64
const USERNAME_FORM = `[A-Za-z0-9._@-]{1,${MAX_USERNAME_LENGTH}}`

/** The path of one alarm. What cannot be an id is not found. */
export const alarmIdParam = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,64}$/)
  .meta({ description: 'Id of an alarm', examples: ['019aa9f3b2c2000001b7e2a41d7f3c55'] })

const typeIn = z
  .string()
  .transform((text, context): AlarmType => {
    const type = parseAlarmType(text)
    if (type !== undefined) return type
    const message = `must be one of ${ALARM_TYPES.join(', ')}`
    context.addIssue({ code: 'custom', params: { code: 'unknown_alarm_type' }, message })
    return z.NEVER
  })
  .meta({ enum: [...ALARM_TYPES] })

const filter = {
  deviceId: severalIn(wordIn(DEVICE_ID_FORM)).describe('Of these devices'),
  type: severalIn(typeIn).describe('Of these types, in any case'),
  status: severalIn(z.enum(ALARM_STATUSES)).describe('With one of these'),
  assignee: severalIn(wordIn(USERNAME_FORM)).describe('That one of these users looks after'),
  from: timeIn("Inclusive, by the unit's clock").optional(),
  to: timeIn("Exclusive, by the unit's clock").optional(),
  bbox: bboxIn(),
  hasVideo: booleanIn().describe('true: a file of it is uploaded; false: none is'),
  text: textIn(0, MAX_TEXT_LENGTH)
    .trim()
    .optional()
    .describe(
      'Beginnings of words in device id, name, plate, names of files and note, in any case; all words must match. Blank: no filter. A text without letters and digits, such as `*` or an emoji, has no words and finds nothing',
    ),
}

const forward = { path: ['from'], message: 'must not be after to' }

export const alarmQueryIn = z
  .strictObject({
    ...filter,
    sort: z
      .enum(['-time', 'time'])
      .default('-time')
      .describe("By the unit's clock: `-time` newest first, `time` oldest first"),
    limit: limitIn().describe('Of a JSON page; CSV holds all rows and does not heed it'),
    cursor: cursorIn().describe(
      'nextCursor of the page before, good for the same `sort` only; CSV holds all rows and does not heed it',
    ),
  })
  .refine(isForwardRange, forward)

export const alarmSummaryQueryIn = z
  .strictObject({ by: z.enum(ALARM_GROUPINGS).describe('What is counted by; days are UTC'), ...filter })
  .refine(isForwardRange, forward)

export const alarmSummaryOut = z
  .object({
    items: z.array(
      z.object({
        key: z.string().describe('Type, device id, status, or day such as `2026-11-22`'),
        count: z.int().min(1),
      }),
    ),
  })
  .meta({
    id: 'AlarmSummary',
    examples: [
      {
        items: [
          { key: 'HARD_BRAKE', count: 12 },
          { key: 'CRASH', count: 1 },
        ],
      },
    ],
  })

export const alarmChangesIn = z
  .strictObject({
    status: z.enum(ALARM_STATUSES).optional().describe('Any change is allowed'),
    note: readableIn(0, MAX_NOTE_LENGTH)
      .trim()
      .nullable()
      .optional()
      .describe('Replaces the one before; null or blank: none'),
    assignee: z
      .string()
      .min(1)
      .max(MAX_USERNAME_LENGTH)
      .nullable()
      .optional()
      .describe('Username of somebody who exists and is not disabled; null: nobody'),
  })
  .meta({ id: 'AlarmChanges', examples: [{ status: 'acknowledged', note: 'The driver is fine', assignee: null }] })

export type AlarmFilterIn = Omit<z.output<typeof alarmSummaryQueryIn>, 'by'>
export type AlarmQueryIn = z.output<typeof alarmQueryIn>
export type AlarmSummaryQueryIn = z.output<typeof alarmSummaryQueryIn>
export type AlarmSummaryJson = z.output<typeof alarmSummaryOut>
export type AlarmChangesIn = z.output<typeof alarmChangesIn>
