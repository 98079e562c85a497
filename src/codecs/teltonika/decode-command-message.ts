import { ByteReader } from '../byte-reader.js'
import { DecodeError } from '../decode-error.js'
import type { TrackerMessage } from '../tracker-codec.js'

export const CODEC_12 = 0x0c
const CODEC_13 = 0x0d
export const CODEC_14 = 0x0e
const CODEC_15 = 0x0f
export const TYPE_COMMAND = 0x05
const TYPE_RESPONSE = 0x06
const TYPE_REFUSAL = 0x11
const MESSAGE_CODECS: ReadonlySet<number> = new Set([CODEC_12, CODEC_13, CODEC_14, CODEC_15])
/** There is no number in the protocol: one command is under way, and the next response is its. */
export const REPLY_KEY = 'response'
const PRINTABLE = /^[\t\r\n\x20-\x7e]*$/

export function isMessageCodec(codecId: number): boolean {
  return MESSAGE_CODECS.has(codecId)
}

/** A message of the text codecs as it stands in the frame. */
export interface TeltonikaText {
  readonly codec: 12 | 13 | 14 | 15
  readonly type: number
  /** What the frame says of the size. */
  readonly size: number
  /** Of Codec 13 and 15. */
  readonly timeMs?: number
  /** Of Codec 14 and 15. */
  readonly imei?: string
  readonly payload: Buffer
}

/**
 * Decodes a message of Codec 12, 13, 14 or 15. The quantities are not looked at, as the documents say.
 * @throws DecodeError `bad_structure` | `bad_length` | `bad_identity`
 * @source Teltonika, Data sending protocols, "Codec 12", "Codec 13", "Codec 14", "Codec 15"
 */
export function decodeText(frame: Buffer, start: number, end: number): TeltonikaText {
  const reader = new ByteReader(frame, start, end)
  const codec = reader.uint8() as TeltonikaText['codec']
  reader.uint8() // quantity
  const type = reader.uint8()
  const size = reader.uint32()
  // Without the quantity at the end: the outer length is the safe guide, since some sizes do not count the time.
  const body = reader.slice(Math.max(0, reader.left - 1))
  reader.uint8() // quantity
  reader.assertAtEnd()
  const own = new ByteReader(body)
  switch (codec) {
    case CODEC_13: {
      const timeMs = takeTimeMs(own)
      assertSize(size, body.length, own.left)
      return { codec, type, size, timeMs, payload: own.slice(own.left) }
    }
    case CODEC_14:
      assertSize(size, body.length)
      return { codec, type, size, imei: takeImei(own), payload: own.slice(own.left) }
    case CODEC_15:
      assertSize(size, body.length)
      return { codec, type, size, timeMs: own.uint32() * 1000, imei: takeImei(own), payload: own.slice(own.left) }
    default:
      assertSize(size, body.length)
      return { codec, type, size, payload: own.slice(own.left) }
  }
}

/** What the message is to us: the answer to a command, or something that nobody asked for. */
export function toMessage({ codec, type, imei, payload }: TeltonikaText): TrackerMessage {
  // A unit logs in before it says anything, and only the answer to that lets it go on.
  const sender = imei === undefined ? {} : { imei, needsLogin: true }
  const isRefusal = codec === CODEC_14 && type === TYPE_REFUSAL
  if (isRefusal)
    return {
      kind: 'reply',
      ...sender,
      records: [],
      reply: { key: REPLY_KEY, status: 'failed', result: null, message: 'the unit has another IMEI' },
      answers: {},
    }
  const isReply = (codec === CODEC_12 || codec === CODEC_14) && type === TYPE_RESPONSE
  if (!isReply) return { kind: 'other', ...sender, records: [], answers: {} }
  const message = textOf(payload)
  return {
    kind: 'reply',
    ...sender,
    records: [],
    reply: { key: REPLY_KEY, status: 'done', result: null, message },
    answers: {},
  }
}

/** As text where it is one, else as hex. */
export function textOf(payload: Buffer): string {
  const text = payload.toString('latin1')
  return PRINTABLE.test(text) ? text.trim() : payload.toString('hex')
}

function assertSize(size: number, ...expected: readonly number[]): void {
  if (!expected.includes(size))
    throw new DecodeError('bad_length', `the size says ${size}, and ${expected[0]} bytes are there`)
}

/** Milliseconds in eight bytes, as documented, or seconds in four, as some units send them: until 2038 the first byte tells. */
function takeTimeMs(reader: ByteReader): number {
  const high = reader.uint32()
  return high < 0x1000_0000 ? high * 0x1_0000_0000 + reader.uint32() : high * 1000
}

/** Sixteen digits, two a byte; the first is 0. */
function takeImei(reader: ByteReader): string {
  const digits = reader.slice(8).toString('hex')
  if (!/^0\d{15}$/.test(digits)) throw new DecodeError('bad_identity', 'the IMEI is not made of digits')
  return digits.slice(1)
}
