import { decodeFrames } from '../datagram-messages.js'
import { DecodeError } from '../decode-error.js'
import { recordHash } from '../record-hash.js'
import type { TrackerAnswers, TrackerCodec, TrackerFacts, TrackerMessage, TrackerReply } from '../tracker-codec.js'
import { decodeReport } from './decode-report.js'
import { modelOf } from './device-types.js'
import { encodeQueclinkCommand, replyKeyOf } from './encode-command.js'
import { END, LONGEST_FRAME, splitQueclink } from './framing.js'

const HEAD = /^\+(RESP|BUFF|ACK|NACK):(GT[A-Z0-9]{3})$/
const VERSION = /^(?:[0-9A-Fa-f]{6}|[0-9A-Fa-f]{10})$/
const IMEI = /^(?:\d{15}|[0-9A-Fa-f]{14})$/
const COUNT = /^[0-9A-Fa-f]{4}$/
const HEARTBEAT = 'GTHBD'
/** Head, version, identity, name, time, count. */
const FEWEST_FIELDS = 5
/** From the end: the number that the command came with, the time, the count. */
const SERIAL_FROM_END = 3

/** @Track in ASCII: reports, buffered reports, heartbeats and answers to commands, over TCP and UDP. */
export const QUECLINK: TrackerCodec = {
  protocol: 'queclink',
  brand: 'Queclink',
  maxFrameBytes: LONGEST_FRAME,
  survivesBadFrames: true,
  split: splitQueclink,
  decode: decodeQueclink,
  decodeDatagram: (datagram) => decodeFrames(datagram, QUECLINK),
  takesCommandsByDatagram: true,
  encodeCommand: encodeQueclinkCommand,
}

/** @throws DecodeError */
function decodeQueclink(frame: Buffer): TrackerMessage {
  if (frame[frame.length - 1] !== END) throw new DecodeError('bad_structure', 'the message has no end')
  const fields = frame.toString('utf8', 0, frame.length - 1).split(',')
  const [head = '', version = '', imei = ''] = fields
  const [, prefix, type] = HEAD.exec(head) ?? []
  if (prefix === undefined || type === undefined) throw new DecodeError('unknown_format', 'no message of this protocol')
  if (fields.length < FEWEST_FIELDS) throw new DecodeError('bad_structure', 'fields are missing')
  if (version !== '' && !VERSION.test(version)) throw new DecodeError('bad_structure', 'no version of the protocol')
  if (!IMEI.test(imei)) throw new DecodeError('bad_identity', 'neither 15 digits nor a MEID')
  const count = fields.at(-1) ?? ''
  // It goes back as it came, and must not bring anything along.
  if (!COUNT.test(count)) throw new DecodeError('bad_structure', 'the count number is not four hexadecimal digits')
  const common = { imei, ...factsOf(version) }
  if (prefix === 'ACK' && type === HEARTBEAT)
    return {
      kind: 'heartbeat',
      ...common,
      records: [],
      answers: { settled: encode(`+SACK:${HEARTBEAT},${version},${count}$`) },
    }
  if (prefix === 'ACK' || prefix === 'NACK')
    return { kind: 'reply', ...common, records: [], reply: replyOf(prefix, type, fields), answers: {} }
  // The same report comes with another prefix when it was kept for later: only what follows tells records apart.
  const base = recordHash(frame, frame.indexOf(':') + 1)
  const records = decodeReport({ type, version, fields, base, length: frame.length })
  const answers: TrackerAnswers = { settledWithSack: encode(`+SACK:${count}$`) }
  return { kind: records.length > 0 ? 'records' : 'other', ...common, records, answers }
}

function factsOf(version: string): { readonly facts?: TrackerFacts } {
  const known = modelOf(version)
  return known === undefined ? {} : { facts: { model: known.model } }
}

/** It means that the unit has taken the command, or refuses it; nothing else comes of it. */
function replyOf(prefix: 'ACK' | 'NACK', type: string, fields: readonly string[]): TrackerReply {
  const key = replyKeyOf(type, fields.at(-SERIAL_FROM_END) ?? '')
  const details = fields.slice(4, -SERIAL_FROM_END).join(',')
  const isDone = prefix === 'ACK'
  return { key, status: isDone ? 'done' : 'failed', result: null, message: details === '' ? null : details }
}

function encode(text: string): Buffer {
  return Buffer.from(text, 'latin1')
}
