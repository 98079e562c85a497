import { DecodeError } from '../decode-error.js'
import type { Split } from '../tracker-codec.js'

/** Preamble, length and checksum around the data. */
export const HEADER_BYTES = 8
export const FRAME_BYTES = HEADER_BYTES + 4
export const IMEI_DIGITS = 15
/** Codec id, two counts, and a byte between them: nothing shorter means anything. */
const SHORTEST_DATA = 3
/** Packets have at most 1,280 bytes by the documents, answers of cameras some 2,000. */
export const LONGEST_DATA = 8192
export const PING = 0xff
/** So many at once are one. */
const MOST_PINGS = 1024
const LOGIN_BYTES = 2 + IMEI_DIGITS

/**
 * There are three openings: a ping (one byte, and those right after it are no more than one), a login (its length and 15 digits), and a packet (four zero bytes and its length).
 * @source Teltonika, Data sending protocols, "Communication with server" and "AVL data packet"
 */
export function splitTeltonika(bytes: Buffer): Split {
  if (bytes[0] === PING) return { kind: 'frame', length: countPings(bytes) }
  if (bytes.length < 2) return { kind: 'wait', length: 2 }
  return bytes.readUInt16BE(0) === 0 ? splitPacket(bytes) : splitLogin(bytes)
}

function countPings(bytes: Buffer): number {
  let count = 1
  while (count < MOST_PINGS && bytes[count] === PING) count++
  return count
}

function splitLogin(bytes: Buffer): Split {
  // Also the first bytes of HTTP and TLS, which would be lengths of thousands.
  if (bytes.readUInt16BE(0) !== IMEI_DIGITS) return lost('bad_identity', 'neither a packet nor a login of 15 digits')
  return bytes.length < LOGIN_BYTES ? { kind: 'wait', length: LOGIN_BYTES } : { kind: 'frame', length: LOGIN_BYTES }
}

function splitPacket(bytes: Buffer): Split {
  if (bytes.length < HEADER_BYTES) return { kind: 'wait', length: HEADER_BYTES }
  if (bytes.readUInt32BE(0) !== 0) return lost('bad_structure', 'the preamble is not zero')
  const data = bytes.readUInt32BE(4)
  if (data < SHORTEST_DATA) return lost('bad_length', `no packet has ${data} bytes of data`)
  if (data > LONGEST_DATA) return lost('too_large', `${data} bytes of data are more than ${LONGEST_DATA}`)
  const length = data + FRAME_BYTES
  return bytes.length < length ? { kind: 'wait', length } : { kind: 'frame', length }
}

function lost(code: 'bad_identity' | 'bad_structure' | 'bad_length' | 'too_large', message: string): Split {
  return { kind: 'lost', error: new DecodeError(code, message) }
}
