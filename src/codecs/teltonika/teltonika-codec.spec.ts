import { DecodeError } from '../decode-error.js'
import type { TrackerMessage, TrackerRecord } from '../tracker-codec.js'
import { type FrameSample, framesOf, malformedOf, type RecordExpectation } from '../tracker-frames.contract.js'
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

/** What the elements of a record are as attributes when nobody understands them. */
function rawAttributes(expected: RecordExpectation): [string, number | string][] {
  return (expected.io ?? []).map(({ id, size, hex }) => [
    `io.${id}`,
    size <= 4 && size > 0 ? Number.parseInt(hex, 16) : hex,
  ])
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
    if (sample.kind !== 'command-response' || sample.id.includes('c14')) expect(message.imei).toBe(expected.imei)
    expect(message.answers.settled?.toString('hex') ?? null).toBe(expected.ackHex)
    expect(message.answers.refused?.toString('hex')).toBe(expected.rejectHex)
    expect(message.records.length).toBe(expected.recordCount ?? 0)
    for (const [i, record] of (expected.records ?? []).entries()) expectRecord(message.records[i], record)
  })

  it.each(
    FRAMES.filter(({ expect: { command } }) => command !== undefined).map((sample) => [sample.id, sample] as const),
  )('reads the text of %s', (_, sample) => {
    const bytes = Buffer.from(sample.hex, 'hex')
    const text = decodeText(bytes, 8, bytes.length - 4)
    const { command } = sample.expect
    expect(String(text.codec)).toBe(command?.codec)
    expect([text.type, text.size, text.payload.toString('hex')]).toEqual([
      command?.type,
      command?.size,
      command?.payloadHex,
    ])
    expect(text.imei).toBe(command?.imei)
    expect(text.timeMs === undefined ? undefined : new Date(text.timeMs).toISOString()).toBe(command?.time)
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

function expectRecord(record: TrackerRecord | undefined, expected: RecordExpectation): void {
  if (record === undefined) throw new Error('a record is missing')
  expect(new Date(record.timeMs).toISOString()).toBe(expected.time)
  expect([record.latitude, record.longitude]).toEqual([expected.lat, expected.lon])
  expect([record.altitudeM, record.speedKmh, record.satellites]).toEqual([
    expected.altitudeM,
    expected.speedKph,
    expected.satellites,
  ])
  expect(record.headingDeg).toBe(Number(expected.courseDeg) % 360)
  expect(record.hasFix).toBe(expected.valid && !(expected.lat === 0 && expected.lon === 0))
  const { priority, event = 0, generationType, ...elements } = record.attributes ?? {}
  expect([priority, event, generationType]).toEqual([expected.priority, expected.eventId, expected.generationType])
  expect(Object.keys(elements).length).toBe(expected.io?.length)
  const raw = new Map(rawAttributes(expected))
  for (const [name, value] of Object.entries(elements)) {
    if (name.startsWith('io.')) expect([name, value]).toEqual([name, raw.get(name)])
  }
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
