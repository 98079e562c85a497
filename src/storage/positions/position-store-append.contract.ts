import {
  type Difference,
  itUnless,
  NOON_MS,
  type PositionPlace,
  samplePosition,
  sampleTrack,
  wholeTrack,
} from './position-samples.contract.js'
import type { PositionStore } from './position-store.js'

/** What is stored, once, and what an append says of it. */
export function appendContract(makePlace: () => Promise<PositionPlace>, differences: readonly Difference[] = []): void {
  let place: PositionPlace
  let store: PositionStore

  beforeEach(async () => {
    place = await makePlace()
    store = await place.open()
  })

  afterEach(async () => {
    await store.close()
    await place.remove()
  })

  it('answers an empty append with nothing', async () => {
    expect(await store.append([])).toEqual({ isNew: [], isLatest: [] })
  })

  it('gives back a position as it was stored', async () => {
    const position = samplePosition({ attributes: { ignition: true, fuelL: 212.25, driver: 'A. Ümit' } })
    expect(await store.append([position])).toEqual({ isNew: [true], isLatest: [true] })
    expect(await wholeTrack(store, 'truck-1')).toEqual([position])
    expect(await store.findLatest('truck-1')).toEqual(position)
  })

  it('keeps nulls null and zeros zero', async () => {
    const nothing = samplePosition({
      latitude: null,
      longitude: null,
      hasFix: false,
      altitudeM: null,
      speedKmh: null,
      headingDeg: null,
      accuracyM: null,
      satellites: null,
    })
    const zeros = samplePosition({
      timeMs: NOON_MS + 1,
      latitude: 0,
      longitude: 0,
      altitudeM: 0,
      speedKmh: 0,
      headingDeg: 0,
      accuracyM: 0,
      satellites: 0,
      attributes: {},
    })
    await store.append([nothing, zeros])
    expect(await wholeTrack(store, 'truck-1')).toEqual([nothing, zeros])
  })

  it('keeps the place of a record without a current fix', async () => {
    const record = samplePosition({ hasFix: false, latitude: 48.5, longitude: 11.25 })
    await store.append([record])
    expect(await wholeTrack(store, 'truck-1')).toEqual([record])
  })

  it.each([
    ['the first moment of Unix time', { timeMs: 0 }],
    ['a moment before it', { timeMs: -86_400_000, receivedAtMs: -1 }],
    ['the south pole at the date line', { latitude: -90, longitude: -180 }],
    ['the north pole at the date line', { latitude: 90, longitude: 180 }],
    ['coordinates with all their digits', { latitude: 48.13715412345678, longitude: -0.1 + 0.3 }],
    ['the smallest and largest numbers', { altitudeM: -Number.MAX_VALUE, speedKmh: Number.MIN_VALUE, accuracyM: 1e21 }],
    ['the largest discriminator', { discriminator: 2 ** 48 }],
    ['a far future', { timeMs: 8_640_000_000_000_000 }],
  ])('keeps %s exactly', async (_, changes) => {
    const position = samplePosition(changes)
    expect(await store.append([position])).toEqual({ isNew: [true], isLatest: [true] })
    expect(await wholeTrack(store, 'truck-1')).toEqual([position])
    expect(await store.findLatest('truck-1')).toEqual(position)
    expect((await store.append([position])).isNew).toEqual([false])
  })

  it('keeps attributes of every type, whatever their names and texts', async () => {
    const attributes = {
      text: 'Grüße, 世界 🚚',
      empty: '',
      quotes: `"';--`,
      'line\nbreak': 'a\u0000b\\',
      halfEmoji: '\ud83d',
      'io.239': 1,
      negative: -1.5,
      tiny: 5e-324,
      large: Number.MAX_SAFE_INTEGER,
      yes: true,
      no: false,
      ['__proto__']: 'a name like any other',
      constructor: 'too',
    }
    const position = samplePosition({ attributes })
    await store.append([position, samplePosition({ timeMs: NOON_MS + 1 })])
    const track = await wholeTrack(store, 'truck-1')
    expect(track.map((one) => one.attributes)).toEqual([attributes, null])
    expect(Object.keys(track[0]?.attributes ?? {})).toEqual(Object.keys(attributes))
  })

  it('stores a position once, however often it comes', async () => {
    const position = samplePosition()
    expect(await store.append([position])).toEqual({ isNew: [true], isLatest: [true] })
    expect(await store.append([position])).toEqual({ isNew: [false], isLatest: [false] })
    expect(await wholeTrack(store, 'truck-1')).toEqual([position])
  })

  it('keeps the first of two positions with one time', async () => {
    const first = samplePosition({ speedKmh: 10, attributes: { which: 'first' } })
    const second = samplePosition({ speedKmh: 20, attributes: null, latitude: 50 })
    await store.append([first])
    expect((await store.append([second])).isNew).toEqual([false])
    expect(await wholeTrack(store, 'truck-1')).toEqual([first])
    expect(await store.findLatest('truck-1')).toEqual(first)
  })

  it('keeps the first of two positions with one time in one append', async () => {
    const first = samplePosition({ speedKmh: 10 })
    const second = samplePosition({ speedKmh: 20 })
    const result = await store.append([first, second, first])
    expect(result).toEqual({ isNew: [true, false, false], isLatest: [true, false, false] })
    expect(await wholeTrack(store, 'truck-1')).toEqual([first])
  })

  it('keeps positions with one time and different discriminators, in their order', async () => {
    const positions = [7, 0, 3].map((discriminator) => samplePosition({ discriminator, speedKmh: discriminator }))
    expect((await store.append(positions)).isNew).toEqual([true, true, true])
    expect((await wholeTrack(store, 'truck-1')).map((one) => one.discriminator)).toEqual([0, 3, 7])
  })

  it('says exactly which of a mixed append were new', async () => {
    const track = sampleTrack('truck-1', 200)
    const every3rd = track.filter((_, index) => index % 3 === 0)
    await store.append(every3rd)
    const others = sampleTrack('truck-2', 200)
    const mixed = track.flatMap((one, index) => [one, others[index] ?? one])
    const { isNew } = await store.append(mixed)
    expect(isNew).toEqual(mixed.map((one, index) => one.deviceId === 'truck-2' || Math.floor(index / 2) % 3 !== 0))
    expect(await wholeTrack(store, 'truck-1')).toEqual(track)
    expect(await wholeTrack(store, 'truck-2')).toEqual(others)
  })

  it('puts late positions where they belong', async () => {
    const track = sampleTrack('truck-1', 90)
    await store.append(track.slice(60))
    await store.append(track.slice(0, 30))
    await store.append([...track.slice(30, 60)].reverse())
    expect(await wholeTrack(store, 'truck-1')).toEqual(track)
  })

  itUnless(differences, 'scale')('takes 10,000 positions of 500 devices in one append', async () => {
    const positions = Array.from({ length: 10_000 }, (_, index) =>
      samplePosition({ deviceId: `truck-${index % 500}`, timeMs: NOON_MS + Math.floor(index / 500) * 1000 }),
    )
    const { isNew, isLatest } = await store.append(positions)
    expect(isNew).toEqual(positions.map(() => true))
    expect(isLatest).toEqual(positions.map((_, index) => index >= 9500))
    expect(await wholeTrack(store, 'truck-499')).toEqual(positions.filter((one) => one.deviceId === 'truck-499'))
    expect((await store.append(positions)).isNew).toEqual(positions.map(() => false))
  })

  it('handles appends that are under way together in the order they were made', async () => {
    const attempts = Array.from({ length: 20 }, (_, index) => [
      samplePosition({ speedKmh: index }),
      samplePosition({ timeMs: NOON_MS + index, discriminator: 1 }),
    ])
    const results = await Promise.all(attempts.map((positions) => store.append(positions)))
    expect(results.map(({ isNew }) => isNew)).toEqual(attempts.map((_, index) => [index === 0, true]))
    expect((await wholeTrack(store, 'truck-1'))[0]).toEqual(samplePosition({ speedKmh: 0 }))
  })

  it('tells devices apart by every byte of their ids', async () => {
    const ids = ['truck', 'Truck', 'truck ', 'truck.', 'trück', 'truck-1', "truck'"]
    await store.append(ids.map((deviceId, index) => samplePosition({ deviceId, speedKmh: index })))
    for (const [index, deviceId] of ids.entries()) {
      expect(await wholeTrack(store, deviceId)).toEqual([samplePosition({ deviceId, speedKmh: index })])
    }
  })

  it('finds everything again when it is opened anew, and still knows what is a repeat', async () => {
    const track = sampleTrack('truck-1', 60)
    await store.append(track.slice(0, 50))
    await store.close()
    store = await place.open()
    expect(await wholeTrack(store, 'truck-1')).toEqual(track.slice(0, 50))
    expect(await store.findLatest('truck-1')).toEqual(track[49])
    const again = await store.append(track)
    expect(again.isNew).toEqual(track.map((_, index) => index >= 50))
    expect(again.isLatest).toEqual(track.map((_, index) => index === 59))
  })

  it('finishes appends that are under way when it is closed', async () => {
    const appends = [0, 1, 2].map((index) => store.append(sampleTrack(`truck-${index}`, 500)))
    await store.close()
    expect((await Promise.all(appends)).map(({ isNew }) => isNew.filter(Boolean).length)).toEqual([500, 500, 500])
    store = await place.open()
    expect(await wholeTrack(store, 'truck-2')).toEqual(sampleTrack('truck-2', 500))
  })

  it('refuses appends once it is closed', async () => {
    await store.close()
    await expect(store.append([samplePosition()])).rejects.toMatchObject({ code: 'store_unavailable' })
  })
}
