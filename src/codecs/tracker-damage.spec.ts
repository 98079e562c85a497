import { CRC16_ARC, CRC16_KERMIT, CRC16_MODBUS } from './crc16.js'
import { DecodeError } from './decode-error.js'
import { encodeTagPacket } from './galileosky/encode-records.js'
import { GALILEOSKY } from './galileosky/galileosky-codec.js'
import { QUECLINK } from './queclink/queclink-codec.js'
import { encodeRecordsFrame, encodeUnitFrame } from './ruptela/encode-records.js'
import { RUPTELA } from './ruptela/ruptela-codec.js'
import type { SentRecord } from './sent-record.js'
import { encodePacket } from './teltonika/encode-command.js'
import { encodeRecordsPacket } from './teltonika/encode-records.js'
import { TELTONIKA } from './teltonika/teltonika-codec.js'
import type { TrackerCodec, TrackerMessage } from './tracker-codec.js'
import { framesOf } from './tracker-frames.contract.js'
import { toDecodedRecord } from './tracker-report.js'

const IMEI = '352093086403655'

/** What a connection reads of the bytes, as long as it may go on. */
function messagesIn(codec: TrackerCodec, bytes: Buffer): TrackerMessage[] {
  const messages: TrackerMessage[] = []
  for (let rest = bytes; rest.length > 0; ) {
    const split = codec.split(rest)
    if (split.kind === 'wait' || split.kind === 'lost') break
    try {
      if (split.kind === 'frame') messages.push(codec.decode(rest.subarray(0, split.length)))
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      if (!codec.survivesBadFrames) break
    }
    rest = rest.subarray(split.length)
  }
  return messages
}

/** Frames of records as units sent them; logins, and the envelopes of satellite modems, have nothing that tells a flipped digit. */
const framesWithData = (protocol: string) =>
  framesOf(protocol)
    .filter(
      ({ transport, direction, kind }) => transport === 'tcp' && direction === 'device->server' && kind === 'data',
    )
    .map(({ hex }) => Buffer.from(hex, 'hex'))

function flipped(bytes: Buffer, bit: number): Buffer {
  const changed = Buffer.from(bytes)
  changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
  return changed
}

/** With each brand's sum of each range that a unit could be taken to mean, written either way round. @param sumBytes of the checksum */
function wronglySealed(frame: Buffer, sumBytes: number): Buffer[] {
  const end = frame.length - 2
  return [CRC16_ARC, CRC16_KERMIT, CRC16_MODBUS].flatMap((crc) =>
    [0, 1, 2, 3, 4, 8].flatMap((start) => {
      const [big, little] = [Buffer.from(frame), Buffer.from(frame)]
      const sum = crc(frame, start, frame.length - sumBytes)
      big.writeUInt16BE(sum, end)
      little.writeUInt16LE(sum, end)
      return [big, little]
    }),
  )
}

describe.each([TELTONIKA, RUPTELA, GALILEOSKY].map((codec) => [codec.protocol, codec] as const))(
  'damaged frames of %s',
  (protocol, codec) => {
    const frames = framesWithData(protocol).filter((frame) => codec.decode(frame).answers.settled !== undefined)

    it('16: are told by their checksums whatever single bit is flipped, at least 10,000 of them', () => {
      const taken: string[] = []
      let flips = 0
      for (const frame of frames) {
        for (let bit = 0; bit < frame.length * 8; bit++, flips++) {
          const damaged = flipped(frame, bit)
          if (messagesIn(codec, damaged).length > 0) taken.push(damaged.toString('hex'))
        }
      }
      expect(taken).toEqual([])
      expect(flips).toBeGreaterThan(10_000)
    })

    it('18: say nothing at any length but the whole', () => {
      for (const frame of frames) {
        for (let length = 1; length < frame.length; length++)
          expect(messagesIn(codec, frame.subarray(0, length))).toEqual([])
      }
    })

    it('are told when both bytes of the checksum are swapped, or when it is that of something else', () => {
      for (const frame of frames) {
        const swapped = Buffer.from(frame)
        swapped.subarray(-2).swap16()
        for (const wrong of [swapped, ...wronglySealed(frame, protocol === 'teltonika' ? 4 : 2)]) {
          const isTheSame = wrong.equals(frame)
          expect([messagesIn(codec, wrong).length, isTheSame]).toEqual([isTheSame ? 1 : 0, isTheSame])
        }
      }
    })
  },
)

describe('damaged messages of queclink', () => {
  it('16: never bring what is outside of the ranges, whatever single bit is flipped', () => {
    let flips = 0
    for (const frame of framesWithData('queclink')) {
      for (let bit = 0; bit < frame.length * 8; bit++, flips++) {
        const records = messagesIn(QUECLINK, flipped(frame, bit)).flatMap((message) => message.records)
        for (const record of records) {
          const { position, refusal } = toDecodedRecord(record, IMEI, 0)
          if (refusal !== undefined) continue
          const { latitude, longitude, speedKmh, headingDeg, timeMs } = position ?? {}
          const isSound =
            Math.abs(latitude ?? 0) <= 90 &&
            Math.abs(longitude ?? 0) <= 180 &&
            (speedKmh ?? 0) >= 0 &&
            (speedKmh ?? 0) <= 999.9 &&
            (headingDeg ?? 0) >= 0 &&
            (headingDeg ?? 0) < 360 &&
            Number.isFinite(timeMs)
          if (!isSound) throw new Error(`${JSON.stringify(position)} of bit ${bit} in ${frame.toString('latin1')}`)
        }
      }
    }
    expect(flips).toBeGreaterThan(10_000)
  })

  it('18: say nothing at any length but the whole', () => {
    for (const frame of framesWithData('queclink')) {
      for (let length = 1; length < frame.length; length++)
        expect(messagesIn(QUECLINK, frame.subarray(0, length))).toEqual([])
    }
  })
})

/** A length or a count as it stands in a frame. */
type Field = readonly [name: string, at: number, bytes: 1 | 2 | 4]

/** Other values that it is given: none, one, the most that it can be, one more and one less. */
function wrongValues(value: number, bytes: number): number[] {
  const most = 256 ** bytes - 1
  const wrong = new Set([0, 1, most, value - 1, value + 1])
  return [...wrong].filter((one) => one !== value && one >= 0 && one <= most)
}

const element = (id: number, size: number) => ({ id, raw: Buffer.alloc(size, id & 0xff) })
const RECORD: SentRecord = {
  timeMs: 1_700_000_000_000,
  latitude: 48.1,
  longitude: 11.5,
  altitudeM: 519,
  speedKmh: 70,
  headingDeg: 90,
  satellites: 9,
  eventId: 0,
  elements: [element(201, 1), element(202, 2), element(203, 4), element(204, 8)],
}

/** Every wrong value of every field must leave nothing that is read. @param seal makes the checksum hold again */
function expectRefused(
  codec: TrackerCodec,
  frame: Buffer,
  fields: readonly Field[],
  seal: (frame: Buffer) => Buffer,
): void {
  expect(messagesIn(codec, frame).length).toBe(1)
  expect(seal(Buffer.from(frame)).equals(frame)).toBe(true)
  const taken: string[] = []
  for (const [name, at, bytes] of fields) {
    for (const wrong of wrongValues(frame.readUIntBE(at, bytes), bytes)) {
      const changed = Buffer.from(frame)
      changed.writeUIntBE(wrong, at, bytes)
      if (messagesIn(codec, seal(changed)).length > 0) taken.push(`${name} ${wrong}`)
    }
  }
  expect(taken).toEqual([])
}

describe('19: lengths and counts that are wrong, with a checksum that holds', () => {
  const sealTeltonika = (frame: Buffer) => {
    const sealed = encodePacket(frame.subarray(8, -4))
    frame.copy(sealed, 0, 0, 8)
    return sealed
  }

  it('are refused in Codec 8 of Teltonika', () => {
    const frame = encodeRecordsPacket('8', [RECORD])
    const fields: Field[] = [
      ['length', 4, 4],
      ['first count', 9, 1],
      ['elements', 35, 1],
      ['of one byte', 36, 1],
      ['of two bytes', 39, 1],
      ['of four bytes', 43, 1],
      ['of eight bytes', 49, 1],
      ['second count', frame.length - 5, 1],
    ]
    expectRefused(TELTONIKA, frame, fields, sealTeltonika)
  })

  it('are refused in Codec 8 Extended of Teltonika', () => {
    const frame = encodeRecordsPacket('8E', [{ ...RECORD, elements: [...RECORD.elements, element(205, 5)] }])
    const fields: Field[] = [
      ['length', 4, 4],
      ['first count', 9, 1],
      ['elements', 36, 2],
      ['of one byte', 38, 2],
      ['of two bytes', 43, 2],
      ['of four bytes', 49, 2],
      ['of eight bytes', 57, 2],
      ['of any length', 69, 2],
      ['length of an element', 73, 2],
      ['second count', frame.length - 5, 1],
    ]
    expectRefused(TELTONIKA, frame, fields, sealTeltonika)
  })

  it('are refused in Codec 16 of Teltonika', () => {
    const frame = encodeRecordsPacket('16', [RECORD])
    const fields: Field[] = [
      ['length', 4, 4],
      ['first count', 9, 1],
      ['elements', 37, 1],
      ['of one byte', 38, 1],
      ['of two bytes', 42, 1],
      ['of four bytes', 47, 1],
      ['of eight bytes', 54, 1],
      ['second count', frame.length - 5, 1],
    ]
    expectRefused(TELTONIKA, frame, fields, sealTeltonika)
  })

  it.each<readonly [name: string, isExtended: boolean, groups: readonly [number, number, number, number]]>([
    ['44', true, [38, 42, 47, 54]],
    ['01', false, [36, 39, 43, 49]],
  ])('are refused in frames of Ruptela, of command %s', (name, isExtended, [ones, twos, fours, eights]) => {
    const frame = encodeRecordsFrame(IMEI, isExtended, [RECORD])
    const fields: Field[] = [
      ['length', 0, 2],
      ['count', 12, 1],
      ['of one byte', ones, 1],
      ['of two bytes', twos, 1],
      ['of four bytes', fours, 1],
      ['of eight bytes', eights, 1],
    ]
    expectRefused(RUPTELA, frame, fields, (changed) => {
      const sealed = encodeUnitFrame(IMEI, Number.parseInt(name, 16), changed.subarray(11, -2))
      changed.copy(sealed, 0, 0, 2)
      return sealed
    })
  })

  it.each([
    ['a text', 0xe1, 1],
    ['an array', 0xea, 1],
    ['extended tags', 0xfe, 2],
  ] as const)('are refused in packets of Galileosky, of the packet and of %s', (_, tag, bytes) => {
    // The rest of a value that is cut too early reads as the beginning of a tag that is not whole.
    const value = Buffer.alloc(7, 0x20)
    const length = Buffer.alloc(bytes)
    length.writeUIntLE(value.length, 0, bytes)
    const time = Buffer.from('200010' + '5e5c', 'hex')
    const head = Buffer.concat([Buffer.of(0x03), Buffer.from(IMEI), time])
    const frame = encodeTagPacket(Buffer.concat([head, Buffer.of(tag), length, value]))
    const at = 3 + head.length + 1
    const taken: number[] = []
    for (const wrong of wrongValues(value.length, bytes)) {
      const changed = Buffer.from(frame)
      changed.writeUIntLE(wrong, at, bytes)
      if (messagesIn(GALILEOSKY, encodeTagPacket(changed.subarray(3, -2))).length > 0) taken.push(wrong)
    }
    expect(taken).toEqual([])
    const tags = frame.length - 5
    for (const wrong of [...wrongValues(tags, 2), tags | 0x8000]) {
      const changed = Buffer.from(frame)
      changed.writeUInt16LE(wrong, 1)
      expect(messagesIn(GALILEOSKY, changed)).toEqual([])
    }
  })
})
