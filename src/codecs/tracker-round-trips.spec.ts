import fc from 'fast-check'
import type { AttributeValue } from '../model/position.js'
import { type ElementFact, elementAttributes } from './element-facts.contract.js'
import { encodeRecordsPacket as encodeGalileosky } from './galileosky/encode-records.js'
import { GALILEOSKY_LENGTHS, tagAttributes } from './galileosky/galileosky-attributes.contract.js'
import { GALILEOSKY } from './galileosky/galileosky-codec.js'
import { encodeFixReport } from './queclink/encode-report.js'
import { QUECLINK } from './queclink/queclink-codec.js'
import { encodeRecordsFrame } from './ruptela/encode-records.js'
import { RUPTELA_FACTS } from './ruptela/ruptela-attributes.contract.js'
import { RUPTELA } from './ruptela/ruptela-codec.js'
import type { SentElement, SentRecord } from './sent-record.js'
import { encodeLogin, encodeRecordsDatagram, encodeRecordsPacket } from './teltonika/encode-records.js'
import { TELTONIKA_FACTS } from './teltonika/teltonika-attributes.contract.js'
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
}

/** Multiples of a step, so that nothing is lost on the way; divided, as decoders do, to be the same doubles. */
const multiples = (step: number, min: number, max: number) => {
  const perUnit = Math.round(1 / step)
  return fc.integer({ min: Math.ceil(min * perUnit), max: Math.floor(max * perUnit) }).map((n) => n / perUnit)
}

const MAX_TIME_MS = 4_102_444_800_000

/** Every step of the compass. */
function headings(step: number): fc.Arbitrary<number> {
  const perDegree = Math.round(1 / step)
  return fc.integer({ min: 0, max: 360 * perDegree - 1 }).map((n) => n / perDegree)
}

const NO_ELEMENTS: fc.Arbitrary<SentElement[]> = fc.constant([])

function records(grain: Grain, elements: fc.Arbitrary<SentElement[]> = NO_ELEMENTS): fc.Arbitrary<SentRecord> {
  return fc.record({
    timeMs: fc.integer({ min: 0, max: MAX_TIME_MS / grain.timeMs }).map((n) => n * grain.timeMs),
    latitude: multiples(grain.degrees, -90, 90),
    longitude: multiples(grain.degrees, -180, 180),
    altitudeM: multiples(grain.altitudeM, grain.leastAltitudeM, grain.mostAltitudeM),
    speedKmh: multiples(grain.speedKmh, 0, grain.mostSpeedKmh),
    headingDeg: headings(grain.headingDeg),
    satellites: fc.integer({ min: 0, max: grain.mostSatellites }),
    eventId: fc.nat(grain.mostEventId),
    elements,
  })
}

interface ElementRange {
  readonly facts: readonly ElementFact[]
  /** Sizes that the format has, in bytes. */
  readonly sizes: readonly number[]
  readonly mostId: number
}

const bytesOf = (size: number) => fc.uint8Array({ minLength: size, maxLength: size })

/** Those that have a name and any others, of their own size and of any, also several of one id. */
function elementsOf({ facts, sizes, mostId }: ElementRange): fc.Arbitrary<SentElement[]> {
  const ofAnySize = fc.constantFrom(...sizes).chain(bytesOf)
  const known = fc
    .constantFrom(...facts.filter(([id]) => id <= mostId))
    .chain((fact) => fc.record({ id: fc.constant(fact[0]), raw: fc.oneof(ownValue(fact, sizes), ofAnySize) }))
  const others = fc.record({ id: fc.integer({ min: 1, max: mostId }), raw: ofAnySize })
  return fc.array(fc.oneof(known, others), { maxLength: 20 })
}

/** Of its size; numbers are often small, and often the least or the most that there is. */
function ownValue([, bytes, , value]: ElementFact, sizes: readonly number[]): fc.Arbitrary<Uint8Array> {
  if (value === 'flag') return fc.nat(2).map((n) => Uint8Array.of(n))
  if (value === 'text') {
    const printable = fc.integer({ min: 0x20, max: 0x7e })
    return fc
      .constantFrom(...sizes.filter((size) => size > 0))
      .chain((size) => fc.array(printable, { minLength: size, maxLength: size }).map((all) => Uint8Array.from(all)))
  }
  const small = fc.integer({ min: -3000, max: 3000 }).map((n) => {
    const raw = Buffer.alloc(8)
    raw.writeBigInt64BE(BigInt(n))
    return raw.subarray(8 - bytes)
  })
  return fc.oneof(
    bytesOf(bytes),
    small,
    fc.constantFrom(0x00, 0xff).map((byte) => Buffer.alloc(bytes, byte)),
  )
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
      headingDeg: record.headingDeg,
      satellites: grain.tellsSatellites ? record.satellites : null,
    })
    const isNull = record.latitude === 0 && record.longitude === 0
    expect(decoded[i]?.hasFix).toBe(record.satellites > 0 && !isNull)
  }
}

/**
 * Every element is an attribute, by its name or by its id, with its value, and so is the event; nothing else is.
 * @param others attributes that records have besides
 */
function expectElements(
  decoded: readonly TrackerRecord[],
  sent: readonly SentRecord[],
  facts: readonly ElementFact[],
  others: (record: SentRecord) => Readonly<Record<string, AttributeValue>>,
): void {
  for (const [i, record] of sent.entries()) {
    expect(decoded[i]?.attributes).toStrictEqual({
      ...others(record),
      ...(record.eventId !== 0 && { event: record.eventId }),
      ...elementAttributes(inOrderOfTheWire(record.elements), facts),
    })
  }
}

const FIXED_SIZES = [1, 2, 4, 8]

/** By their sizes, and then as they were given. */
function inOrderOfTheWire(elements: readonly SentElement[]): { readonly id: number; readonly hex: string }[] {
  const groups = [
    ...FIXED_SIZES.map((size) => (bytes: number) => bytes === size),
    (n: number) => !FIXED_SIZES.includes(n),
  ]
  return groups
    .flatMap((isOf) => elements.filter(({ raw }) => isOf(raw.length)))
    .map(({ id, raw }) => ({ id, hex: Buffer.from(raw).toString('hex') }))
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
  }

  it.each(['8E', '16'] as const)('are the same in Codec %s of Teltonika', (codec) => {
    const sizes = codec === '8E' ? [0, 1, 2, 3, 4, 8, 17, 300] : FIXED_SIZES
    const elements = elementsOf({ facts: TELTONIKA_FACTS, sizes, mostId: 0xffff })
    const others = { priority: 0, ...(codec === '16' && { generationType: 7 }) }
    fc.assert(
      fc.property(fc.array(records(teltonika, elements), { maxLength: 255, size: '-1' }), (sent) => {
        const packet = encodeRecordsPacket(codec, sent)
        fc.pre(packet.length < TELTONIKA.maxFrameBytes)
        expect(TELTONIKA.split(packet)).toEqual({ kind: 'frame', length: packet.length })
        const { records: decoded } = TELTONIKA.decode(packet)
        expectSame(decoded, sent, teltonika)
        expectElements(decoded, sent, TELTONIKA_FACTS, () => others)
      }),
    )
  })

  it('are the same in Codec 8 of Teltonika, over a connection and as a datagram', () => {
    const elements = elementsOf({ facts: TELTONIKA_FACTS, sizes: FIXED_SIZES, mostId: 0xff })
    const short = { ...teltonika, mostEventId: 0xff }
    const ofPacket = fc.array(records(short, elements), { maxLength: 20 })
    fc.assert(
      fc.property(ofPacket, fc.nat(0xffff), fc.nat(0xff), (sent, packetId, avlPacketId) => {
        const { records: decoded } = TELTONIKA.decode(encodeRecordsPacket('8', sent))
        expectSame(decoded, sent, short)
        expectElements(decoded, sent, TELTONIKA_FACTS, () => ({ priority: 0 }))
        const datagram = encodeRecordsDatagram('352093086403655', { packetId, avlPacketId }, '8', sent)
        const [message] = TELTONIKA.decodeDatagram?.(datagram) ?? []
        if (message === undefined || message instanceof Error) throw new Error('no message')
        expect(message.records.map(({ span: _, ...record }) => record)).toEqual(
          decoded.map(({ span: _, ...record }) => record),
        )
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
  }

  const hdopOf = ({ satellites }: SentRecord) => ({ priority: 0, hdop: satellites === 0 ? 0 : 1 })

  it.each([true, false])('are the same in frames of Ruptela, extended: %s', (isExtended) => {
    const mostId = isExtended ? 0xffff : 0xff
    const elements = elementsOf({ facts: RUPTELA_FACTS, sizes: FIXED_SIZES, mostId })
    const grain = { ...ruptela, mostEventId: mostId }
    fc.assert(
      fc.property(fc.array(records(grain, elements), { maxLength: 4 }), (sent) => {
        const frame = encodeRecordsFrame('868324023580306', isExtended, sent)
        fc.pre(frame.length <= RUPTELA.maxFrameBytes)
        expect(RUPTELA.split(frame)).toEqual({ kind: 'frame', length: frame.length })
        const { imei, records: decoded } = RUPTELA.decode(frame)
        expect(imei).toBe('868324023580306')
        expectSame(decoded, sent, grain)
        expectElements(decoded, sent, RUPTELA_FACTS, hdopOf)
      }),
    )
  })

  it('are the same in datagrams of Ruptela, several frames in one', () => {
    const elements = elementsOf({ facts: RUPTELA_FACTS, sizes: FIXED_SIZES, mostId: 0xffff })
    const ofFrames = fc.array(fc.array(records(ruptela, elements), { minLength: 1, maxLength: 2 }), {
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
  }

  /** Behind the fields, the answers to commands left out. */
  const TAGS = [...GALILEOSKY_LENGTHS].filter(([tag]) => tag > '34' && tag !== 'e0')

  it('are the same in packets of Galileosky', () => {
    const values = fc
      .subarray(TAGS)
      .chain((tags) =>
        fc.tuple(
          ...tags.map(([tag, bytes]) => fc.record({ id: fc.constant(Number.parseInt(tag, 16)), raw: bytesOf(bytes) })),
        ),
      )
      .map((all): SentElement[] => all)
    fc.assert(
      fc.property(fc.array(records(galileosky, values), { maxLength: 30 }), (sent) => {
        const packet = encodeGalileosky(sent)
        fc.pre(packet.length <= 1005)
        expect(GALILEOSKY.split(packet)).toEqual({ kind: 'frame', length: packet.length })
        const { records: decoded } = GALILEOSKY.decode(packet)
        expectSame(decoded, sent, galileosky)
        for (const [i, { elements }] of sent.entries()) {
          const tags = elements.map(({ id, raw }) => ({ tag: id.toString(16), hex: Buffer.from(raw).toString('hex') }))
          expect(decoded[i]?.attributes ?? {}).toStrictEqual(tagAttributes(tags))
        }
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
  }

  it('are the same in reports of Queclink', () => {
    const ofReport = fc.array(records(queclink), { minLength: 1, maxLength: 15 })
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
    const ofReports = fc.array(fc.array(records(queclink), { minLength: 1, maxLength: 3 }), {
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

  it('head north where their course is rounded up to a whole turn', () => {
    const place = { latitude: 48.137154, longitude: 11.576124, altitudeM: 519, satellites: 9 }
    const sent = [{ ...place, timeMs: 0, speedKmh: 36, headingDeg: 359.996, eventId: 0, elements: [] }]
    const headings = [
      TELTONIKA.decode(encodeRecordsPacket('8', sent)),
      RUPTELA.decode(encodeRecordsFrame('868324023580306', true, sent)),
      GALILEOSKY.decode(encodeGalileosky(sent)),
      QUECLINK.decode(encodeFixReport('135790246811220', sent, 0)),
    ].flatMap(({ records }) => records.map(({ headingDeg }) => headingDeg))
    expect(headings).toEqual([0, 0, 0, 0])
  })
})
