import type { Attributes } from '../../model/position.js'
import { CRC16_MODBUS } from '../crc16.js'
import { DecodeError } from '../decode-error.js'
import { expectedAttributes } from '../expected-attributes.contract.js'
import type { TrackerMessage, TrackerRecord } from '../tracker-codec.js'
import {
  expectEach,
  expectFields,
  FIELDS,
  framesOf,
  malformedOf,
  notKept,
  type RecordExpectation,
} from '../tracker-frames.contract.js'
import { toDecodedRecord } from '../tracker-report.js'
import { encodeCommandPacket } from './encode-command.js'
import { encodeTagPacket } from './encode-records.js'
import { GALILEOSKY } from './galileosky-codec.js'

const FRAMES = framesOf('galileosky')
const fromDevice = FRAMES.filter(({ direction }) => direction === 'device->server').map((one) => [one.id, one] as const)
const TARGET = { imei: '868204005647838', model: null, password: null, serial: 0 }

describe('frames of Galileosky trackers', () => {
  it('are there in every kind', () => {
    expect(FRAMES.length).toBe(10)
    expect(new Set(FRAMES.map(({ kind }) => kind)).size).toBe(4)
  })

  it.each(fromDevice)('finds the end of %s, however little of it is there', (_, { hex }) => {
    const bytes = Buffer.from(hex, 'hex')
    for (let length = 1; length < bytes.length; length++) {
      const split = GALILEOSKY.split(bytes.subarray(0, length))
      expect(split.kind).toBe('wait')
      expect(split.kind === 'wait' && split.length > length && split.length <= bytes.length).toBe(true)
    }
    expect(GALILEOSKY.split(Buffer.concat([bytes, Buffer.of(1)]))).toEqual({ kind: 'frame', length: bytes.length })
  })

  it.each(fromDevice)('decodes %s to its values', (_, sample) => {
    const message = GALILEOSKY.decode(Buffer.from(sample.hex, 'hex'))
    const { kind, expect: expected } = sample
    expect(message.imei).toBe(expected.imei)
    expect(message.answers.settled?.toString('hex') ?? null).toBe(expected.ackHex)
    const { recordCount = 0, records = [] } = expected
    expect([message.records.length, records.length]).toEqual([recordCount, recordCount])
    const attributes = expectedAttributes('galileosky', sample)
    for (const [i, record] of records.entries()) expectRecord(message.records[i], record, attributes[i])
    if (kind === 'login') expect(message.kind).toBe('login')
    expectEach(
      expected,
      {
        // The unit sends the rest of its archive without being asked.
        archiveFlag: notKept,
        attributes: (values) =>
          kind === 'login' ? expectHead(message, values as object) : expectNamed(message, values as object),
        command: (values) => expectReply(message, values as object),
        // The modem's own: where a satellite heard it, and when. That its session brought all, the record shows.
        iridium: (values) =>
          expectEach(values as object, {
            sessionStatus: (value) => expect([value, message.kind]).toEqual([0, 'records']),
            sessionTime: notKept,
            iridiumLat: notKept,
            iridiumLon: notKept,
            iridiumRadiusKm: notKept,
          }),
      },
      ['imei', 'ackHex', 'recordCount', 'records'],
    )
  })

  it('takes the answer to a command for the words that it is', () => {
    const sample = FRAMES.find(({ id }) => id === 'gal-response-vendor')
    const { kind, reply } = GALILEOSKY.decode(Buffer.from(sample?.hex ?? '', 'hex'))
    const { number, text } = sample?.expect.command ?? {}
    expect({ kind, reply }).toEqual({
      kind: 'reply',
      reply: { key: String(number), status: 'done', result: null, message: text },
    })
  })

  it('encodes a command to its bytes', () => {
    const sample = FRAMES.find(({ id }) => id === 'gal-command-vendor')
    expect(encodeCommandPacket('868204005647838', 0, Buffer.from('status')).toString('hex')).toBe(sample?.hex)
    const custom = GALILEOSKY.encodeCommand({ type: 'CUSTOM', params: { text: 'status' } }, TARGET)
    expect('bytes' in custom && custom.bytes.toString('hex')).toBe(sample?.hex)
  })

  it('has the names of the field and canonical units for what it understands', () => {
    const sample = FRAMES.find(({ id }) => id === 'gal-tags-vendor-values')
    const [record] = GALILEOSKY.decode(Buffer.from(sample?.hex ?? '', 'hex')).records
    expect(record?.attributes).toEqual({
      deviceNumber: 50,
      archiveNumber: 1,
      hdop: 1.2,
      accelerationXG: -0.435,
      accelerationYG: 0.043,
      accelerationZG: -0.898,
      temperature1C: 16,
      temperature1SensorId: 1,
      hygrometer1SensorId: 1,
      hygrometer1TemperatureC: 16,
      hygrometer1HumidityPct: 12.55,
      fuelLevelPct: 100,
      coolantTemperatureC: 74,
      engineSpeedRpm: 1194,
    })
  })

  it('has a dilution of a fix, and of a place that comes from cells how far it may be off', () => {
    const precisionOf = (quality: string) => {
      const tags = Buffer.from(`2000105e5c30${quality}c00e3203b8d72d053532`, 'hex')
      const [record] = GALILEOSKY.decode(encodeTagPacket(tags)).records
      return [record?.accuracyM, record?.attributes]
    }
    expect(precisionOf('27')).toEqual([500, { positionSource: 'cells' }])
    expect(precisionOf('07')).toEqual([null, { hdop: 5 }])
  })

  it('keeps what it does not understand as it came', () => {
    const sample = FRAMES.find(({ id }) => id === 'gal-data-1rec')
    const [record] = GALILEOSKY.decode(Buffer.from(sample?.hex ?? '', 'hex')).records
    const tags = sample?.expect.records?.[0]?.tags as { tag: string; hex: string }[]
    const kept = Object.entries(record?.attributes ?? {}).filter(([name]) => name.startsWith('io.'))
    expect(kept.length).toBeGreaterThan(50)
    for (const [name, value] of kept) {
      const hex = tags.find(({ tag }) => `io.${tag}` === name)?.hex ?? ''
      const reversed = (hex.match(/../g) ?? []).reverse().join('')
      expect([name, value]).toEqual([name, Number.parseInt(reversed, 16)])
    }
  })
})

function expectRecord(
  record: TrackerRecord | undefined,
  expected: RecordExpectation,
  attributes: Attributes | undefined,
): void {
  expectFields(record, expected)
  expect(record.attributes).toStrictEqual(attributes)
  expectEach(
    expected,
    {
      fixCode: (value) => expect(record.hasFix).toBe(value === 0),
      hdop: (value) => expect(record.attributes?.hdop).toBe(value),
      archiveIndex: (value) => expect(record.attributes?.archiveNumber).toBe(value),
      deviceId: (value) => expect(record.attributes?.deviceNumber).toBe(value),
    },
    [...FIELDS, 'tags'],
  )
}

/** A packet of the unit's numbers alone lets it in, and brings nothing: what it is made of is said again in its records, if it is set so. */
function expectHead(message: TrackerMessage, values: object): void {
  expect([message.records, message.facts]).toEqual([[], undefined])
  expectEach(values, { hardware: notKept, firmware: notKept, deviceId: notKept })
}

/** As the maker's document writes its own example out. */
function expectNamed({ records }: TrackerMessage, values: object): void {
  const { attributes } = records[0] ?? {}
  const inG = (raw: number) => Math.round(((raw - 512) / 186) * 1000) / 1000
  expectEach(values, {
    accelerationRaw: (raw) => {
      const { x, y, z } = raw as { x: number; y: number; z: number }
      expect([attributes?.accelerationXG, attributes?.accelerationYG, attributes?.accelerationZG]).toEqual([
        inG(x),
        inG(y),
        inG(z),
      ])
    },
    thermometer0: (value) =>
      expect({ id: attributes?.temperature1SensorId, tempC: attributes?.temperature1C }).toEqual(value),
    hygrometer0: (value) =>
      expect({
        id: attributes?.hygrometer1SensorId,
        tempC: attributes?.hygrometer1TemperatureC,
        humidityPercent: attributes?.hygrometer1HumidityPct,
      }).toEqual(value),
    canFuelPercent: (value) => expect(attributes?.fuelLevelPct).toBe(value),
    canCoolantC: (value) => expect(attributes?.coolantTemperatureC).toBe(value),
    canRpm: (value) => expect(attributes?.engineSpeedRpm).toBe(value),
  })
}

function expectReply({ reply }: TrackerMessage, values: object): void {
  expectEach(values, {
    number: (value) => expect(reply?.key).toBe(String(value)),
    text: (value) => expect(reply?.message).toBe(value),
    // It is no name of the unit: many have the same.
    deviceId: notKept,
  })
}

describe('what of a Galileosky packet cannot be stored', () => {
  const HEAD = `03${Buffer.from(TARGET.imei).toString('hex')}043200`
  const TIME = '2000105e5c'
  const AT_MS = 0x5c5e1000 * 1000
  const PLACE = '3007c00e3203b8d72d05'
  const SUPPLY = '41d06b'
  /** Nobody knows how long the value of this tag is. */
  const UNKNOWN = '210102'

  /** What is told of a packet: its kind, whether it is confirmed, and of each record its time or why it is refused, and its bytes. */
  function told(hex: string) {
    const packet = encodeTagPacket(Buffer.from(hex, 'hex'))
    const { kind, records, answers } = GALILEOSKY.decode(packet)
    expect(answers.settled?.toString('hex')).toBe(`02${packet.subarray(-2).toString('hex')}`)
    return [
      kind,
      ...records.map((record) => [
        record.refusal?.code ?? record.timeMs,
        packet.subarray(...record.span).toString('hex'),
        record.attributes?.['io.unread'],
      ]),
    ]
  }

  it('is what follows an unknown tag: what was read is stored, the rest kept with it and refused', () => {
    const record = `${TIME}${PLACE}${SUPPLY}`
    const rest = `99${SUPPLY}`
    expect(told(`${record}${rest}`)).toEqual(['records', [AT_MS, record, rest], ['invalid_field', rest, undefined]])
  })

  it('is that also where the record at hand has nothing but its time yet', () => {
    const rest = `${UNKNOWN}${PLACE}`
    expect(told(`${HEAD}100100${TIME}${rest}`)).toEqual([
      'records',
      [AT_MS, `${HEAD}100100${TIME}`, rest],
      ['invalid_field', rest, undefined],
    ])
    expect(told(`${TIME}${PLACE}${TIME}${rest}`)).toEqual([
      'records',
      [AT_MS, `${TIME}${PLACE}`, undefined],
      [AT_MS, TIME, rest],
      ['invalid_field', rest, undefined],
    ])
  })

  it('is all of a record that has no time yet, with what follows', () => {
    const unread = `0432001001001101${TIME}${PLACE}`
    expect(told(`${TIME}${PLACE}${unread}`)).toEqual([
      'records',
      [AT_MS, `${TIME}${PLACE}`, undefined],
      ['invalid_field', unread, undefined],
    ])
    expect(told(`${HEAD}9900`)).toEqual(['records', ['invalid_field', `${HEAD}9900`, undefined]])
  })

  it('is left to the unit where nothing was read that has a time or a name', () => {
    for (const hex of [UNKNOWN, `043200100100${UNKNOWN}`, `${SUPPLY}${UNKNOWN}`, `${SUPPLY}${SUPPLY}${UNKNOWN}`])
      expect(() => told(hex)).toThrow(DecodeError)
  })

  it('is a record without a time: no moment, and no states that would begin with it', () => {
    const { kind, records } = GALILEOSKY.decode(encodeTagPacket(Buffer.from(`${PLACE}400001${SUPPLY}`, 'hex')))
    expect(kind).toBe('records')
    expect(records.map(({ latitude, conditions }) => [latitude, conditions])).toEqual([[53.612224, undefined]])
    expect(records.map((record) => toDecodedRecord(record, TARGET.imei, 0).refusal?.code)).toEqual(['invalid_time'])
  })

  it('is neither a packet of the unit’s numbers and time alone, nor an answer to a command', () => {
    expect(told(`${HEAD}100100${TIME}`)).toEqual(['login'])
    expect(told(`${HEAD}e02a000000e1026f6b`)).toEqual(['reply'])
  })

  it('is a second answer in a packet; what is no text in an answer is its result', () => {
    const second = 'e02b000000e1026f6b'
    const packet = encodeTagPacket(Buffer.from(`${HEAD}e02a000000e1026f6beb03010203${second}`, 'hex'))
    const { reply, records } = GALILEOSKY.decode(packet)
    expect(reply).toEqual({ key: '42', status: 'done', result: '010203', message: 'ok' })
    expect(records.map(({ timeMs, span }) => [timeMs, packet.subarray(...span).toString('hex')])).toEqual([
      [Number.NaN, second],
    ])
    const wordless = GALILEOSKY.decode(encodeTagPacket(Buffer.from(`${HEAD}e02a000000eb0105`, 'hex')))
    expect([wordless.reply, wordless.records]).toEqual([{ key: '42', status: 'done', result: '05', message: null }, []])
  })

  it('is a part of a photo, which is confirmed when its bytes are kept; packets of other devices are left to the unit', () => {
    const sealed = (header: number) => {
      const packet = Buffer.concat([Buffer.of(header), encodeTagPacket(Buffer.from(PLACE, 'hex')).subarray(1)])
      packet.writeUInt16LE(CRC16_MODBUS(packet, 0, packet.length - 2), packet.length - 2)
      return packet
    }
    const photo = sealed(0x07)
    const { kind, records, answers } = GALILEOSKY.decode(photo)
    expect([kind, answers.settled?.toString('hex')]).toEqual(['other', `07${photo.subarray(-2).toString('hex')}`])
    expect(records.map(({ refusal, span }) => [refusal?.code, span])).toEqual([['invalid_field', [0, photo.length]]])
    expect(GALILEOSKY.decode(sealed(0x06))).toEqual({ kind: 'other', records: [], answers: {} })
    expect(() => GALILEOSKY.decode(sealed(0x08))).toThrow(DecodeError)
  })
})

describe('envelopes of satellite modems', () => {
  const FIRST = `01001c${'00'.repeat(4)}${Buffer.from(TARGET.imei).toString('hex')}00${'00'.repeat(8)}`

  /** @param length of its elements: the header, and a second one that fills it up */
  function envelope(length: number): Buffer {
    const elements = Buffer.alloc(length)
    elements.write(FIRST, 'hex')
    elements.writeUInt8(0x02, 31)
    elements.writeUInt16BE(length - 34, 32)
    const head = Buffer.of(0x01, length >> 8, length & 0xff)
    return Buffer.concat([head, elements])
  }

  it.each([126, 127, 128, 129, 131, 132, 256, 257, 259, 260, 384, 387, 512, 1024, 2000])(
    'of %i bytes are told by their mark, however much is there',
    (length) => {
      const bytes = envelope(length)
      for (let cut = 1; cut < bytes.length; cut++) {
        const split = GALILEOSKY.split(bytes.subarray(0, cut))
        expect([split.kind, split.kind === 'wait' && split.length > cut && split.length <= bytes.length]).toEqual([
          'wait',
          true,
        ])
      }
      expect(GALILEOSKY.split(bytes)).toEqual({ kind: 'frame', length: bytes.length })
      // Its content begins with an unknown tag: it was taken for an envelope, and read.
      expect(() => GALILEOSKY.decode(bytes)).toThrow(/tag 0x0 is not known/)
    },
  )

  it('are no packets without tags, nor with the shortest ones', () => {
    for (const hex of ['010000', '010080', '0102000100', '0102800100']) {
      const tags = Buffer.from(hex, 'hex')
      const packet = Buffer.alloc(tags.length + 2)
      tags.copy(packet)
      packet.writeUInt16LE(CRC16_MODBUS(tags), tags.length)
      expect(GALILEOSKY.split(packet)).toEqual({ kind: 'frame', length: packet.length })
      expect(GALILEOSKY.decode(packet).kind).toBe('other')
    }
  })
})

describe('what is no packet of Galileosky trackers', () => {
  const taken: string[] = []

  it.each(malformedOf('galileosky').map((one) => [one.id, one] as const))('is not taken for one: %s', (_, sample) => {
    const { records, answers } = outcomeOf(Buffer.from(sample.hex, 'hex'))
    if (records > 0) taken.push(sample.id)
    // Who sends without having said who it is, the connection knows and not the codec.
    if (sample.expect.stored === 0 && sample.id !== 'gal-data-before-headpack') expect(records).toBe(0)
    if (sample.expect.mustNotSend !== undefined && sample.id !== 'gal-data-before-headpack') expect(answers).toBe(0)
  })

  it('is taken for a record only where that does no harm', () => {
    expect(taken).toEqual(['gal-coordinates-95', 'gal-data-before-headpack'])
  })
})

function outcomeOf(bytes: Buffer): { records: number; answers: number } {
  const outcome = { records: 0, answers: 0 }
  for (let rest = bytes; rest.length > 0; ) {
    const split = GALILEOSKY.split(rest)
    if (split.kind !== 'frame') break
    try {
      const message = GALILEOSKY.decode(rest.subarray(0, split.length))
      outcome.records += message.records.filter(({ timeMs }) => !Number.isNaN(timeMs)).length
      if (message.answers.settled !== undefined) outcome.answers++
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      break
    }
    rest = rest.subarray(split.length)
  }
  return outcome
}
