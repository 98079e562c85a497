import { DecodeError } from '../decode-error.js'
import type { TrackerRecord } from '../tracker-codec.js'
import { expectFields, framesOf, malformedOf, type RecordExpectation } from '../tracker-frames.contract.js'
import { encodeAnswer } from './encode.js'
import { RUPTELA } from './ruptela-codec.js'

const FRAMES = framesOf('ruptela')
const fromDevice = FRAMES.filter(({ direction }) => direction === 'device->server').map((one) => [one.id, one] as const)
const TARGET = { imei: '868324023580306', model: null, password: '1234', serial: 1 }

describe('frames of Ruptela trackers', () => {
  it('are there in every kind', () => {
    expect(FRAMES.length).toBe(12)
    expect(new Set(FRAMES.map(({ kind }) => kind)).size).toBe(5)
  })

  it.each(fromDevice)('finds the end of %s, however little of it is there', (_, { hex }) => {
    const bytes = Buffer.from(hex, 'hex')
    for (let length = 1; length < bytes.length; length++) {
      const split = RUPTELA.split(bytes.subarray(0, length))
      expect(split.kind).toBe('wait')
      expect(split.kind === 'wait' && split.length > length && split.length <= bytes.length).toBe(true)
    }
    const followed = Buffer.concat([bytes, Buffer.from('0009', 'hex')])
    expect(RUPTELA.split(followed)).toEqual({ kind: 'frame', length: bytes.length })
  })

  it.each(fromDevice)('decodes %s to its values', (_, { hex, expect: expected }) => {
    const message = RUPTELA.decode(Buffer.from(hex, 'hex'))
    expect(message.imei).toBe(expected.imei)
    expect(message.answers.settled?.toString('hex') ?? null).toBe(expected.ackHex)
    expect(message.records.length).toBe(expected.recordCount ?? 0)
    for (const [i, record] of (expected.records ?? []).entries()) expectRecord(message.records[i], record)
  })

  it('tells what identified itself', () => {
    const factsOf = (id: string) => RUPTELA.decode(Buffer.from(hexOf(id), 'hex')).facts
    expect(factsOf('rup-ident-0f-es04')).toEqual({ model: 'Es04' })
    expect(factsOf('rup-ident-12-synthetic')).toEqual({ model: 'Tc05' })
  })

  it('refuses who is not known for three hours', () => {
    const { answers } = RUPTELA.decode(Buffer.from(hexOf('rup-ident-0f-es04'), 'hex'))
    expect(answers.refused?.toString('hex')).toBe('00037302b4afa3')
  })

  it('takes the answer to a command for the words that it is', () => {
    const { kind, reply } = RUPTELA.decode(Buffer.from(hexOf('rup-07-io-state'), 'hex'))
    const message = 'DIN1=1,DIN2=0,DIN3=0,DIN4=0,DOUT1=1,DOUT2=1,AIN1=17,AIN2=26'
    expect({ kind, reply }).toEqual({ kind: 'reply', reply: { key: '7', status: 'done', result: null, message } })
  })

  it('encodes commands to their bytes', () => {
    const custom = RUPTELA.encodeCommand({ type: 'CUSTOM', params: { text: '1234 getio' } }, TARGET)
    expect('bytes' in custom && custom.bytes.toString('hex')).toBe(hexOf('rup-cmd-6c-getio'))
    expect(encodeAnswer(0x89, Buffer.from('0100000000007fffffff', 'hex')).toString('hex')).toBe(hexOf('rup-cmd-89-raw'))
    expect(encodeAnswer(0x64, Buffer.of(0)).toString('hex')).toBe('000264000235')
  })
})

function hexOf(id: string): string {
  return FRAMES.find((frame) => frame.id === id)?.hex ?? ''
}

function expectRecord(record: TrackerRecord | undefined, expected: RecordExpectation): void {
  expectFields(record, expected)
  expect(record.isPart).toBe(expected.partsExpected !== undefined)
  const { priority, event, hdop, ...elements } = record.attributes ?? {}
  expect([priority, event, hdop]).toEqual([expected.priority, expected.eventId, expected.hdop])
  const io = expected.io ?? []
  expect(Object.keys(elements).length).toBe(io.length)
  const raw = new Map<string, number | string>()
  for (const { id, size, hex } of io) {
    const nth = [1, 2, 3, 4].find((n) => !raw.has(n === 1 ? `io.${id}` : `io.${id}.${n}`))
    raw.set(nth === 1 ? `io.${id}` : `io.${id}.${nth}`, size <= 4 ? Number.parseInt(hex, 16) : hex)
  }
  for (const [name, value] of Object.entries(elements)) {
    if (name.startsWith('io.')) expect([name, value]).toEqual([name, raw.get(name)])
  }
}

describe('what is no frame of Ruptela trackers', () => {
  const taken: string[] = []

  it.each(malformedOf('ruptela').map((one) => [one.id, one] as const))('is not taken for one: %s', (_, sample) => {
    const stored = recordsOf(Buffer.from(sample.hex, 'hex'))
    if (stored > 0) taken.push(sample.id)
    if (sample.expect.stored === 0) expect(stored).toBe(0)
  })

  it('is taken for a record only where that does no harm', () => {
    expect(taken).toEqual(['rup-records-left-2', 'rup-coordinates-214'])
  })
})

function recordsOf(bytes: Buffer): number {
  let records = 0
  for (let rest = bytes; rest.length > 0; ) {
    const split = RUPTELA.split(rest)
    if (split.kind !== 'frame') break
    try {
      records += RUPTELA.decode(rest.subarray(0, split.length)).records.length
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      break
    }
    rest = rest.subarray(split.length)
  }
  return records
}
