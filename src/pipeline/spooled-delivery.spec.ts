import fc from 'fast-check'
import { ALARM_TYPES, type DecodedAlarm } from '../model/alarm.js'
import type { Delivery } from '../model/delivery.js'
import type { Attributes, Position } from '../model/position.js'
import type { DecodedRecord } from '../model/report.js'
import { decodeDelivery, encodeDelivery, type SpooledDelivery } from './spooled-delivery.js'

const RECEIVED_MS = Date.UTC(2026, 10, 22, 12)

const numbers = () => fc.double()
const texts = () => fc.string({ unit: 'binary', maxLength: 20 })
const attributes = (): fc.Arbitrary<Attributes | null> =>
  fc.option(
    fc.dictionary(
      fc.oneof(texts(), fc.constantFrom('odd', '__proto__', '1', 'receivedAtMs')),
      fc.oneof(texts(), numbers(), fc.boolean()),
      { noNullPrototype: true },
    ),
  )
const receivedAt = () => fc.oneof(fc.constant(RECEIVED_MS), fc.integer())

const positions = (): fc.Arbitrary<Position> =>
  fc.record(
    {
      deviceId: texts(),
      timeMs: fc.maxSafeInteger(),
      discriminator: fc.nat({ max: 2 ** 48 - 1 }),
      receivedAtMs: receivedAt(),
      latitude: fc.option(numbers()),
      longitude: fc.option(numbers()),
      hasFix: fc.boolean(),
      altitudeM: fc.option(numbers()),
      speedKmh: fc.option(numbers()),
      headingDeg: fc.option(numbers()),
      accuracyM: fc.option(numbers()),
      satellites: fc.option(fc.nat()),
      attributes: attributes(),
      isPart: fc.boolean(),
    },
    {
      requiredKeys: [
        'deviceId',
        'timeMs',
        'discriminator',
        'receivedAtMs',
        'latitude',
        'longitude',
        'hasFix',
        'altitudeM',
        'speedKmh',
        'headingDeg',
        'accuracyM',
        'satellites',
        'attributes',
      ],
    },
  )

const records = (): fc.Arbitrary<DecodedRecord> =>
  fc.oneof(
    positions().map((position) => ({ position })),
    texts().map((message) => ({ refusal: { code: 'invalid_time' as const, message } })),
  )

const alarms = (): fc.Arbitrary<DecodedAlarm> =>
  fc.record({
    deviceId: texts(),
    type: fc.constantFrom(...ALARM_TYPES),
    timeMs: fc.maxSafeInteger(),
    eventKey: texts(),
    receivedAtMs: receivedAt(),
    latitude: fc.option(numbers()),
    longitude: fc.option(numbers()),
    speedKmh: fc.option(numbers()),
    attributes: attributes(),
    fileNames: fc.array(texts(), { maxLength: 3 }),
  })

const watched = () =>
  fc.record({
    type: fc.constantFrom(...ALARM_TYPES),
    eventKey: texts(),
    attribute: texts(),
    bit: fc.nat({ max: 31 }),
  })

const deliveries = (): fc.Arbitrary<Delivery> =>
  fc
    .record({
      deviceId: texts(),
      ingress: fc.constantFrom('tcp', 'udp'),
      receivedAtMs: fc.constant(RECEIVED_MS),
      records: fc.array(records(), { maxLength: 5 }),
      raws: fc.array(texts(), { minLength: 5, maxLength: 5 }),
      alarms: fc.array(alarms(), { maxLength: 2 }),
      conditions: fc.array(fc.record({ index: fc.nat({ max: 4 }), alarm: alarms() }), { maxLength: 2 }),
      watched: fc.array(watched(), { maxLength: 2 }),
    })
    .map(({ raws, ...delivery }) => ({ ...delivery, rawOf: (index: number) => raws[index] ?? '' }))

const spooled = (): fc.Arbitrary<SpooledDelivery> =>
  fc.record({ delivery: deliveries(), unadmitted: fc.record({ address: texts() }) }, { requiredKeys: ['delivery'] })

const withoutRaw = ({ delivery: { rawOf: _, ...delivery }, unadmitted }: SpooledDelivery) => ({ delivery, unadmitted })

const position: Position = {
  deviceId: '356307042441013',
  timeMs: RECEIVED_MS - 1000,
  discriminator: 7,
  receivedAtMs: RECEIVED_MS,
  latitude: 48.1,
  longitude: 11.5,
  hasFix: true,
  altitudeM: null,
  speedKmh: 0,
  headingDeg: null,
  accuracyM: null,
  satellites: 9,
  attributes: { ignition: true },
}
const delivery: Delivery = {
  deviceId: position.deviceId,
  ingress: 'udp',
  receivedAtMs: RECEIVED_MS,
  records: [{ position }, { refusal: { code: 'invalid_latitude', message: '91 is no latitude' } }, { position }],
  rawOf: (index) => `0${index}`,
  alarms: [],
  conditions: [],
  watched: [],
}

describe('a delivery in the spool', () => {
  it('comes back exactly as it was given, whatever is in it', () => {
    fc.assert(
      fc.property(spooled(), (given) => {
        const back = decodeDelivery(encodeDelivery(given).body)
        expect(withoutRaw(back)).toEqual(withoutRaw(given))
        given.delivery.records.forEach(({ refusal }, index) => {
          if (refusal !== undefined) expect(back.delivery.rawOf(index)).toBe(given.delivery.rawOf(index))
        })
      }),
      { numRuns: 500 },
    )
  })

  it('is one line of well-formed text', () => {
    fc.assert(
      fc.property(spooled(), (given) => {
        const { body } = encodeDelivery(given)
        expect(Buffer.from(body).toString()).toBe(body)
        expect(body).not.toMatch(/[\n\0]/)
      }),
    )
  })

  it('has the raw bytes of refused records and of those that were asked for; of others what was read of them', () => {
    const { rawOf } = decodeDelivery(encodeDelivery({ delivery }, [2]).body).delivery
    expect([rawOf(1), rawOf(2)]).toEqual(['01', '02'])
    expect(JSON.parse(rawOf(0))).toEqual({ position })
    expect(rawOf(3)).toBe('null')
  })

  it('is known by what it says, not by when it came', () => {
    const laterMs = RECEIVED_MS + 5000
    const again: Delivery = {
      ...delivery,
      receivedAtMs: laterMs,
      records: delivery.records.map((record) =>
        record.position ? { position: { ...record.position, receivedAtMs: laterMs } } : record,
      ),
    }
    const { key } = encodeDelivery({ delivery })
    expect(key).toMatch(/^[0-9a-f]{32}$/)
    expect(encodeDelivery({ delivery: again }).key).toBe(key)
    expect(encodeDelivery({ delivery: again, unadmitted: { address: '192.0.2.1' } }).key).toBe(key)
    const other: Delivery = { ...delivery, records: [{ position: { ...position, latitude: 48.2 } }] }
    expect(encodeDelivery({ delivery: other }).key).not.toBe(key)
  })

  it.each([
    ['no JSON', '{'],
    ['of a format to come', '{"format":2,"receivedAtMs":1,"said":{}}'],
    ['something else', '{"format":1}'],
  ])('is refused when it is %s', (_, text) => {
    expect(() => decodeDelivery(text)).toThrow()
  })
})
