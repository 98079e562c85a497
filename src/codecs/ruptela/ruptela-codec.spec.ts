import type { Attributes } from '../../model/position.js'
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

  it.each(fromDevice)('decodes %s to its values', (_, sample) => {
    const message = RUPTELA.decode(Buffer.from(sample.hex, 'hex'))
    const { expect: expected } = sample
    expect(message.imei).toBe(expected.imei)
    expect(message.answers.settled?.toString('hex') ?? null).toBe(expected.ackHex)
    const { recordCount = 0, records = [] } = expected
    expect([message.records.length, records.length]).toEqual([recordCount, recordCount])
    const attributes = expectedAttributes('ruptela', sample)
    for (const [i, record] of records.entries()) expectRecord(message.records[i], record, attributes[i])
    expectEach(
      expected,
      {
        command: (value) => expect(message.kind).toBe(KINDS[Number(value)]),
        // The unit sends them when this one is answered, without being asked.
        recordsLeft: notKept,
        // Parts are put together: how many there were is nobody's question any more.
        wireRecordCount: notKept,
        wireOrder: (parts) => {
          const times = (parts as readonly { readonly time: string }[]).map(({ time }) => Date.parse(time))
          expect(message.records.map(({ timeMs }) => timeMs)).toEqual([...new Set(times)])
        },
        attributes: (values) => expectAttributes(message, values as object),
      },
      ['imei', 'ackHex', 'recordCount', 'records'],
    )
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

/** By the command of the frame. */
const KINDS: Readonly<Record<number, TrackerMessage['kind']>> = {
  1: 'records',
  68: 'records',
  7: 'reply',
  15: 'login',
  16: 'heartbeat',
  18: 'login',
}

function expectRecord(
  record: TrackerRecord | undefined,
  expected: RecordExpectation,
  attributes: Attributes | undefined,
): void {
  expectFields(record, expected)
  expect(record.attributes).toStrictEqual(attributes)
  expect(record.isPart).toBe(expected.partsExpected !== undefined)
  expectEach(
    expected,
    {
      // It tells records of one second apart, and so does the record's discriminator.
      timeExt: notKept,
      recordExt: (value) => expect([value, record.isPart]).toEqual([0, false]),
      // All of them are there; the record takes more all the same.
      partCount: (value) => expect([value, record.isPart]).toEqual([expected.partsExpected, true]),
    },
    [...FIELDS, 'hdop', 'priority', 'eventId', 'io', 'partsExpected'],
  )
}

/** What identification says of the unit besides its model is not kept: its settings and its card are no business of a fleet's. */
function expectAttributes({ facts, reply, records }: TrackerMessage, values: object): void {
  expectEach(values, {
    deviceType: (value) => expect(facts).toEqual({ model: value }),
    firmware: notKept,
    imsi: notKept,
    operator: notKept,
    distanceCoefficient: notKept,
    timeCoefficient: notKept,
    angleCoefficient: notKept,
    version: notKept,
    params: (params) => {
      const model = (params as readonly { id: number; hex: string }[]).find(({ id }) => id === 1)
      expect(facts).toEqual({ model: Buffer.from(model?.hex ?? '', 'hex').toString() })
    },
    text: (value) => expect(reply?.message).toBe(value),
    driverId: (value) => expect(records.map(({ attributes }) => attributes?.driverKey)).toEqual([value]),
  })
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
