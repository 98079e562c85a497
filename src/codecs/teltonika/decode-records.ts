import { ByteReader } from '../byte-reader.js'
import { DecodeError } from '../decode-error.js'
import { recordHash } from '../record-hash.js'
import { TrackerAttributes } from '../tracker-attributes.js'
import type { TrackerRecord } from '../tracker-codec.js'
import { teltonikaAlarm } from './teltonika-alarms.js'
import { TELTONIKA_ELEMENTS } from './teltonika-elements.js'

/** How the element block of a codec is laid out. */
interface Layout {
  readonly name: string
  /** Bytes of an element's id, and of the event's. */
  readonly idBytes: 1 | 2
  /** Bytes of each count of elements. */
  readonly countBytes: 1 | 2
  readonly hasGenerationType: boolean
  readonly hasVariableElements: boolean
}

/** By codec id. */
const LAYOUTS: ReadonlyMap<number, Layout> = new Map([
  [0x08, { name: '8', idBytes: 1, countBytes: 1, hasGenerationType: false, hasVariableElements: false }],
  [0x8e, { name: '8E', idBytes: 2, countBytes: 2, hasGenerationType: false, hasVariableElements: true }],
  [0x10, { name: '16', idBytes: 2, countBytes: 1, hasGenerationType: true, hasVariableElements: false }],
])
const FIXED_SIZES = [1, 2, 4, 8]
const COORDINATE_DIGITS = 1e7

export function isRecordsCodec(codecId: number): boolean {
  return LAYOUTS.has(codecId)
}

/**
 * Decodes codec id, count, records and count again.
 * @param frame holds them from `start` up to `end`, exclusive
 * @returns 0..255 records in the order of the packet; km/h, metres, UTC
 * @throws DecodeError `unknown_format` | `count_mismatch` | `bad_structure`
 * @source Teltonika, Data sending protocols, "Codec 8", "Codec 8 Extended", "Codec 16"
 */
export function decodeRecords(frame: Buffer, start: number, end: number): TrackerRecord[] {
  const reader = new ByteReader(frame, start, end)
  const codecId = reader.uint8()
  const layout = LAYOUTS.get(codecId)
  if (layout === undefined) throw new DecodeError('unknown_format', `no records in codec 0x${codecId.toString(16)}`)
  const count = reader.uint8()
  const records: TrackerRecord[] = []
  for (let i = 0; i < count; i++) records.push(decodeRecord(frame, reader, layout))
  const again = reader.uint8()
  if (again !== count)
    throw new DecodeError('count_mismatch', `${count} records at the beginning and ${again} at the end`)
  reader.assertAtEnd()
  return records
}

function decodeRecord(frame: Buffer, reader: ByteReader, layout: Layout): TrackerRecord {
  const start = reader.offset
  const timeMs = reader.uint64()
  const priority = reader.uint8()
  const longitude = degrees(reader.int32())
  const latitude = degrees(reader.int32())
  const altitudeM = reader.int16()
  const courseDeg = reader.uint16()
  const satellites = reader.uint8()
  const speedKmh = reader.uint16()
  const attributes = new TrackerAttributes()
  attributes.add('priority', priority)
  const { eventId, eventValue } = decodeElements(reader, layout, attributes)
  return {
    timeMs,
    discriminator: recordHash(frame, start, reader.offset),
    // Without satellites the place is the last one known, or 0/0.
    hasFix: satellites > 0 && !(latitude === 0 && longitude === 0),
    latitude,
    longitude,
    altitudeM,
    speedKmh,
    headingDeg: courseDeg % 360,
    accuracyM: null,
    satellites,
    attributes: attributes.toAttributes(),
    alarm: teltonikaAlarm(eventId, eventValue),
    span: [start, reader.offset],
  }
}

interface ElementsSeen {
  readonly eventId: number
  readonly eventValue: number | undefined
}

function decodeElements(reader: ByteReader, layout: Layout, attributes: TrackerAttributes): ElementsSeen {
  const eventId = number(reader, layout.idBytes)
  if (eventId !== 0) attributes.add('event', eventId)
  if (layout.hasGenerationType) attributes.add('generationType', reader.uint8())
  const total = number(reader, layout.countBytes)
  let seen = 0
  let eventValue: number | undefined
  const take = (bytes: number | undefined) => {
    const id = number(reader, layout.idBytes)
    const raw = reader.slice(bytes ?? reader.uint16())
    attributes.addElement(id, raw, TELTONIKA_ELEMENTS.get(id))
    if (id === eventId && raw.length > 0 && raw.length <= 4) eventValue = raw.readUIntBE(0, raw.length)
    seen++
  }
  for (const bytes of FIXED_SIZES) for (let left = number(reader, layout.countBytes); left > 0; left--) take(bytes)
  if (layout.hasVariableElements) for (let left = reader.uint16(); left > 0; left--) take(undefined)
  if (seen !== total) throw new DecodeError('count_mismatch', `${total} elements are announced and ${seen} are there`)
  return { eventId, eventValue }
}

function number(reader: ByteReader, bytes: 1 | 2): number {
  return bytes === 1 ? reader.uint8() : reader.uint16()
}

/** Ten millionths of a degree. Divided, not multiplied: the nearest double to the decimal number. */
function degrees(raw: number): number {
  return raw / COORDINATE_DIGITS
}
