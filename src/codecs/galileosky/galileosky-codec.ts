import { ByteReader } from '../byte-reader.js'
import { CRC16_MODBUS } from '../crc16.js'
import { DecodeError } from '../decode-error.js'
import { refusedRecord } from '../refused-record.js'
import type { TrackerCodec, TrackerMessage, TrackerReply } from '../tracker-codec.js'
import { decodeCyrillic } from './cyrillic.js'
import { BINARY, COMMAND_NUMBER, decodeRecord, IMEI, recordsOf, TEXT, unreadRest } from './decode-records.js'
import { encodeGalileoskyCommand, replyKeyOf } from './encode-command.js'
import {
  CRC_BYTES,
  ENVELOPE_MARK_AT,
  GARMIN,
  isEnvelope,
  LONGEST_FRAME,
  PACKET,
  PHOTO,
  splitGalileosky,
  TAGS_AT,
} from './framing.js'
import { splitTags, type Tag } from './split-tags.js'

const CONFIRMED = 0x02

/** Packets of tags over TCP, commands and their answers; envelopes of satellite modems. Compressed packets are not read, nor confirmed. */
export const GALILEOSKY: TrackerCodec = {
  protocol: 'galileosky',
  brand: 'Galileosky',
  maxFrameBytes: LONGEST_FRAME,
  survivesBadFrames: false,
  split: splitGalileosky,
  decode: decodeGalileosky,
  encodeCommand: encodeGalileoskyCommand,
}

/**
 * The device repeats what is not confirmed by the packet's own checksum: one that does not hold is never sent back.
 * @throws DecodeError
 */
function decodeGalileosky(frame: Buffer): TrackerMessage {
  if (frame.length < TAGS_AT + CRC_BYTES) throw new DecodeError('bad_length', 'too short for a packet')
  if (isEnvelope(frame)) return decodeEnvelope(frame)
  const end = frame.length - CRC_BYTES
  const sum = frame.subarray(end)
  if (sum.readUInt16LE() !== CRC16_MODBUS(frame, 0, end))
    throw new DecodeError('bad_checksum', 'the checksum does not hold')
  const header = frame.readUInt8(0)
  const confirmedBy = (byte: number) => ({ settled: Buffer.concat([Buffer.of(byte), sum]) })
  if (header === PACKET) return { ...decodeTags(frame, TAGS_AT, end), answers: confirmedBy(CONFIRMED) }
  if (header === PHOTO) {
    const part = refusedRecord('a part of a photo, which is not put together', [0, frame.length])
    return { kind: 'other', records: [part], answers: confirmedBy(PHOTO) }
  }
  if (header === GARMIN) return { kind: 'other', records: [], answers: {} }
  throw new DecodeError('unknown_format', 'compressed packets are not read')
}

/**
 * A packet with an unknown tag is confirmed, since coming again it would be no more readable: its rest is refused, and kept with the
 * last record if that has a time. Where nothing could be read that has a time or a name it is not: encrypted packets look like that, and
 * the unit keeps what they hold.
 * @throws DecodeError `bad_structure` | `bad_identity` | `unknown_format`
 */
function decodeTags(bytes: Buffer, start: number, end: number): Omit<TrackerMessage, 'answers'> {
  const split = splitTags(bytes, start, end)
  const unread = split.unreadFrom === undefined ? undefined : bytes.subarray(split.unreadFrom, end)
  const imei = imeiIn(split.tags)
  const all = recordsOf(split)
  const answer = all.find(isAnswer)
  const read = all.flatMap((tags, i) => {
    const isLast = i === all.length - 1
    return decodeRecord(bytes, tags, { isAnswer: tags === answer, unread: isLast ? unread : undefined }) ?? []
  })
  const reply = answer === undefined ? undefined : replyOf(answer)
  const isNothing = imei === undefined && reply === undefined && read.every(({ timeMs }) => Number.isNaN(timeMs))
  if (unread !== undefined && isNothing)
    throw new DecodeError('unknown_format', `tag 0x${unread[0]?.toString(16)} is not known, and nothing before it`)
  const records = split.unreadFrom === undefined ? read : [...read, unreadRest(all, split.unreadFrom, end)]
  const sender = imei === undefined ? {} : { imei }
  if (reply !== undefined) return { kind: 'reply', ...sender, records, reply }
  if (records.length > 0) return { kind: 'records', ...sender, records }
  return { kind: imei === undefined ? 'other' : 'login', ...sender, records }
}

/** @throws DecodeError `bad_identity` not digits, or two devices in one packet */
function imeiIn(tags: readonly Tag[]): string | undefined {
  const imeis = new Set(tags.filter(({ tag }) => tag === IMEI).map(({ value }) => value.toString('latin1')))
  const [imei] = imeis
  if (imei !== undefined && !/^\d{15}$/.test(imei))
    throw new DecodeError('bad_identity', 'the IMEI is not made of digits')
  if (imeis.size > 1) throw new DecodeError('bad_identity', 'two devices in one packet')
  return imei
}

function isAnswer(tags: readonly Tag[]): boolean {
  const has = (wanted: number) => tags.some(({ tag }) => tag === wanted)
  return has(COMMAND_NUMBER) && (has(TEXT) || has(BINARY))
}

/** What is no text in it is the result, as hex. */
function replyOf(tags: readonly Tag[]): TrackerReply {
  const find = (wanted: number) => tags.find(({ tag }) => tag === wanted)?.value
  const [number, text, binary] = [find(COMMAND_NUMBER), find(TEXT), find(BINARY)]
  return {
    key: replyKeyOf(number?.readUInt32LE() ?? 0),
    status: 'done',
    result: binary?.toString('hex') ?? null,
    message: text === undefined ? null : decodeCyrillic(text).trim(),
  }
}

const HEADER_ELEMENT = 0x01
const CONTENT_ELEMENT = 0x02
/** Within the element of the header: a number of the envelope stands before the modem's IMEI. */
const MODEM_IMEI_AT = 4
const IMEI_DIGITS = 15
/** Sessions of these states brought the content whole. */
const GOOD_SESSION = 2

/**
 * An envelope of a satellite modem; the identity is the modem's, and nothing is sent back.
 * @throws DecodeError
 */
function decodeEnvelope(frame: Buffer): TrackerMessage {
  const reader = new ByteReader(frame, ENVELOPE_MARK_AT)
  let header: Buffer | undefined
  let content: readonly [start: number, end: number] | undefined
  while (reader.left > 0) {
    const id = reader.uint8()
    const length = reader.uint16()
    const start = reader.offset
    const value = reader.slice(length)
    if (id === HEADER_ELEMENT) header = value
    if (id === CONTENT_ELEMENT) content = [start, reader.offset]
  }
  const imei = header?.toString('latin1', MODEM_IMEI_AT, MODEM_IMEI_AT + IMEI_DIGITS) ?? ''
  if (!/^\d{15}$/.test(imei)) throw new DecodeError('bad_identity', 'the IMEI is not made of digits')
  const status = header?.[MODEM_IMEI_AT + IMEI_DIGITS] ?? Number.POSITIVE_INFINITY
  if (content === undefined || status > GOOD_SESSION) return { kind: 'other', imei, records: [], answers: {} }
  return { ...decodeTags(frame, ...content), imei, answers: {} }
}
