import type { AuditQuery, AuditRecord, AuditRecords } from './audit-records.js'

export interface OpenedAuditRecords {
  readonly records: AuditRecords
  close(): Promise<void>
}

const T = 1_700_000_000_123

const entry = (target: string | null, changes: Partial<AuditRecord> = {}): Omit<AuditRecord, 'id'> => ({
  atMs: T,
  by: 'ann',
  action: 'device.create',
  target,
  detail: null,
  address: null,
  ...changes,
})

/** What every audit log does. `open` gives an empty one. */
export function auditRecordsContract(database: string, open: () => Promise<OpenedAuditRecords>): void {
  describe(`audit records on ${database}`, () => {
    let opened: OpenedAuditRecords
    let records: AuditRecords

    beforeEach(async () => {
      opened = await open()
      records = opened.records
    })
    afterEach(() => opened.close())

    const appendAll = async (...entries: Omit<AuditRecord, 'id'>[]) => {
      for (const one of entries) await records.append(one)
    }
    const targetsOf = async (query: Partial<AuditQuery>) =>
      (await records.list({ limit: 500, ...query })).map(({ target }) => target)

    it('gives every field back as it was given, with an id', async () => {
      const detail = { plate: 'M-AB 123', tags: ['ä', 1, null], deep: { yes: true } }
      await appendAll(entry('356938035643809', { detail, address: '2001:db8::1' }), entry(null, { by: 'system' }))

      const listed = await records.list({ limit: 10 })

      expect(listed.map(({ id: _id, ...rest }) => rest)).toEqual([
        entry(null, { by: 'system' }),
        entry('356938035643809', { detail, address: '2001:db8::1' }),
      ])
      expect(new Set(listed.map(({ id }) => id)).size).toBe(2)
    })

    it('lists newest first, and of one moment the last appended first', async () => {
      await appendAll(entry('b', { atMs: T + 1 }), entry('a1'), entry('a2'), entry('c', { atMs: T + 2 }), entry('a3'))

      expect(await targetsOf({})).toEqual(['c', 'b', 'a3', 'a2', 'a1'])
    })

    it('pages without gaps or repeats, whatever is appended meanwhile', async () => {
      await appendAll(...['a', 'b', 'c', 'd', 'e'].map((target, i) => entry(target, { atMs: T + (i > 2 ? 1 : 0) })))

      const first = await records.list({ limit: 3 })
      await records.append(entry('late', { atMs: T + 5 }))
      const second = await records.list({ limit: 3, before: first[2] })

      expect(first.map(({ target }) => target)).toEqual(['e', 'd', 'c'])
      expect(second.map(({ target }) => target)).toEqual(['b', 'a'])
    })

    it('narrows by user, action and time', async () => {
      await appendAll(
        entry('1', { by: 'ann', action: 'user.login', atMs: T }),
        entry('2', { by: 'bob', action: 'user.login', atMs: T + 1 }),
        entry('3', { by: 'Ann', action: 'device.create', atMs: T + 2 }),
        entry('4', { by: 'cy', action: 'device.delete', atMs: T + 3 }),
      )

      expect(await targetsOf({ by: ['ann'] })).toEqual(['1'])
      expect(await targetsOf({ by: ['cy', 'ann'] })).toEqual(['4', '1'])
      expect(await targetsOf({ actions: ['user.login'] })).toEqual(['2', '1'])
      expect(await targetsOf({ actions: ['user.login', 'device.delete'] })).toEqual(['4', '2', '1'])
      expect(await targetsOf({ by: ['bob', 'cy'], actions: ['user.login'] })).toEqual(['2'])
      expect(await targetsOf({ fromMs: T + 1, toMs: T + 3 })).toEqual(['3', '2'])
      expect(await targetsOf({ by: ['ann'], fromMs: T + 1 })).toEqual([])
      expect(await targetsOf({ by: [] })).toEqual([])
      expect(await targetsOf({ actions: [] })).toEqual([])
    })

    it('takes bounds and places of any time, however far', async () => {
      await appendAll(entry('1'), entry('2', { atMs: T + 1 }))
      const first = Date.parse('-271821-04-20T00:00:00.000Z')
      const last = Date.parse('+275760-09-13T00:00:00.000Z')

      for (const far of [first, Date.parse('0000-01-01T00:00:00Z')]) {
        expect(await targetsOf({ fromMs: far })).toEqual(['2', '1'])
        expect(await targetsOf({ toMs: far })).toEqual([])
        expect(await targetsOf({ before: { atMs: far, id: '0' } })).toEqual([])
        expect(await records.removeOlderThan(far)).toBe(0)
      }
      for (const far of [last, Date.parse('+010000-01-01T00:00:00Z')]) {
        expect(await targetsOf({ fromMs: far })).toEqual([])
        expect(await targetsOf({ toMs: far })).toEqual(['2', '1'])
        expect(await targetsOf({ before: { atMs: far, id: '0' } })).toEqual(['2', '1'])
      }
    })

    it('removes by age only', async () => {
      await appendAll(entry('1'), entry('2', { atMs: T + 1 }), entry('3', { atMs: T + 2 }))

      expect(await records.removeOlderThan(T + 1)).toBe(1)
      expect(await records.removeOlderThan(T + 1)).toBe(0)
      expect(await targetsOf({})).toEqual(['3', '2'])
    })
  })
}
