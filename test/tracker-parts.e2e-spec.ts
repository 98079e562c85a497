import { RUPTELA } from '../src/codecs/ruptela/ruptela-codec.js'
import { Trackers } from '../src/ingress/tracker/trackers.js'
import type { Attributes } from '../src/model/position.js'
import { testImei } from './support/api.js'
import { type RunningApp, startApp } from './support/app.js'
import { encodePartsFrame, type SentPart } from './support/ruptela-parts.js'
import { removeTemporaryDirectories } from './support/temporary-directory.js'
import { TrackerUnit } from './support/tracker-unit.js'

const ACK = '0002640113bc'
const NOON_MS = Date.UTC(2026, 4, 17, 12)
const WHOLE = {
  priority: 0,
  hdop: 0.8,
  ignition: true,
  'io.3001': 0x0102,
  odometerM: 123_456,
  'io.3002': '00112233445566ff',
}

/** A moment in four parts. */
const MOMENT: readonly Omit<SentPart, 'timeMs'>[] = [
  { parts: 4, part: 0, elements: [{ id: 5, raw: Buffer.of(1) }] },
  { parts: 4, part: 1, elements: [{ id: 3001, raw: Buffer.from('0102', 'hex') }] },
  { parts: 4, part: 2, elements: [{ id: 65, raw: Buffer.from('0001e240', 'hex') }] },
  { parts: 4, part: 3, elements: [{ id: 3002, raw: Buffer.from('00112233445566ff', 'hex') }] },
]

interface Item {
  readonly time: string
  readonly latitude: number
  readonly attributes: Attributes
}

describe('a moment of a Ruptela unit in parts', () => {
  let running: RunningApp
  let port: number
  let units: TrackerUnit[]
  let nextImei = 7100
  let imei: string

  beforeAll(async () => {
    running = await startApp({ RETENTION_DAYS: '0', DEVICE_ENROLMENT: 'open' })
    port = await running.app.get(Trackers).listenFor(RUPTELA, 0)
  })

  beforeEach(() => {
    imei = testImei(nextImei++)
    units = []
  })

  afterEach(() => {
    for (const unit of units) unit.close()
  })

  afterAll(async () => {
    await running.close()
    await removeTemporaryDirectories()
  })

  const connect = async () => {
    const unit = await TrackerUnit.connect(port)
    units.push(unit)
    return unit
  }

  const partsOf = (numbers: readonly number[], changes: Partial<SentPart> = {}): SentPart[] =>
    numbers.map((n) => ({ timeMs: NOON_MS, ...(MOMENT[n] as (typeof MOMENT)[number]), ...changes }))

  /** Sends packets one after the other, each after the answer to the one before. */
  const send = async (unit: TrackerUnit, ...packets: readonly (readonly SentPart[])[]) => {
    for (const packet of packets) {
      unit.send(encodePartsFrame(imei, packet))
      expect(await unit.answer(ACK.length / 2)).toBe(ACK)
    }
  }

  const track = async () => {
    const path = `/api/v1/devices/${imei}/track?include=all&limit=500`
    return (await running.api.get<{ items: Item[] }>(path, running.admin)).body.items
  }

  const latest = async () => {
    const path = `/api/v1/devices/${imei}`
    return (await running.api.get<{ position: Item | null }>(path, running.admin)).body.position
  }

  it.each<readonly [name: string, packets: number[][]]>([
    ['in order', [[0, 1, 2, 3]]],
    ['out of order', [[3, 1, 0, 2]]],
    ['each twice', [[0, 0, 1, 1, 2, 3, 2, 3]]],
    [
      'across two packets',
      [
        [0, 1],
        [2, 3],
      ],
    ],
    [
      'across two packets, the last ones first',
      [
        [3, 2],
        [1, 0],
      ],
    ],
    ['across four packets', [[2], [0], [3], [1]]],
    ['across packets that repeat what came', [[0, 1], [0, 1, 2], [0, 1, 2, 3], [3]]],
  ])('is one record with everything: %s', async (_, packets) => {
    await send(await connect(), ...packets.map((numbers) => partsOf(numbers)))
    const items = await track()
    expect(items.length).toBe(1)
    expect(items[0]).toMatchObject({ time: new Date(NOON_MS).toISOString(), latitude: 54.6872 })
    expect(items[0]?.attributes).toEqual(WHOLE)
    expect((await latest())?.attributes).toEqual(WHOLE)
  })

  it('is one record when its parts come over two connections at the same time', async () => {
    const [one, other] = [await connect(), await connect()]
    const both = [
      [one, [[0], [3, 1]]],
      [other, [[2], [1]]],
    ] as const
    await Promise.all(both.map(([unit, packets]) => send(unit, ...packets.map((numbers) => partsOf(numbers)))))
    expect((await track()).map(({ attributes }) => attributes)).toEqual([WHOLE])
  })

  it('stands among others of its second, each by itself', async () => {
    const first = partsOf([0, 1, 2, 3])
    const second = partsOf([0, 1, 2, 3], { timeExtension: 1 })
    await send(await connect(), [first[2], second[0], first[0], second[3]] as SentPart[])
    await send(await connect(), [second[1], first[1], second[2], first[3]] as SentPart[])
    const items = await track()
    expect(items.map(({ time }) => time)).toEqual([NOON_MS, NOON_MS].map((ms) => new Date(ms).toISOString()))
    expect(items.map(({ attributes }) => attributes)).toEqual([WHOLE, WHOLE])
  })

  it('stands beside whole records of its second, which never are put together', async () => {
    const whole = (value: number): SentPart => ({
      timeMs: NOON_MS,
      parts: 1,
      part: 0,
      elements: [{ id: 3003, raw: Buffer.of(value) }],
    })
    await send(await connect(), [whole(1), ...partsOf([0, 1]), whole(2)], [...partsOf([2, 3]), whole(1)])
    const attributes = (await track()).map((item) => item.attributes)
    expect(attributes.length).toBe(3)
    expect(attributes).toEqual(
      expect.arrayContaining([WHOLE, ...[1, 2].map((n) => ({ priority: 0, hdop: 0.8, 'io.3003': n }))]),
    )
  })

  it('has what came when a part is missing for ever, and holds nothing back for it', async () => {
    await send(await connect(), partsOf([0, 3]), partsOf([2]))
    const { 'io.3001': _, ...rest } = WHOLE
    expect((await track()).map(({ attributes }) => attributes)).toEqual([rest])
    expect((await latest())?.attributes).toEqual(rest)
    const { text } = await running.api.get('/metrics')
    expect(text).toMatch(/^milepost_ingest_waiting_positions 0$/m)
  })

  it('takes a part whose index is beyond their number for one of them', async () => {
    await send(await connect(), partsOf([0, 1, 2], { parts: 3 }), partsOf([3], { parts: 3, part: 9 }))
    expect((await track()).map(({ attributes }) => attributes)).toEqual([WHOLE])
  })

  it('keeps both values of an element that two parts have', async () => {
    const again: SentPart = {
      timeMs: NOON_MS,
      parts: 4,
      part: 1,
      elements: [{ id: 3001, raw: Buffer.from('0909', 'hex') }],
    }
    await send(await connect(), partsOf([0, 1, 2, 3]), [again], [again])
    expect((await track()).map(({ attributes }) => attributes)).toEqual([{ ...WHOLE, 'io.3001.2': 0x0909 }])
  })

  it('raises the alarm of its event once, whichever packet has the element', async () => {
    const event = { eventId: 136 }
    const element = { ...(MOMENT[1] as (typeof MOMENT)[number]), elements: [{ id: 136, raw: Buffer.of(1) }] }
    const unit = await connect()
    await send(unit, partsOf([0], event), [{ ...element, timeMs: NOON_MS, ...event }], partsOf([0], event))
    await send(unit, [{ ...element, timeMs: NOON_MS, ...event }])
    const { body } = await running.api.get<{ items: { type: string; time: string; attributes: Attributes }[] }>(
      `/api/v1/alarms?deviceId=${imei}`,
      running.admin,
    )
    expect(body.items.map(({ type, time, attributes }) => [type, time, attributes.eventKey])).toEqual([
      ['HARD_ACCELERATION', new Date(NOON_MS).toISOString(), 'ruptela.136'],
    ])
  })

  it('ends where its attributes would be too large: the part is refused, kept for inspection and counted', async () => {
    const unit = await connect()
    const bulk = (n: number): SentPart => ({
      timeMs: NOON_MS,
      parts: 16,
      part: n % 16,
      elements: Array.from({ length: 90 }, (_, i) => ({ id: 10_000 + n * 90 + i, raw: Buffer.alloc(8, n + 1) })),
    })
    const refusals = async () => {
      const { text } = await running.api.get('/metrics')
      return Number(
        /^milepost_refusals_total\{ingress="tcp",code="attributes_too_large"\} (\d+)$/m.exec(text)?.[1] ?? 0,
      )
    }
    const before = await refusals()
    for (let n = 0; n < 40; n++) await send(unit, [bulk(n)])
    const [item, ...others] = await track()
    expect(others).toEqual([])
    const { length } = JSON.stringify(item?.attributes)
    expect(length).toBeGreaterThan(60_000)
    expect(length).toBeLessThanOrEqual(65_536)
    const refused = (await refusals()) - before
    expect(Object.keys(item?.attributes ?? {}).length).toBe(2 + (40 - refused) * 90)
    expect(refused).toBeGreaterThan(0)
    const path = `/api/v1/quarantine?deviceId=${imei}&limit=500`
    for (let tries = 0; ; tries++) {
      const { body } = await running.api.get<{ items: { code: string }[] }>(path, running.admin)
      if (body.items.length < refused && tries < 100) await new Promise((resolve) => setTimeout(resolve, 20))
      else return expect(body.items.map(({ code }) => code)).toEqual(Array(refused).fill('attributes_too_large'))
    }
  })
})
