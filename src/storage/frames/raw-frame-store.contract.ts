import {
  listAll,
  NOON_MS,
  numberBytes,
  numberedFrames,
  numberOf,
  plain,
  sampleFrame,
} from './raw-frame-samples.contract.js'
import { mayGoOn, type RawFrame, type RawFrameQuery, type RawFrameStore } from './raw-frame-store.js'

export interface RawFramesBound {
  readonly mostBytes: number
  readonly onGivenWay?: (frames: number) => void
}

/** Where a store's data lives for one test: opening again finds what was kept before. */
export interface RawFramesPlace {
  open(bound: RawFramesBound): Promise<RawFrameStore>
  /** Removes the data; stores opened here are closed already. */
  remove(): Promise<void>
}

const MUCH = 2 ** 40
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/**
 * Everything that the port promises. Every adapter runs the whole of it.
 * @param makePlace makes an empty place for each test
 */
export function rawFrameStoreContract(name: string, makePlace: () => Promise<RawFramesPlace>): void {
  describe(`raw frame store: ${name}`, () => {
    let place: RawFramesPlace
    let store: RawFrameStore

    beforeEach(async () => {
      place = await makePlace()
      store = await place.open({ mostBytes: MUCH })
    })

    afterEach(async () => {
      await store.close()
      await place.remove()
    })

    const list = (query: Partial<RawFrameQuery> = {}) =>
      store.list({ deviceId: 'truck-1', order: 'oldest', limit: 1000, ...query })
    const numbers = async (query: Partial<RawFrameQuery> = {}) => (await list(query)).map(numberOf)
    const one = (number: number, changes: Partial<RawFrame> = {}) =>
      sampleFrame({ bytes: numberBytes(number), ...changes })

    it('is empty at first', async () => {
      expect(await list()).toEqual([])
      expect(await list({ order: 'newest' })).toEqual([])
    })

    it('gives back frames as they were kept, each under an id of its own', async () => {
      const kept = [
        sampleFrame(),
        sampleFrame({ direction: 'out', bytes: Buffer.from('00000001', 'hex'), atMs: NOON_MS + 1 }),
        sampleFrame({ protocol: 'queclink', link: 'udp:[2001:db8::1]:9#1', atMs: NOON_MS + 2 }),
        sampleFrame({ protocol: 'socket', link: 'socket:ä 世界 🚚', atMs: NOON_MS + 3 }),
      ]
      await store.keep(kept)
      const found = await list()
      expect(found.map(({ id, ...frame }) => plain(frame))).toEqual(kept.map(plain))
      expect(new Set(found.map(({ id }) => id)).size).toBe(4)
    })

    it('takes nothing for an answer when there is nothing to keep', async () => {
      await store.keep([])
      expect(await list()).toEqual([])
    })

    it('keeps every byte, of frames of none to 65,536', async () => {
      const every = Uint8Array.from({ length: 256 }, (_, value) => value)
      const sizes = [0, 1, 60, 255, 256, 1002, 1003, 4061, 4062, 65_535, 65_536]
      const frames = sizes.map((size, index) =>
        sampleFrame({
          atMs: NOON_MS + index,
          bytes: Uint8Array.from({ length: size }, (_, at) => (at * 7 + index) % 256),
        }),
      )
      await store.keep([...frames, sampleFrame({ atMs: NOON_MS + 100, bytes: every })])
      const found = await list()
      expect(found.map(({ bytes }) => bytes.length)).toEqual([...sizes, 256])
      expect(found.map(({ bytes }) => Buffer.from(bytes).toString('hex'))).toEqual(
        [...frames, { bytes: every }].map(({ bytes }) => Buffer.from(bytes).toString('hex')),
      )
    })

    it('keeps bytes that are a part of a larger buffer', async () => {
      const whole = Uint8Array.from({ length: 100 }, (_, value) => value)
      await store.keep([sampleFrame({ bytes: whole.subarray(10, 13) }), sampleFrame({ bytes: whole.subarray(97) })])
      expect((await list()).map(({ bytes }) => [...bytes])).toEqual([
        [10, 11, 12],
        [97, 98, 99],
      ])
    })

    it('keeps the same frame as often as it came', async () => {
      await store.keep([sampleFrame(), sampleFrame()])
      await store.keep([sampleFrame()])
      expect((await list()).length).toBe(3)
    })

    it('keeps some thousand frames of many devices and links at once', async () => {
      const frames = numberedFrames(5000, (index) => ({
        deviceId: `truck-${index % 700}`,
        atMs: NOON_MS + Math.floor(index / 900),
        link: `tcp:203.0.113.7:${index % 1400}`,
        direction: index % 3 === 0 ? 'out' : 'in',
      }))
      await store.keep(frames)
      for (const device of [0, 1, 699]) {
        const found = await listAll(store, { deviceId: `truck-${device}`, order: 'oldest' })
        expect(found.map(plain)).toEqual(
          frames
            .filter(({ deviceId }) => deviceId === `truck-${device}`)
            .map((frame, index) => plain({ ...frame, id: found[index]?.id ?? '' })),
        )
      }
    })

    describe('list', () => {
      it('goes by moment, and within a millisecond by arrival, also over several calls', async () => {
        await store.keep([one(4, { atMs: NOON_MS + 1 }), one(1), one(2, { direction: 'out' })])
        await store.keep([one(5, { atMs: NOON_MS + 1 }), one(3)])
        await store.keep([one(0, { atMs: NOON_MS - 1 }), one(6, { atMs: NOON_MS + 1 })])
        expect(await numbers()).toEqual([0, 1, 2, 3, 4, 5, 6])
        expect(await numbers({ order: 'newest' })).toEqual([6, 5, 4, 3, 2, 1, 0])
        expect(await numbers({ limit: 2 })).toEqual([0, 1])
        expect(await numbers({ order: 'newest', limit: 2 })).toEqual([6, 5])
        const ids = (await list()).map(({ id }) => id)
        expect([...ids].sort()).toEqual(ids)
      })

      it('takes a device, a half-open range of time and a direction, and all of them together', async () => {
        await store.keep(
          numberedFrames(12, (index) => ({
            deviceId: index >= 10 ? 'truck-2' : 'truck-1',
            atMs: NOON_MS + Math.floor(index / 2),
            direction: index % 2 === 0 ? 'in' : 'out',
          })),
        )
        expect(await numbers({ fromMs: NOON_MS + 1, toMs: NOON_MS + 3 })).toEqual([2, 3, 4, 5])
        expect(await numbers({ fromMs: NOON_MS + 4 })).toEqual([8, 9])
        expect(await numbers({ toMs: NOON_MS + 1 })).toEqual([0, 1])
        expect(await numbers({ toMs: NOON_MS })).toEqual([])
        expect(await numbers({ direction: 'in' })).toEqual([0, 2, 4, 6, 8])
        expect(await numbers({ direction: 'out', order: 'newest' })).toEqual([9, 7, 5, 3, 1])
        const all = { direction: 'out', fromMs: NOON_MS + 1, toMs: NOON_MS + 4, limit: 2 } as const
        expect(await numbers(all)).toEqual([3, 5])
        expect(await numbers({ ...all, order: 'newest' })).toEqual([7, 5])
        expect(await numbers({ deviceId: 'truck-2' })).toEqual([10, 11])
        expect(await numbers({ deviceId: 'TRUCK-1' })).toEqual([])
        expect(await numbers({ deviceId: 'truck' })).toEqual([])
        expect(await numbers({ deviceId: 'truck-' })).toEqual([])
      })

      it.each(['oldest', 'newest'] as const)(
        'is read page by page from the %s on, without gaps or repeats, while frames are added',
        async (order) => {
          // Ties everywhere: pages end within a millisecond.
          await store.keep(
            numberedFrames(40, (index) => ({
              atMs: NOON_MS + Math.floor(index / 7),
              direction: index % 3 === 0 ? 'out' : 'in',
            })),
          )
          const all = Array.from({ length: 40 }, (_, index) => index)
          const range = { fromMs: NOON_MS + 1, toMs: NOON_MS + 5 }
          const cases = [
            [{}, all],
            [{ direction: 'out' }, all.filter((index) => index % 3 === 0)],
            [{ direction: 'in' }, all.filter((index) => index % 3 !== 0)],
            [range, all.slice(7, 35)],
            [{ ...range, direction: 'out' }, all.slice(7, 35).filter((index) => index % 3 === 0)],
          ] as const
          for (const [filter, expected] of cases) {
            for (const limit of [1, 3, 7]) {
              const read: number[] = []
              let after: RawFrameQuery['after']
              for (;;) {
                const page = await list({ ...filter, order, limit, after })
                if (page.length === 0) break
                read.push(...page.map(numberOf))
                after = page.at(-1)
                await store.keep([sampleFrame({ deviceId: 'truck-2' })])
              }
              expect(read).toEqual(order === 'oldest' ? expected : [...expected].reverse())
            }
          }
        },
      )

      it('shows what came during the reading where it belongs', async () => {
        await store.keep([one(0), one(1), one(3, { atMs: NOON_MS + 1 })])
        const [, second] = await list({ limit: 2 })
        await store.keep([one(2)])
        expect(await numbers({ after: second })).toEqual([2, 3])
        expect(await numbers({ after: second, order: 'newest' })).toEqual([0])
      })

      it('takes moments before 1970 and far ahead as any others', async () => {
        const moments = [-DAY_MS, -1, 0, 1, NOON_MS, 4_102_444_800_000]
        await store.keep(numberedFrames(6, (index) => ({ atMs: moments[5 - index] ?? 0, link: `link ${index}` })))
        expect((await list()).map(({ atMs, link }) => [atMs, link])).toEqual(
          moments.map((atMs, index) => [atMs, `link ${5 - index}`]),
        )
        expect(await numbers({ fromMs: -1, toMs: 1 })).toEqual([4, 3])
      })
    })

    it.each(['oldest', 'newest'] as const)(
      'ends a list of the %s with the frame that makes it a mebibyte, and goes on behind it',
      async (order) => {
        const frame = (index: number, length: number) =>
          one(index, { atMs: NOON_MS + index, bytes: Buffer.concat([numberBytes(index), Buffer.alloc(length - 4)]) })
        await store.keep(Array.from({ length: 40 }, (_, index) => frame(index, 65_536)))
        await store.keep(Array.from({ length: 10 }, (_, index) => frame(40 + index, 4)))
        const pages: number[][] = []
        for (let page = await list({ order }); page.length > 0; page = await list({ order, after: page.at(-1) })) {
          pages.push(page.map(numberOf))
          expect(mayGoOn(page, 1000)).toBe(pages.length < 3)
        }
        const all = Array.from({ length: 50 }, (_, index) => index)
        expect(pages.flat()).toEqual(order === 'oldest' ? all : all.reverse())
        expect(pages.map(({ length }) => length)).toEqual(order === 'oldest' ? [16, 16, 18] : [26, 16, 8])
        expect((await list({ order, limit: 5 })).length).toBe(5)
      },
    )

    it('erases everything of one device, which may speak again afterwards', async () => {
      await store.keep(
        numberedFrames(3000, (index) => ({
          deviceId: index % 2 === 0 ? 'truck-1' : 'truck-10',
          atMs: NOON_MS + index * 60_000,
          link: `link ${index}`,
        })),
      )
      await store.eraseDevice('truck-1')
      await store.eraseDevice('nobody')
      expect(await list()).toEqual([])
      const others = await listAll(store, { deviceId: 'truck-10', order: 'oldest' })
      expect(others.map(numberOf)).toEqual(Array.from({ length: 1500 }, (_, index) => index * 2 + 1))
      expect(others.map(({ link }) => link)).toEqual(others.map((frame) => `link ${numberOf(frame)}`))
      await store.keep([one(7, { link: 'link 0' })])
      expect((await list()).map((frame) => [numberOf(frame), frame.link])).toEqual([[7, 'link 0']])
    })

    it('removes exactly what is from before a moment, and says how much', async () => {
      const devices = ['truck-1', 'truck-2', 'truck-3']
      // The clock of the server went back in the midst of it, over the end of a day.
      const atMs = (index: number) => NOON_MS + ((index * 7919) % 2100) * 60_000
      const frames = numberedFrames(6300, (index) => ({
        deviceId: devices[index % 3] ?? '',
        atMs: atMs(index),
        link: `link ${index % 5}`,
      }))
      await store.keep(frames.slice(0, 3000))
      await store.keep(frames.slice(3000))
      const beforeMs = NOON_MS + 1500 * 60_000
      const stay = frames.filter((frame) => frame.atMs >= beforeMs)
      expect(await store.removeOlderThan(beforeMs)).toBe(6300 - stay.length)
      for (const deviceId of devices) {
        const found = await listAll(store, { deviceId, order: 'oldest' })
        const expected = stay.filter((frame) => frame.deviceId === deviceId).sort((a, b) => a.atMs - b.atMs)
        expect(found.map((frame) => [frame.atMs, numberOf(frame), frame.link])).toEqual(
          expected.map((frame) => [frame.atMs, numberOf(frame), frame.link]),
        )
      }
      expect(await store.removeOlderThan(beforeMs)).toBe(0)
    })

    it('takes frames while old ones are removed', async () => {
      await store.keep(numberedFrames(5000, (index) => ({ atMs: NOON_MS + index })))
      const removal = store.removeOlderThan(NOON_MS + 5000)
      for (let batch = 0; batch < 10; batch++) await store.keep([one(batch, { atMs: NOON_MS + DAY_MS + batch })])
      expect(await removal).toBe(5000)
      expect(await numbers()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    })

    it('lets the oldest of all devices give way when there is more than there may be, and counts them', async () => {
      await store.close()
      let givenWay = 0
      const mostBytes = 8_388_608
      store = await place.open({
        mostBytes,
        onGivenWay: (frames) => {
          givenWay += frames
        },
      })
      const bytes = new Uint8Array(16_384)
      for (let hour = 0; hour < 24; hour++) {
        await store.keep(
          Array.from({ length: 50 }, (_, index) =>
            sampleFrame({ deviceId: `truck-${index % 2}`, atMs: NOON_MS + hour * HOUR_MS + index, bytes }),
          ),
        )
      }
      expect(await store.removeOlderThan(NOON_MS)).toBe(0)
      const left = [
        ...(await listAll(store, { deviceId: 'truck-0', order: 'oldest' })),
        ...(await listAll(store, { deviceId: 'truck-1', order: 'oldest' })),
      ]
      expect(givenWay).toBe(24 * 50 - left.length)
      // At least half of what may be is there, and no more than it.
      expect(left.length * bytes.length).toBeLessThanOrEqual(mostBytes)
      expect(left.length * bytes.length).toBeGreaterThan(mostBytes / 2)
      const moments = left.map(({ atMs }) => atMs).sort((a, b) => a - b)
      const all = Array.from({ length: 24 * 50 }, (_, n) => NOON_MS + Math.floor(n / 50) * HOUR_MS + (n % 50))
      expect(moments).toEqual(all.slice(-left.length))
    })

    it('takes frames after it was asked to give way', async () => {
      await store.keep(numberedFrames(1000, (index) => ({ atMs: NOON_MS + index })))
      await store.giveWay(2 ** 40)
      await store.keep([one(1000, { atMs: NOON_MS + 1000 })])
      // Where frames are on another disk than the one that is low, all of them stay.
      const left = (await listAll(store, { deviceId: 'truck-1', order: 'oldest' })).map(numberOf)
      expect(left).toEqual(left.length === 1 ? [1000] : Array.from({ length: 1001 }, (_, index) => index))
    })

    it('finds everything again when it is opened anew, and goes on with it', async () => {
      await store.keep([one(0), one(1)])
      await store.close()
      store = await place.open({ mostBytes: MUCH })
      await store.keep([one(2, { link: 'another' }), one(3)])
      expect((await list()).map((frame) => [numberOf(frame), frame.link])).toEqual([
        [0, 'tcp:203.0.113.7:40112#17'],
        [1, 'tcp:203.0.113.7:40112#17'],
        [2, 'another'],
        [3, 'tcp:203.0.113.7:40112#17'],
      ])
    })

    it('finishes what is under way when it is closed', async () => {
      const under = Array.from({ length: 20 }, (_, batch) =>
        store.keep(numberedFrames(100, (index) => ({ atMs: NOON_MS + batch * 100 + index }))),
      )
      await Promise.all([...under, store.close()])
      store = await place.open({ mostBytes: MUCH })
      expect((await listAll(store, { deviceId: 'truck-1', order: 'newest' })).length).toBe(2000)
    })

    it('is well while it works; once it is closed it says that it keeps nothing', async () => {
      await expect(store.checkHealth()).resolves.toBeUndefined()
      await store.close()
      const refusal = { code: 'store_unavailable' }
      await expect(store.checkHealth()).rejects.toMatchObject(refusal)
      await expect(store.keep([sampleFrame()])).rejects.toMatchObject(refusal)
      await expect(list()).rejects.toMatchObject(refusal)
    })
  })
}
