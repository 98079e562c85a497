import { ByteReader } from '../byte-reader.js'
import { DecodeError } from '../decode-error.js'
import type { TrackerMessage } from '../tracker-codec.js'
import { decodeRecords } from './decode-records.js'
import { IMEI_DIGITS, LONGEST_DATA } from './framing.js'

/** What a datagram has before its data: length, packet id, a byte, the data's packet id, the IMEI. */
const HEADER_BYTES = 2 + 2 + 1 + 1 + 2 + IMEI_DIGITS
/** What follows the length in an answer: packet id, a byte, the data's packet id, the count. */
const ANSWER_BODY_BYTES = 5

/**
 * Decodes a packet that came as a datagram. Its length must be right: there is no checksum, and a datagram that was cut is told by
 * nothing else.
 * @throws DecodeError
 * @source Teltonika, Data sending protocols, "Sending data using UDP"
 */
export function decodeTeltonikaDatagram(datagram: Buffer): TrackerMessage {
  if (datagram.length > LONGEST_DATA + HEADER_BYTES) throw new DecodeError('too_large', `${datagram.length} bytes`)
  const reader = new ByteReader(datagram)
  const length = reader.uint16()
  if (length !== reader.left)
    throw new DecodeError('bad_length', `the length says ${length}, and ${reader.left} bytes are there`)
  const packetId = reader.uint16()
  const notUsable = reader.uint8()
  const avlPacketId = reader.uint8()
  if (reader.uint16() !== IMEI_DIGITS) throw new DecodeError('bad_identity', 'the IMEI has not 15 digits')
  const imei = reader.slice(IMEI_DIGITS).toString('latin1')
  if (!/^\d{15}$/.test(imei)) throw new DecodeError('bad_identity', 'the IMEI is not made of digits')
  const records = decodeRecords(datagram, reader.offset, datagram.length)
  const settled = Buffer.alloc(ANSWER_BODY_BYTES + 2)
  settled.writeUInt16BE(ANSWER_BODY_BYTES, 0)
  settled.writeUInt16BE(packetId, 2)
  settled.writeUInt8(notUsable, 4)
  settled.writeUInt8(avlPacketId, 5)
  settled.writeUInt8(records.length, 6)
  return { kind: 'records', imei, records, answers: { settled } }
}
