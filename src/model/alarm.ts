import type { DeviceId } from './device-id.js'
import type { Attributes } from './position.js'

/** What a unit may think a person should see. */
export const ALARM_TYPES = [
  'VIBRATION',
  'OVERSPEED',
  'CRASH',
  'HARD_ACCELERATION',
  'HARD_BRAKE',
  'SHARP_TURN',
  'SOS',
  'POWER_CUT',
  'LOW_BATTERY',
  'TOWING',
  'JAMMING',
  'TAMPER',
  'GEOFENCE_ENTER',
  'GEOFENCE_EXIT',
  'IDLING',
  'FATIGUE',
  'DISTRACTION',
] as const
export type AlarmType = (typeof ALARM_TYPES)[number]

const TYPES: ReadonlySet<string> = new Set(ALARM_TYPES)
const ASCII_WORD = /^[A-Za-z_]+$/

/** @returns the type in whatever case, or undefined when there is none of this name; letters that only look alike are others */
export function parseAlarmType(text: string): AlarmType | undefined {
  // Some letters beyond ASCII have a capital within it: `ſos` would be SOS.
  const type = ASCII_WORD.test(text) ? text.toUpperCase() : undefined
  return type !== undefined && TYPES.has(type) ? (type as AlarmType) : undefined
}

/** Where the work on an alarm stands; any change between them is allowed. */
export const ALARM_STATUSES = ['open', 'acknowledged', 'resolved'] as const
export type AlarmStatus = (typeof ALARM_STATUSES)[number]

/**
 * An alarm as a unit reported it. `(deviceId, type, timeMs, eventKey)` is its identity: whoever reports it again reports the same
 * one, and may only add names of files.
 */
export interface AlarmReport {
  readonly deviceId: DeviceId
  readonly type: AlarmType
  /** Unit's clock, epoch milliseconds UTC. */
  readonly timeMs: number
  /** The unit's key for one of several equal events of one moment; empty: it has none. */
  readonly eventKey: string
  readonly receivedAtMs: number
  /** The time is beyond what a position may have: over 10 minutes ahead, or older than the retention of positions. */
  readonly timeSuspect: boolean
  /** Degrees; both or neither. */
  readonly latitude: number | null
  readonly longitude: number | null
  readonly speedKmh: number | null
  /** As they came, `eventKey` included. */
  readonly attributes: Attributes | null
  /** Names as of file-name.ts, each once, in the unit's order. */
  readonly fileNames: readonly string[]
}

/** What a codec makes of a unit's alarm: whether its time is to be believed is not for a codec to say. */
export type DecodedAlarm = Omit<AlarmReport, 'timeSuspect'>

/** A file that an alarm names, and the video that it is, once uploaded. */
export interface AlarmFile {
  readonly fileName: string
  readonly videoId: string | null
}

/** One step of the work on an alarm: how it stood after it. The first is the alarm itself, by nobody. */
export interface AlarmChange {
  readonly atMs: number
  /** Username; null: the unit. */
  readonly by: string | null
  readonly status: AlarmStatus
  readonly note: string | null
  readonly assignee: string | null
}

export interface Alarm extends Omit<AlarmReport, 'fileNames' | 'eventKey'> {
  readonly id: string
  readonly status: AlarmStatus
  readonly note: string | null
  /** Username. */
  readonly assignee: string | null
  readonly files: readonly AlarmFile[]
  /** Oldest first. */
  readonly history: readonly AlarmChange[]
}
