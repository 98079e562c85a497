import type { AlarmType } from '../../model/alarm.js'
import { ByteReader } from '../byte-reader.js'
import { recordHash } from '../record-hash.js'
import { TrackerAttributes } from '../tracker-attributes.js'
import type { TrackerAlarm, TrackerRecord } from '../tracker-codec.js'
import { RUPTELA_ELEMENTS } from './ruptela-elements.js'

const SIZES = [1, 2, 4, 8]
const COORDINATE_DIGITS = 1e7
/** What stands where the device knows nothing. */
const NO_COORDINATE = -0x8000_0000
const NO_ALTITUDE = -0x8000
const NO_WORD = 0xffff
const NO_BYTE = 0xff
/** In place of the dilution: the place comes from cells of the network. */
const FROM_CELLS = 0xfe

interface Element {
  readonly id: number
  readonly raw: Buffer
}

/** One record as it lies in the packet; several may be parts of one moment. */
interface WireRecord {
  readonly start: number
  readonly end: number
  readonly timeMs: number
  readonly priority: number
  /** Number of parts and, from 0, which one this is. */
  readonly parts: number
  readonly part: number
  /** What the parts of one moment share, and nothing else has. */
  readonly moment: Buffer
  readonly fix: Pick<
    TrackerRecord,
    'hasFix' | 'latitude' | 'longitude' | 'altitudeM' | 'speedKmh' | 'headingDeg' | 'satellites'
  >
  readonly hdop: number
  readonly eventId: number
  readonly elements: readonly Element[]
  /** The bytes of the elements. */
  readonly body: Buffer
}

/**
 * Decodes the payload of records (`01`) or extended records (`44`). Parts of one moment become one record, wherever they stand among
 * others; it says that it is made of parts also when all of them seem to be there, since others may have come before.
 * @param isExtended of `44`
 * @returns 0..255 records, in the order of their first parts; km/h, metres, UTC
 * @throws DecodeError `bad_structure`
 */
export function decodeRecords(frame: Buffer, start: number, end: number, isExtended: boolean): TrackerRecord[] {
  const reader = new ByteReader(frame, start, end)
  reader.uint8() // whether more packets follow
  const count = reader.uint8()
  const moments = new Map<string, WireRecord[]>()
  for (let i = 0; i < count; i++) {
    const record = decodeWireRecord(frame, reader, isExtended)
    // Complete records are never put together, also when they share all this.
    const name = record.parts === 1 ? `${i}` : `part ${record.moment.toString('hex')}`
    const others = moments.get(name)
    if (others === undefined) moments.set(name, [record])
    else if (!others.some((other) => isRepeat(other, record))) others.push(record)
  }
  reader.assertAtEnd()
  return [...moments.values()].map((parts) => toRecord(frame, parts))
}

function decodeWireRecord(frame: Buffer, reader: ByteReader, isExtended: boolean): WireRecord {
  const start = reader.offset
  const seconds = reader.uint32()
  const timeExtension = reader.uint8()
  const recordExtension = isExtended ? reader.uint8() : 0
  const priority = reader.uint8()
  const fixStart = reader.offset
  const { fix, hdop } = decodeFix(reader)
  const fixEnd = reader.offset
  const eventId = isExtended ? reader.uint16() : reader.uint8()
  const elements: Element[] = []
  const bodyStart = reader.offset
  for (const size of SIZES) {
    for (let left = reader.uint8(); left > 0; left--) {
      const id = isExtended ? reader.uint16() : reader.uint8()
      elements.push({ id, raw: reader.slice(size) })
    }
  }
  const moment = Buffer.concat([
    frame.subarray(start, start + 4),
    Buffer.of(timeExtension),
    frame.subarray(fixStart, fixEnd),
  ])
  return {
    start,
    end: reader.offset,
    timeMs: seconds * 1000,
    priority,
    parts: (recordExtension >> 4) + 1,
    part: recordExtension & 0x0f,
    moment,
    fix,
    hdop,
    eventId,
    elements,
    body: frame.subarray(bodyStart, reader.offset),
  }
}

function isRepeat(one: WireRecord, other: WireRecord): boolean {
  return one.part === other.part && one.eventId === other.eventId && one.body.equals(other.body)
}

function decodeFix(reader: ByteReader): Pick<WireRecord, 'fix' | 'hdop'> {
  const rawLongitude = reader.int32()
  const rawLatitude = reader.int32()
  const altitude = reader.int16()
  const course = reader.uint16()
  const satellites = reader.uint8()
  const speed = reader.uint16()
  const hdop = reader.uint8()
  const place = degreesOf(rawLongitude, rawLatitude)
  const isNull = rawLongitude === 0 && rawLatitude === 0
  const isCurrent = satellites > 0 && satellites !== NO_BYTE && hdop !== FROM_CELLS
  return {
    fix: {
      hasFix: place.latitude !== null && !isNull && isCurrent,
      ...place,
      altitudeM: altitude === NO_ALTITUDE ? null : altitude / 10,
      headingDeg: course === NO_WORD ? null : (course % 36_000) / 100,
      satellites: satellites === NO_BYTE ? null : satellites,
      speedKmh: speed === NO_WORD ? null : speed,
    },
    hdop,
  }
}

/** @param longitude as the unit writes it; where it knows none there is none of either */
export function degreesOf(longitude: number, latitude: number): Pick<TrackerRecord, 'latitude' | 'longitude'> {
  if (longitude === NO_COORDINATE || latitude === NO_COORDINATE) return { latitude: null, longitude: null }
  return { latitude: latitude / COORDINATE_DIGITS, longitude: longitude / COORDINATE_DIGITS }
}

/** @param parts of one moment, one or more, as they stand in the frame */
function toRecord(frame: Buffer, parts: readonly WireRecord[]): TrackerRecord {
  const inOrder = [...parts].sort((a, b) => a.part - b.part)
  const [first = parts[0] as WireRecord] = parts
  const last = parts.at(-1) ?? first
  const elements = inOrder.flatMap((part) => part.elements)
  const attributes = new TrackerAttributes()
  attributes.add('priority', first.priority)
  if (first.eventId !== 0) attributes.add('event', first.eventId)
  if (first.hdop === FROM_CELLS) attributes.add('positionSource', 'cells')
  else if (first.hdop !== NO_BYTE) attributes.add('hdop', first.hdop / 10)
  for (const { id, raw } of elements) attributes.addElement(id, raw, RUPTELA_ELEMENTS.get(id))
  return {
    timeMs: first.timeMs,
    discriminator: first.parts === 1 ? recordHash(frame, first.start, first.end) : recordHash(first.moment),
    ...first.fix,
    accuracyM: null,
    attributes: attributes.toAttributes(),
    alarm: alarmOf(parts, elements),
    isPart: first.parts > 1,
    span: [first.start, last.end],
  }
}

/** Whether the value of the event's element means that it is one now. */
const set = (raw: Buffer) => raw.some((byte) => byte !== 0)
const unset = (raw: Buffer) => raw.length > 0 && !set(raw)

/**
 * Events that are alarms, by IO id.
 * @source third-party readings of the maker's lists
 */
const EVENTS: ReadonlyMap<number, readonly [type: AlarmType, isNow: (raw: Buffer) => boolean]> = new Map([
  [88, ['JAMMING', set]],
  [134, ['HARD_BRAKE', set]],
  [136, ['HARD_ACCELERATION', set]],
  [410, ['TOWING', set]],
  [411, ['CRASH', set]],
  // The antenna of the receiver: 0 when it is cut off.
  [415, ['TAMPER', unset]],
  [758, ['TAMPER', set]],
])

/** @param elements of all the parts: the event's may be in another one */
function alarmOf(parts: readonly WireRecord[], elements: readonly Element[]): TrackerAlarm | null {
  for (const { eventId } of parts) {
    const event = EVENTS.get(eventId)
    if (event === undefined) continue
    const [type, isNow] = event
    if (elements.some(({ id, raw }) => id === eventId && isNow(raw))) return { type, eventKey: `ruptela.${eventId}` }
  }
  return null
}
