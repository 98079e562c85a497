import { DecodeError } from '../decode-error.js'
import type { Split } from '../tracker-codec.js'

export const PACKET = 0x01
export const GARMIN = 0x06
export const PHOTO = 0x07
const COMPRESSED = 0x08
const HEADERS: ReadonlySet<number> = new Set([PACKET, GARMIN, PHOTO, COMPRESSED])

/** Header and length. */
export const TAGS_AT = 3
export const CRC_BYTES = 2
const ARCHIVE_BIT = 0x8000
/** Of the tags, by the maker's words. */
const MOST_TAG_BYTES = 1000
/** An envelope of a satellite modem: header, length, and its first element is 28 bytes long. */
const ENVELOPE_MARK = Buffer.from([0x01, 0x00, 0x1c])
export const ENVELOPE_MARK_AT = 3
const ENVELOPE_HEAD = ENVELOPE_MARK_AT + ENVELOPE_MARK.length
const MOST_ENVELOPE_BYTES = 2048
/** Id and length of an element. */
const ELEMENT_HEAD = 3
export const LONGEST_FRAME = ENVELOPE_MARK_AT + MOST_ENVELOPE_BYTES

/** @source Galileosky, exchange protocol with the server, "Packet structure"; for satellite modems Iridium, Direct-IP */
export function splitGalileosky(bytes: Buffer): Split {
  const header = bytes.readUInt8(0)
  if (!HEADERS.has(header)) return lost('unknown_format', `no packet begins with 0x${header.toString(16)}`)
  if (bytes.length < TAGS_AT) return { kind: 'wait', length: TAGS_AT }
  const tagBytes = bytes.readUInt16LE(1) & ~ARCHIVE_BIT
  if (couldBeEnvelope(bytes)) {
    if (bytes.length >= ENVELOPE_HEAD) return envelopeOf(bytes, ENVELOPE_MARK_AT + bytes.readUInt16BE(1))
    // A packet without tags is shorter than the mark, and has it in the place of its checksum, which is another one.
    const isShorter = tagBytes === 0 && bytes.length < TAGS_AT + CRC_BYTES
    return { kind: 'wait', length: isShorter ? TAGS_AT + CRC_BYTES : ENVELOPE_HEAD }
  }
  if (tagBytes > MOST_TAG_BYTES) return lost('too_large', `${tagBytes} bytes of tags are more than ${MOST_TAG_BYTES}`)
  return frameOf(bytes, TAGS_AT + tagBytes + CRC_BYTES)
}

/** An element that is longer than its envelope need not be waited for. */
function envelopeOf(bytes: Buffer, end: number): Split {
  for (let at = ENVELOPE_MARK_AT; at < end && at + ELEMENT_HEAD <= bytes.length; ) {
    at += ELEMENT_HEAD + bytes.readUInt16BE(at + 1)
    if (at > end) return lost('bad_length', 'an element is longer than its envelope')
  }
  return frameOf(bytes, end)
}

/**
 * Whether a frame is an envelope of a satellite modem. Its mark tells, whatever its length would be for a packet: a packet that began like
 * that would have an unknown tag behind its first one.
 */
export function isEnvelope(bytes: Buffer): boolean {
  return bytes.length >= ENVELOPE_HEAD && couldBeEnvelope(bytes)
}

/** As far as the mark is there yet. @param bytes header and length, and what has come behind them */
function couldBeEnvelope(bytes: Buffer): boolean {
  const mark = bytes.subarray(ENVELOPE_MARK_AT, ENVELOPE_HEAD)
  const isBeginning = ENVELOPE_MARK.subarray(0, mark.length).equals(mark)
  return bytes.readUInt8(0) === PACKET && bytes.readUInt16BE(1) <= MOST_ENVELOPE_BYTES && isBeginning
}

function frameOf(bytes: Buffer, length: number): Split {
  return bytes.length < length ? { kind: 'wait', length } : { kind: 'frame', length }
}

function lost(code: 'unknown_format' | 'too_large' | 'bad_length', message: string): Split {
  return { kind: 'lost', error: new DecodeError(code, message) }
}
