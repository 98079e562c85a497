import { CRC16_ARC } from '../crc16.js'
import { DecodeError, orDecodeError } from '../decode-error.js'
import type { TrackerCodec, TrackerMessage } from '../tracker-codec.js'
import { decodeText, isMessageCodec, toMessage } from './decode-command-message.js'
import { decodeTeltonikaDatagram } from './decode-datagram.js'
import { decodeRecords, isRecordsCodec } from './decode-records.js'
import { encodeTeltonikaCommand } from './encode-command.js'
import { FRAME_BYTES, HEADER_BYTES, LONGEST_DATA, PING, splitTeltonika } from './framing.js'

const LET_IN = Buffer.from([1])
const NOT_LET_IN = Buffer.from([0])

/** Codec 8, 8 Extended and 16 for records (TCP and UDP), 12 to 15 for commands and texts. */
export const TELTONIKA: TrackerCodec = {
  protocol: 'teltonika',
  brand: 'Teltonika',
  maxFrameBytes: LONGEST_DATA + FRAME_BYTES,
  survivesBadFrames: false,
  split: splitTeltonika,
  decode: decodeTeltonika,
  decodeDatagram: (datagram) => [orDecodeError(() => decodeTeltonikaDatagram(datagram))],
  encodeCommand: encodeTeltonikaCommand,
}

function decodeTeltonika(frame: Buffer): TrackerMessage {
  if (frame.length < 2 || frame[0] === PING) return { kind: 'heartbeat', records: [], answers: {} }
  return frame.readUInt16BE(0) === 0 ? decodePacket(frame) : decodeLogin(frame)
}

/** @throws DecodeError `bad_identity` */
function decodeLogin(frame: Buffer): TrackerMessage {
  const imei = frame.toString('latin1', 2)
  if (!/^\d{15}$/.test(imei)) throw new DecodeError('bad_identity', 'the login is not made of 15 digits')
  return { kind: 'login', imei, records: [], answers: { settled: LET_IN, refused: NOT_LET_IN } }
}

/** @throws DecodeError */
function decodePacket(frame: Buffer): TrackerMessage {
  const end = frame.length - (FRAME_BYTES - HEADER_BYTES)
  if (end <= HEADER_BYTES) throw new DecodeError('bad_length', 'a packet without data')
  const sum = CRC16_ARC(frame, HEADER_BYTES, end)
  // All four bytes: the upper two are zero.
  if (frame.readUInt32BE(end) !== sum) throw new DecodeError('bad_checksum', 'the checksum does not hold')
  const codecId = frame.readUInt8(HEADER_BYTES)
  if (isMessageCodec(codecId)) return toMessage(decodeText(frame, HEADER_BYTES, end))
  if (!isRecordsCodec(codecId)) throw new DecodeError('unknown_format', `codec 0x${codecId.toString(16)}`)
  const records = decodeRecords(frame, HEADER_BYTES, end)
  const settled = Buffer.alloc(4)
  settled.writeUInt32BE(records.length)
  return { kind: 'records', records, answers: { settled } }
}
