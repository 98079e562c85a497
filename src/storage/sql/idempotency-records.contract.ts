import type { IdempotencyRecord, IdempotencyRecords } from './idempotency-records.js'

export interface OpenedIdempotencyRecords {
  readonly records: IdempotencyRecords
  close(): Promise<void>
}

const T = 1_700_000_000_123

const key = (scopeHash: string, changes: Partial<IdempotencyRecord> = {}): IdempotencyRecord => ({
  scopeHash,
  bodyHash: 'b'.repeat(64),
  createdAtMs: T,
  status: null,
  sealed: null,
  ...changes,
})

/** What every store of idempotency keys does. `open` gives an empty one. */
export function idempotencyRecordsContract(database: string, open: () => Promise<OpenedIdempotencyRecords>): void {
  describe(`idempotency records on ${database}`, () => {
    let opened: OpenedIdempotencyRecords
    let records: IdempotencyRecords

    beforeEach(async () => {
      opened = await open()
      records = opened.records
    })
    afterEach(() => opened.close())

    it('gives a key to the first and shows the others who holds it', async () => {
      expect(await records.claim(key('k'))).toBeUndefined()
      expect(await records.claim(key('k', { bodyHash: 'other', createdAtMs: T + 1 }))).toEqual(key('k'))
      expect(await records.claim(key('K'))).toBeUndefined()
    })

    it('gives a key to one of many at once', async () => {
      const outcomes = await Promise.all(
        Array.from({ length: 10 }, (_, i) => records.claim(key('k', { createdAtMs: T + i }))),
      )

      expect(outcomes.filter((holder) => holder === undefined)).toHaveLength(1)
    })

    it('keeps the answer, however long', async () => {
      const sealed = 'ä'.repeat(200_000)
      await records.claim(key('k'))

      await records.complete('k', 201, sealed)

      expect(await records.claim(key('k'))).toEqual(key('k', { status: 201, sealed }))
    })

    it('gives a running claim back, and never a finished one', async () => {
      await records.claim(key('running'))
      await records.claim(key('finished'))
      await records.complete('finished', 200, 'x')

      await records.release('running')
      await records.release('finished')
      await records.release('unknown')

      expect(await records.claim(key('running'))).toBeUndefined()
      expect(await records.claim(key('finished'))).toEqual(key('finished', { status: 200, sealed: 'x' }))
    })

    it('gives back what was running before a moment', async () => {
      await records.claim(key('old'))
      await records.claim(key('old-finished'))
      await records.complete('old-finished', 200, 'x')
      await records.claim(key('new', { createdAtMs: T + 1 }))

      expect(await records.releaseRunning(T + 1)).toBe(1)

      expect(await records.claim(key('old'))).toBeUndefined()
      expect(await records.claim(key('old-finished'))).toMatchObject({ status: 200 })
      expect(await records.claim(key('new'))).toMatchObject({ createdAtMs: T + 1 })
    })

    it('removes by age', async () => {
      await records.claim(key('a'))
      await records.claim(key('b', { createdAtMs: T + 1 }))

      expect(await records.removeOlderThan(T + 1)).toBe(1)

      expect(await records.claim(key('a'))).toBeUndefined()
      expect(await records.claim(key('b'))).toEqual(key('b', { createdAtMs: T + 1 }))
    })
  })
}
