import type { NewSpooledEntry, SpoolStore } from './spool-store.js'

/** Where a spool lives for one test: opening again finds what was kept before. */
export interface SpoolPlace {
  /** @param maxBytes that it may take of the disk */
  open(maxBytes: number): Promise<SpoolStore>
  /** Removes the data; spools opened here are closed already. */
  remove(): Promise<void>
}

const MIB = 1_048_576
const NOON_MS = Date.UTC(2026, 4, 17, 12)

/**
 * Everything that the port promises. Every adapter runs the whole of it.
 * @param makePlace makes an empty place for each test
 */
export function spoolStoreContract(name: string, makePlace: () => Promise<SpoolPlace>): void {
  describe(`spool store: ${name}`, () => {
    let place: SpoolPlace
    let store: SpoolStore

    beforeEach(async () => {
      place = await makePlace()
      store = await place.open(64 * MIB)
    })

    afterEach(async () => {
      await store.close()
      await place.remove()
    })

    let number = 0
    const entry = (changes: Partial<NewSpooledEntry> = {}): NewSpooledEntry => ({
      deviceId: 'truck-1',
      key: `key ${number++}`,
      keptAtMs: NOON_MS,
      body: 'body',
      ...changes,
    })
    const bodies = async (limit = 1000) => (await store.list({ limit })).map(({ body }) => body)
    const reopen = async (maxBytes = 64 * MIB) => {
      await store.close()
      store = await place.open(maxBytes)
    }

    it('is empty at first', async () => {
      expect(await store.list({ limit: 10 })).toEqual([])
      expect(store.state()).toEqual({ entries: 0, bytes: 0, oldestAtMs: null })
      expect([...(await store.countByDevice())]).toEqual([])
    })

    it('gives back an entry as it was kept, under its id', async () => {
      const given = entry({ keptAtMs: NOON_MS + 7, body: '{"a":1}' })
      const [id] = await store.keep([given])
      expect(await store.list({ limit: 10 })).toEqual([{ ...given, id }])
    })

    it('takes nothing for an answer when there is nothing to keep or to remove', async () => {
      expect(await store.keep([])).toEqual([])
      await store.remove([])
      expect(await store.list({ limit: 10 })).toEqual([])
    })

    it.each([
      ['nothing', ''],
      ['quotes and line ends', `{"a":"it's\r\n"}`],
      ['every script', 'Grüße 世界 🚚'],
      ['a NUL', 'before\u0000after'],
      ['200,000 characters', 'é'.repeat(200_000)],
    ])('keeps a body of %s', async (_, body) => {
      await store.keep([entry({ body })])
      expect(await bodies()).toEqual([body])
      expect(store.state().bytes).toBe(Buffer.byteLength(body))
    })

    it('lists in the order of arrival, of one call and of many at once', async () => {
      const calls = Array.from({ length: 40 }, (_, call) =>
        store.keep([entry({ body: `${call} a` }), entry({ body: `${call} b`, deviceId: 'truck-2' })]),
      )
      const ids = (await Promise.all(calls)).flat()
      const expected = calls.flatMap((_, call) => [`${call} a`, `${call} b`])
      const listed = await store.list({ limit: 1000 })
      expect(listed.map(({ body }) => body)).toEqual(expected)
      expect(listed.map(({ id }) => id)).toEqual(ids)
    })

    it('lists so many, after one, and of one device', async () => {
      await store.keep(['a', 'b', 'c', 'd'].map((body, n) => entry({ body, deviceId: `truck-${n % 2}` })))
      expect(await bodies(2)).toEqual(['a', 'b'])
      const [, second] = await store.list({ limit: 2 })
      const rest = await store.list({ limit: 10, afterId: second?.id })
      expect(rest.map(({ body }) => body)).toEqual(['c', 'd'])
      expect((await store.list({ limit: 1, deviceId: 'truck-1' })).map(({ body }) => body)).toEqual(['b'])
      const later = await store.list({ limit: 10, deviceId: 'truck-1', afterId: second?.id })
      expect(later.map(({ body }) => body)).toEqual(['d'])
      expect(await store.list({ limit: 10, deviceId: 'TRUCK-1' })).toEqual([])
    })

    it('lists some megabytes at most, and one entry at least', async () => {
      const large = 'x'.repeat(6 * MIB)
      const some = 'y'.repeat(MIB)
      await store.keep([entry({ body: large })])
      await store.keep(Array.from({ length: 9 }, () => entry({ body: some })))
      expect((await bodies()).map((body) => body.length)).toEqual([6 * MIB])
      const [first] = await store.list({ limit: 1 })
      const next = await store.list({ limit: 1000, afterId: first?.id })
      expect(next.length).toBeGreaterThan(1)
      expect(next.length).toBeLessThan(9)
    })

    it('keeps what a device says twice once, as long as the first waits', async () => {
      const said = entry({ key: 'the same', body: 'first' })
      const [id] = await store.keep([said])
      const repeated = await store.keep([
        { ...said, keptAtMs: NOON_MS + 5, body: 'second' },
        { ...said, deviceId: 'truck-2', body: 'of another device' },
      ])
      expect(repeated).toEqual([undefined, expect.any(Number)])
      expect(await bodies()).toEqual(['first', 'of another device'])
      expect(store.state()).toMatchObject({ entries: 2, bytes: 22 })
      await store.remove([id ?? 0])
      const [again] = await store.keep([said])
      expect(again).toBeGreaterThan(id ?? 0)
      const twins = entry({ key: 'twins' })
      expect(await store.keep([twins, twins])).toEqual([expect.any(Number), undefined])
    })

    it('tells how much waits, since when, and of whom', async () => {
      await store.keep([entry({ keptAtMs: NOON_MS + 9 }), entry({ deviceId: 'truck-2' })])
      await store.keep([entry({ body: 'größer' })])
      expect(store.state()).toEqual({ entries: 3, bytes: 4 + 4 + 8, oldestAtMs: NOON_MS + 9 })
      expect([...(await store.countByDevice())].sort()).toEqual([
        ['truck-1', 2],
        ['truck-2', 1],
      ])
      const [first] = await store.list({ limit: 1 })
      await store.remove([first?.id ?? 0])
      expect(store.state()).toEqual({ entries: 2, bytes: 12, oldestAtMs: NOON_MS })
    })

    it('removes what it is told, once, and never gives an id twice', async () => {
      const ids = (await store.keep([entry({ body: 'a' }), entry({ body: 'b' }), entry({ body: 'c' })])) as number[]
      await store.remove([ids[0] ?? 0, ids[2] ?? 0])
      await store.remove([ids[0] ?? 0, 999_999])
      expect(await bodies()).toEqual(['b'])
      expect(store.state()).toMatchObject({ entries: 1, bytes: 1 })
      await store.remove(ids)
      await reopen()
      const [id] = await store.keep([entry()])
      expect(id).toBeGreaterThan(Math.max(...ids))
    })

    it('erases everything of one device, however much it is', async () => {
      await store.keep(
        Array.from({ length: 1300 }, (_, n) => entry({ deviceId: n % 13 === 0 ? 'truck-2' : 'truck-1' })),
      )
      await store.eraseDevice('truck-1')
      await store.eraseDevice('nobody')
      expect([...(await store.countByDevice())]).toEqual([['truck-2', 100]])
      expect(store.state().entries).toBe(100)
    })

    it('finds everything again when it is opened anew, in order', async () => {
      await store.keep([entry({ body: 'a', key: 'same' }), entry({ body: 'b' })])
      const before = store.state()
      await reopen()
      expect(store.state()).toEqual(before)
      expect(await store.keep([entry({ key: 'same' })])).toEqual([undefined])
      await store.keep([entry({ body: 'c' })])
      expect(await bodies()).toEqual(['a', 'b', 'c'])
    })

    describe('bound', () => {
      const kibibytes = (count: number, body = 'x') => entry({ body: body.repeat(count * 1024) })
      const full = { code: 'overloaded', retryAfterMs: expect.any(Number) }

      it('refuses what has no room, whole, takes what has, and is not well while it is full', async () => {
        await reopen(MIB)
        await store.keep([kibibytes(400)])
        await expect(store.keep([kibibytes(1), kibibytes(900)])).rejects.toMatchObject(full)
        expect(store.state().entries).toBe(1)
        const outcomes = await Promise.allSettled([300, 800, 100].map((size) => store.keep([kibibytes(size)])))
        expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
        await expect(store.checkHealth()).resolves.toBeUndefined()
        for (let size = 64; size > 0; size = Math.floor(size / 2)) {
          while (
            await store.keep([kibibytes(size)]).then(
              () => true,
              () => false,
            )
          );
        }
        await expect(store.keep([kibibytes(4)])).rejects.toMatchObject(full)
        await expect(store.checkHealth()).rejects.toMatchObject({
          code: 'store_unavailable',
          message: 'spool: it is full, SPOOL_MAX_BYTES is 1048576',
        })
        expect(store.state().bytes).toBeLessThanOrEqual(MIB)
        expect(store.state().bytes).toBeGreaterThan(MIB / 2)
      })

      it('has room again for what was removed, also of small entries, and after it was opened anew', async () => {
        await reopen(MIB)
        const fill = async () => {
          let kept = 0
          for (;;) {
            try {
              await store.keep(Array.from({ length: 50 }, () => entry({ body: 'x'.repeat(300) })))
              kept += 50
            } catch (error) {
              expect(error).toMatchObject(full)
              return kept
            }
          }
        }
        const first = await fill()
        expect(first).toBeGreaterThan(1500)
        await reopen(MIB)
        await expect(store.keep([kibibytes(100)])).rejects.toMatchObject(full)
        for (;;) {
          const listed = await store.list({ limit: 500 })
          if (listed.length === 0) break
          await store.remove(listed.map(({ id }) => id))
        }
        expect(store.state()).toEqual({ entries: 0, bytes: 0, oldestAtMs: null })
        expect(Math.abs((await fill()) - first)).toBeLessThan(first / 10)
      }, 60_000)
    })

    it('is well while it works; once it is closed it says that it keeps nothing', async () => {
      await expect(store.checkHealth()).resolves.toBeUndefined()
      const kept = store.keep([entry()])
      await store.close()
      await expect(kept).resolves.toEqual([expect.any(Number)])
      await expect(store.checkHealth()).rejects.toMatchObject({ code: 'store_unavailable' })
      await expect(store.keep([entry()])).rejects.toMatchObject({ code: 'store_unavailable' })
    })
  })
}
