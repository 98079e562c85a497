import fc from 'fast-check'
import { encodeRecordsPacket as encodeGalileosky } from './galileosky/encode-records.js'
import { GALILEOSKY } from './galileosky/galileosky-codec.js'
import { encodeFixReport } from './queclink/encode-report.js'
import { QUECLINK } from './queclink/queclink-codec.js'
import { encodeRecordsFrame } from './ruptela/encode-records.js'
import { RUPTELA } from './ruptela/ruptela-codec.js'
import type { SentRecord } from './sent-record.js'
import { encodeLogin, encodeRecordsDatagram, encodeRecordsPacket } from './teltonika/encode-records.js'
import { TELTONIKA } from './teltonika/teltonika-codec.js'
import type { TrackerCodec, TrackerRecord } from './tracker-codec.js'

/** How finely a format says each field. */
interface Grain {
  readonly timeMs: number
  readonly degrees: number
  readonly altitudeM: number
  readonly leastAltitudeM: number
  readonly mostAltitudeM: number
  readonly speedKmh: number
  readonly mostSpeedKmh: number
  readonly headingDeg: number
  readonly mostSatellites: number
  /** The number itself, and not only whether there are any. */
  readonly tellsSatellites: boolean
  /** 0: it says none. */
  readonly mostEventId: number
  /** The number of an element of up to four bytes, as its bytes go over the wire. */
  readonly isLittleEndian: boolean
  /** Of the ids of elements in the names of attributes. */
  readonly idRadix: 10 | 16
}

/** Multiples of a step, so that nothing is lost on the way; divided, as decoders do, to be the same doubles. */
const multiples = (step: number, min: number, max: number) => {
  const perUnit = Math.round(1 / step)
  return fc.integer({ min: Math.ceil(min * perUnit), max: Math.floor(max * perUnit) }).map((n) => n / perUnit)
}

const MAX_TIME_MS = 4_102_444_800_000

function records(grain: Grain, ids: fc.Arbitrary<number>, sizes: readonly number[]): fc.Arbitrary<SentRecord> {
  const raw = fc.constantFrom(...sizes).chain((size) => fc.uint8Array({ minLength: size, maxLength: size }))
  return fc.record({
    timeMs: fc.integer({ min: 0, max: MAX_TIME_MS / grain.timeMs }).map((n) => n * grain.timeMs),
    latitude: multiples(grain.degrees, -90, 90),
    longitude: multiples(grain.degrees, -180, 180),
    altitudeM: multiples(grain.altitudeM, grain.leastAltitudeM, grain.mostAltitudeM),
    speedKmh: multiples(grain.speedKmh, 0, grain.mostSpeedKmh),
    headingDeg: multiples(grain.headingDeg, 0, 359.9),
    satellites: fc.integer({ min: 0, max: grain.mostSatellites }),
    eventId: fc.nat(grain.mostEventId),
    elements: fc.uniqueArray(fc.record({ id: ids, raw }), { selector: ({ id }) => id, maxLength: 20 }),
  })
}

function expectSame(decoded: readonly TrackerRecord[], sent: readonly SentRecord[], grain: Grain): void {
  expect(decoded.length).toBe(sent.length)
  for (const [i, record] of sent.entries()) {
    const { latitude, longitude, altitudeM, speedKmh, headingDeg, timeMs, satellites } = decoded[i] as TrackerRecord
    expect({ timeMs, latitude, longitude, altitudeM, speedKmh, headingDeg, satellites }).toEqual({
      timeMs: record.timeMs,
      latitude: record.latitude + 0,
      longitude: record.longitude + 0,
      altitudeM: record.altitudeM + 0,
      speedKmh: record.speedKmh,
      headingDeg: Math.round(record.headingDeg / grain.headingDeg) * grain.headingDeg >= 360 ? 0 : record.headingDeg,
      satellites: grain.tellsSatellites ? record.satellites : null,
    })
    const isNull = record.latitude === 0 && record.longitude === 0
    expect(decoded[i]?.hasFix).toBe(record.satellites > 0 && !isNull)
  }
}

/** Every element is an attribute by its id, with its value, and so is the event. @param others attributes that records have besides */
function expectElements(
  decoded: readonly TrackerRecord[],
  sent: readonly SentRecord[],
  { isLittleEndian, idRadix }: Grain,
  others: readonly string[] = [],
): void {
  for (const [i, { elements, eventId }] of sent.entries()) {
    const told = Object.entries(decoded[i]?.attributes ?? {}).filter(([name]) => !others.includes(name))
    expect(Object.fromEntries(told)).toEqual({
      ...(eventId !== 0 && { event: eventId }),
      ...Object.fromEntries(
        elements.map(({ id, raw }) => [`io.${id.toString(idRadix)}`, rawValue(raw, isLittleEndian)]),
      ),
    })
  }
}

function rawValue(raw: Uint8Array, isLittleEndian: boolean): number | string {
  const hex = Buffer.from(raw).toString('hex')
  if (raw.length === 0 || raw.length > 4) return hex
  const bytes = isLittleEndian ? [...raw].reverse() : [...raw]
  return bytes.reduce((value, byte) => value * 256 + byte, 0)
}

/** Each frame says what it says by itself, and where in the datagram its records lie. */
function expectDatagram(
  codec: TrackerCodec,
  frames: readonly Buffer[],
  sent: readonly (readonly SentRecord[])[],
  grain: Grain,
): void {
  const messages = codec.decodeDatagram?.(Buffer.concat(frames)) ?? []
  expect(messages.length).toBe(frames.length)
  let start = 0
  for (const [i, frame] of frames.entries()) {
    const message = messages[i]
    if (message === undefined || message instanceof Error) throw new Error('no message')
    expectSame(message.records, sent[i] ?? [], grain)
    const alone = codec.decode(frame)
    expect(message.answers).toEqual(alone.answers)
    const spans = alone.records.map(({ span: [from, to] }) => [from + start, to + start])
    expect(message.records.map(({ span }) => span)).toEqual(spans)
    start += frame.length
  }
}

const NONE_KNOWN = fc.integer({ min: 3000, max: 9000 })

describe('records that are encoded and decoded again', () => {
  const teltonika: Grain = {
    timeMs: 1,
    degrees: 1e-7,
    altitudeM: 1,
    leastAltitudeM: -0x8000,
    mostAltitudeM: 0x7fff,
    speedKmh: 1,
    mostSpeedKmh: 65_535,
    headingDeg: 1,
    mostSatellites: 255,
    tellsSatellites: true,
    mostEventId: 0xffff,
    isLittleEndian: false,
    idRadix: 10,
  }

  it.each(['8E', '16'] as const)('are the same in Codec %s of Teltonika', (codec) => {
    const sizes = codec === '8E' ? [0, 1, 2, 3, 4, 8, 17, 300] : [1, 2, 4, 8]
    fc.assert(
      fc.property(fc.array(records(teltonika, NONE_KNOWN, sizes), { maxLength: 255, size: '-1' }), (sent) => {
        const packet = encodeRecordsPacket(codec, sent)
        fc.pre(packet.length < TELTONIKA.maxFrameBytes)
        expect(TELTONIKA.split(packet)).toEqual({ kind: 'frame', length: packet.length })
        const { records: decoded } = TELTONIKA.decode(packet)
        expectSame(decoded, sent, teltonika)
        expectElements(decoded, sent, teltonika, ['priority', 'generationType'])
      }),
    )
  })

  it('are the same in Codec 8 of Teltonika, over a connection and as a datagram', () => {
    const ids = fc.integer({ min: 100, max: 112 })
    const short = { ...teltonika, mostEventId: 0xff }
    const ofPacket = fc.array(records(short, ids, [1, 2, 4, 8]), { maxLength: 20 })
    fc.assert(
      fc.property(ofPacket, fc.nat(0xffff), fc.nat(0xff), (sent, packetId, avlPacketId) => {
        const { records: decoded } = TELTONIKA.decode(encodeRecordsPacket('8', sent))
        expectSame(decoded, sent, short)
        expectElements(decoded, sent, short, ['priority'])
        const datagram = encodeRecordsDatagram('352093086403655', { packetId, avlPacketId }, '8', sent)
        const [message] = TELTONIKA.decodeDatagram?.(datagram) ?? []
        if (message === undefined || message instanceof Error) throw new Error('no message')
        expectSame(message.records, sent, teltonika)
        expect(message.imei).toBe('352093086403655')
        const answer = message.answers.settled
        expect([answer?.readUInt16BE(2), answer?.readUInt8(5), answer?.readUInt8(6)]).toEqual([
          packetId,
          avlPacketId,
          sent.length,
        ])
      }),
    )
  })

  it('name the unit that logs in', () => {
    expect(TELTONIKA.decode(encodeLogin('356307042441013')).imei).toBe('356307042441013')
  })

  const ruptela: Grain = {
    timeMs: 1000,
    degrees: 1e-7,
    altitudeM: 0.1,
    // The lowest number of altitude, and the highest of speed and satellites, say that there is none.
    leastAltitudeM: -3276.7,
    mostAltitudeM: 3276.7,
    speedKmh: 1,
    mostSpeedKmh: 65_534,
    headingDeg: 0.01,
    mostSatellites: 254,
    tellsSatellites: true,
    mostEventId: 0xffff,
    isLittleEndian: false,
    idRadix: 10,
  }

  it.each([true, false])('are the same in frames of Ruptela, extended: %s', (isExtended) => {
    const ids = isExtended ? NONE_KNOWN : fc.integer({ min: 210, max: 250 })
    const grain = { ...ruptela, mostEventId: isExtended ? 0xffff : 0xff }
    fc.assert(
      fc.property(fc.array(records(grain, ids, [1, 2, 4, 8]), { maxLength: 4 }), (sent) => {
        const frame = encodeRecordsFrame('868324023580306', isExtended, sent)
        fc.pre(frame.length <= RUPTELA.maxFrameBytes)
        expect(RUPTELA.split(frame)).toEqual({ kind: 'frame', length: frame.length })
        const { imei, records: decoded } = RUPTELA.decode(frame)
        expect(imei).toBe('868324023580306')
        expectSame(decoded, sent, grain)
        expectElements(decoded, sent, grain, ['priority', 'hdop'])
      }),
    )
  })

  it('are the same in datagrams of Ruptela, several frames in one', () => {
    const ofFrames = fc.array(fc.array(records(ruptela, NONE_KNOWN, [1, 2, 4, 8]), { minLength: 1, maxLength: 2 }), {
      minLength: 1,
      maxLength: 5,
    })
    fc.assert(
      fc.property(ofFrames, (sent) => {
        const frames = sent.map((some) => encodeRecordsFrame('868324023580306', true, some))
        fc.pre(frames.every(({ length }) => length <= RUPTELA.maxFrameBytes))
        expectDatagram(RUPTELA, frames, sent, ruptela)
      }),
    )
  })

  const galileosky: Grain = {
    timeMs: 1000,
    degrees: 1e-6,
    altitudeM: 1,
    leastAltitudeM: -0x8000,
    mostAltitudeM: 0x7fff,
    speedKmh: 0.1,
    mostSpeedKmh: 6553.5,
    headingDeg: 0.1,
    mostSatellites: 15,
    tellsSatellites: true,
    mostEventId: 0,
    isLittleEndian: true,
    idRadix: 16,
  }

  it('are the same in packets of Galileosky', () => {
    fc.assert(
      fc.property(fc.array(records(galileosky, fc.constant(0), [1]), { maxLength: 30 }), (some) => {
        const sent = some.map((record, i) => ({
          ...record,
          elements: [0xe2, 0xe3, 0xe9].map((id) => ({ id, raw: Buffer.from([i, 1, 2, id]) })),
        }))
        const packet = encodeGalileosky(sent)
        fc.pre(packet.length <= 1005)
        expect(GALILEOSKY.split(packet)).toEqual({ kind: 'frame', length: packet.length })
        const { records: decoded } = GALILEOSKY.decode(packet)
        expectSame(decoded, sent, galileosky)
        expectElements(decoded, sent, galileosky)
      }),
    )
  })

  const queclink: Grain = {
    timeMs: 1000,
    degrees: 1e-6,
    altitudeM: 0.1,
    leastAltitudeM: -9999.9,
    mostAltitudeM: 99_999.9,
    speedKmh: 0.1,
    mostSpeedKmh: 999.9,
    headingDeg: 1,
    mostSatellites: 1,
    tellsSatellites: false,
    mostEventId: 0,
    isLittleEndian: false,
    idRadix: 10,
  }

  it('are the same in reports of Queclink', () => {
    const ofReport = fc.array(records(queclink, fc.constant(0), [1]), { minLength: 1, maxLength: 15 })
    fc.assert(
      fc.property(ofReport, fc.nat(0xffff), (sent, count) => {
        const report = encodeFixReport('135790246811220', sent, count)
        expect(QUECLINK.split(report)).toEqual({ kind: 'frame', length: report.length })
        const { imei, records: decoded, answers } = QUECLINK.decode(report)
        expect(imei).toBe('135790246811220')
        expectSame(decoded, sent, queclink)
        const hex = count.toString(16).toUpperCase().padStart(4, '0')
        expect(answers.settledWithSack?.toString()).toBe(`+SACK:${hex}$`)
      }),
    )
  })

  it('are the same in datagrams of Queclink, several reports in one', () => {
    const ofReports = fc.array(fc.array(records(queclink, fc.constant(0), [1]), { minLength: 1, maxLength: 3 }), {
      minLength: 1,
      maxLength: 5,
    })
    fc.assert(
      fc.property(ofReports, (sent) => {
        const reports = sent.map((some, count) => encodeFixReport('135790246811220', some, count))
        expectDatagram(QUECLINK, reports, sent, queclink)
      }),
    )
  })
})
