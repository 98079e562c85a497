import { CRC16_KERMIT } from '../crc16.js'
import { decodeFrames } from '../datagram-messages.js'
import { DecodeError } from '../decode-error.js'
import type { TrackerCodec, TrackerFacts, TrackerMessage, TrackerReply } from '../tracker-codec.js'
import { decodeRecords } from './decode-records.js'
import { decodeTroubleCodes } from './decode-trouble-codes.js'
import { encodeAnswer, encodeRuptelaCommand } from './encode.js'
import { COMMAND_AT, IMEI_AT, LONGEST_FRAME, PAYLOAD_AT, payloadEnd, splitRuptela } from './framing.js'

const LONGEST_IMEI = 999_999_999_999_999n
const IMEI_DIGITS = 15
/** "Come back in three hours": a device that is not known need not knock every few minutes. */
const REFUSE_FOR_MINUTES = 180
const IDENTIFICATION_ANSWER = 0x73

/** Records, extended records, identification, heartbeat, commands and their replies: the same frames over TCP and UDP, each with its IMEI. */
export const RUPTELA: TrackerCodec = {
  protocol: 'ruptela',
  brand: 'Ruptela',
  maxFrameBytes: LONGEST_FRAME,
  survivesBadFrames: false,
  split: splitRuptela,
  decode: decodeRuptela,
  decodeDatagram: (datagram) => decodeFrames(datagram, RUPTELA),
  encodeCommand: encodeRuptelaCommand,
}

/**
 * A positive answer to records makes the device erase them: nothing whose checksum does not hold gets so far.
 * @throws DecodeError
 */
function decodeRuptela(frame: Buffer): TrackerMessage {
  const end = payloadEnd(frame)
  if (end < PAYLOAD_AT) throw new DecodeError('bad_length', 'too short for IMEI and command')
  if (frame.readUInt16BE(end) !== CRC16_KERMIT(frame, IMEI_AT, end))
    throw new DecodeError('bad_checksum', 'the checksum does not hold')
  const imei = imeiOf(frame.readBigUInt64BE(IMEI_AT))
  const payload = frame.subarray(PAYLOAD_AT, end)
  const command = frame.readUInt8(COMMAND_AT)
  switch (command) {
    case 0x01:
    case 0x44: {
      const records = decodeRecords(frame, PAYLOAD_AT, end, command === 0x44)
      return { kind: 'records', imei, records, answers: { settled: encodeAnswer(0x64, Buffer.of(1)) } }
    }
    case 0x0f:
    case 0x12: {
      const facts = command === 0x0f ? factsOf(payload) : dynamicFactsOf(payload)
      const refused = encodeAnswer(IDENTIFICATION_ANSWER, Buffer.of(2, REFUSE_FOR_MINUTES))
      const settled = encodeAnswer(IDENTIFICATION_ANSWER, Buffer.of(1))
      return { kind: 'login', imei, records: [], facts, answers: { settled, refused } }
    }
    case 0x10:
      return { kind: 'heartbeat', imei, records: [], answers: { settled: encodeAnswer(0x74, Buffer.of(1)) } }
    case 0x09:
      return {
        kind: 'records',
        imei,
        records: decodeTroubleCodes(frame, PAYLOAD_AT, end),
        answers: { settled: encodeAnswer(0x6d, Buffer.of(1)) },
      }
    case 0x02:
    case 0x03:
    case 0x04:
    case 0x07:
    case 0x11:
      return { kind: 'reply', imei, records: [], reply: replyOf(command, payload), answers: {} }
    default:
      return { kind: 'other', imei, records: [], answers: {} }
  }
}

/** @throws DecodeError `bad_identity` */
function imeiOf(value: bigint): string {
  if (value === 0n || value > LONGEST_IMEI) throw new DecodeError('bad_identity', 'not an IMEI')
  return value.toString().padStart(IMEI_DIGITS, '0')
}

function factsOf(payload: Buffer): TrackerFacts {
  return toFacts(payload.toString('latin1', 0, 4))
}

/** Id of a parameter of identification. */
const MODEL = 1

function dynamicFactsOf(payload: Buffer): TrackerFacts {
  let facts: TrackerFacts = {}
  for (let at = 2; at + 2 <= payload.length; ) {
    const [id, length] = [payload[at], payload[at + 1] ?? 0]
    if (id === MODEL) facts = { ...facts, ...toFacts(payload.toString('latin1', at + 2, at + 2 + length)) }
    at += 2 + length
  }
  return facts
}

/** What is no plain text is not shown to anybody. */
function toFacts(text: string): TrackerFacts {
  const model = text.trim()
  return /^[\x20-\x7e]{1,64}$/.test(model) ? { model } : {}
}

const SET_IO_ANSWER = 0x11
/** What one byte says of an element that was to be set. */
const SET_IO = ['done', 'failed', 'unsupported'] as const

/** Answers are known by their command ids: one command of each kind is under way at a time. */
function replyOf(command: number, payload: Buffer): TrackerReply {
  const key = command.toString(16)
  if (command === SET_IO_ANSWER) {
    const outcome = SET_IO[payload[0] ?? SET_IO.length] ?? 'an unknown result'
    return { key, status: outcome === 'done' ? 'done' : 'failed', result: null, message: outcome }
  }
  return { key, status: 'done', result: null, message: payload.toString('latin1').trim() }
}
