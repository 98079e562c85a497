import { z } from 'zod'
import { MAX_ATTRIBUTES } from '../../codecs/device-json/decode-attributes.js'
import { ALARM_TYPES } from '../../model/alarm.js'
import { MAX_FILE_NAME_BYTES } from '../../model/file-name.js'
import { timeInBody } from '../../web/schemas.js'
import { attributeValue, RECENTLY } from './locations.schema.js'

/** Body of `POST /alarms`; documents what the codec checks. */
export const alarmReportIn = z
  .object({
    type: z.enum(ALARM_TYPES).describe('In any case'),
    time: timeInBody().describe(
      "The unit's clock: ISO 8601 with a time and an offset, or epoch milliseconds. An alarm is never refused for being early or late",
    ),
    latitude: z.number().min(-90).max(90).nullish().describe('degrees WGS84; with longitude or not at all'),
    longitude: z.number().min(-180).max(180).nullish().describe('degrees WGS84; with latitude or not at all'),
    speed: z.number().min(0).max(100_000).nullish().describe('km/h'),
    files: z
      .array(z.string().min(1).max(MAX_FILE_NAME_BYTES))
      .nullish()
      .describe('Names of files that the unit uploads before or after, at most `ALARM_MAX_FILES` (20)'),
    attributes: z
      .record(z.string(), attributeValue)
      .nullish()
      .meta({
        description: `flat, at most ${MAX_ATTRIBUTES} values and 4 kB in all; \`eventKey\` tells equal events of one moment apart`,
        maxProperties: MAX_ATTRIBUTES,
      }),
  })
  .meta({
    title: 'AlarmReport',
    example: {
      type: 'HARD_BRAKE',
      time: RECENTLY,
      latitude: 48.1635066,
      longitude: 11.5643883,
      speed: 42.5,
      files: ['20261122-073000-front.mp4'],
      attributes: { eventKey: '7', peak: 0.61 },
    },
  })
