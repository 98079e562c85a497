import type { Attributes } from '../../model/position.js'
import { DecodeError } from '../decode-error.js'
import { expectedAttributes } from '../expected-attributes.contract.js'
import type { TrackerMessage, TrackerRecord } from '../tracker-codec.js'
import {
  expectEach,
  FIELDS,
  type FrameSample,
  framesOf,
  malformedOf,
  notKept,
  type RecordExpectation,
} from '../tracker-frames.contract.js'
import { QUECLINK } from './queclink-codec.js'

const FRAMES = framesOf('queclink')
const fromDevice = FRAMES.filter(({ direction }) => direction === 'device->server').map((one) => [one.id, one] as const)
const TARGET = { imei: '135790246811220', model: 'GL300', password: null, serial: 0x2a }

function decode({ hex }: Pick<FrameSample, 'hex'>): TrackerMessage {
  return QUECLINK.decode(Buffer.from(hex, 'hex'))
}

function frameOf(text: string): Buffer {
  return Buffer.from(text, 'latin1')
}

describe('messages of Queclink trackers', () => {
  it('are there in every kind', () => {
    expect(FRAMES.length).toBe(29)
    expect(new Set(FRAMES.map(({ kind }) => kind)).size).toBe(4)
  })

  it.each(fromDevice)('finds the end of %s, however little of it is there', (_, { hex }) => {
    const bytes = Buffer.from(hex, 'hex')
    for (let length = 1; length < bytes.length; length++)
      expect(QUECLINK.split(bytes.subarray(0, length))).toEqual({ kind: 'wait', length: length + 1 })
    expect(QUECLINK.split(Buffer.concat([bytes, frameOf('\r\n')]))).toEqual({ kind: 'frame', length: bytes.length })
    expect(QUECLINK.split(frameOf('\r\n\0+'))).toEqual({ kind: 'skip', length: 3 })
  })

  it.each(fromDevice)('decodes %s to its values', (_, sample) => {
    const message = decode(sample)
    const { expect: expected } = sample
    expect(message.imei).toBe(expected.imei)
    expect(message.answers.settled?.toString('hex') ?? null).toBe(expected.ackHex)
    expect(message.answers.settledWithSack?.toString('hex')).toBe(expected.sackIfEnabledHex)
    const { recordCount = 0, records = [] } = expected
    expect([message.records.length, records.length]).toEqual([recordCount, recordCount])
    const attributes = expectedAttributes('queclink', sample)
    for (const [i, record] of records.entries()) expectRecord(message.records[i], record, attributes[i])
    expectEach(
      expected,
      {
        ackText: (value) => expect(message.answers.settled?.toString('latin1')).toBe(value),
        attributes: (values) => expectAttributes(message, sample, values as Readonly<Record<string, unknown>>),
      },
      ['imei', 'ackHex', 'sackIfEnabledHex', 'recordCount', 'records'],
    )
  })

  it('says the model of every type that the maker numbers', () => {
    const facts = Object.entries(MODELS).flatMap(([model, types]) => types.map((type) => [type, model] as const))
    expect(facts.length).toBe(42)
    for (const [type, model] of facts) {
      const text = `+ACK:GTHBD,${type}0102,135790246811220,,20100214093254,11F0$`
      expect([type, QUECLINK.decode(frameOf(text)).facts]).toEqual([type, { model }])
    }
  })

  it.each(fromDevice)('decodes %s from a datagram as from a stream', (_, sample) => {
    const bytes = Buffer.from(sample.hex, 'hex')
    expect(QUECLINK.decodeDatagram?.(bytes)).toEqual([decode(sample)])
    const [first, second, ...more] = QUECLINK.decodeDatagram?.(Buffer.concat([bytes, bytes.subarray(0, -1)])) ?? []
    expect([first, second instanceof DecodeError, more]).toEqual([decode(sample), true, []])
  })

  it('takes a report that was kept for later for the same one, and its positions for different ones', () => {
    const live = FRAMES.find(({ id }) => id === 'que-fri-2pos-manual')
    const text = Buffer.from(live?.hex ?? '', 'hex').toString('latin1')
    const [a, b] = [frameOf(text), frameOf(text.replace('+RESP', '+BUFF'))].map((bytes) =>
      QUECLINK.decode(bytes).records.map(({ discriminator }) => discriminator),
    )
    expect(a).toEqual(b)
    expect(new Set(a).size).toBe(2)
  })

  it('understands what vehicle units say besides their place, and keeps the rest by its place', () => {
    const sample = FRAMES.find(({ id }) => id === 'que-fri-gv500-vin-power')
    expect(decode({ hex: sample?.hex ?? '' }).records[0]?.attributes).toEqual({
      report: 'GTFRI',
      hdop: 1,
      mcc: 230,
      mnc: 3,
      lac: 0x9b14,
      cellId: 0x5891,
      externalVoltageV: 14.9,
      odometerM: 74_100,
      batteryLevelPct: 83,
      ignition: true,
      movement: true,
      'io.3': 'WF0GXXGBBGBM26503',
      'io.6': '41',
      'io.7': '1',
      'io.19': '00',
      'io.26': '799',
      'io.27': '7.3',
    })
  })

  it.each([
    ['+RESP:GTSOS,1A0102,135790246811220,,0,0,1,', 'SOS', 'queclink.GTSOS.0'],
    ['+RESP:GTTOW,040408,862170010903183,,,10,1,', 'TOWING', 'queclink.GTTOW.1'],
    ['+RESP:GTGEO,1A0102,135790246811220,,3,1,1,', 'GEOFENCE_ENTER', 'queclink.GTGEO.3'],
    ['+RESP:GTGEO,040408,862170010903183,,,30,1,', 'GEOFENCE_EXIT', 'queclink.GTGEO.3'],
    ['+RESP:GTHBM,040408,862170010903183,,,01,1,', 'HARD_ACCELERATION', 'queclink.GTHBM.0'],
  ])('makes an alarm of %s…', (head, type, eventKey) => {
    const text = `${head}1,4.3,92,70.0,121.354335,31.222073,20090214013254,0460,0000,18d8,6141,00,,20090214093254,11F0$`
    expect(QUECLINK.decode(frameOf(text)).records[0]?.alarm).toEqual({ type, eventKey })
  })

  it('encodes commands as the maker writes them', () => {
    const sample = FRAMES.find(({ id }) => id === 'que-cmd-rto-cfg-vendor')
    const text = Buffer.from(sample?.hex ?? '', 'hex').toString('latin1')
    const custom = QUECLINK.encodeCommand({ type: 'CUSTOM', params: { text } }, TARGET)
    expect(custom).toEqual({ bytes: frameOf(text), replyKey: 'GTRTO 000F', isNumbered: true })
    const reboot = QUECLINK.encodeCommand({ type: 'RESET', params: {} }, TARGET)
    expect(reboot).toEqual({ bytes: frameOf('AT+GTRTO=gl300,3,,,,,,002A$'), replyKey: 'GTRTO 002A', isNumbered: true })
    const nameless = QUECLINK.encodeCommand({ type: 'REBOOT', params: {} }, { ...TARGET, model: null })
    expect('unsupported' in nameless).toBe(true)
  })
})

/** By the digits of the protocol version that name the type of a unit. @source Queclink, @Track air interface, device types */
const MODELS: Readonly<Record<string, readonly string[]>> = {
  ...{ GL200: ['02', '21'], GV200: ['04', '35'], GV300: ['06', '25'], GMT100: ['08', '3F'], GV55: ['0F', '2F'] },
  ...{ GL500: ['11', '40'], GL300: ['1A', '30'], GV500: ['1F', '36'], GV300W: ['27'], GL300VC: ['28'], GL300W: ['2C'] },
  ...{ GV500VC: ['2D'], GV65: ['31'], GV75W: ['41'], GT501: ['42'], GL530: ['44'], GB100: ['45'], GV56: ['4F'] },
  ...{ GV55W: ['50'], GL50: ['52'], GV500MAP: ['5E'], GV310LAU: ['6E'], CV200: ['BD'], GV600M: ['C2'], GL320M: ['C3'] },
  ...{ GV600MG: ['DC'], GL500M: ['DE'], CV100LG: ['DF'], GV350M: ['F1'], GV800W: ['F8'], GV600W: ['FC'] },
  ...{ GV58LAU: ['802004'], GV355CEU: ['802005'], GV30CEU: ['80201E'] },
}

function expectRecord(
  record: TrackerRecord | undefined,
  expected: RecordExpectation,
  attributes: Attributes | undefined,
): void {
  if (record === undefined) throw new Error('a record is missing')
  expect(new Date(record.timeMs).toISOString()).toBe(expected.time)
  expect([record.latitude, record.longitude]).toEqual([expected.lat, expected.lon])
  expect([record.altitudeM, record.speedKmh, record.headingDeg]).toEqual([
    expected.altitudeM ?? null,
    expected.speedKph ?? null,
    expected.courseDeg ?? null,
  ])
  // Neither is in the protocol; its accuracy is a dilution.
  expect([record.satellites, record.accuracyM]).toEqual([null, null])
  expect(record.hasFix).toBe(expected.valid)
  expect(record.attributes).toStrictEqual(attributes)
  expectEach(
    expected,
    { accuracy: (value) => expect(record.attributes?.hdop).toBe(value === 0 ? undefined : value) },
    FIELDS,
  )
}

/** What the message says of itself. */
function expectAttributes(
  { kind, records, facts, reply, answers }: TrackerMessage,
  sample: FrameSample,
  expected: Readonly<Record<string, unknown>>,
): void {
  const { messageType, protocolVersion, countNumber, serialNumber, subCommand } = expected
  const isAnswer = sample.kind === 'command-response'
  expectEach(expected, {
    // A report that was kept for later is the report that it was.
    prefix: (value) => expect(value === 'ACK').toBe(kind === 'heartbeat' || kind === 'reply'),
    messageType: (value) => {
      expect(records.map(({ attributes }) => attributes?.report)).toEqual(records.map(() => value))
      expect(kind === 'heartbeat').toBe(value === 'GTHBD')
    },
    protocolVersion: (value) => {
      const [model] = Object.entries(MODELS).find(([, types]) => types.includes(String(value).slice(0, 2))) ?? []
      expect(facts).toEqual({ model })
    },
    // It goes by the unit's own clock, and every report here says its moment by UTC.
    sendTimeRaw: notKept,
    // It goes back where anything does; of an answer to a command nothing does.
    countNumber: (value) => {
      if (isAnswer) expect(answers).toEqual({})
      else if (kind === 'heartbeat')
        expect(answers.settled?.toString()).toBe(`+SACK:${messageType},${protocolVersion},${value}$`)
      else expect(answers.settledWithSack?.toString()).toBe(`+SACK:${value}$`)
    },
    serialNumber: (value) =>
      expect([reply?.key, reply?.status, reply?.result, reply?.message]).toEqual([
        ...[`${messageType} ${value}`, 'done', null],
        subCommand ?? null,
      ]),
    subCommand: (value) => expect(reply?.message).toBe(value),
    // States, answers to questions and transparent data have no position, and only the raw archive has them.
    ...Object.fromEntries(
      ['event', 'deviceType', 'firmwareHex', 'hardwareHex', 'csqRssi', 'csqBer', 'iccid', 'data'].map((name) => [
        name,
        () => expect([kind, records]).toEqual(['other', []]),
      ]),
    ),
  })
  expect([countNumber, serialNumber !== undefined]).toEqual([expect.stringMatching(/^[0-9A-F]{4}$/), isAnswer])
}

describe('what is no message of Queclink trackers', () => {
  it.each(malformedOf('queclink').map((one) => [one.id, one] as const))('does no harm: %s', (_, sample) => {
    const { records, answers } = outcomeOf(Buffer.from(sample.hex, 'hex'))
    const { stored, replyText, mustNotSend } = sample.expect
    if (typeof stored === 'number') expect(records).toBe(stored)
    if (replyText !== undefined) expect(answers).toContain(replyText)
    if (typeof mustNotSend === 'string') expect(answers.join()).not.toMatch(/AT\+|11G0/)
  })

  it('is read in time that grows with its length', () => {
    const long = frameOf(`+RESP:GTFRI,${'1,'.repeat(4000)}$`)
    expect(() => QUECLINK.decode(long)).toThrow(DecodeError)
    expect(QUECLINK.split(frameOf(`+RESP:GTFRI,${'1,'.repeat(5000)}`)).kind).toBe('lost')
  })
})

function outcomeOf(bytes: Buffer): { records: number; answers: string[] } {
  const outcome = { records: 0, answers: [] as string[] }
  for (let rest = bytes; rest.length > 0; ) {
    const split = QUECLINK.split(rest)
    if (split.kind === 'lost' || split.kind === 'wait') break
    const frame = rest.subarray(0, split.length)
    rest = rest.subarray(split.length)
    if (split.kind === 'skip') continue
    try {
      const message = QUECLINK.decode(frame)
      outcome.records += message.records.filter(({ timeMs }) => !Number.isNaN(timeMs)).length
      const { settled, settledWithSack } = message.answers
      for (const answer of [settled, settledWithSack]) if (answer !== undefined) outcome.answers.push(answer.toString())
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
    }
  }
  return outcome
}
