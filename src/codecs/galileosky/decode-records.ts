import type { Condition } from '../../model/delivery.js'
import { recordHash } from '../record-hash.js'
import { refusedRecord } from '../refused-record.js'
import { TrackerAttributes } from '../tracker-attributes.js'
import type { TrackerRecord } from '../tracker-codec.js'
import { GALILEOSKY_TAGS } from './galileosky-elements.js'
import type { Tag, Tags } from './split-tags.js'

export const IMEI = 0x03
const DEVICE_NUMBER = 0x04
const ARCHIVE_NUMBER = 0x10
const TIME = 0x20
const PLACE = 0x30
const SPEED = 0x33
const ALTITUDE = 0x34
/** Dilution of the fix; of a place that comes from cells how far it may be off, in tens of metres. */
const PRECISION = 0x35
const STATUS = 0x40
export const COMMAND_NUMBER = 0xe0
export const TEXT = 0xe1
export const BINARY = 0xeb
/** What alone is nothing to store. */
const NO_CONTENT: ReadonlySet<number> = new Set([0x01, 0x02, IMEI, DEVICE_NUMBER, ARCHIVE_NUMBER, TIME])
const ANSWER: ReadonlySet<number> = new Set([COMMAND_NUMBER, TEXT, BINARY])
const FIELDS: ReadonlySet<number> = new Set([IMEI, TIME, PLACE, SPEED, ALTITUDE])
const COORDINATE_DIGITS = 1e6
/** In place of the quality of the fix: it comes from satellites, or from cells of the network. */
const FROM_SATELLITES = 0
const FROM_CELLS = 2
/**
 * Bits of the status that a person should see when they begin to be set.
 * @source Galileosky, exchange protocol with the server, "status of device"
 */
const CONDITIONS: readonly Condition[] = (
  [
    [4, 'GEOFENCE_ENTER'],
    [5, 'LOW_BATTERY'],
    // The antenna is cut off.
    [6, 'TAMPER'],
    [8, 'POWER_CUT'],
    [10, 'VIBRATION'],
    // The alarm of a vehicle that is guarded.
    [15, 'TAMPER'],
  ] as const
).map(([bit, type]) => ({ type, eventKey: `galileosky.status.${bit}`, attribute: 'status', bit }))

/** The tags of one record: they stand in ascending order, so that one which is not greater than the one before opens the next. */
export function recordsOf({ tags }: Tags): Tag[][] {
  const records: Tag[][] = []
  let before = Number.POSITIVE_INFINITY
  for (const tag of tags) {
    if (tag.tag <= before) records.push([])
    records.at(-1)?.push(tag)
    before = tag.tag
  }
  return records
}

/** What else is known of the tags of a record. */
interface Circumstances {
  /** The packet's answer to a command stands among them. */
  readonly isAnswer: boolean
  /** What could not be read of the packet any more, behind its last record: it may belong to it. */
  readonly unread: Buffer | undefined
}

/**
 * A record without a time has none that is a moment.
 * @returns undefined: it tells nothing; or it has no time, and what could not be read behind it is told with it ({@link unreadRest})
 */
export function decodeRecord(
  bytes: Buffer,
  tags: readonly Tag[],
  { isAnswer, unread }: Circumstances,
): TrackerRecord | undefined {
  const find = (wanted: number) => tags.find(({ tag }) => tag === wanted)?.value
  const time = find(TIME)
  const [first, last] = [tags[0], tags.at(-1)]
  if (first === undefined || last === undefined) return undefined
  const isEmpty = tags.every(({ tag }) => NO_CONTENT.has(tag) || (isAnswer && ANSWER.has(tag)))
  if (unread === undefined ? isEmpty : time === undefined) return undefined
  const place = placeOf(find(PLACE))
  const speed = find(SPEED)
  const attributes = new TrackerAttributes()
  if (place.isFromCells) attributes.add('positionSource', 'cells')
  for (const tag of tags) if (!(place.isFromCells && tag.tag === PRECISION)) addAttributes(attributes, tag)
  if (unread !== undefined) attributes.add('io.unread', unread.toString('hex'))
  return {
    timeMs: time === undefined ? Number.NaN : time.readUInt32LE() * 1000,
    discriminator: recordHash(bytes, first.start, last.end),
    ...place.fix,
    altitudeM: find(ALTITUDE)?.readInt16LE() ?? null,
    speedKmh: speed === undefined ? null : speed.readUInt16LE(0) / 10,
    headingDeg: speed === undefined ? null : (speed.readUInt16LE(2) % 3600) / 10,
    accuracyM: place.isFromCells ? accuracyOf(find(PRECISION)) : null,
    attributes: attributes.toAttributes(),
    alarm: null,
    // Without a time it has no place in the order in which states begin and end; the unit says them again with every record.
    ...(time !== undefined && find(STATUS) !== undefined && { conditions: CONDITIONS }),
    span: [first.start, last.end],
  }
}

/** What follows a tag whose length nobody knows, together with the record that it stands in if that has no time. */
export function unreadRest(records: readonly (readonly Tag[])[], unreadFrom: number, end: number): TrackerRecord {
  const last = records.at(-1)
  const isStored = last?.some(({ tag }) => tag === TIME) ?? false
  const from = isStored ? unreadFrom : (last?.[0]?.start ?? unreadFrom)
  return refusedRecord('the packet has a tag of unknown length', [from, end])
}

function placeOf(value: Buffer | undefined): {
  readonly isFromCells: boolean
  readonly fix: Pick<TrackerRecord, 'hasFix' | 'latitude' | 'longitude' | 'satellites'>
} {
  if (value === undefined)
    return { isFromCells: false, fix: { hasFix: false, latitude: null, longitude: null, satellites: null } }
  const quality = value.readUInt8(0) >> 4
  const [latitude, longitude] = [value.readInt32LE(1) / COORDINATE_DIGITS, value.readInt32LE(5) / COORDINATE_DIGITS]
  const isNull = latitude === 0 && longitude === 0
  return {
    isFromCells: quality === FROM_CELLS,
    fix: { hasFix: quality === FROM_SATELLITES && !isNull, latitude, longitude, satellites: value.readUInt8(0) & 0x0f },
  }
}

function accuracyOf(tens: Buffer | undefined): number | null {
  return tens === undefined ? null : tens.readUInt8() * 10
}

function addAttributes(attributes: TrackerAttributes, { tag, value }: Tag): void {
  if (FIELDS.has(tag)) return
  const known = Object.entries(GALILEOSKY_TAGS.get(tag)?.(value) ?? {})
  for (const [name, one] of known) attributes.add(name, one)
  if (known.length > 0) return
  const name = tag.toString(16).padStart(2, '0')
  // As numbers they are little-endian; as text they stay as they came.
  attributes.addElement(name, value.length <= 4 ? Buffer.from(value).reverse() : value, undefined)
}
