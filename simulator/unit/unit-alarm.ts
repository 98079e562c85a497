import { z } from 'zod'
import { ALARM_TYPES } from '../../src/model/alarm.js'

/** An alarm as a unit keeps it until the server has it. */
export const UnitAlarm = z.object({
  /** The unit's own key: of two alarms with one key the second is the first, sent again. */
  key: z.string(),
  type: z.enum(ALARM_TYPES),
  /** Unit's clock, epoch milliseconds UTC. */
  timeMs: z.number(),
  /** Degrees WGS84. */
  latitude: z.number(),
  longitude: z.number(),
  speedKmh: z.number().nullable(),
  /** Files that belong to it, uploaded or not. */
  fileNames: z.array(z.string()),
})
export type UnitAlarm = z.infer<typeof UnitAlarm>
