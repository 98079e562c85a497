import type { AlarmType } from '../../model/alarm.js'
import type { TrackerAlarm } from '../tracker-codec.js'
import { parseNumber } from './decode-positions.js'

/** By what the report says of its kind. */
type Meaning = (reportType: number | undefined) => AlarmType | undefined

const always =
  (type: AlarmType): Meaning =>
  () =>
    type

/** By the kind of a harsh behaviour; the last two are such in a turn. */
const HARSH = ['HARD_BRAKE', 'HARD_ACCELERATION', 'SHARP_TURN', 'HARD_BRAKE', 'HARD_ACCELERATION'] as const

/**
 * Reports that are alarms, by message type. Those that tell the end of something are none.
 * @source Queclink, @Track air interface, event reports
 */
const REPORTS: ReadonlyMap<string, Meaning> = new Map([
  ['GTSOS', always('SOS')],
  ['GTTOW', always('TOWING')],
  ['GTJDS', (type) => (type === 2 ? 'JAMMING' : undefined)],
  ['GTJDR', always('JAMMING')],
  ['GTMPF', always('POWER_CUT')],
  ['GTEPF', always('POWER_CUT')],
  ['GTBPL', always('LOW_BATTERY')],
  ['GTCRA', always('CRASH')],
  ['GTGIN', always('GEOFENCE_ENTER')],
  ['GTGOT', always('GEOFENCE_EXIT')],
  ['GTIDN', always('IDLING')],
  ['GTSPD', (type) => (type === 0 ? undefined : 'OVERSPEED')],
  ['GTGEO', (type) => (type === undefined ? undefined : (['GEOFENCE_EXIT', 'GEOFENCE_ENTER'] as const)[type])],
  ['GTHBM', (type) => (type === undefined ? undefined : HARSH[type])],
])

/** Reports that say which input or fence they are about, and what happened there, before the number of their positions. */
const WITH_KIND: ReadonlySet<string> = new Set(['GTSOS', 'GTTOW', 'GTSPD', 'GTGEO', 'GTHBM'])
const STATE_AT = 4

/** @param number where the number of positions stands, in reports that have one */
export function queclinkAlarm(report: string, fields: readonly string[], number: number): TrackerAlarm | null {
  const [id, what] = kindOf(report, fields, number - 1)
  const type = REPORTS.get(report)?.(parseNumber(what))
  return type === undefined ? null : { type, eventKey: `queclink.${report}${id === '' ? '' : `.${id}`}` }
}

function kindOf(report: string, fields: readonly string[], at: number): readonly [id: string, what: string] {
  if (report === 'GTJDS') return ['', fields[STATE_AT] ?? '']
  if (!WITH_KIND.has(report)) return ['', '']
  const kind = fields[at] ?? ''
  // Either one field of two digits, or two of one each.
  return kind.length === 2 ? [kind.charAt(0), kind.charAt(1)] : [(fields[at - 1] ?? '').slice(0, 2), kind]
}
