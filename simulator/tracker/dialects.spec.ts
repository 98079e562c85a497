import { GALILEOSKY } from '../../src/codecs/galileosky/galileosky-codec.js'
import { QUECLINK } from '../../src/codecs/queclink/queclink-codec.js'
import { RUPTELA } from '../../src/codecs/ruptela/ruptela-codec.js'
import { TELTONIKA } from '../../src/codecs/teltonika/teltonika-codec.js'
import type { TrackerCodec } from '../../src/codecs/tracker-codec.js'
import type { Fix } from '../drives/drive.js'
import type { UnitAlarm } from '../unit/unit-alarm.js'
import type { Dialect, Incoming } from './dialect.js'
import { dialectOf } from './dialects.js'
import type { TrackerProtocol } from './tracker-options.js'

const IMEI = '356307042441013'
const START_MS = Date.UTC(2026, 4, 22, 10)
const CODECS = { teltonika: TELTONIKA, queclink: QUECLINK, ruptela: RUPTELA, galileosky: GALILEOSKY }
const BRANDS = Object.entries(CODECS) as [TrackerProtocol, TrackerCodec][]

const make = (protocol: TrackerProtocol, transport: 'tcp' | 'udp' = 'tcp') =>
  dialectOf(IMEI, { protocol, transport, port: 1, sack: true })

const fixes = (count: number): Fix[] =>
  Array.from({ length: count }, (_, second) => ({
    timeMs: START_MS + second * 1000,
    latitude: 48.163507 + second / 1e5,
    longitude: -11.564388,
    altitudeM: 519,
    speedKmh: 50,
    headingDeg: 271,
    satellites: null,
  }))

const alarmOf = (type: UnitAlarm['type']): UnitAlarm => ({
  key: 'k',
  type,
  timeMs: START_MS,
  latitude: 48.1,
  longitude: 11.5,
  speedKmh: 0,
  fileNames: [],
})

/** Everything that the server's bytes say. */
function readAll(dialect: Dialect, bytes: Buffer, isOpening: boolean): Incoming[] {
  const all: Incoming[] = []
  for (let rest = bytes; rest.length > 0; ) {
    const heard = dialect.read(rest, isOpening)
    if (heard === undefined) throw new Error(`an unfinished answer: ${rest.toString('hex')}`)
    all.push(heard.incoming)
    rest = rest.subarray(heard.length)
  }
  return all
}

describe.each(BRANDS)('a tracker of %s', (protocol, codec) => {
  it('says who it is, and understands that it is let in', () => {
    const dialect = make(protocol)
    const { imei, answers } = codec.decode(dialect.encodeOpening(START_MS) as Buffer)
    expect(imei).toBe(IMEI)
    expect(readAll(dialect, answers.settled as Buffer, true)).toEqual([{ kind: 'let_in' }])
    if (answers.refused !== undefined) {
      expect(readAll(dialect, answers.refused, true)).toEqual([{ kind: 'refused' }])
    } else {
      expect(dialect.isRefusedInSilence).toBe(true)
    }
  })

  it('sends as many fixes as its limits say, and takes the answer for theirs', () => {
    const dialect = make(protocol)
    const sent = fixes(dialect.limits.records)
    const { bytes, key } = dialect.encodeFixes(sent)
    expect(codec.split(bytes)).toEqual({ kind: 'frame', length: bytes.length })
    const { records, answers } = codec.decode(bytes)
    expect(records.map(({ timeMs, latitude, longitude, hasFix }) => ({ timeMs, latitude, longitude, hasFix }))).toEqual(
      sent.map(({ timeMs, latitude, longitude }) => ({
        timeMs,
        latitude: Number(latitude.toFixed(6)),
        longitude,
        hasFix: true,
      })),
    )
    const answer = answers.settledWithSack ?? answers.settled
    const [incoming] = readAll(dialect, answer as Buffer, false)
    expect(incoming).toMatchObject({ kind: 'answer', key, isPositive: true })
  })

  it('sends the same records for the same fixes, so that a repeat is known as one', () => {
    const [one, other] = [make(protocol), make(protocol)]
    const discriminators = (dialect: Dialect) =>
      codec.decode(dialect.encodeFixes(fixes(1)).bytes).records.map(({ discriminator }) => discriminator)
    const first = discriminators(one)
    expect(discriminators(one)).toEqual(first)
    expect(discriminators(other)).toEqual(first)
  })

  it('raises its alarms as events that the server takes for them', () => {
    const dialect = make(protocol)
    expect(dialect.alarmTypes.size).toBeGreaterThan(0)
    for (const type of dialect.alarmTypes) {
      const { records } = codec.decode(dialect.encodeAlarm(alarmOf(type)).bytes)
      const [record] = records
      const holding = (record?.conditions ?? []).filter(
        ({ attribute, bit }) => (Number(record?.attributes?.[attribute]) >> bit) & 1,
      )
      const raised = [record?.alarm, ...holding].filter((alarm) => alarm != null)
      expect(raised.map((alarm) => alarm.type)).toEqual([type])
      expect(record).toMatchObject({ timeMs: START_MS, latitude: 48.1, longitude: 11.5, hasFix: true })
    }
  })

  it('understands orders, and its words come back under the key of the order', () => {
    const dialect = make(protocol)
    const target = { imei: IMEI, model: 'GV300', password: 'word', serial: 0x1a2b }
    const restart = codec.encodeCommand({ type: 'RESET', params: {} }, target)
    if ('unsupported' in restart) throw new Error(restart.unsupported)
    const [order] = readAll(dialect, restart.bytes, false)
    expect(order).toMatchObject({ kind: 'command', command: { type: 'REBOOT' } })
    const text = protocol === 'queclink' ? 'AT+GTQSS=word,,,,,000A$' : 'getinfo'
    const custom = codec.encodeCommand({ type: 'CUSTOM', params: { text } }, target)
    if ('unsupported' in custom) throw new Error(custom.unsupported)
    const [asked] = readAll(dialect, custom.bytes, false)
    if (asked?.kind !== 'command') throw new Error('no order')
    expect(asked.command).toEqual({ type: 'CUSTOM', params: { text } })
    const reply = asked.encodeReply({ status: 'done', result: text, message: null }, START_MS)
    const told = codec.decode(reply as Buffer).reply
    expect(told).toMatchObject({ key: custom.replyKey, status: 'done' })
    if (protocol !== 'queclink') expect(told?.message).toBe(text)
  })

  it('takes what is nothing of its protocol for garbage, and waits for the rest of what is', () => {
    const dialect = make(protocol)
    const html = Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n$'.repeat(100))
    const heard = dialect.read(html, false)
    // Four bytes are a count to Teltonika: the next thing it says is that it is a wrong one.
    if (protocol === 'teltonika') expect(heard).toMatchObject({ length: 4, incoming: { kind: 'answer' } })
    else expect(heard?.incoming.kind).toBe('garbage')
    expect(dialect.read(Buffer.of(protocol === 'galileosky' ? 2 : 0x2b), false)).toBeUndefined()
  })
})

describe('a tracker of Teltonika', () => {
  it('repeats both ids of a datagram as the key of its answer, and counts on', () => {
    const dialect = make('teltonika', 'udp')
    expect(dialect.encodeOpening(START_MS)).toBeUndefined()
    const keys = [dialect.encodeFixes(fixes(2)), dialect.encodeFixes(fixes(2))].map(({ bytes, key }) => {
      const [message] = TELTONIKA.decodeDatagram?.(bytes) ?? []
      if (message === undefined || message instanceof Error) throw new Error('no message')
      expect(message.imei).toBe(IMEI)
      const [answer] = readAll(dialect, message.answers.settled as Buffer, false)
      expect(answer).toEqual({ kind: 'answer', key, isPositive: true, records: 2 })
      return key
    })
    expect(new Set(keys).size).toBe(2)
  })

  it('tells a count of nothing from the beginning of an order', () => {
    const dialect = make('teltonika')
    const order = TELTONIKA.encodeCommand(
      { type: 'CUSTOM', params: { text: 'getver' } },
      { imei: IMEI, model: null, password: null, serial: 1 },
    )
    if ('unsupported' in order) throw new Error(order.unsupported)
    const counts = Buffer.from('0000000000000002', 'hex')
    expect(readAll(dialect, Buffer.concat([counts, order.bytes]), false).map(({ kind }) => kind)).toEqual([
      'answer',
      'answer',
      'command',
    ])
    expect(dialect.read(order.bytes.subarray(0, 8), false)).toBeUndefined()
  })
})

describe('a tracker of Queclink', () => {
  it('sends a report again as a buffered one that is the same report', () => {
    const dialect = make('queclink')
    const [first, again] = [dialect.encodeFixes(fixes(1)), dialect.encodeFixes(fixes(1))]
    expect(first.bytes.toString().startsWith('+RESP:GTFRI,')).toBe(true)
    expect(again.bytes.toString()).toBe(first.bytes.toString().replace('+RESP', '+BUFF'))
    expect(again.key).toBe(first.key)
  })

  it('expects no answer to its reports without SACK', () => {
    const dialect = dialectOf(IMEI, { protocol: 'queclink', transport: 'tcp', port: 1, sack: false })
    expect(dialect.encodeFixes(fixes(1)).key).toBeUndefined()
  })
})
