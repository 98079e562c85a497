import { MOST_GATHERED_CHARACTERS } from '../../model/gathered-attributes.js'
import type { Attributes, Position } from '../../model/position.js'
import {
  type Difference,
  itUnless,
  NOON_MS,
  type PositionPlace,
  samplePosition,
  sampleTrack,
  wholeTrack,
} from './position-samples.contract.js'
import type { AppendResult, PositionStore } from './position-store.js'

const DISCRIMINATOR = 77
const PARTS: readonly Attributes[] = [
  { priority: 1, ignition: true, 'io.49': 3 },
  { priority: 1, 'io.403': 5, 'io.142': 'ffff' },
  { priority: 1, fuelLevelPct: 41.2, 'io.142': '0a' },
  { priority: 1, ['__proto__']: 'a name like any other', odometerM: 123_456 },
]
const WHOLE = {
  priority: 1,
  ignition: true,
  'io.49': 3,
  'io.403': 5,
  fuelLevelPct: 41.2,
  ['__proto__']: 'a name like any other',
  odometerM: 123_456,
}

function part(attributes: Attributes | null, changes: Partial<Position> = {}): Position {
  return samplePosition({ discriminator: DISCRIMINATOR, isPart: true, attributes, ...changes })
}

const ADDED: AppendResult = { isNew: [false], isLatest: [false], isTooLarge: [false] }

/** Records that come in parts: what is stored of them in the end. */
export function partsContract(makePlace: () => Promise<PositionPlace>, differences: readonly Difference[] = []): void {
  let place: PositionPlace
  let store: PositionStore
  let others: PositionStore[]

  beforeEach(async () => {
    place = await makePlace()
    store = await place.open()
    others = []
  })

  afterEach(async () => {
    await Promise.all([store, ...others].map((one) => one.close()))
    await place.remove()
  })

  const storedAttributes = async () => (await wholeTrack(store, 'truck-1')).map(({ attributes }) => attributes)

  /** All that the parts brought; the two values of one element are numbered in the order of arrival. */
  const expectWhole = async () => {
    const [attributes, ...more] = await storedAttributes()
    const { 'io.142': first, 'io.142.2': second, ...rest } = attributes ?? {}
    expect(more).toEqual([])
    expect(rest).toEqual(WHOLE)
    expect([first, second].sort()).toEqual(['0a', 'ffff'])
  }

  it('adds the attributes that are not there yet, and changes nothing else', async () => {
    const first = part({ ignition: true, 'io.49': 3 })
    expect(await store.append([first])).toEqual({ isNew: [true], isLatest: [true], isTooLarge: [false] })
    const other = { receivedAtMs: NOON_MS + 90_000, latitude: 50, longitude: 9, speedKmh: 99, hasFix: false }
    expect(await store.append([part({ fuelLevelPct: 41.2 }, other)])).toEqual(ADDED)
    const { isPart: _, ...kept } = first
    const whole = { ...kept, attributes: { ignition: true, 'io.49': 3, fuelLevelPct: 41.2 } }
    expect(await wholeTrack(store, 'truck-1')).toEqual([whole])
    expect(await store.findLatest('truck-1')).toEqual(whole)
    expect(await store.listBefore('truck-1', { timeMs: NOON_MS + 1 }, 1)).toEqual([whole])
  })

  it.each([[[0, 1, 2, 3]], [[3, 2, 1, 0]], [[2, 0, 3, 1]], [[1, 1, 3, 1, 0, 3, 2, 0, 1, 2]]])(
    'has the whole record whatever the order and the repeats: %j',
    async (order) => {
      const parts = order.map((n) => part(PARTS[n] ?? null))
      for (const [i, one] of parts.entries()) expect((await store.append([one])).isNew).toEqual([i === 0])
      await expectWhole()
      const before = await storedAttributes()
      for (const one of parts) expect(await store.append([one])).toEqual(ADDED)
      expect(await storedAttributes()).toEqual(before)
    },
  )

  it.each([[[[0, 1, 2, 3]]], [[[0, 0], [1, 2, 1], [3]]], [[[3], [2, 2, 0, 1]]]])(
    'puts parts of one append together: %j',
    async (appends) => {
      for (const [i, numbers] of appends.entries()) {
        const result = await store.append(numbers.map((n) => part(PARTS[n] ?? null)))
        expect(result.isNew).toEqual(numbers.map((_, at) => i === 0 && at === 0))
        expect(result.isLatest).toEqual(numbers.map((_, at) => i === 0 && at === 0))
        expect(result.isTooLarge).toEqual(numbers.map(() => false))
      }
      await expectWhole()
    },
  )

  it('keeps the value that came first under a name, and the other one beside it', async () => {
    await store.append([part({ ignition: true, 'io.142': 1 })])
    await store.append([part({ ignition: false, 'io.142': 2 })])
    await store.append([part({ ignition: true, 'io.142': 3 }), part({ 'io.142': 2 })])
    expect(await storedAttributes()).toEqual([
      { ignition: true, 'io.142': 1, 'ignition.2': false, 'io.142.2': 2, 'io.142.3': 3 },
    ])
  })

  it('adds to a record that was no part itself', async () => {
    await store.append([samplePosition({ discriminator: DISCRIMINATOR, attributes: { priority: 0 } })])
    expect(await store.append([part({ 'io.7': 7 })])).toEqual(ADDED)
    expect(await storedAttributes()).toEqual([{ priority: 0, 'io.7': 7 }])
  })

  it('adds nothing from what is no part, before or after parts, or among them', async () => {
    const whole = samplePosition({ discriminator: DISCRIMINATOR, attributes: { other: 1 } })
    await store.append([part({ a: 1 })])
    expect(await store.append([whole])).toEqual({ isNew: [false], isLatest: [false] })
    expect(await store.append([whole, part({ b: 2 }), whole])).toEqual({
      isNew: [false, false, false],
      isLatest: [false, false, false],
      isTooLarge: [false, false, false],
    })
    expect(await storedAttributes()).toEqual([{ a: 1, b: 2 }])
  })

  it('takes parts with and without attributes', async () => {
    await store.append([part(null)])
    expect(await store.append([part({})])).toEqual(ADDED)
    expect(await storedAttributes()).toEqual([null])
    await store.append([part({ a: 1 })])
    expect(await store.append([part(null)])).toEqual(ADDED)
    expect(await storedAttributes()).toEqual([{ a: 1 }])
  })

  it('adds to the record of the part alone: of its device, its time and its discriminator', async () => {
    const neighbours = [
      part({ n: 1 }, { deviceId: 'truck-2' }),
      part({ n: 2 }, { timeMs: NOON_MS + 1 }),
      part({ n: 3 }, { discriminator: DISCRIMINATOR + 1 }),
      part({ n: 4 }),
    ]
    await store.append(neighbours)
    await store.append([part({ more: true })])
    expect(await storedAttributes()).toEqual([{ n: 4, more: true }, { n: 3 }, { n: 2 }])
    expect((await wholeTrack(store, 'truck-2')).map(({ attributes }) => attributes)).toEqual([{ n: 1 }])
  })

  it('says exactly what became of each in an append of parts and others', async () => {
    const track = sampleTrack('truck-1', 3)
    const at = (index: number, attributes: Attributes) =>
      part(attributes, { timeMs: NOON_MS + index * 1000, discriminator: 0 })
    await store.append(track.slice(0, 2))
    const result = await store.append([at(1, { a: 1 }), ...track, at(2, { b: 2 }), at(3, { c: 3 }), at(3, { d: 4 })])
    expect(result).toEqual({
      isNew: [false, false, false, true, false, true, false],
      isLatest: [false, false, false, false, false, true, false],
      isTooLarge: [false, false, false, false, false, false, false],
    })
    expect(await storedAttributes()).toEqual([null, { a: 1 }, { b: 2 }, { c: 3, d: 4 }])
    expect((await store.findLatest('truck-1'))?.attributes).toEqual({ c: 3, d: 4 })
  })

  it('refuses the part with which a record would be too large, and takes the next one that fits', async () => {
    const large = (name: string, characters: number) => ({ [name]: 'x'.repeat(characters) })
    await store.append([part(large('a', MOST_GATHERED_CHARACTERS / 2))])
    expect(await store.append([part(large('b', MOST_GATHERED_CHARACTERS / 2)), part({ c: 1 })])).toEqual({
      isNew: [false, false],
      isLatest: [false, false],
      isTooLarge: [true, false],
    })
    expect((await storedAttributes()).map((one) => Object.keys(one ?? {}))).toEqual([['a', 'c']])
    expect(await store.append([part(large('a', MOST_GATHERED_CHARACTERS / 2))])).toEqual(ADDED)
  })

  it('still knows a record that it is to add to when it is opened anew', async () => {
    await store.append([part(PARTS[0] ?? null), part(PARTS[1] ?? null)])
    await store.close()
    store = await place.open()
    await store.append([part(PARTS[3] ?? null)])
    await store.append([part(PARTS[2] ?? null)])
    await expectWhole()
  })

  it('stores a part anew after an erasure', async () => {
    await store.append([part({ a: 1 })])
    await store.eraseDevice('truck-1')
    expect((await store.append([part({ b: 2 })])).isNew).toEqual([true])
    expect(await storedAttributes()).toEqual([{ b: 2 }])
  })

  it('loses nothing when several nodes add to one record at the same time', async () => {
    others = await Promise.all([1, 2, 3].map(() => place.open()))
    const nodes = [store, ...others]
    const appends = Array.from({ length: 24 }, (_, n) =>
      (nodes[n % nodes.length] ?? store).append([part({ shared: 1, [`io.${n}`]: n }), part({ [`io.${n + 100}`]: n })]),
    )
    const results = await Promise.all(appends)
    expect(results.flatMap(({ isNew }) => isNew).filter(Boolean)).toEqual([true])
    const [attributes] = await storedAttributes()
    const expected = Array.from({ length: 24 }, (_, n) => [
      [`io.${n}`, n],
      [`io.${n + 100}`, n],
    ]).flat()
    expect(attributes).toEqual({ shared: 1, ...Object.fromEntries(expected) })
  })

  itUnless(differences, 'scale')('adds to many records in one append', async () => {
    const records = (attributes: (n: number) => Attributes) =>
      Array.from({ length: 1200 }, (_, n) => part(attributes(n), { timeMs: NOON_MS + n }))
    await store.append(records((n) => ({ n })))
    const result = await store.append(records((n) => ({ twice: n * 2 })))
    expect(result.isNew).toEqual(result.isNew.map(() => false))
    expect(await storedAttributes()).toEqual(result.isNew.map((_, n) => ({ n, twice: n * 2 })))
  })
}
