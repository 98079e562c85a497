import { type QuarantinedRecord, type QuarantineQuery, QuarantineStore } from './quarantine-store.js'

/** Where a store's data lives for one test: opening again finds what was kept before. */
export interface QuarantinePlace {
  open(): Promise<QuarantineStore>
  /** Removes the data; stores opened here are closed already. */
  remove(): Promise<void>
}

const NOON_MS = Date.UTC(2026, 4, 17, 12)
const MOST = QuarantineStore.RECORDS_PER_DEVICE

/**
 * Everything that the port promises. Every adapter runs the whole of it.
 * @param makePlace makes an empty place for each test
 */
export function quarantineStoreContract(name: string, makePlace: () => Promise<QuarantinePlace>): void {
  describe(`quarantine store: ${name}`, () => {
    let place: QuarantinePlace
    let store: QuarantineStore

    beforeEach(async () => {
      place = await makePlace()
      store = await place.open()
    })

    afterEach(async () => {
      await store.close()
      await place.remove()
    })

    const record = (changes: Partial<QuarantinedRecord> = {}): QuarantinedRecord => ({
      deviceId: 'truck-1',
      ingress: 'socket',
      code: 'invalid_latitude',
      receivedAtMs: NOON_MS,
      raw: '{"latitude":91}',
      ...changes,
    })

    /** Raw texts of a list: tests give each record its own. */
    const listRaw = async (query: Partial<QuarantineQuery> = {}) =>
      (await store.list({ limit: 500, ...query })).map(({ raw }) => raw)

    it('is empty at first', async () => {
      expect(await store.list({ limit: 10 })).toEqual([])
    })

    it('gives back a record as it was kept, under an id', async () => {
      await store.keep([record()])
      expect(await store.list({ limit: 10 })).toEqual([{ ...record(), id: expect.stringMatching(/^.+$/) }])
    })

    it('takes nothing for an answer when there is nothing to keep', async () => {
      await store.keep([])
      expect(await store.list({ limit: 10 })).toEqual([])
    })

    it.each([
      ['nothing', ''],
      ['quotes and line ends', `{"a":"it's\r\n"}`],
      ['every script', 'Grüße 世界 🚚'],
      ['a NUL', 'before\u0000after'],
      ['hexadecimal digits', '000000000000003608010000016b'],
    ])('keeps a raw text of %s', async (_, raw) => {
      await store.keep([record({ raw })])
      expect(await listRaw()).toEqual([raw])
    })

    it('keeps the same record as often as it came', async () => {
      await store.keep([record(), record()])
      await store.keep([record()])
      expect((await store.list({ limit: 10 })).length).toBe(3)
    })

    it.each([
      ['8,192 bytes', 'x'.repeat(8192), 'x'.repeat(8192)],
      ['one byte more', 'x'.repeat(8193), 'x'.repeat(8192)],
      ['characters of two bytes', `x${'é'.repeat(5000)}`, `x${'é'.repeat(4095)}`],
      ['characters of three bytes', '世'.repeat(5000), '世'.repeat(2730)],
      ['characters of four bytes', `x${'🚚'.repeat(3000)}`, `x${'🚚'.repeat(2047)}`],
    ])('cuts a raw text to 8 KiB between two characters: %s', async (_, raw, kept) => {
      await store.keep([record({ raw })])
      expect(await listRaw()).toEqual([kept])
    })

    describe('list', () => {
      it('begins with the newest; of two of one moment with the one that came later', async () => {
        await store.keep([
          record({ receivedAtMs: NOON_MS + 1, raw: 'c' }),
          record({ receivedAtMs: NOON_MS, raw: 'a' }),
          record({ receivedAtMs: NOON_MS, raw: 'b', deviceId: 'truck-2' }),
        ])
        await store.keep([record({ receivedAtMs: NOON_MS + 1, raw: 'd' }), record({ receivedAtMs: -1, raw: 'before' })])
        expect(await listRaw()).toEqual(['d', 'c', 'b', 'a', 'before'])
        expect(await listRaw({ limit: 2 })).toEqual(['d', 'c'])
      })

      it('filters by devices, codes and a half-open range of time, and by all of them together', async () => {
        await store.keep([
          record({ raw: '1 lat 0' }),
          record({ raw: '1 lon 1', code: 'invalid_longitude', receivedAtMs: NOON_MS + 1 }),
          record({ raw: '2 lat 2', deviceId: 'truck-2', receivedAtMs: NOON_MS + 2 }),
          record({ raw: '2 old 3', deviceId: 'truck-2', code: 'too_old', receivedAtMs: NOON_MS + 3 }),
          record({ raw: '3 old 4', deviceId: 'truck-3', code: 'too_old', receivedAtMs: NOON_MS + 4 }),
        ])
        expect(await listRaw({ deviceIds: ['truck-1'] })).toEqual(['1 lon 1', '1 lat 0'])
        expect(await listRaw({ deviceIds: ['truck-1', 'truck-3', 'truck-1'] })).toEqual([
          '3 old 4',
          '1 lon 1',
          '1 lat 0',
        ])
        expect(await listRaw({ codes: ['too_old'] })).toEqual(['3 old 4', '2 old 3'])
        expect(await listRaw({ codes: ['invalid_latitude', 'invalid_longitude'] })).toEqual([
          '2 lat 2',
          '1 lon 1',
          '1 lat 0',
        ])
        expect(await listRaw({ deviceIds: ['truck-1', 'truck-2'], codes: ['too_old', 'invalid_latitude'] })).toEqual([
          '2 old 3',
          '2 lat 2',
          '1 lat 0',
        ])
        expect(await listRaw({ fromMs: NOON_MS + 1, toMs: NOON_MS + 3 })).toEqual(['2 lat 2', '1 lon 1'])
        expect(await listRaw({ deviceIds: ['truck-2'], codes: ['too_old'], toMs: NOON_MS + 3 })).toEqual([])
        expect(await listRaw({ deviceIds: [] })).toEqual([])
        expect(await listRaw({ codes: [] })).toEqual([])
        expect(await listRaw({ deviceIds: ['TRUCK-1'] })).toEqual([])
      })

      it('is read page by page, without gaps or repeats, while records are added', async () => {
        const raws = Array.from({ length: 23 }, (_, index) => `record ${index}`)
        const records = raws.map((raw, index) =>
          record({ raw, deviceId: `truck-${index % 3}`, receivedAtMs: NOON_MS + Math.floor(index / 4) }),
        )
        await store.keep(records)
        for (const filter of [{}, { deviceIds: ['truck-0', 'truck-1', 'truck-2'] }, { codes: ['invalid_latitude'] }]) {
          const read: string[] = []
          let before: QuarantineQuery['before']
          for (;;) {
            const page = await store.list({ ...filter, limit: 5, before })
            if (page.length === 0) break
            read.push(...page.map(({ raw }) => raw))
            before = page.at(-1)
            await store.keep([record({ raw: 'newer', receivedAtMs: NOON_MS + 100 })])
          }
          expect(read.filter((raw) => raw !== 'newer')).toEqual([...raws].reverse())
        }
      })
    })

    describe('bound', () => {
      const many = (count: number, startMs: number, changes: Partial<QuarantinedRecord> = {}) =>
        Array.from({ length: count }, (_, index) =>
          record({ receivedAtMs: startMs + index, raw: String(startMs - NOON_MS + index), ...changes }),
        )

      it(`keeps the newest ${MOST} records of a device; others do not give way to them`, async () => {
        await store.keep([record({ deviceId: 'truck-2', raw: 'of another' })])
        await store.keep(many(MOST - 1, NOON_MS))
        await store.keep(many(3, NOON_MS + MOST - 1))
        const kept = await listRaw({ deviceIds: ['truck-1'], limit: 2 * MOST })
        expect([kept.length, kept[0], kept.at(-1)]).toEqual([MOST, String(MOST + 1), '2'])
        expect(await listRaw({ deviceIds: ['truck-2'] })).toEqual(['of another'])
      })

      it('holds within one call too', async () => {
        await store.keep(many(MOST + 500, NOON_MS))
        const kept = await listRaw({ limit: 2 * MOST })
        expect([kept.length, kept[0], kept.at(-1)]).toEqual([MOST, String(MOST + 499), '500'])
      })

      it('counts all records of a device, whatever their code and moment', async () => {
        await store.keep(many(MOST, NOON_MS, { code: 'too_old', receivedAtMs: NOON_MS }))
        await store.keep(many(MOST - 1, NOON_MS, { code: 'invalid_time', receivedAtMs: NOON_MS }))
        const kept = await store.list({ limit: 2 * MOST })
        expect(kept.filter(({ code }) => code === 'too_old').map(({ raw }) => raw)).toEqual([String(MOST - 1)])
        expect(kept.length).toBe(MOST)
      })
    })

    it('erases everything of one device', async () => {
      await store.keep([record(), record({ deviceId: 'truck-2', raw: 'stays' })])
      await store.eraseDevice('truck-1')
      await store.eraseDevice('nobody')
      expect(await listRaw()).toEqual(['stays'])
    })

    it('removes what was received before a moment, and says how many', async () => {
      const devices = ['truck-1', 'truck-2', 'truck-3']
      for (const deviceId of devices) {
        await store.keep(
          Array.from({ length: 900 }, (_, index) =>
            record({ deviceId, receivedAtMs: NOON_MS + index, raw: `${index}` }),
          ),
        )
      }
      expect(await store.removeOlderThan(NOON_MS + 899)).toBe(3 * 899)
      expect(await listRaw()).toEqual(['899', '899', '899'])
      expect(await store.removeOlderThan(NOON_MS + 899)).toBe(0)
    })

    it('never gives an id twice', async () => {
      await store.keep([record({ raw: 'first' })])
      const [first] = await store.list({ limit: 1 })
      await store.eraseDevice('truck-1')
      await store.keep([record({ raw: 'second' })])
      const [second] = await store.list({ limit: 1 })
      expect(second?.id).not.toBe(first?.id)
    })

    it('finds everything again when it is opened anew', async () => {
      await store.keep([record({ raw: 'kept' })])
      await store.close()
      store = await place.open()
      await store.keep([record({ raw: 'later' })])
      expect(await listRaw()).toEqual(['later', 'kept'])
    })

    it('is well while it works; once it is closed it says that it keeps nothing', async () => {
      await expect(store.checkHealth()).resolves.toBeUndefined()
      await store.close()
      await expect(store.checkHealth()).rejects.toMatchObject({ code: 'store_unavailable' })
      await expect(store.keep([record()])).rejects.toMatchObject({ code: 'store_unavailable' })
    })
  })
}
