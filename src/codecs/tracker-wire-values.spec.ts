import fc from 'fast-check'
import { encodePartsFrame, type SentPart } from '../../test/support/ruptela-parts.js'
import type { Attributes } from '../model/position.js'
import { CRC16_ARC, CRC16_KERMIT } from './crc16.js'
import { elementAttributes } from './element-facts.contract.js'
import { encodeTagPacket } from './galileosky/encode-records.js'
import {
  GALILEOSKY_LENGTHS,
  refrigeratorBytes,
  tagAttributes,
  type WireTag,
} from './galileosky/galileosky-attributes.contract.js'
import { GALILEOSKY } from './galileosky/galileosky-codec.js'
import { QUECLINK } from './queclink/queclink-codec.js'
import { encodeRecordsFrame } from './ruptela/encode-records.js'
import { RUPTELA_FACTS } from './ruptela/ruptela-attributes.contract.js'
import { RUPTELA } from './ruptela/ruptela-codec.js'
import type { SentElement, SentRecord } from './sent-record.js'
import { encodeRecordsPacket } from './teltonika/encode-records.js'
import { TELTONIKA } from './teltonika/teltonika-codec.js'

/*
 * What the encoders never write: every number that a field can hold, the ones that say "none", and records in parts. Bytes and texts are put
 * together here, and what they mean is said here once more.
 */

const RUPTELA_IMEI = '868324023580306'
const NO_COORDINATE = -0x8000_0000
const NO_ALTITUDE = -0x8000

const BLANK: SentRecord = {
  timeMs: Date.UTC(2026, 4, 17, 12),
  latitude: 0,
  longitude: 0,
  altitudeM: 0,
  speedKmh: 0,
  headingDeg: 0,
  satellites: 0,
  eventId: 0,
  elements: [],
}

/** The numbers of a fix as they lie in a record, next to each other. */
interface RawFix {
  readonly longitude: number
  readonly latitude: number
  readonly altitude: number
  readonly course: number
  readonly satellites: number
  readonly speed: number
  /** Of Ruptela. */
  readonly hdop: number
}

const FIXES: fc.Arbitrary<RawFix> = fc.record({
  longitude: orOne(fc.integer({ min: NO_COORDINATE, max: 0x7fff_ffff }), NO_COORDINATE, 0),
  latitude: orOne(fc.integer({ min: NO_COORDINATE, max: 0x7fff_ffff }), NO_COORDINATE, 0),
  altitude: orOne(fc.integer({ min: NO_ALTITUDE, max: 0x7fff }), NO_ALTITUDE),
  course: orOne(fc.nat(0xffff), 359, 360, 35_991, 35_999, 36_000, 0xfffe, 0xffff),
  satellites: orOne(fc.nat(0xff), 0, 0xfe, 0xff),
  speed: orOne(fc.nat(0xffff), 0xfffe, 0xffff),
  hdop: orOne(fc.nat(0xff), 0xfe, 0xff),
})

/** Now and then one of those that are special. */
function orOne(all: fc.Arbitrary<number>, ...special: readonly number[]): fc.Arbitrary<number> {
  return fc.oneof({ arbitrary: all, weight: 3 }, { arbitrary: fc.constantFrom(...special), weight: 1 })
}

/** @param at where the longitude stands in a record */
function withFixes(frame: Buffer, starts: readonly number[], at: number, fixes: readonly RawFix[]): Buffer {
  for (const [i, start] of starts.entries()) {
    const { longitude, latitude, altitude, course, satellites, speed } = fixes[i] as RawFix
    frame.writeInt32BE(longitude, start + at)
    frame.writeInt32BE(latitude, start + at + 4)
    frame.writeInt16BE(altitude, start + at + 8)
    frame.writeUInt16BE(course, start + at + 10)
    frame.writeUInt8(satellites, start + at + 12)
    frame.writeUInt16BE(speed, start + at + 13)
  }
  return frame
}

describe('whatever number stands in a fix', () => {
  it.each(['8', '8E', '16'] as const)('is read in Codec %s of Teltonika', (codec) => {
    fc.assert(
      fc.property(fc.array(FIXES, { minLength: 1, maxLength: 5 }), (fixes) => {
        const blank = encodeRecordsPacket(
          codec,
          fixes.map(() => BLANK),
        )
        const starts = TELTONIKA.decode(blank).records.map(({ span }) => span[0])
        const packet = withFixes(blank, starts, 9, fixes)
        packet.writeUInt32BE(CRC16_ARC(packet, 8, packet.length - 4), packet.length - 4)
        const told = TELTONIKA.decode(packet).records
        expect(told.map(fieldsOf)).toEqual(
          fixes.map(({ longitude, latitude, altitude, course, satellites, speed }) => ({
            latitude: latitude / 1e7,
            longitude: longitude / 1e7,
            altitudeM: altitude,
            headingDeg: course % 360,
            satellites,
            speedKmh: speed,
            hasFix: satellites > 0 && (longitude !== 0 || latitude !== 0),
          })),
        )
      }),
    )
  })

  it.each([true, false])(
    'is read in frames of Ruptela, also where it says that there is none, extended: %s',
    (isExtended) => {
      fc.assert(
        fc.property(fc.array(FIXES, { minLength: 1, maxLength: 5 }), (fixes) => {
          const blank = encodeRecordsFrame(
            RUPTELA_IMEI,
            isExtended,
            fixes.map(() => BLANK),
          )
          const starts = RUPTELA.decode(blank).records.map(({ span }) => span[0])
          const at = isExtended ? 7 : 6
          const frame = withFixes(blank, starts, at, fixes)
          for (const [i, start] of starts.entries()) frame.writeUInt8(fixes[i]?.hdop ?? 0, start + at + 15)
          frame.writeUInt16BE(CRC16_KERMIT(frame, 2, frame.length - 2), frame.length - 2)
          const told = RUPTELA.decode(frame).records
          expect(told.map(fieldsOf)).toEqual(fixes.map(ruptelaFields))
          expect(told.map(({ attributes }) => attributes)).toStrictEqual(
            fixes.map(({ hdop }) => ({
              priority: 0,
              ...(hdop === 0xfe && { positionSource: 'cells' }),
              ...(hdop < 0xfe && { hdop: hdop / 10 }),
            })),
          )
        }),
      )
    },
  )

  const ruptelaFields = ({ longitude, latitude, altitude, course, satellites, speed, hdop }: RawFix) => {
    const isSomewhere = longitude !== NO_COORDINATE && latitude !== NO_COORDINATE
    const isNull = longitude === 0 && latitude === 0
    const sees = satellites > 0 && satellites < 0xff && hdop !== 0xfe
    return {
      latitude: isSomewhere ? latitude / 1e7 : null,
      longitude: isSomewhere ? longitude / 1e7 : null,
      altitudeM: altitude === NO_ALTITUDE ? null : altitude / 10,
      headingDeg: course === 0xffff ? null : (course % 36_000) / 100,
      satellites: satellites === 0xff ? null : satellites,
      speedKmh: speed === 0xffff ? null : speed,
      hasFix: isSomewhere && !isNull && sees,
    }
  }
})

const fieldsOf = (record: ReturnType<typeof RUPTELA.decode>['records'][number]) => {
  const { latitude, longitude, altitudeM, headingDeg, satellites, speedKmh, hasFix } = record
  return { latitude, longitude, altitudeM, headingDeg, satellites, speedKmh, hasFix }
}

describe('records of Ruptela in parts', () => {
  const SIZES = [1, 2, 4, 8]
  const ids = fc.oneof(fc.constantFrom(...RUPTELA_FACTS.map(([id]) => id)), fc.integer({ min: 1, max: 0xffff }))
  const elements = fc.array(
    fc
      .constantFrom(...SIZES)
      .chain((size) => fc.record({ id: ids, raw: fc.uint8Array({ minLength: size, maxLength: size }) })),
    { maxLength: 3 },
  )

  /** Some of the parts of a moment, each with its elements. */
  const moments = fc
    .record({ parts: fc.constantFrom(1, 2, 3, 4, 16), eventId: fc.nat(0xffff) })
    .chain(({ parts, eventId }) =>
      fc.record({
        parts: fc.constant(parts),
        eventId: fc.constant(eventId),
        there: fc.subarray(
          Array.from({ length: parts }, (_, i) => i),
          { minLength: 1 },
        ),
        elements: fc.array(elements, { minLength: parts, maxLength: parts }),
      }),
    )

  /** Several in one second, in any order, some of them sent twice. */
  const sentParts = fc.array(moments, { minLength: 1, maxLength: 4 }).chain((all) => {
    const inOrder = all.flatMap(({ parts, eventId, there, elements: each }, moment) =>
      there.map((part) => ({
        moment,
        timeMs: BLANK.timeMs,
        timeExtension: moment,
        parts,
        part,
        eventId,
        elements: each[part] as SentElement[],
      })),
    )
    const repeats = fc.subarray(inOrder.filter(({ parts }) => parts > 1))
    const shuffled = (some: typeof inOrder) => fc.shuffledSubarray(some, { minLength: some.length })
    return repeats.chain((again) => shuffled([...inOrder, ...again]))
  })

  it('are put together, each moment by itself, whatever the order', () => {
    fc.assert(
      fc.property(sentParts, (parts) => {
        const frame = encodePartsFrame(RUPTELA_IMEI, parts)
        fc.pre(frame.length <= RUPTELA.maxFrameBytes)
        const told = RUPTELA.decode(frame).records
        const inOrder = [...new Set(parts.map(({ moment }) => moment))]
        expect(told.length).toBe(inOrder.length)
        for (const [i, moment] of inOrder.entries()) {
          const own = parts.filter((part) => part.moment === moment)
          expect([told[i]?.timeMs, told[i]?.isPart]).toEqual([BLANK.timeMs, (own[0]?.parts ?? 0) > 1])
          expect(told[i]?.attributes).toStrictEqual(attributesOfParts(own))
        }
        expect(new Set(told.map(({ discriminator }) => discriminator)).size).toBe(told.length)
      }),
    )
  })

  /** Elements by the parts' numbers, and within a part by their sizes. */
  function attributesOfParts(parts: readonly SentPart[]): Attributes {
    const first = parts[0]?.eventId ?? 0
    const once = [...new Map(parts.map((part) => [part.part, part])).values()].sort((a, b) => a.part - b.part)
    const wire = once.flatMap((part) => SIZES.flatMap((size) => part.elements.filter(({ raw }) => raw.length === size)))
    return {
      priority: 0,
      ...(first !== 0 && { event: first }),
      hdop: 0.8,
      ...elementAttributes(
        wire.map(({ id, raw }) => ({ id, hex: Buffer.from(raw).toString('hex') })),
        RUPTELA_FACTS,
      ),
    }
  }
})

describe('whatever tags a record of Galileosky has', () => {
  const IMEI = '868204005647838'
  /** Nothing but these says nothing. */
  const NO_CONTENT = ['01', '02', '03', '04', '10', '20']
  const hexOf = (bytes: number) =>
    fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((raw) => Buffer.from(raw).toString('hex'))
  /** In two digits. */
  const hexByte = (n: number) => n.toString(16).padStart(2, '0')

  interface SentTag extends WireTag {
    /** What stands before the value. */
    readonly length: string
  }
  const tagOf = (tag: string, hex: fc.Arbitrary<string>, lengthOf = (_: string) => '') =>
    hex.map((value): SentTag => ({ tag, hex: value, length: lengthOf(value) }))
  const anyLength = fc.nat(40).chain(hexOf)
  const countOf = (hex: string) => hexByte(hex.length / 2)

  /** Fixed ones, those with a length, and those whose first bytes say what follows; the number of a command would make an answer of it. */
  const tags: readonly fc.Arbitrary<SentTag>[] = [
    ...[...GALILEOSKY_LENGTHS]
      .filter(([tag]) => !['03', '20', 'e0'].includes(tag))
      .map(([tag, bytes]) => tagOf(tag, special(tag, hexOf(bytes)))),
    tagOf('03', fc.constant(Buffer.from(IMEI).toString('hex'))),
    ...['e1', 'ea', 'eb'].map((tag) => tagOf(tag, anyLength, countOf)),
    tagOf('fe', anyLength, (hex) => `${countOf(hex)}00`),
    tagOf(
      '5b',
      fc.nat(0x7fff).chain((status) => {
        const state = hexByte(status & 0xff) + hexByte(status >> 8)
        return fc.tuple(hexOf(1), hexOf(refrigeratorBytes(status) - 3)).map(([type, rest]) => type + state + rest)
      }),
    ),
  ]

  /** Places of every quality, thermometers with a broken wire, no key. */
  function special(tag: string, any: fc.Arbitrary<string>): fc.Arbitrary<string> {
    if (tag === '30')
      return fc.tuple(fc.constantFrom('0', '0', '1', '2', '2', 'f'), any).map(([q, hex]) => q + hex.slice(1))
    if (/^7[0-7]$/.test(tag)) return fc.oneof(any, fc.constant('7f80'))
    return tag === '90' || tag === 'd3' ? fc.oneof(any, fc.constant('00000000')) : any
  }

  const record = fc.tuple(fc.nat(0xffff_ffff), fc.subarray([...tags], { maxLength: 12 })).chain(([seconds, some]) => {
    const time = Buffer.alloc(4)
    time.writeUInt32LE(seconds)
    const all = fc.tuple(...some, tagOf('20', fc.constant(time.toString('hex'))))
    return all.map((unordered) => ({ seconds, tags: [...unordered].sort((a, b) => (a.tag < b.tag ? -1 : 1)) }))
  })

  it('is read, and nothing else', () => {
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 6 }), (sent) => {
        const bytes = sent.flatMap((one) => one.tags.map(({ tag, length, hex }) => tag + length + hex)).join('')
        const packet = encodeTagPacket(Buffer.from(bytes, 'hex'))
        fc.pre(packet.length <= 1005)
        const { imei, records } = GALILEOSKY.decode(packet)
        expect(imei).toBe(sent.some((one) => one.tags.some(({ tag }) => tag === '03')) ? IMEI : undefined)
        const telling = sent.filter((one) => one.tags.some(({ tag }) => !NO_CONTENT.includes(tag)))
        expect(records.map((one) => ({ ...fieldsOf(one), timeMs: one.timeMs, accuracyM: one.accuracyM }))).toEqual(
          telling.map((one) => ({ ...galileoskyFields(one.tags), timeMs: one.seconds * 1000 })),
        )
        expect(records.map(({ attributes }) => attributes ?? {})).toStrictEqual(
          telling.map((one) => tagAttributes(one.tags)),
        )
      }),
      { numRuns: 300 },
    )
  })

  function galileoskyFields(all: readonly WireTag[]) {
    const find = (wanted: string) => {
      const found = all.find(({ tag }) => tag === wanted)
      return found === undefined ? undefined : new DataView(Uint8Array.from(Buffer.from(found.hex, 'hex')).buffer)
    }
    const [place, speed, altitude, precision] = [find('30'), find('33'), find('34'), find('35')]
    const quality = place === undefined ? -1 : place.getUint8(0) >> 4
    const at = (offset: number) => (place === undefined ? null : place.getInt32(offset, true) / 1e6)
    const [latitude, longitude] = [at(1), at(5)]
    return {
      latitude,
      longitude,
      altitudeM: altitude?.getInt16(0, true) ?? null,
      headingDeg: speed === undefined ? null : (speed.getUint16(2, true) % 3600) / 10,
      satellites: place === undefined ? null : place.getUint8(0) & 0x0f,
      speedKmh: speed === undefined ? null : speed.getUint16(0, true) / 10,
      hasFix: quality === 0 && !(latitude === 0 && longitude === 0),
      accuracyM: quality === 2 && precision !== undefined ? precision.getUint8(0) * 10 : null,
    }
  }
})

describe('whatever a report of a Queclink vehicle unit leaves out', () => {
  const IMEI = '135790246811220'
  const orNothing = (all: fc.Arbitrary<string>) => fc.option(all, { nil: '', freq: 4 })
  const decimals = (digits: number, min: number, max: number) =>
    fc.integer({ min: min * 10 ** digits, max: max * 10 ** digits }).map((n) => (n / 10 ** digits).toFixed(digits))
  const whole = (min: number, max: number) => fc.integer({ min, max }).map(String)
  const moments = fc.integer({ min: 0, max: 4_102_444_799 }).map((seconds) => momentOf(seconds * 1000))
  const momentOf = (timeMs: number) => new Date(timeMs).toISOString().replace(/\D/g, '').slice(0, 14)
  const hex = (most: number, digits: number) =>
    fc.nat(most).map((n) => n.toString(16).toUpperCase().padStart(digits, '0'))

  const block = fc.record({
    accuracy: orNothing(orZero(whole(0, 51))),
    speed: orNothing(decimals(1, 0, 999.9)),
    azimuth: orNothing(whole(0, 360)),
    altitude: orNothing(decimals(1, -9999.9, 99_999.9)),
    longitude: decimals(6, -180, 180),
    latitude: decimals(6, -90, 90),
    moment: moments,
    mcc: orNothing(fc.nat(999).map((n) => String(n).padStart(4, '0'))),
    mnc: orNothing(fc.nat(999).map((n) => String(n).padStart(3, '0'))),
    lac: orNothing(hex(0xffff, 4)),
    cell: orNothing(hex(0x7fff_ffff, 4)),
    reserved: fc.constantFrom('00', ''),
  })

  function orZero(all: fc.Arbitrary<string>): fc.Arbitrary<string> {
    return fc.oneof(all, fc.constant('0'))
  }

  const rest = fc.record({
    name: fc.constantFrom('', 'gv300', '4711'),
    supply: orNothing(whole(0, 70_000)),
    odometer: orNothing(decimals(1, 0, 99_999.9)),
    hours: fc.constantFrom('', '00012:34:56'),
    input1: orNothing(whole(0, 16_000)),
    input2: orNothing(whole(0, 16_000)),
    battery: orNothing(whole(0, 120)),
    state: fc.constantFrom('110000', '120100', '210000', '22ff01', '160000', '420000', ''),
  })

  it('is left out, and the rest is read by its place, also when it was kept for later', () => {
    const blocks = fc.array(block, { minLength: 1, maxLength: 15 })
    fc.assert(
      fc.property(blocks, rest, moments, hex(0xffff, 4), (all, around, sentAt, count) => {
        const head = `GTFRI,060100,${IMEI},${around.name},${around.supply},10,${all.length}`
        const places = all.map((one) => Object.values(one).join(','))
        const { odometer, hours, input1, input2, battery, state } = around
        const tail = [odometer, hours, input1, input2, battery, state, '', '', '', sentAt, count].join(',')
        const text = `${head},${places.join(',')},${tail}$`
        const { records, answers } = QUECLINK.decode(Buffer.from(`+RESP:${text}`, 'latin1'))
        expect(answers.settledWithSack?.toString()).toBe(`+SACK:${count}$`)
        expect(records.map((one) => ({ ...fieldsOf(one), timeMs: one.timeMs }))).toEqual(all.map(queclinkFields))
        expect(records.map(({ attributes }) => attributes)).toStrictEqual(
          all.map((one, i) => {
            const own = ownAttributes(one)
            return i < all.length - 1 ? own : { ...own, ...lastAttributes(all, around) }
          }),
        )
        expect(QUECLINK.decode(Buffer.from(`+BUFF:${text}`, 'latin1'))).toEqual(
          QUECLINK.decode(Buffer.from(`+RESP:${text}`, 'latin1')),
        )
      }),
    )
  })

  type Block = typeof block extends fc.Arbitrary<infer T> ? T : never
  type Rest = typeof rest extends fc.Arbitrary<infer T> ? T : never
  const numberOf = (field: string) => (field === '' ? null : Number(field))

  function queclinkFields({ accuracy, speed, azimuth, altitude, longitude, latitude, moment }: Block) {
    const [date, time] = [moment.slice(0, 8), moment.slice(8)]
    const iso = `${date.replace(/(....)(..)(..)/, '$1-$2-$3')}T${time.replace(/(..)(..)(..)/, '$1:$2:$3')}Z`
    return {
      latitude: Number(latitude),
      longitude: Number(longitude),
      altitudeM: numberOf(altitude),
      headingDeg: azimuth === '360' ? 0 : numberOf(azimuth),
      satellites: null,
      speedKmh: numberOf(speed),
      hasFix: accuracy !== '0' && !(Number(latitude) === 0 && Number(longitude) === 0),
      timeMs: Date.parse(iso),
    }
  }

  function ownAttributes({ accuracy, mcc, mnc, lac, cell }: Block): Attributes {
    return {
      report: 'GTFRI',
      ...(accuracy !== '' && Number(accuracy) >= 1 && Number(accuracy) <= 50 && { hdop: Number(accuracy) }),
      ...(mcc !== '' && { mcc: Number(mcc) }),
      ...(mnc !== '' && { mnc: Number(mnc) }),
      ...(lac !== '' && { lac: Number(`0x${lac}`) }),
      ...(cell !== '' && { cellId: Number(`0x${cell}`) }),
    }
  }

  const STATES: Readonly<Record<string, Attributes>> = {
    '11': { ignition: false, movement: false },
    '12': { ignition: false, movement: true },
    '21': { ignition: true, movement: false },
    '22': { ignition: true, movement: true },
  }

  /** Each block has twelve fields, behind the first seven. */
  function lastAttributes(all: readonly Block[], { name, supply, odometer, hours, ...more }: Rest): Attributes {
    const end = 7 + 12 * all.length
    const { input1, input2, battery, state } = more
    const isSupply = Number(supply) >= 1000 && Number(supply) <= 60_000
    const isLevel = state !== '' && Number(battery) <= 100
    const meaning = STATES[state.slice(0, 2)]
    const raw: readonly (readonly [number, string])[] = [
      [3, name],
      ...(isSupply ? [] : [[4, supply] as const]),
      [5, '10'],
      [6, String(all.length)],
      ...all.map(({ reserved }, i) => [7 + 12 * i + 11, reserved] as const),
      [end + 1, hours],
      [end + 2, input1],
      [end + 3, input2],
      ...(isLevel ? [] : [[end + 4, battery] as const]),
      ...(meaning === undefined ? [[end + 5, state] as const] : []),
    ]
    return {
      ...(isSupply && { externalVoltageV: Number(supply) / 1000 }),
      ...(odometer !== '' && { odometerM: Math.round(Number(odometer) * 1000) }),
      ...(isLevel && battery !== '' && { batteryLevelPct: Number(battery) }),
      ...meaning,
      ...Object.fromEntries(raw.flatMap(([i, field]) => (field === '' ? [] : [[`io.${i}`, field]]))),
    }
  }
})
