import type { ErasureRecord, ErasureRecords } from './erasure-records.js'

const erasure = (deviceId: string, changes: Partial<ErasureRecord> = {}): ErasureRecord => ({
  deviceId,
  by: 'ann',
  address: '2001:db8::1',
  askedAtMs: 1_700_000_000_123,
  ...changes,
})

/** What every list of erasures does. `open` gives an empty one. */
export function erasureRecordsContract(
  database: string,
  open: () => Promise<{ readonly records: ErasureRecords; close(): Promise<void> }>,
): void {
  describe(`erasure records on ${database}`, () => {
    let records: ErasureRecords
    let close: () => Promise<void>

    beforeEach(async () => {
      ;({ records, close } = await open())
    })
    afterEach(() => close())

    it('keeps the first of a device as it was given', async () => {
      expect(await records.find('a')).toBeUndefined()
      expect(await records.add(erasure('a'))).toBe(true)
      expect(await records.add(erasure('a', { by: 'ben', askedAtMs: 1 }))).toBe(false)
      expect(await records.find('a')).toEqual(erasure('a'))
      expect(await records.find('A')).toBeUndefined()
    })

    it('lists the oldest first', async () => {
      for (const one of [erasure('b'), erasure('a'), erasure('c', { askedAtMs: 5 })]) await records.add(one)
      expect((await records.list()).map(({ deviceId }) => deviceId)).toEqual(['c', 'a', 'b'])
    })

    it('forgets one, once', async () => {
      for (const one of [erasure('b'), erasure('a')]) await records.add(one)
      expect([await records.remove('a'), await records.remove('a')]).toEqual([true, false])
      expect(await records.list()).toEqual([erasure('b')])
    })
  })
}
