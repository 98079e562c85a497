import { TrackerAttributes } from '../tracker-attributes.js'
import type { TrackerAlarm, TrackerRecord } from '../tracker-codec.js'
import { findHollow, findPositions, type PositionBlock, parseMoment, parseNumber } from './decode-positions.js'
import { type Family, modelOf } from './device-types.js'
import { queclinkAlarm } from './queclink-alarms.js'

/** A message of positions and events. */
export interface Report {
  /** Such as GTFRI. */
  readonly type: string
  readonly version: string
  readonly fields: readonly string[]
  /** Tells the message from others of its device. */
  readonly base: number
  /** Of the frame. */
  readonly length: number
}

/** Head, version and identity. */
const FIRST_FIELDS = 3
/** Time of sending and count. */
const LAST_FIELDS = 2
const DISCRIMINATORS = 2 ** 48
/** Number of positions, and before it what the report is about. */
const NUMBER_BEFORE = 1
const KIND_BEFORE = 2
/** Where most models have the number, in reports in which nothing of a position can be found. */
const USUAL_NUMBER_AT = 6
/** States of the unit, answers to questions, and what goes through it: they have no position by the maker's documents. */
const WITHOUT_POSITION: ReadonlySet<string> = new Set([
  ...['GTINF', 'GTVER', 'GTCSQ', 'GTCID', 'GTBAT', 'GTTMZ', 'GTALL', 'GTPNA', 'GTPFA'],
  ...['GTGSM', 'GTGSV', 'GTLBS', 'GTWIF', 'GTDAT', 'GTDTT'],
])
const NOWHERE: PositionBlock = {
  first: 0,
  end: 0,
  timeMs: undefined,
  hasFix: false,
  latitude: null,
  longitude: null,
  altitudeM: null,
  speedKmh: null,
  headingDeg: null,
  hdop: null,
  cell: {},
}
const STATE = /^[0-9A-Fa-f]{6}$/
/** First two digits of a vehicle's state: what its ignition and its motion are. */
const STATES: ReadonlyMap<string, { readonly ignition: boolean; readonly movement: boolean }> = new Map([
  ['11', { ignition: false, movement: false }],
  ['12', { ignition: false, movement: true }],
  ['21', { ignition: true, movement: false }],
  ['22', { ignition: true, movement: true }],
])

/**
 * A report that should have a position and has none, such as that of a unit that never had a fix, is one record without a place. One that
 * does not say when is of when it was sent, by the unit's clock, which may go by local time.
 * @returns a record for each position, in the order of the message; what the message says besides goes to the last. Fields that nobody
 * understands are kept by their places: the third after the head is `io.3`.
 */
export function decodeReport({ type, version, fields, base, length }: Report): TrackerRecord[] {
  const blocks = positionsIn(type, fields)
  if (blocks.length === 0 && WITHOUT_POSITION.has(type)) return []
  const number = blocks[0] === undefined ? USUAL_NUMBER_AT : blocks[0].first - NUMBER_BEFORE
  const sentAtMs = parseMoment(fields.at(-LAST_FIELDS) ?? '')
  const records = blocks.length === 0 ? [NOWHERE] : blocks
  return records.map((block, index) => {
    const isLast = index === records.length - 1
    const attributes = new TrackerAttributes()
    attributes.add('report', type)
    if (block.timeMs === undefined) attributes.add('timeIsLocal', true)
    if (block.hdop !== null) attributes.add('hdop', block.hdop)
    for (const [name, value] of Object.entries(block.cell)) attributes.add(name, value)
    if (isLast) addRest(attributes, { fields, blocks, number, family: modelOf(version)?.family })
    return {
      timeMs: block.timeMs ?? sentAtMs,
      discriminator: (base + index) % DISCRIMINATORS,
      hasFix: block.hasFix,
      latitude: block.latitude,
      longitude: block.longitude,
      altitudeM: block.altitudeM,
      speedKmh: block.speedKmh,
      headingDeg: block.headingDeg,
      accuracyM: null,
      satellites: null,
      attributes: attributes.toAttributes(),
      alarm: isLast ? told(queclinkAlarm(type, fields, number), block, { fields, sentAtMs }) : null,
      span: [0, length],
    }
  })
}

function positionsIn(type: string, fields: readonly string[]): readonly PositionBlock[] {
  const found = findPositions(fields)
  const hollow = found.length > 0 || WITHOUT_POSITION.has(type) ? undefined : findHollow(fields)
  return hollow === undefined ? found : [hollow]
}

/**
 * Without a current fix the time is that of the last one, or none: what makes the alarm another one than that of the next press of the
 * button is when the message was sent, and its count. Both are the same when it is sent again.
 */
function told(
  alarm: TrackerAlarm | null,
  { hasFix, timeMs }: PositionBlock,
  { fields, sentAtMs }: { readonly fields: readonly string[]; readonly sentAtMs: number },
): TrackerAlarm | null {
  if (alarm === null || (hasFix && !Number.isNaN(timeMs))) return alarm
  const sentAt = Number.isNaN(sentAtMs) ? '' : fields.at(-LAST_FIELDS)
  return { ...alarm, eventKey: `${alarm.eventKey}.${sentAt}.${fields.at(-1)}`, timeMs: sentAtMs }
}

interface Rest {
  readonly fields: readonly string[]
  readonly blocks: readonly PositionBlock[]
  /** Where the number of positions stands, in reports that have one. */
  readonly number: number
}

/** What is neither the head nor a position nor the end. */
function addRest(
  attributes: TrackerAttributes,
  { family, ...rest }: Rest & { readonly family: Family | undefined },
): void {
  const { fields, blocks } = rest
  const isTaken = (i: number) => blocks.some(({ first, end }) => i >= first && i < end)
  const known = family === 'vehicle' && blocks.length > 0 ? vehicleFields(rest) : new Map()
  for (let i = FIRST_FIELDS; i < fields.length - LAST_FIELDS; i++) {
    const field = fields[i] ?? ''
    if (field === '' || isTaken(i)) continue
    const meaning: Readonly<Record<string, number | boolean>> | undefined = known.get(i)
    if (meaning === undefined) attributes.add(`io.${i}`, field)
    else for (const [name, value] of Object.entries(meaning)) attributes.add(name, value)
  }
}

/**
 * Fields of reports of vehicle units: supply before the positions, where those are counted; after them, and one that is reserved, odometer,
 * hour meter, two analogue inputs or three, battery and state.
 */
function vehicleFields({ fields, blocks, number }: Rest): Map<number, Readonly<Record<string, number | boolean>>> {
  const after = blocks.at(-1)?.end ?? fields.length
  const known = new Map<number, Readonly<Record<string, number | boolean>>>()
  const take = (i: number, toMeaning: (value: number) => Record<string, number> | undefined) => {
    const value = parseNumber(fields[i] ?? '')
    const meaning = value === undefined ? undefined : toMeaning(value)
    if (meaning !== undefined) known.set(i, meaning)
  }
  if (fields[number] === String(blocks.length))
    take(number - KIND_BEFORE, (mV) => (mV >= 1000 && mV <= 60_000 ? { externalVoltageV: mV / 1000 } : undefined))
  take(after + 1, (km) => (km >= 0 ? { odometerM: Math.round(km * 1000) } : undefined))
  const stateAt = [after + 6, after + 7].find((i) => STATE.test(fields[i] ?? ''))
  // Nothing else tells a third input from the battery.
  if (stateAt === undefined) return known
  take(stateAt - 1, (pct) => (Number.isInteger(pct) && pct >= 0 && pct <= 100 ? { batteryLevelPct: pct } : undefined))
  const moving = STATES.get((fields[stateAt] ?? '').slice(0, 2))
  if (moving !== undefined) known.set(stateAt, { ...moving })
  return known
}
