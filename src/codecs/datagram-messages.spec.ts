import { sentRecord } from '../../test/support/tracker-brand.js'
import { DecodeError } from './decode-error.js'
import { QUECLINK } from './queclink/queclink-codec.js'
import { encodeRecordsFrame } from './ruptela/encode-records.js'
import { RUPTELA } from './ruptela/ruptela-codec.js'
import type { TrackerCodec, TrackerMessage } from './tracker-codec.js'
import { framesOf } from './tracker-frames.contract.js'

const bytesOf = (brand: string, id: string) =>
  Buffer.from(framesOf(brand).find((frame) => frame.id === id)?.hex ?? '', 'hex')

/** Kinds of messages, and codes of what is none. */
const outcomesOf = (codec: TrackerCodec, ...parts: readonly Buffer[]) =>
  read(codec, ...parts).map((one) => (one instanceof DecodeError ? one.code : one.kind))

function read(codec: TrackerCodec, ...parts: readonly Buffer[]): ReadonlyArray<TrackerMessage | DecodeError> {
  return codec.decodeDatagram?.(Buffer.concat(parts)) ?? []
}

const fromDevice = (brand: string) =>
  framesOf(brand)
    .filter(({ direction, kind }) => direction === 'device->server' && kind !== 'two-frames')
    .map((one) => [one.id, one] as const)

describe.each([
  ['queclink', QUECLINK],
  ['ruptela', RUPTELA],
] as const)('a datagram of %s', (brand, codec) => {
  it.each(fromDevice(brand))('says what the same frame says on a connection: %s', (_, { hex }) => {
    const frame = Buffer.from(hex, 'hex')
    const split = codec.split(frame)
    if (split.kind !== 'frame' || split.length !== frame.length) return
    expect(read(codec, frame)).toEqual([codec.decode(frame)])
  })

  it.each(fromDevice(brand))('that was cut holds nothing but an error: %s', (_, { hex }) => {
    const frame = Buffer.from(hex, 'hex')
    const split = codec.split(frame)
    const length = split.kind === 'frame' ? split.length : frame.length
    for (let cut = 1; cut < length; cut += 7) {
      const [only, ...others] = read(codec, frame.subarray(0, cut))
      expect([only instanceof DecodeError, others.length]).toEqual([true, 0])
    }
  })

  it('that is empty holds nothing', () => {
    expect(read(codec, Buffer.alloc(0))).toEqual([])
  })
})

describe('a datagram of Ruptela', () => {
  const IMEI = '868324023580306'
  const record = sentRecord(0)
  const first = encodeRecordsFrame(IMEI, true, [record])
  const second = encodeRecordsFrame(IMEI, true, [{ ...record, timeMs: record.timeMs + 1000 }])
  const spoiled = Buffer.from(second)
  spoiled[20] = (spoiled[20] ?? 0) ^ 1

  it('holds several frames, each with its answer, and says where in it their records lie', () => {
    const messages = read(RUPTELA, first, second) as TrackerMessage[]
    expect(messages.map(({ imei }) => imei)).toEqual([IMEI, IMEI])
    expect(messages.map(({ answers }) => answers.settled?.toString('hex'))).toEqual(['0002640113bc', '0002640113bc'])
    const [one, other] = messages.map(({ records }) => records[0]?.span ?? [0, 0])
    expect(other).toEqual([(one?.[0] ?? 0) + first.length, (one?.[1] ?? 0) + first.length])
    expect(messages[1]?.records[0]?.discriminator).toBe(RUPTELA.decode(second).records[0]?.discriminator)
  })

  it('ends with what is no frame, or whose checksum does not hold: its length may be what is wrong', () => {
    expect(outcomesOf(RUPTELA, first, spoiled, second)).toEqual(['records', 'bad_checksum'])
    expect(outcomesOf(RUPTELA, first, Buffer.from('ffffffff', 'hex'))).toEqual(['records', 'too_large'])
    expect(outcomesOf(RUPTELA, first, Buffer.from('0001', 'hex'))).toEqual(['records', 'bad_length'])
    expect(outcomesOf(RUPTELA, first, second.subarray(0, -1))).toEqual(['records', 'bad_structure'])
  })
})

describe('a datagram of Queclink', () => {
  const heartbeat = bytesOf('queclink', 'que-hbd-gv200-udp-vendor')
  const rubbish = Buffer.from('+RESP:GTXXX,1,2$')

  it('holds several messages, with ends of lines between them', () => {
    expect(outcomesOf(QUECLINK, heartbeat, Buffer.from('\r\n\0'), heartbeat)).toEqual(['heartbeat', 'heartbeat'])
  })

  it('goes on after a message that cannot be read, and ends with one that was cut', () => {
    expect(outcomesOf(QUECLINK, rubbish, heartbeat, heartbeat.subarray(0, -1))).toEqual([
      'bad_structure',
      'heartbeat',
      'bad_structure',
    ])
  })

  it('is given up after some dozens of messages that cannot be read', () => {
    const many = Array.from({ length: 400 }, () => rubbish)
    expect(outcomesOf(QUECLINK, ...many, heartbeat)).toEqual(Array.from({ length: 32 }, () => 'bad_structure'))
  })
})
