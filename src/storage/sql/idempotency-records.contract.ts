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
  owner: 'one',
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

      expect(await records.claim(key('k'))).toEqual(key('k', { owner: null, status: 201, sealed }))
    })

    it('gives a running claim back, and never a finished one', async () => {
      await records.claim(key('running'))
      await records.claim(key('finished'))
      await records.complete('finished', 200, 'x')

      await records.release('running', T)
      await records.release('finished', T)
      await records.release('unknown', T)

      expect(await records.claim(key('running'))).toBeUndefined()
      expect(await records.claim(key('finished'))).toEqual(key('finished', { owner: null, status: 200, sealed: 'x' }))
    })

    it('does not give back a claim that somebody made after the one that is meant', async () => {
      await records.claim(key('k', { createdAtMs: T + 1 }))

      await records.release('k', T)

      expect(await records.claim(key('k'))).toMatchObject({ createdAtMs: T + 1 })
    })

    it('gives back what a server was running, and what nobody knows the server of', async () => {
      await records.claim(key('own'))
      await records.claim(key('own-finished'))
      await records.complete('own-finished', 200, 'x')
      await records.claim(key('odd', { createdAtMs: T - 1 }))
      await records.complete('odd', 200, 'one')
      await records.claim(key('nobody', { owner: null }))
      await records.claim(key('other', { owner: 'other' }))

      expect(await records.releaseRunning('one')).toBe(2)

      expect(await records.claim(key('own'))).toBeUndefined()
      expect(await records.claim(key('own-finished'))).toMatchObject({ status: 200 })
      expect(await records.claim(key('odd'))).toMatchObject({ status: 200, sealed: 'one' })
      expect(await records.claim(key('nobody'))).toBeUndefined()
      expect(await records.claim(key('other'))).toMatchObject({ owner: 'other' })
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
