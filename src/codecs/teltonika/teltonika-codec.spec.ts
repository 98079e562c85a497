import type { Attributes } from '../../model/position.js'
import { DecodeError } from '../decode-error.js'
import { expectedAttributes } from '../expected-attributes.contract.js'
import type { TrackerMessage, TrackerRecord } from '../tracker-codec.js'
import {
  expectEach,
  expectFields,
  FIELDS,
  type FrameSample,
  framesOf,
  malformedOf,
  notKept,
  type RecordExpectation,
} from '../tracker-frames.contract.js'
import { decodeText } from './decode-command-message.js'
import { encodeCodec12 } from './encode-command.js'
import { TELTONIKA } from './teltonika-codec.js'

const FRAMES = framesOf('teltonika')
const fromDevice = FRAMES.filter(({ direction }) => direction === 'device->server')
const TARGET = { imei: '352093081452251', model: null, password: null, serial: 1 }

function decode({ transport, hex }: Pick<FrameSample, 'transport' | 'hex'>): TrackerMessage {
  const bytes = Buffer.from(hex, 'hex')
  if (transport === 'tcp') return TELTONIKA.decode(bytes)
  const [message, ...more] = TELTONIKA.decodeDatagram?.(bytes) ?? []
  if (message === undefined || message instanceof DecodeError || more.length > 0)
    throw new Error('one message is expected')
  return message
}

describe('frames of Teltonika trackers', () => {
  it('are there in every kind', () => {
    expect(FRAMES.length).toBe(26)
    expect(new Set(FRAMES.map(({ kind }) => kind)).size).toBe(5)
  })

  it.each(fromDevice.filter(({ transport }) => transport === 'tcp').map((sample) => [sample.id, sample] as const))(
    'finds the end of %s, however little of it is there',
    (_, { hex }) => {
      const bytes = Buffer.from(hex, 'hex')
      for (let length = 1; length < bytes.length; length++) {
        const split = TELTONIKA.split(bytes.subarray(0, length))
        expect(split.kind).toBe('wait')
        expect(split.kind === 'wait' && split.length > length && split.length <= bytes.length).toBe(true)
      }
      expect(TELTONIKA.split(Buffer.concat([bytes, Buffer.from('00ff', 'hex')]))).toEqual({
        kind: 'frame',
        length: bytes.length,
      })
    },
  )

  it.each(fromDevice.map((sample) => [sample.id, sample] as const))('decodes %s to its values', (_, sample) => {
    const message = decode(sample)
    const { expect: expected } = sample
    expect(message.imei).toBe(expected.imei)
    expect(message.answers.settled?.toString('hex') ?? null).toBe(expected.ackHex)
    expect(message.answers.refused?.toString('hex')).toBe(expected.rejectHex)
    const { recordCount = 0, records = [] } = expected
    expect([message.records.length, records.length]).toEqual([recordCount, recordCount])
    const attributes = expectedAttributes('teltonika', sample)
    for (const [i, record] of records.entries()) expectRecord(message.records[i], record, attributes[i])
    expectEach(
      expected,
      {
        // Records of all codecs are alike.
        codec: notKept,
        // What a list of beacons holds stays in the list, which is kept as it came.
        attributes: (values) => expectEach(values as object, { tag1VoltageMv: notKept }),
        udp: (values) => expectEnvelope(message, values as object),
        command: (values) => expectReply(message, values as Readonly<Record<string, unknown>>),
      },
      ['imei', 'ackHex', 'rejectHex', 'recordCount', 'records'],
    )
  })

  it.each(
    FRAMES.filter(({ expect: { command } }) => command !== undefined).map((sample) => [sample.id, sample] as const),
  )('reads the text of %s', (_, sample) => {
    const bytes = Buffer.from(sample.hex, 'hex')
    const text = decodeText(bytes, 8, bytes.length - 4)
    expectEach(sample.expect.command, {
      codec: (value) => expect(String(text.codec)).toBe(value),
      // The documents say not to look at it.
      quantity: notKept,
      type: (value) => expect(text.type).toBe(value),
      size: (value) => expect(text.size).toBe(value),
      imei: (value) => expect(text.imei).toBe(value),
      time: (value) => expect(new Date(text.timeMs ?? Number.NaN).toISOString()).toBe(value),
      timestampBytes: (value) => expect(text.size - text.payload.length).toBe(value),
      sizeCountsTimestamp: (value) => expect(text.size > text.payload.length).toBe(value),
      payloadHex: (value) => expect(text.payload.toString('hex')).toBe(value),
      payloadText: (value) => expect(text.payload.toString('latin1')).toBe(value),
    })
    const { imei, time } = sample.expect.command ?? {}
    expect([text.imei === undefined, text.timeMs === undefined]).toEqual([imei === undefined, time === undefined])
  })

  it.each(
    FRAMES.filter(({ kind, expect: { command } }) => kind === 'command' && command?.codec === '12').map(
      (sample) => [sample.id, sample] as const,
    ),
  )('encodes %s to its bytes', (_, { hex, expect: { command } }) => {
    expect(encodeCodec12(String(command?.payloadText)).toString('hex')).toBe(hex)
    const encoded = TELTONIKA.encodeCommand({ type: 'CUSTOM', params: { text: command?.payloadText } }, TARGET)
    expect('bytes' in encoded && encoded.bytes.toString('hex')).toBe(hex)
  })
})

function expectRecord(
  record: TrackerRecord | undefined,
  expected: RecordExpectation,
  attributes: Attributes | undefined,
): void {
  expectFields(record, expected)
  expect(record.attributes).toStrictEqual(attributes)
  expectEach(expected, { ioTotal: (value) => expect(expected.io?.length).toBe(value) }, [
    ...FIELDS,
    ...['priority', 'eventId', 'generationType', 'io'],
  ])
}

function expectEnvelope({ answers }: TrackerMessage, udp: object): void {
  const answer = answers.settled ?? Buffer.alloc(7)
  expectEach(udp, {
    packetId: (value) => expect(answer.readUInt16BE(2)).toBe(value),
    notUsable: (value) => expect(answer.readUInt8(4)).toBe(value),
    avlPacketId: (value) => expect(answer.readUInt8(5)).toBe(value),
    // Of another length it would have been refused.
    lengthOk: (value) => expect(value).toBe(true),
  })
}

/** Responses are known by their type, and only those of Codec 12 and 14 answer a command. */
function expectReply({ kind, reply }: TrackerMessage, command: Readonly<Record<string, unknown>>): void {
  const { codec, type, payloadText } = command
  if (codec === '13' || codec === '15') expect([kind, reply]).toEqual(['other', undefined])
  else if (type === 0x11)
    expect([kind, reply]).toMatchObject(['reply', { key: 'response', status: 'failed', result: null }])
  else
    expect([kind, reply]).toEqual([
      'reply',
      { key: 'response', status: 'done', result: null, message: String(payloadText).trim() },
    ])
}

describe('messages of Teltonika trackers that name their unit', () => {
  it.each(['tel-c14-getver-ack-wiki', 'tel-c14-nack-wiki', 'tel-c15-wiki'])('do not stand for its login: %s', (id) => {
    const sample = fromDevice.find((frame) => frame.id === id)
    const { imei, needsLogin } = decode({ transport: 'tcp', hex: sample?.hex ?? '' })
    expect([imei, needsLogin]).toEqual([sample?.expect.imei, true])
  })
})

describe('elements of Teltonika trackers', () => {
  it('have the names of the field and canonical units, and nothing is dropped', () => {
    const frame = FRAMES.find(({ id }) => id === 'tel-c8-tcp-wiki-1')
    const [record] = TELTONIKA.decode(Buffer.from(frame?.hex ?? '', 'hex')).records
    expect(record?.attributes).toEqual({
      priority: 1,
      event: 1,
      gsmSignal: 3,
      digitalInput1: true,
      externalVoltageV: 24.079,
      operatorCode: 24602,
      'io.78': '0000000000000000',
    })
  })
})

describe('what is no frame of Teltonika trackers', () => {
  const taken: string[] = []

  it.each(malformedOf('teltonika').map((sample) => [sample.id, sample] as const))(
    'is not taken for one: %s',
    (_, sample) => {
      const bytes = Buffer.from(sample.hex, 'hex')
      const stored = sample.transport === 'udp' ? recordsOfDatagram(bytes) : recordsOfStream(bytes)
      if (stored > 0) taken.push(sample.id)
      if (sample.expect.stored === 0) expect(stored).toBe(0)
      else expect([0, 1]).toContain(stored)
    },
  )

  it('is taken for a record only where the pipeline has the word: a place that is not on earth', () => {
    expect(taken).toEqual(['tel-coordinates-214'])
  })
})

/** How many records a stream of these bytes brings that could be stored. */
function recordsOfStream(bytes: Buffer): number {
  let stored = 0
  for (let rest = bytes; rest.length > 0; ) {
    const split = TELTONIKA.split(rest)
    if (split.kind === 'wait' || split.kind === 'lost') break
    if (split.kind === 'frame') stored += countStorable(() => [TELTONIKA.decode(rest.subarray(0, split.length))])
    rest = rest.subarray(split.length)
  }
  return stored
}

function recordsOfDatagram(bytes: Buffer): number {
  const messages = TELTONIKA.decodeDatagram?.(bytes) ?? []
  return countStorable(() => messages.flatMap((message) => (message instanceof DecodeError ? [] : [message])))
}

function countStorable(decodeAll: () => readonly TrackerMessage[]): number {
  try {
    return decodeAll()
      .flatMap(({ records }) => records)
      .filter(({ timeMs }) => timeMs <= 8_640_000_000_000_000).length
  } catch (error) {
    if (error instanceof DecodeError) return 0
    throw error
  }
}
