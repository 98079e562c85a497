import type { AlarmType } from '../../model/alarm.js'
import type { TrackerAlarm } from '../tracker-codec.js'

/** By the value of the event's element: what it means, or nothing a person should see. */
type Meaning = (value: number) => AlarmType | undefined

const when =
  (type: AlarmType, ...values: readonly number[]): Meaning =>
  (value) =>
    values.includes(value) ? type : undefined
const zone: Meaning = (value) => (['GEOFENCE_EXIT', 'GEOFENCE_ENTER', undefined, 'OVERSPEED'] as const)[value]

/** Elements of the fences 1 to 50. */
const ZONES: readonly number[] = [
  ...[155, 156, 157, 158, 159, 61, 62, 63, 64, 65, 70, 88, 91, 92, 93, 94, 95, 96, 97, 98, 99, 153, 154],
  ...[190, 191, 192, 193, 194, 195, 196, 197, 198, 208, 209, 216, 217, 218, 219, 220, 221, 222, 223, 224],
  ...[225, 226, 227, 228, 229, 230, 231],
]

/**
 * Events that are alarms, by AVL id. Those that tell the end of something are none.
 * @source Teltonika, lists of AVL ids of the FMB and FMC families
 */
const EVENTS: ReadonlyMap<number, Meaning> = new Map([
  [175, zone],
  [236, when('SOS', 1)],
  // The unit, worn by a person, lies.
  [242, when('SOS', 1)],
  [246, when('TOWING', 1)],
  // 1 and 6 are crashes that were felt; the others only bring their traces.
  [247, when('CRASH', 1, 6)],
  [249, when('JAMMING', 1)],
  [251, when('IDLING', 1)],
  [252, when('POWER_CUT', 1)],
  [253, (value) => ([undefined, 'HARD_ACCELERATION', 'HARD_BRAKE', 'SHARP_TURN'] as const)[value]],
  [255, () => 'OVERSPEED'],
  // Of the satellites: a warning, or no fix any more.
  [318, when('JAMMING', 1, 2)],
  ...ZONES.map((id): [number, Meaning] => [id, zone]),
])

/**
 * @param eventId the element that caused the record; 0: none did
 * @param value that element's, undefined when the record does not have it as a number
 */
export function teltonikaAlarm(eventId: number, value: number | undefined): TrackerAlarm | null {
  const type = value === undefined ? undefined : EVENTS.get(eventId)?.(value)
  return type === undefined ? null : { type, eventKey: `teltonika.${eventId}` }
}
