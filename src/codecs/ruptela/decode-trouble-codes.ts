import { recordHash } from '../record-hash.js'
import { refusedRecord } from '../refused-record.js'
import type { TrackerRecord } from '../tracker-codec.js'
import { degreesOf } from './decode-records.js'

const CODE_BYTES = 19
const TIME_AT = 1
const LONGITUDE_AT = 5
const LATITUDE_AT = 9
const STATUS_AT = 13
const TEXT_AT = 14
const SOURCES: ReadonlyMap<number, string> = new Map([
  [0xff, 'OBD'],
  [0x01, 'J1939'],
  [0x02, 'J1708'],
])
const STATUSES: ReadonlyMap<number, string> = new Map([
  [1, 'current'],
  [2, 'history'],
])
const PRINTABLE = /^[\x20-\x7e]+$/

/**
 * Decodes the payload of trouble codes (`09`): a count, and for each code its time and place. The unit erases them when they are answered, so
 * that what is not laid out like that is refused, and kept.
 * @returns in the order of the packet; without a fix, since how the place came to be known is not told
 */
export function decodeTroubleCodes(frame: Buffer, start: number, end: number): TrackerRecord[] {
  if (start === end) return []
  const count = frame.readUInt8(start)
  const records: TrackerRecord[] = []
  let at = start + 1
  for (; records.length < count && at + CODE_BYTES <= end; at += CODE_BYTES) records.push(decodeCode(frame, at))
  if (records.length === count && at === end) return records
  return [...records, refusedRecord(`${count} trouble codes are announced and not there`, [start, end])]
}

function decodeCode(frame: Buffer, start: number): TrackerRecord {
  const end = start + CODE_BYTES
  const [source, status] = [frame.readUInt8(start), frame.readUInt8(start + STATUS_AT)]
  const code = frame.subarray(start + TEXT_AT, end)
  const text = code.toString('latin1')
  const [longitude, latitude] = [frame.readInt32BE(start + LONGITUDE_AT), frame.readInt32BE(start + LATITUDE_AT)]
  return {
    timeMs: frame.readUInt32BE(start + TIME_AT) * 1000,
    discriminator: recordHash(frame, start, end),
    hasFix: false,
    ...degreesOf(longitude, latitude),
    altitudeM: null,
    speedKmh: null,
    headingDeg: null,
    accuracyM: null,
    satellites: null,
    attributes: {
      faultSource: SOURCES.get(source) ?? source,
      faultCode: PRINTABLE.test(text) ? text : code.toString('hex'),
      faultStatus: STATUSES.get(status) ?? status,
    },
    alarm: null,
    span: [start, end],
  }
}
