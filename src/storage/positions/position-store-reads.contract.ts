import * as fc from 'fast-check'
import { greatCircleM } from '../../model/geo.js'
import type { Position, TimeRange } from '../../model/position.js'
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

/** What is read: latest positions, boxes, tracks and distances. */
export function readsContract(makePlace: () => Promise<PositionPlace>, differences: readonly Difference[] = []): void {
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

  const at = (timeMs: number, changes: Partial<Position> = {}) => samplePosition({ timeMs, ...changes })

  describe('device ids', () => {
    itUnless(differences, 'byteOrder')(
      'are those of all devices that anything is stored of, by page, ascending byte by byte',
      async () => {
        expect(await store.listDeviceIds(10)).toEqual([])
        // A capital comes before a small letter, a character beyond U+FFFF after all of the others.
        const ids = ['Truck-1', 'truck-1', 'truck-10', 'truck-2', '\u{ff5e}', '\u{1f69a}']
        await store.append([...ids].reverse().map((deviceId) => at(NOON_MS, { deviceId })))
        await store.append([at(NOON_MS + 1000, { deviceId: 'truck-1' })])
        expect(await store.listDeviceIds(10)).toEqual(ids)
        expect(await store.listDeviceIds(4)).toEqual(ids.slice(0, 4))
        expect(await store.listDeviceIds(4, 'truck-2')).toEqual(ids.slice(4))
        expect(await store.listDeviceIds(10, 'truck-11')).toEqual(ids.slice(3))
        expect(await store.listDeviceIds(10, '\u{1f69a}')).toEqual([])
      },
    )

    it('are also those of devices that never had a fix, and none of devices that were erased', async () => {
      await store.append([
        at(NOON_MS, { deviceId: 'lost', hasFix: false, latitude: null, longitude: null }),
        at(NOON_MS, { deviceId: 'erased' }),
      ])
      await store.eraseDevice('erased')
      expect(await store.listDeviceIds(10)).toEqual(['lost'])
    })
  })

  describe('the last records before a place', () => {
    const noFix = { hasFix: false, latitude: null, longitude: null }
    const back = (timeMs: number, limit: number, discriminator?: number) =>
      store.listBefore('truck-1', { timeMs, ...(discriminator !== undefined && { discriminator }) }, limit)

    it('are those of the greatest times and discriminators before it, the last first, with or without a fix', async () => {
      const [first, second] = [at(NOON_MS), at(NOON_MS + 1000, noFix)]
      const [third, fourth] = [at(NOON_MS + 2000, { discriminator: 3 }), at(NOON_MS + 2000, { discriminator: 7 })]
      await store.append([fourth, second, third, first])
      expect(await back(NOON_MS + 1000, 1)).toEqual([first])
      expect(await back(NOON_MS + 1001, 1)).toEqual([second])
      expect(await back(NOON_MS + 2000, 1)).toEqual([second])
      expect(await back(NOON_MS + 60_000, 1)).toEqual([fourth])
      expect(await back(NOON_MS + 60_000, 3)).toEqual([fourth, third, second])
      expect(await back(NOON_MS + 2000, 9)).toEqual([second, first])
    })

    it('go on before a record that was read, also within one moment', async () => {
      const times = [NOON_MS, NOON_MS + 1000]
      const track = times.flatMap((timeMs) => [0, 3, 4, 7].map((discriminator) => at(timeMs, { discriminator })))
      await store.append(track)
      const backwards = [...track].reverse()
      for (const limit of [1, 3, 8]) {
        const read: Position[] = []
        for (let page = await back(NOON_MS + 9000, limit); page.length > 0; ) {
          read.push(...page)
          const { timeMs, discriminator } = page.at(-1) ?? at(0)
          page = await back(timeMs, limit, discriminator)
        }
        expect(read).toEqual(backwards)
      }
    })

    it('are found however long before they were', async () => {
      const spans = [0, 1, 59_999, 60_000, 60_001, 240_000, 3_600_000, 86_400_000, 400 * 86_400_000]
      const track = spans.map((span) => at(NOON_MS - span))
      await store.append(track)
      expect(await back(NOON_MS + 1, 9)).toEqual(track)
      expect(await back(NOON_MS + 1, 100)).toEqual(track)
      for (const [index, { timeMs }] of track.entries())
        expect(await back(timeMs, 1)).toEqual(track.slice(index + 1, index + 2))
    })

    it('are never of another device, nor of the moment itself', async () => {
      await store.append([
        at(NOON_MS),
        at(NOON_MS - 1000, { deviceId: 'truck-10' }),
        at(NOON_MS - 1000, { deviceId: 'truck' }),
      ])
      expect(await back(NOON_MS, 5)).toEqual([])
      expect(await store.listBefore('truck-2', { timeMs: NOON_MS + 1000 }, 5)).toEqual([])
    })
  })

  describe('latest position', () => {
    it('is unknown for a device that never had one', async () => {
      expect(await store.findLatest('truck-1')).toBeUndefined()
      expect(await store.listLatest(['truck-1', 'truck-2'])).toEqual([])
    })

    it("goes by the unit's time, not by arrival", async () => {
      expect((await store.append([at(NOON_MS + 2000)])).isLatest).toEqual([true])
      expect((await store.append([at(NOON_MS + 1000)])).isLatest).toEqual([false])
      expect((await store.append([at(NOON_MS), at(NOON_MS + 3000)])).isLatest).toEqual([false, true])
      expect(await store.findLatest('truck-1')).toEqual(at(NOON_MS + 3000))
    })

    it('goes by the discriminator when times are equal', async () => {
      expect((await store.append([at(NOON_MS, { discriminator: 5 })])).isLatest).toEqual([true])
      expect((await store.append([at(NOON_MS, { discriminator: 4 })])).isLatest).toEqual([false])
      expect((await store.append([at(NOON_MS, { discriminator: 6 })])).isLatest).toEqual([true])
      expect((await store.findLatest('truck-1'))?.discriminator).toBe(6)
    })

    it('is one of each device in an append, wherever in it', async () => {
      const positions = [at(NOON_MS + 9), at(NOON_MS + 5), at(NOON_MS + 7, { deviceId: 'truck-2' }), at(NOON_MS + 8)]
      expect((await store.append(positions)).isLatest).toEqual([true, false, true, false])
    })

    it('ignores records without a fix', async () => {
      expect((await store.append([at(NOON_MS, { hasFix: false })])).isLatest).toEqual([false])
      expect(await store.findLatest('truck-1')).toBeUndefined()
      await store.append([at(NOON_MS - 1000)])
      const { isLatest } = await store.append([at(NOON_MS + 1000, { hasFix: false, latitude: null, longitude: null })])
      expect(isLatest).toEqual([false])
      expect(await store.findLatest('truck-1')).toEqual(at(NOON_MS - 1000))
      expect((await store.append([at(NOON_MS + 500)])).isLatest).toEqual([true])
    })

    it('is listed for those of many devices that have one', async () => {
      const ids = Array.from({ length: 500 }, (_, index) => `truck-${index}`)
      const positions = ids.filter((_, index) => index % 2 === 0).map((deviceId) => samplePosition({ deviceId }))
      await store.append(positions)
      const listed = await store.listLatest(ids)
      const byId = (a: Position, b: Position) => (a.deviceId < b.deviceId ? -1 : 1)
      expect([...listed].sort(byId)).toEqual([...positions].sort(byId))
    })
  })

  describe('devices in a box', () => {
    const EUROPE = { minLongitude: -10, minLatitude: 35, maxLongitude: 30, maxLatitude: 70 }

    const place1 = (deviceId: string, latitude: number, longitude: number) =>
      store.append([samplePosition({ deviceId, latitude, longitude })])

    it('are those whose latest position lies in it, edges included', async () => {
      await place1('inside', 48, 11)
      await place1('south-west', 35, -10)
      await place1('north-east', 70, 30)
      await place1('too-far-north', 70.000001, 11)
      await place1('too-far-south', 34.999999, 11)
      await place1('too-far-west', 48, -10.000001)
      await place1('too-far-east', 48, 30.000001)
      expect(await store.listDeviceIdsInBox(EUROPE, 10)).toEqual(['inside', 'north-east', 'south-west'])
    })

    it('are told by the latest position only', async () => {
      await place1('gone', 48, 11)
      await store.append([at(NOON_MS + 1000, { deviceId: 'gone', latitude: 0, longitude: 0.5 })])
      await place1('came', 0, 0.5)
      await store.append([
        at(NOON_MS + 1000, { deviceId: 'came' }),
        at(NOON_MS - 1000, { deviceId: 'came', latitude: 1 }),
      ])
      await store.append([at(NOON_MS, { deviceId: 'never-fixed', hasFix: false })])
      expect(await store.listDeviceIdsInBox(EUROPE, 10)).toEqual(['came'])
    })

    it('may lie on both sides of the 180° meridian', async () => {
      const pacific = { minLongitude: 170, minLatitude: -50, maxLongitude: -170, maxLatitude: 0 }
      await place1('auckland', -36.8, 174.8)
      await place1('date-line-east', -20, 180)
      await place1('date-line-west', -20, -180)
      await place1('east-edge', -20, -170)
      await place1('west-edge', -20, 170)
      await place1('samoa', -13.8, -171.8)
      await place1('sydney', -33.9, 151.2)
      await place1('tahiti', -17.5, -149.6)
      await place1('north', 10, 179)
      expect(await store.listDeviceIdsInBox(pacific, 10)).toEqual([
        'auckland',
        'date-line-east',
        'date-line-west',
        'east-edge',
        'samoa',
        'west-edge',
      ])
    })

    it('may be a single point', async () => {
      await place1('here', 48.5, 11.5)
      const point = { minLongitude: 11.5, minLatitude: 48.5, maxLongitude: 11.5, maxLatitude: 48.5 }
      expect(await store.listDeviceIdsInBox(point, 10)).toEqual(['here'])
    })

    itUnless(differences, 'byteOrder')('are listed by id, byte by byte, page by page', async () => {
      const ids = ['a', 'B', 'b', '350000000000017', 'A', 'a-1', 'a.', '\u00e4', 'z', '\ud83d\ude9a', '\uffee', '0']
      await store.append(ids.map((deviceId) => samplePosition({ deviceId })))
      const byBytes = [...ids].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
      expect(await store.listDeviceIdsInBox(EUROPE, 100)).toEqual(byBytes)
      const pages: string[][] = []
      let after: string | undefined
      do {
        const page = await store.listDeviceIdsInBox(EUROPE, 5, after)
        pages.push(page)
        after = page.at(-1)
      } while (after !== undefined)
      expect(pages).toEqual([byBytes.slice(0, 5), byBytes.slice(5, 10), byBytes.slice(10), []])
    })
  })

  describe('track', () => {
    it('is empty for an unknown device', async () => {
      expect(await wholeTrack(store, 'nobody')).toEqual([])
      expect(await store.measureDistance('nobody', {})).toEqual({ meters: 0, points: 0 })
    })

    it('begins with the first moment of a range and ends before its last', async () => {
      const track = sampleTrack('truck-1', 10)
      await store.append(track)
      const between = (from: number | undefined, to: number | undefined) =>
        store.listTrack('truck-1', {
          fromMs: from === undefined ? undefined : NOON_MS + from,
          toMs: to === undefined ? undefined : NOON_MS + to,
          limit: 100,
          includeWithoutFix: false,
        })
      expect(await between(2000, 5000)).toEqual(track.slice(2, 5))
      expect(await between(1999, 5001)).toEqual(track.slice(2, 6))
      expect(await between(2001, 4999)).toEqual(track.slice(3, 5))
      expect(await between(7000, undefined)).toEqual(track.slice(7))
      expect(await between(undefined, 2000)).toEqual(track.slice(0, 2))
      expect(await between(2000, 2000)).toEqual([])
      expect(await between(5000, 2000)).toEqual([])
    })

    it('takes a range that begins before Unix time', async () => {
      const track = [-2000, -1000, 0, 1000].map((timeMs) => at(timeMs))
      await store.append(track)
      const query = { fromMs: -1000, toMs: 1000, limit: 10, includeWithoutFix: false }
      expect(await store.listTrack('truck-1', query)).toEqual(track.slice(1, 3))
    })

    it('shows records without a fix only when they are asked for', async () => {
      const records = [at(NOON_MS), at(NOON_MS + 1, { hasFix: false }), at(NOON_MS + 2)]
      await store.append(records)
      expect(await store.listTrack('truck-1', { limit: 2, includeWithoutFix: false })).toEqual([records[0], records[2]])
      expect(await store.listTrack('truck-1', { limit: 2, includeWithoutFix: true })).toEqual(records.slice(0, 2))
    })

    it('is read page by page, without gaps or repeats, while positions are added', async () => {
      const track = sampleTrack('truck-1', 30)
      const twins = [1, 2, 3].map((discriminator) => at(NOON_MS + 9000, { discriminator }))
      await store.append([...track, ...twins])
      const read: Position[] = []
      let after: Position | undefined
      for (;;) {
        const page = await store.listTrack('truck-1', { after, limit: 5, includeWithoutFix: true })
        read.push(...page)
        after = page.at(-1)
        if (!after) break
        const behind = at(after.timeMs - 1, { attributes: { added: 'behind' } })
        await store.append([behind, ...sampleTrack('truck-2', 1, after.timeMs)])
      }
      expect(read).toEqual([...track.slice(0, 10), ...twins, ...track.slice(10)])
    })

    it('shows what was added ahead of a page', async () => {
      await store.append([at(NOON_MS), at(NOON_MS + 2000)])
      const [first] = await store.listTrack('truck-1', { limit: 1, includeWithoutFix: true })
      await store.append([at(NOON_MS + 1000)])
      const rest = await store.listTrack('truck-1', { after: first, limit: 10, includeWithoutFix: true })
      expect(rest.map(({ timeMs }) => timeMs)).toEqual([NOON_MS + 1000, NOON_MS + 2000])
    })

    it('begins with the range when a page is asked for after a moment before it', async () => {
      await store.append(sampleTrack('truck-1', 5))
      const after = { timeMs: NOON_MS - 1000, discriminator: 0 }
      const query = { fromMs: NOON_MS + 3000, after, limit: 10, includeWithoutFix: true }
      expect(await store.listTrack('truck-1', query)).toEqual(sampleTrack('truck-1', 5).slice(3))
    })
  })

  describe('distance', () => {
    const expectDistance = async (range: TimeRange, track: readonly Position[]) => {
      const { meters, points } = await store.measureDistance('truck-1', range)
      expect(points).toBe(track.length)
      expect(meters).toBeCloseTo(legsOf(track), 6)
    }

    it('is the sum of the legs between fixes in time order', async () => {
      const track = sampleTrack('truck-1', 50)
      await store.append([...track].reverse())
      await expectDistance({}, track)
      expect(legsOf(track)).toBeCloseTo(49 * 11.1195, 0)
    })

    it('is nothing for one point', async () => {
      await store.append([samplePosition()])
      expect(await store.measureDistance('truck-1', {})).toEqual({ meters: 0, points: 1 })
    })

    it('passes over records without a fix', async () => {
      const track = sampleTrack('truck-1', 3)
      const lost = at(NOON_MS + 500, { hasFix: false, latitude: 0, longitude: 0 })
      const blind = at(NOON_MS + 1500, { hasFix: false, latitude: null, longitude: null })
      await store.append([...track, lost, blind])
      await expectDistance({}, track)
    })

    it('is that of a half-open range', async () => {
      const track = sampleTrack('truck-1', 10)
      await store.append(track)
      const range = { fromMs: NOON_MS + 2000, toMs: NOON_MS + 6000 }
      await expectDistance(range, track.slice(2, 6))
    })

    it('is whole for a track of many pages', async () => {
      const track = Array.from({ length: 45_000 }, (_, index) => at(NOON_MS + index, { latitude: (index % 90) / 2 }))
      for (let start = 0; start < track.length; start += 9000) await store.append(track.slice(start, start + 9000))
      await expectDistance({}, track)
    })
  })

  it('tells the same track, latest position and distance for every order and repetition of the same fixes', async () => {
    let run = 0
    const degrees = (most: number) => fc.integer({ min: -most * 1e6, max: most * 1e6 }).map((value) => value / 1e6)
    const fix = fc.record({
      timeMs: fc.integer({ min: -1e6, max: 1e6 }),
      latitude: degrees(90),
      longitude: degrees(180),
    })
    const fixes = fc.uniqueArray(fix, { selector: ({ timeMs }) => timeMs, minLength: 1, maxLength: 40 })
    const arrivals = fixes.chain((once) =>
      fc.record({
        once: fc.constant(once),
        order: fc.shuffledSubarray([...once, ...once, ...once], { minLength: once.length * 3 }),
        cuts: fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 10 }),
      }),
    )
    await fc.assert(
      fc.asyncProperty(arrivals, async ({ once, order, cuts }) => {
        const deviceId = `permuted-${run++}`
        const make = (one: (typeof once)[number]) => samplePosition({ deviceId, ...one })
        let isNewCount = 0
        for (let start = 0, turn = 0; start < order.length; turn++) {
          const end = start + (cuts[turn % cuts.length] ?? 1)
          isNewCount += (await store.append(order.slice(start, end).map(make))).isNew.filter(Boolean).length
          start = end
        }
        const expected = once.map(make).sort((a, b) => a.timeMs - b.timeMs)
        expect(isNewCount).toBe(once.length)
        expect(await wholeTrack(store, deviceId)).toEqual(expected)
        expect(await store.findLatest(deviceId)).toEqual(expected.at(-1))
        const { meters, points } = await store.measureDistance(deviceId, {})
        expect(points).toBe(expected.length)
        expect(meters).toBeCloseTo(legsOf(expected), 6)
      }),
      { numRuns: 60 },
    )
  })
}

function legsOf(track: readonly Position[]): number {
  let meters = 0
  for (const [index, one] of track.entries()) {
    const previous = track[index - 1]
    if (!previous) continue
    meters += greatCircleM(previous.latitude ?? 0, previous.longitude ?? 0, one.latitude ?? 0, one.longitude ?? 0)
  }
  return meters
}
