import fc from 'fast-check'
import { MemoryDeviceRecords, makeDevice } from '../../test/support/memory-device-records.js'
import { makePosition } from '../../test/support/positions.js'
import { Metrics } from '../metrics/metrics.js'
import type { DeviceId } from '../model/device-id.js'
import { type BoundingBox, isInBox, type Position } from '../model/position.js'
import { Sessions } from '../sessions/sessions.js'
import type { PositionStore } from '../storage/positions/position-store.js'
import type { DeviceRecord } from '../storage/sql/device-records.js'
import { type DeviceFilter, DeviceSearch } from './device-search.js'

const MUNICH: BoundingBox = { minLongitude: 11, minLatitude: 48, maxLongitude: 12, maxLatitude: 49 }

/** The two reads of latest positions that a search makes, counted. */
function latestPositions(latest: ReadonlyMap<DeviceId, Position>) {
  const calls: Array<{ method: string; ids: number }> = []
  const isIn = (box: BoundingBox, { latitude, longitude }: Position) =>
    latitude !== null && longitude !== null && isInBox(box, latitude, longitude)
  const store = {
    listLatest: async (ids: readonly DeviceId[]) => {
      calls.push({ method: 'listLatest', ids: ids.length })
      return ids.flatMap((deviceId) => latest.get(deviceId) ?? [])
    },
    listDeviceIdsInBox: async (box: BoundingBox, limit: number, after?: DeviceId) => {
      calls.push({ method: 'listDeviceIdsInBox', ids: limit })
      return [...latest.values()]
        .filter((position) => isIn(box, position) && (after === undefined || position.deviceId > after))
        .map(({ deviceId }) => deviceId)
        .sort()
        .slice(0, limit)
    },
  }
  return { calls, store: store as unknown as PositionStore }
}

interface Fleet {
  readonly devices: readonly DeviceRecord[]
  readonly online?: readonly DeviceId[]
  readonly inMunich?: readonly DeviceId[]
}

function build({ devices, online = [], inMunich = [] }: Fleet) {
  const records = new MemoryDeviceRecords(devices)
  const sessions = new Sessions(new Metrics())
  for (const deviceId of online) sessions.heardWithoutLink(deviceId, 'http')
  const latest = new Map(
    devices.map(({ deviceId }) => [
      deviceId,
      makePosition({ deviceId, longitude: inMunich.includes(deviceId) ? 11.5 : -70 }),
    ]),
  )
  const positions = latestPositions(latest)
  const search = new DeviceSearch(records, positions.store, sessions)
  const calls = () => [...records.calls, ...positions.calls]
  return { search, records, calls }
}

async function pages(search: DeviceSearch, filter: DeviceFilter, limit: number): Promise<DeviceId[][]> {
  const all: DeviceId[][] = []
  let after: DeviceId | undefined
  do {
    const found = await search.find(filter, limit, after)
    all.push(found.records.map(({ deviceId }) => deviceId))
    after = found.after
  } while (after !== undefined)
  return all
}

const numbered = (count: number) => Array.from({ length: count }, (_, n) => `d${String(n).padStart(6, '0')}`)

describe('DeviceSearch', () => {
  it('pages in byte order of ids', async () => {
    const devices = ['b', 'a.', 'a-', 'B', '_', '9', 'a'].map((deviceId) => makeDevice({ deviceId }))
    const { search } = build({ devices })
    expect(await pages(search, {}, 3)).toEqual([['9', 'B', '_'], ['a', 'a-', 'a.'], ['b']])
  })

  it('gives no cursor when the last page is exactly full', async () => {
    const { search } = build({ devices: numbered(4).map((deviceId) => makeDevice({ deviceId })) })
    expect((await pages(search, {}, 2)).map((page) => page.length)).toEqual([2, 2])
  })

  it('shows each device once while others are added before and behind the cursor', async () => {
    const { search, records } = build({ devices: ['b', 'd', 'f', 'h'].map((deviceId) => makeDevice({ deviceId })) })
    const first = await search.find({}, 2, undefined)
    expect([first.records.map(({ deviceId }) => deviceId), first.after]).toEqual([['b', 'd'], 'd'])
    for (const deviceId of ['a', 'c', 'e', 'z']) await records.insert(makeDevice({ deviceId }))
    const second = await search.find({}, 10, first.after)
    expect(second.records.map(({ deviceId }) => deviceId)).toEqual(['e', 'f', 'h', 'z'])
  })

  it('combines filters whose facts live in different places', async () => {
    const devices = [
      makeDevice({ deviceId: 'a', name: 'Truck one' }),
      makeDevice({ deviceId: 'b', name: 'Truck two' }),
      makeDevice({ deviceId: 'c', name: 'Van' }),
      makeDevice({ deviceId: 'd', name: 'Truck four', status: 'disabled' }),
      makeDevice({ deviceId: '350123451234567', name: 'Truck five' }),
    ]
    const { search } = build({ devices, online: ['a', 'c', 'd', '350123451234567'], inMunich: ['a', 'b', 'c', 'd'] })
    const find = async (filter: DeviceFilter) => (await pages(search, filter, 10)).flat()
    expect(await find({ online: true })).toEqual(['350123451234567', 'a', 'c', 'd'])
    expect(await find({ online: false })).toEqual(['b'])
    expect(await find({ box: MUNICH })).toEqual(['a', 'b', 'c', 'd'])
    expect(await find({ online: true, box: MUNICH })).toEqual(['a', 'c', 'd'])
    expect(await find({ online: false, box: MUNICH })).toEqual(['b'])
    expect(await find({ online: true, box: MUNICH, text: 'TRU' })).toEqual(['a', 'd'])
    expect(await find({ online: true, box: MUNICH, text: 'tru', statuses: ['active'] })).toEqual(['a'])
    expect(await find({ online: true, kinds: ['imei'] })).toEqual(['350123451234567'])
    expect(await find({ statuses: [], kinds: [], text: '' })).toHaveLength(5)
  })

  it('finds what a plain filter would find, page by page, whatever is combined', async () => {
    const ids = fc.uniqueArray(fc.stringMatching(/^[ABab._-]{1,4}$/), { minLength: 0, maxLength: 60 })
    const maybe = <T>(one: fc.Arbitrary<T>) => fc.option(one, { nil: undefined })
    const filters = fc.record({
      online: maybe(fc.boolean()),
      box: maybe(fc.constant(MUNICH)),
      statuses: maybe(fc.constant<DeviceRecord['status'][]>(['active'])),
    })
    await fc.assert(
      fc.asyncProperty(ids, filters, fc.integer({ min: 1, max: 7 }), async (deviceIds, filter, limit) => {
        const devices = deviceIds.map((deviceId) =>
          makeDevice({ deviceId, status: deviceId.includes('A') ? 'disabled' : 'active' }),
        )
        const online = deviceIds.filter((deviceId) => deviceId.includes('b'))
        const inMunich = deviceIds.filter((deviceId) => deviceId.includes('.'))
        const { search } = build({ devices, online, inMunich })
        const expected = devices
          .filter(({ status }) => filter.statuses === undefined || status === 'active')
          .map(({ deviceId }) => deviceId)
          .filter((deviceId) => filter.online === undefined || online.includes(deviceId) === filter.online)
          .filter((deviceId) => filter.box === undefined || inMunich.includes(deviceId))
          .sort()
        expect((await pages(search, filter, limit)).flat()).toEqual(expected)
      }),
      { numRuns: 200 },
    )
  })

  it('asks for one row more than the page when only the registry is asked', async () => {
    const { search, calls } = build({ devices: numbered(200).map((deviceId) => makeDevice({ deviceId })) })
    expect((await search.find({ statuses: ['active'] }, 50, undefined)).after).toBe('d000049')
    expect(calls()).toEqual([{ method: 'list', ids: 51 }])
  })

  it('looks at no more than 20 times 500 ids in one request, and goes on from there in the next', async () => {
    const ids = numbered(12_000)
    const devices = ids.map((deviceId) => makeDevice({ deviceId }))
    const { search, calls } = build({ devices, online: ids.slice(0, 11_999), inMunich: ids.slice(11_000) })
    const first = await search.find({ online: false }, 50, undefined)
    expect(first).toEqual({ records: [], after: 'd009999' })
    expect(calls()).toHaveLength(20)
    expect(calls().every(({ ids: count }) => count <= 500)).toBe(true)
    const second = await search.find({ online: false }, 50, first.after)
    expect([second.records.map(({ deviceId }) => deviceId), second.after]).toEqual([['d011999'], undefined])
  })

  it('keeps every store call within 500 ids when online and bbox are combined', async () => {
    const ids = numbered(1000)
    const devices = ids.map((deviceId) => makeDevice({ deviceId }))
    const { search, calls } = build({ devices, online: ids, inMunich: ids.slice(990) })
    const found = await search.find({ online: true, box: MUNICH }, 5, undefined)
    expect([found.records.map(({ deviceId }) => deviceId), found.after]).toEqual([ids.slice(990, 995), 'd000994'])
    expect(calls()).toEqual([
      { method: 'list', ids: 500 },
      { method: 'list', ids: 500 },
      { method: 'listLatest', ids: 500 },
      { method: 'listLatest', ids: 500 },
    ])
  })

  it('lets what narrows more lead when very many are online', async () => {
    const ids = numbered(1001)
    const devices = ids.map((deviceId, n) => makeDevice({ deviceId, name: n < 3 ? 'Rare' : 'Common' }))
    const { search, calls } = build({ devices, online: ids, inMunich: ids.slice(1, 6) })
    const find = async (filter: DeviceFilter) => (await pages(search, filter, 10)).flat()
    expect(await find({ online: true, text: 'rare' })).toEqual(ids.slice(0, 3))
    expect(calls()).toEqual([{ method: 'list', ids: 500 }])
    expect(await find({ online: true, box: MUNICH, text: 'rare' })).toEqual(ids.slice(1, 3))
    expect(calls().slice(1)).toEqual([
      { method: 'list', ids: 5 },
      { method: 'listDeviceIdsInBox', ids: 500 },
    ])
    expect(await find({ online: true })).toEqual(ids)
  })
})
