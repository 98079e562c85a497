import type { CommandStatus } from '../../model/command.js'
import type { CommandRecord, CommandRecords } from './command-records.js'

export interface OpenedCommandRecords {
  readonly records: CommandRecords
  close(): Promise<void>
}

const T = 1_700_000_000_123
const DAY_MS = 86_400_000

type New = Omit<CommandRecord, 'id' | 'revision'>

const command = (deviceId: string, createdAtMs = T, changes: Partial<New> = {}): New => ({
  deviceId,
  type: 'RESET',
  params: {},
  status: 'queued',
  createdBy: 'ann',
  createdAtMs,
  expiresAtMs: createdAtMs + DAY_MS,
  result: null,
  message: null,
  history: [{ atMs: createdAtMs, status: 'queued', detail: null }],
  delivery: null,
  dueAtMs: createdAtMs + DAY_MS,
  ...changes,
})

/** What every keeper of commands does. `open` gives an empty one. */
export function commandRecordsContract(database: string, open: () => Promise<OpenedCommandRecords>): void {
  describe(`command records on ${database}`, () => {
    let opened: OpenedCommandRecords
    let records: CommandRecords

    beforeEach(async () => {
      opened = await open()
      records = opened.records
    })
    afterEach(() => opened.close())

    const insertAll = async (...commands: New[]) => {
      const inserted: CommandRecord[] = []
      for (const one of commands) inserted.push(await records.insert(one))
      return inserted
    }
    /** Inserts one that is in the state. */
    const inState = async (status: CommandStatus, deviceId = 'd', createdAtMs = T) => {
      const isOpen = status === 'queued' || status === 'sent' || status === 'accepted'
      const [one] = await insertAll(command(deviceId, createdAtMs, { status, ...(isOpen ? {} : { dueAtMs: null }) }))
      return one as CommandRecord
    }

    it('gives every field back as it was given', async () => {
      const full = command('356938035643809', T, {
        type: 'SET_SERVER',
        params: { host: 'fleet.example', port: 5000, deep: { list: ['ä', 1, null] } },
        status: 'failed',
        result: { code: 7, text: '😀', list: [true, null] },
        message: 'a\tb – 拒否されました',
        history: [
          { atMs: T, status: 'queued', detail: null },
          { atMs: T + 5, status: 'failed', detail: 'no_reply' },
        ],
        delivery: 'once',
        dueAtMs: null,
      })
      const inserted = await records.insert(full)

      expect(inserted).toEqual({ ...full, id: expect.stringMatching(/^[0-9a-f]{32}$/), revision: 1 })
      expect(await records.find(inserted.id)).toEqual(inserted)
      expect(await records.find('0'.repeat(32))).toBeUndefined()
    })

    it.each([[null], [0], [false], [''], ['text'], [[1, 'two', null]], [{ deep: { result: [] } }]])(
      'keeps the result %j as it came',
      async (result) => {
        const { id } = await records.insert(command('d', T, { result }))
        expect((await records.find(id))?.result).toEqual(result)
      },
    )

    it('keeps the longest result, message and host that there may be', async () => {
      const changes = { result: '語'.repeat(16_382), message: '語'.repeat(1000), params: { text: '語'.repeat(1000) } }
      const { id } = await records.insert(command('d', T, changes))
      expect(await records.find(id)).toMatchObject(changes)
    })

    it('lists those of a device newest first, of one moment the last one first, page by page', async () => {
      await insertAll(command('d', T), command('d', T), command('other', T), command('d', T + 1), command('d', T - 1))

      const all = await records.list({ deviceId: 'd', limit: 500 })
      const first = await records.list({ deviceId: 'd', limit: 2 })
      await records.insert(command('d', T + 9))
      const second = await records.list({ deviceId: 'd', limit: 500, before: first[1] })

      expect(all.map(({ createdAtMs }) => createdAtMs - T)).toEqual([1, 0, 0, -1])
      expect(all.map(({ id }) => id)).toEqual([...all].sort((a, b) => (a.id < b.id ? 1 : -1)).map(({ id }) => id))
      expect([...first, ...second]).toEqual(all)
    })

    it('takes a place in the list of any time, however far', async () => {
      await records.insert(command('d', T))
      const listFrom = async (createdAtMs: number) =>
        (await records.list({ deviceId: 'd', limit: 5, before: { createdAtMs, id: '0' } })).length

      expect(await listFrom(Date.parse('-271821-04-20T00:00:00.000Z'))).toBe(0)
      expect(await listFrom(Date.parse('+275760-09-13T00:00:00.000Z'))).toBe(1)
    })

    it('finds what a request made, also after it was changed, but not what one before made under the same key', async () => {
      const made = await records.insert(command('d'), 'key')
      await insertAll(command('d'))
      await records.insert(command('d'), 'other')
      const done = await records.replace({ ...made, status: 'done', dueAtMs: null })

      expect(await records.findByRequest('key', T)).toEqual(done)
      expect(await records.findByRequest('key', T + 1)).toBeUndefined()
      expect(await records.findByRequest('KEY', 0)).toBeUndefined()
      const newer = await records.insert(command('d', T + 7), 'key')
      expect(await records.findByRequest('key', T)).toEqual(newer)
    })

    it('narrows a list by state', async () => {
      for (const status of ['queued', 'sent', 'done', 'expired', 'done'] as const) await inState(status)
      const statusesOf = async (statuses: CommandStatus[]) =>
        (await records.list({ deviceId: 'd', statuses, limit: 500 })).map(({ status }) => status)

      expect(await statusesOf(['done'])).toEqual(['done', 'done'])
      expect(await statusesOf(['expired', 'queued'])).toEqual(['expired', 'queued'])
      expect(await statusesOf(['failed'])).toEqual([])
      expect(await statusesOf([])).toEqual([])
    })

    it('knows whose turn it is: the one that is sent, else the oldest that is queued', async () => {
      expect(await records.findNext('d')).toBeUndefined()
      await inState('done', 'd', T - 9)
      await inState('accepted', 'd', T - 8)
      const later = await inState('queued', 'd', T + 1)
      const [first, second] = await insertAll(command('d', T), command('d', T))
      await inState('queued', 'other', T - 7)

      expect((await records.findNext('d'))?.id).toBe(first?.id)
      await records.replace({ ...later, status: 'sent' })
      expect((await records.findNext('d'))?.id).toBe(later.id)
      expect((await records.findNext('other'))?.deviceId).toBe('other')
      await records.replace({ ...(first as CommandRecord), status: 'cancelled', dueAtMs: null })
      await records.replace({ ...later, revision: 2, status: 'accepted' })
      expect((await records.findNext('d'))?.id).toBe(second?.id)
    })

    it('replaces a record only at the revision that it was read at', async () => {
      const before = await inState('queued')
      const done = { ...before, status: 'done' as const, result: { ok: 1 }, dueAtMs: null }

      expect(await records.replace(done)).toEqual({ ...done, revision: 2 })
      expect(await records.replace({ ...before, status: 'expired' })).toBeUndefined()
      expect(await records.replace({ ...before, id: '0'.repeat(32) })).toBeUndefined()
      expect(await records.find(before.id)).toEqual({ ...done, revision: 2 })
    })

    it('lets one of many changes at once through', async () => {
      const before = await inState('sent')
      const changes = (['done', 'failed', 'expired', 'cancelled', 'accepted'] as const).map((status) =>
        records.replace({ ...before, status }),
      )
      const through = (await Promise.all(changes)).filter((record) => record !== undefined)

      expect(through).toHaveLength(1)
      expect(await records.find(before.id)).toEqual(through[0])
    })

    it('lets one command of a device be sent at a time, whoever sends', async () => {
      const queued = await insertAll(...['d', 'd', 'd', 'other'].map((deviceId) => command(deviceId)))
      const sent = await Promise.all(queued.map((one) => records.replace({ ...one, status: 'sent', delivery: 'once' })))

      expect(sent.filter((record) => record?.deviceId === 'd')).toHaveLength(1)
      expect(sent[3]?.status).toBe('sent')
      const [first] = sent.filter((record) => record?.deviceId === 'd')
      await records.replace({ ...(first as CommandRecord), status: 'accepted' })
      const next = (await records.findNext('d')) as CommandRecord
      expect((await records.replace({ ...next, status: 'sent' }))?.status).toBe('sent')
    })

    it('lists what is due, the most overdue first, and nothing that has ended', async () => {
      await insertAll(
        command('a', T, { dueAtMs: T + 3 }),
        command('b', T, { dueAtMs: T + 1 }),
        command('c', T, { dueAtMs: T + 4 }),
        command('d', T, { dueAtMs: null, status: 'done' }),
        command('e', T, { dueAtMs: T + 2 }),
      )
      const devicesDue = async (atMs: number, limit: number) =>
        (await records.listDue(atMs, limit)).map(({ deviceId }) => deviceId)

      expect(await devicesDue(T + 3, 10)).toEqual(['b', 'e', 'a'])
      expect(await devicesDue(T + 3, 2)).toEqual(['b', 'e'])
      expect(await devicesDue(T, 10)).toEqual([])
    })

    it('tells what is open: of a device, of which devices, and how many', async () => {
      await inState('accepted', 'a', T + 1)
      await inState('queued', 'b')
      await inState('queued', 'b')
      await inState('sent', 'c')
      await inState('done', 'd')
      await inState('queued', 'a', T)

      expect((await records.listOpen('a', 10)).map(({ status }) => status)).toEqual(['queued', 'accepted'])
      expect(await records.listOpen('b', 1)).toHaveLength(1)
      expect(await records.listOpen('d', 10)).toEqual([])
      expect((await records.listWaitingDevices()).sort()).toEqual(['a', 'b', 'c'])
      const counts = (await records.countOpen()).map(({ status, count }) => [status, count])
      expect(Object.fromEntries(counts)).toEqual({ accepted: 1, queued: 3, sent: 1 })
    })

    it('erases those of one device', async () => {
      await insertAll(...Array.from({ length: 1003 }, () => command('d')))
      const other = await inState('queued', 'other')

      expect(await records.eraseDevice('d')).toBe(1003)
      expect(await records.eraseDevice('d')).toBe(0)
      expect(await records.list({ deviceId: 'd', limit: 5 })).toEqual([])
      expect(await records.find(other.id)).toEqual(other)
    })
  })
}
