import { DecodeError } from '../decode-error.js'
import type { Split } from '../tracker-codec.js'

const LENGTH_BYTES = 2
const CRC_BYTES = 2
/** IMEI and command. */
const SHORTEST_BODY = 9
/** 1,024 bytes in all. */
const LONGEST_BODY = 1020
export const IMEI_AT = LENGTH_BYTES
export const COMMAND_AT = IMEI_AT + 8
export const PAYLOAD_AT = COMMAND_AT + 1
export const LONGEST_FRAME = LENGTH_BYTES + LONGEST_BODY + CRC_BYTES

/**
 * A frame is its length, the body, and a checksum. Nothing marks its beginning, so that a wrong length spoils the stream for good.
 */
export function splitRuptela(bytes: Buffer): Split {
  if (bytes.length < LENGTH_BYTES) return { kind: 'wait', length: LENGTH_BYTES }
  const body = bytes.readUInt16BE(0)
  if (body < SHORTEST_BODY || body > LONGEST_BODY) {
    const code = body > LONGEST_BODY ? 'too_large' : 'bad_length'
    return {
      kind: 'lost',
      error: new DecodeError(code, `a frame has ${SHORTEST_BODY} to ${LONGEST_BODY} bytes, not ${body}`),
    }
  }
  // What is not even the beginning of an IMEI need not be waited for: another protocol, or a length that was wrong.
  if (bytes.length > IMEI_AT && bytes.readUInt8(IMEI_AT) !== 0)
    return { kind: 'lost', error: new DecodeError('bad_identity', 'no IMEI is that long') }
  const length = LENGTH_BYTES + body + CRC_BYTES
  return bytes.length < length ? { kind: 'wait', length } : { kind: 'frame', length }
}

/** Where the payload of a whole frame ends. */
export function payloadEnd(frame: Buffer): number {
  return frame.length - CRC_BYTES
}
