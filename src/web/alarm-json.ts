import { z } from 'zod'
import { ALARM_STATUSES, ALARM_TYPES, type Alarm, type AlarmChange } from '../model/alarm.js'
import { formatTime } from '../model/time.js'
import { DEVICE_ID_FORM } from './device-id-param.js'
import { timeOut, UNIT_TIME_PATTERN } from './schemas.js'

export const ALARM_EXAMPLE = {
  id: '019aa9f3b2c2000001b7e2a41d7f3c55',
  deviceId: '350123451234567',
  type: 'HARD_BRAKE',
  time: '2026-11-22T07:30:00.000Z',
  receivedAt: '2026-11-22T07:30:01.250Z',
  timeSuspect: false,
  latitude: 48.1635066,
  longitude: 11.5643883,
  speed: 42.5,
  status: 'acknowledged',
  note: 'The driver is fine',
  assignee: 'anna',
  attributes: { eventKey: '7', peak: 0.61 },
  files: [{ fileName: '20261122-073000-front.mp4', videoId: null }],
  history: [
    { at: '2026-11-22T07:30:01.250Z', by: null, status: 'open', note: null, assignee: null },
    {
      at: '2026-11-22T07:34:12.000Z',
      by: 'anna',
      status: 'acknowledged',
      note: 'The driver is fine',
      assignee: 'anna',
    },
  ],
}

/** No `date-time` of RFC 3339: an alarm is never refused for its time, and clocks have been seen that count microseconds. */
const unitTimeOut = z.string().meta({
  description:
    "The unit's clock, ISO 8601 UTC with milliseconds. Beyond the years 0 to 9999, where only a broken clock is (`timeSuspect`), the year has a sign and six digits",
  pattern: UNIT_TIME_PATTERN,
})

const status = z.enum(ALARM_STATUSES)
const note = z.string().nullable().describe('What people wrote about it')
const assignee = z.string().nullable().describe('Username of who looks after it')

/** An alarm as every answer and live event carries it; km/h, degrees. */
export const alarmOut = z
  .object({
    id: z.string(),
    deviceId: z.string().meta({ pattern: `^${DEVICE_ID_FORM}$` }),
    type: z.enum(ALARM_TYPES),
    time: unitTimeOut,
    receivedAt: timeOut(),
    timeSuspect: z
      .boolean()
      .describe('The time is over 10 minutes ahead of the server, or older than positions are kept'),
    latitude: z.number().min(-90).max(90).nullable(),
    longitude: z.number().min(-180).max(180).nullable(),
    speed: z.number().min(0).nullable().describe('km/h'),
    status,
    note,
    assignee,
    attributes: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).nullable(),
    files: z
      .array(
        z.object({ fileName: z.string(), videoId: z.string().nullable().describe('null: it is not uploaded yet') }),
      )
      .describe("In the unit's order"),
    history: z
      .array(
        z.object({
          at: timeOut(),
          by: z.string().nullable().describe('Username; null: the unit'),
          status,
          note,
          assignee,
        }),
      )
      .describe('How it stood after each step, oldest first'),
  })
  .meta({ id: 'Alarm', examples: [ALARM_EXAMPLE] })

export type AlarmJson = z.output<typeof alarmOut>

/** The wire shape of a stored alarm. */
export function toAlarmJson(alarm: Alarm): AlarmJson {
  return {
    id: alarm.id,
    deviceId: alarm.deviceId,
    type: alarm.type,
    time: formatTime(alarm.timeMs),
    receivedAt: formatTime(alarm.receivedAtMs),
    timeSuspect: alarm.timeSuspect,
    latitude: alarm.latitude,
    longitude: alarm.longitude,
    speed: alarm.speedKmh,
    status: alarm.status,
    note: alarm.note,
    assignee: alarm.assignee,
    attributes: alarm.attributes,
    files: alarm.files.map(({ fileName, videoId }) => ({ fileName, videoId })),
    history: alarm.history.map(toChangeJson),
  }
}

function toChangeJson({ atMs, by, status, note, assignee }: AlarmChange): AlarmJson['history'][number] {
  return { at: formatTime(atMs), by, status, note, assignee }
}
