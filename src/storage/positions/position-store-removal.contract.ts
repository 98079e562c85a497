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

const EVERYWHERE = { minLongitude: -180, minLatitude: -90, maxLongitude: 180, maxLatitude: 90 }

/** What is removed, what stays, and whether the store is well. */
export function removalContract(
  makePlace: () => Promise<PositionPlace>,
  differences: readonly Difference[] = [],
): void {
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

  describe('erasing a device', () => {
    it('removes its track, its latest position and its place in every box', async () => {
      await store.append([...sampleTrack('truck-1', 6000), ...sampleTrack('truck-2', 10)])
      await store.eraseDevice('truck-1')
      expect(await wholeTrack(store, 'truck-1')).toEqual([])
      expect(await store.findLatest('truck-1')).toBeUndefined()
      expect(await store.measureDistance('truck-1', {})).toEqual({ meters: 0, points: 0 })
      expect(await store.listDeviceIdsInBox(EVERYWHERE, 10)).toEqual(['truck-2'])
      expect(await wholeTrack(store, 'truck-2')).toEqual(sampleTrack('truck-2', 10))
    })

    it('does nothing to an unknown device', async () => {
      await store.append([samplePosition()])
      await store.eraseDevice('truck-2')
      expect(await wholeTrack(store, 'truck-1')).toEqual([samplePosition()])
    })

    it('lets the device begin anew', async () => {
      const track = sampleTrack('truck-1', 3)
      await store.append(track)
      await store.eraseDevice('truck-1')
      expect(await store.append(track.slice(0, 2))).toEqual({ isNew: [true, true], isLatest: [false, true] })
      expect(await wholeTrack(store, 'truck-1')).toEqual(track.slice(0, 2))
      expect(await store.findLatest('truck-1')).toEqual(track[1])
    })

    it('removes what an append just before it stores', async () => {
      const [appended] = await Promise.all([store.append(sampleTrack('truck-1', 3000)), store.eraseDevice('truck-1')])
      expect(appended.isNew.every(Boolean)).toBe(true)
      expect(await wholeTrack(store, 'truck-1')).toEqual([])
      expect(await store.findLatest('truck-1')).toBeUndefined()
    })

    it('does not hold back appends, nor lose what other devices append meanwhile', async () => {
      for (let start = 0; start < 30_000; start += 10_000) {
        await store.append(sampleTrack('truck-1', 10_000, NOON_MS + start * 1000))
      }
      const erased = store.eraseDevice('truck-1').then(() => 'erased')
      const appended = store.append(sampleTrack('truck-2', 10)).then(() => 'appended')
      expect(await Promise.race([erased, appended])).toBe('appended')
      expect(await erased).toBe('erased')
      expect(await wholeTrack(store, 'truck-1')).toEqual([])
      expect(await wholeTrack(store, 'truck-2')).toEqual(sampleTrack('truck-2', 10))
    })
  })

  describe('removing what is old', () => {
    it('removes what is older than the moment, says how many, and leaves the rest', async () => {
      const track = sampleTrack('truck-1', 5000)
      await store.append(track)
      await store.append(sampleTrack('truck-2', 100, NOON_MS + 4950 * 1000))
      expect(await store.removeOlderThan(NOON_MS + 4990 * 1000)).toBe(4990 + 40)
      expect(await wholeTrack(store, 'truck-1')).toEqual(track.slice(4990))
      expect((await wholeTrack(store, 'truck-2')).length).toBe(60)
      expect(await store.findLatest('truck-1')).toEqual(track[4999])
    })

    it('keeps the latest position of each device, also in its track', async () => {
      const track = sampleTrack('truck-1', 1200)
      const lost = samplePosition({ timeMs: NOON_MS + 1_300_000, hasFix: false, latitude: null, longitude: null })
      await store.append([...track, lost])
      expect(await store.removeOlderThan(NOON_MS + 86_400_000)).toBe(1200)
      expect(await store.findLatest('truck-1')).toEqual(track[1199])
      expect(await wholeTrack(store, 'truck-1')).toEqual(track.slice(1199))
      expect(await store.listDeviceIdsInBox(EVERYWHERE, 10)).toEqual(['truck-1'])
      expect((await store.append(track.slice(1199))).isNew).toEqual([false])
      expect(await store.removeOlderThan(NOON_MS + 86_400_000)).toBe(0)
    })

    it('removes everything of a device that never had a fix', async () => {
      const records = sampleTrack('truck-1', 700).map((one) => ({ ...one, hasFix: false }))
      await store.append(records)
      expect(await store.removeOlderThan(NOON_MS + 86_400_000)).toBe(700)
      expect(await wholeTrack(store, 'truck-1')).toEqual([])
    })

    it('removes nothing from an empty store', async () => {
      expect(await store.removeOlderThan(NOON_MS)).toBe(0)
    })

    it('forgets what it removed, so that it is new when it comes again', async () => {
      const track = sampleTrack('truck-1', 10)
      await store.append(track)
      await store.removeOlderThan(NOON_MS + 5000)
      const again = await store.append(track)
      expect(again.isNew).toEqual(track.map((_, index) => index < 5))
      expect(again.isLatest).toEqual(track.map(() => false))
    })

    itUnless(differences, 'scale')('goes device by device, however many there are', async () => {
      const devices = Array.from({ length: 300 }, (_, index) => `truck-${index}`)
      await store.append(devices.flatMap((deviceId) => sampleTrack(deviceId, 30)))
      expect(await store.removeOlderThan(NOON_MS + 20_000)).toBe(300 * 20)
      for (const deviceId of ['truck-0', 'truck-150', 'truck-299']) {
        expect(await wholeTrack(store, deviceId)).toEqual(sampleTrack(deviceId, 30).slice(20))
      }
    })

    it('does not hold back appends', async () => {
      for (let start = 0; start < 40_000; start += 10_000) {
        await store.append(sampleTrack('truck-1', 10_000, NOON_MS + start * 1000))
      }
      const removed = store.removeOlderThan(NOON_MS + 39_999_000).then(() => 'removed')
      const appended = store.append(sampleTrack('truck-2', 10, NOON_MS + 86_400_000)).then(() => 'appended')
      expect(await Promise.race([removed, appended])).toBe('appended')
      expect(await removed).toBe('removed')
      expect((await wholeTrack(store, 'truck-1')).length).toBe(1)
      expect((await wholeTrack(store, 'truck-2')).length).toBe(10)
    })
  })

  it('is well while it works, and not once it is closed', async () => {
    await expect(store.checkHealth()).resolves.toBeUndefined()
    await store.close()
    await expect(store.checkHealth()).rejects.toMatchObject({ code: 'store_unavailable' })
  })
}
