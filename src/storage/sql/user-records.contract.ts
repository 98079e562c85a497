import type { UserRecord, UserRecords, UserSessionRecord } from './user-records.js'

export interface OpenedUserRecords {
  readonly records: UserRecords
  close(): Promise<void>
}

const T = 1_700_000_000_123
const HOUR_MS = 3_600_000

const user = (username: string, changes: Partial<UserRecord> = {}): UserRecord => ({
  username,
  passwordHash: '$argon2id$x',
  role: 'viewer',
  disabled: false,
  createdAtMs: T,
  ...changes,
})

const session = (sessionId: string, changes: Partial<UserSessionRecord> = {}): UserSessionRecord => ({
  sessionId,
  username: 'ann',
  createdAtMs: T,
  expiresAtMs: T + HOUR_MS,
  endedAtMs: null,
  ...changes,
})

/** What every store of users and their sessions does. `open` gives an empty one. */
export function userRecordsContract(database: string, open: () => Promise<OpenedUserRecords>): void {
  describe(`user records on ${database}`, () => {
    let opened: OpenedUserRecords
    let records: UserRecords

    beforeEach(async () => {
      opened = await open()
      records = opened.records
    })
    afterEach(() => opened.close())

    const insertAll = async (...users: UserRecord[]) => {
      for (const one of users) await records.insert(one)
    }
    const countEnabledAdmins = async () =>
      (await records.list({ limit: 100 })).filter(({ role, disabled }) => role === 'admin' && !disabled).length

    describe('users', () => {
      it('give every field back as it was given', async () => {
        const full = user('zoë', { role: 'operator', disabled: true })

        expect(await records.insert(full)).toBe(true)

        expect(await records.find('zoë')).toEqual(full)
        expect(await records.find('zoe')).toBeUndefined()
        expect(await records.find('ZOË')).toBeUndefined()
        expect(await records.find('zoë ')).toBeUndefined()
      })

      it('keep the first of two with one name', async () => {
        await records.insert(user('ann'))

        expect(await records.insert(user('ann', { role: 'admin' }))).toBe(false)
        expect(await records.insert(user('Ann'))).toBe(true)
        expect(await records.find('ann')).toEqual(user('ann'))
        expect(await records.count()).toBe(2)
      })

      it('are listed by name, page by page', async () => {
        await insertAll(user('c'), user('a'), user('B'), user('b'))
        const namesAfter = async (afterUsername?: string) =>
          (await records.list({ afterUsername, limit: 2 })).map(({ username }) => username)

        expect(await namesAfter()).toEqual(['B', 'a'])
        expect(await namesAfter('a')).toEqual(['b', 'c'])
        expect(await namesAfter('c')).toEqual([])
      })

      it('are changed in what is named', async () => {
        await insertAll(user('ann'))

        const changed = await records.update('ann', { passwordHash: 'new', role: 'operator' })

        expect(changed).toEqual(user('ann', { passwordHash: 'new', role: 'operator' }))
        expect(await records.find('ann')).toEqual(changed)
        expect(await records.update('ann', {})).toEqual(changed)
        expect(await records.update('nobody', { role: 'admin' })).toBeUndefined()
      })

      it('are given another password only as long as they have the one before', async () => {
        await insertAll(user('ann', { passwordHash: 'Old' }), user('bob', { passwordHash: 'Old' }))
        const from = (before: string, after: string) => records.replacePassword('ann', { before, after })

        expect(await from('other', 'new')).toBe(false)
        expect(await from('old', 'new')).toBe(false)
        expect((await Promise.all(['a', 'b', 'c'].map((after) => from('Old', after)))).filter(Boolean)).toEqual([true])
        expect(await records.replacePassword('nobody', { before: 'Old', after: 'new' })).toBe(false)

        expect((await records.find('ann'))?.passwordHash).toMatch(/^[abc]$/)
        expect(await records.find('bob')).toEqual(user('bob', { passwordHash: 'Old' }))
      })

      it('are deleted once, with their sessions', async () => {
        await insertAll(user('ann'), user('bob'))
        await records.insertSession(session('s1'), 'r1')
        await records.insertSession(session('s2', { username: 'bob' }), 'r2')

        expect(await records.delete('ann')).toBe(true)
        expect(await records.delete('ann')).toBe(false)

        expect(await records.findSession('s1')).toBeUndefined()
        expect(await records.rotateRefresh('r1', 'r1b', T)).toBeUndefined()
        expect(await records.findSession('s2')).toEqual(session('s2', { username: 'bob' }))
      })
    })

    describe('the last enabled admin', () => {
      it('stays an enabled admin, and may change the password', async () => {
        await insertAll(user('root', { role: 'admin' }), user('off', { role: 'admin', disabled: true }), user('ann'))

        expect(await records.update('root', { role: 'operator' })).toBe('last_admin')
        expect(await records.update('root', { disabled: true })).toBe('last_admin')
        expect(await records.delete('root')).toBe('last_admin')
        expect(await records.update('root', { passwordHash: 'new' })).toMatchObject({ passwordHash: 'new' })

        expect(await records.find('root')).toEqual(user('root', { role: 'admin', passwordHash: 'new' }))
      })

      it('may go when there is another one', async () => {
        await insertAll(user('root', { role: 'admin' }), user('off', { role: 'admin', disabled: true }))
        await records.update('off', { disabled: false })

        expect(await records.delete('root')).toBe(true)
        expect(await records.delete('off')).toBe('last_admin')
      })

      it('lets other users go', async () => {
        await insertAll(user('root', { role: 'admin' }), user('off', { role: 'admin', disabled: true }), user('ann'))

        expect(await records.delete('off')).toBe(true)
        expect(await records.delete('ann')).toBe(true)
      })

      it('stays when all admins are taken away at once', async () => {
        const names = ['a', 'b', 'c', 'd', 'e', 'f']
        await insertAll(...names.map((name) => user(name, { role: 'admin' })))

        const outcomes = await Promise.all(
          names.map((name, i) => {
            if (i % 3 === 0) return records.delete(name)
            return records.update(name, i % 3 === 1 ? { disabled: true } : { role: 'viewer' })
          }),
        )

        expect(outcomes.filter((outcome) => outcome === 'last_admin')).toHaveLength(1)
        expect(await countEnabledAdmins()).toBe(1)
      })
    })

    describe('sessions', () => {
      beforeEach(() => insertAll(user('ann'), user('bob')))

      it('give every field back as it was given', async () => {
        await records.insertSession(session('s1'), 'r1')

        expect(await records.findSession('s1')).toEqual(session('s1'))
        expect(await records.findSession('S1')).toBeUndefined()
      })

      it('do not begin for a user who is gone', async () => {
        await records.delete('bob')

        expect(await records.insertSession(session('s1', { username: 'bob' }), 'r1')).toBe(false)
        expect(await records.insertSession(session('s2'), 'r1')).toBe(true)

        expect(await records.findSession('s1')).toBeUndefined()
      })

      it('exchange each refresh token once, for one that works', async () => {
        await records.insertSession(session('s1'), 'r1')

        expect(await records.rotateRefresh('r1', 'r2', T + 1)).toEqual(session('s1'))
        expect(await records.rotateRefresh('r2', 'r3', T + 2)).toEqual(session('s1'))
        expect(await records.rotateRefresh('R3', 'r4', T + 2)).toBeUndefined()
      })

      it('end when a refresh token is used again', async () => {
        await records.insertSession(session('s1'), 'r1')
        await records.insertSession(session('s2'), 'other')
        await records.rotateRefresh('r1', 'r2', T + 1)

        expect(await records.rotateRefresh('r1', 'r2b', T + 2)).toBe('reused')

        expect(await records.findSession('s1')).toEqual(session('s1', { endedAtMs: T + 2 }))
        expect(await records.rotateRefresh('r2', 'r3', T + 3)).toBeUndefined()
        expect(await records.rotateRefresh('r2b', 'r3', T + 3)).toBeUndefined()
        expect(await records.rotateRefresh('other', 'other2', T + 3)).toEqual(session('s2'))
      })

      it('give one of several parallel uses of a token the next one, and end', async () => {
        await records.insertSession(session('s1'), 'r1')

        const outcomes = await Promise.all(['x', 'y', 'z'].map((next) => records.rotateRefresh('r1', next, T + 1)))

        expect(outcomes.filter((outcome) => outcome !== undefined && outcome !== 'reused')).toEqual([session('s1')])
        expect(outcomes.filter((outcome) => outcome === 'reused')).toHaveLength(1)
        expect(await records.findSession('s1')).toEqual(session('s1', { endedAtMs: T + 1 }))
      })

      it('take no refresh token when they have ended or expired', async () => {
        await records.insertSession(session('s1'), 'r1')
        await records.insertSession(session('s2'), 'r2')
        await records.endSession('s2', T + 1)

        expect(await records.rotateRefresh('r1', 'next', T + HOUR_MS)).toBeUndefined()
        expect(await records.rotateRefresh('r2', 'next', T + 2)).toBeUndefined()
        expect(await records.rotateRefresh('unknown', 'next', T + 2)).toBeUndefined()
      })

      it('end once', async () => {
        await records.insertSession(session('s1'), 'r1')

        await records.endSession('s1', T + 1)
        await records.endSession('s1', T + 2)
        await records.endSession('unknown', T + 2)

        expect(await records.findSession('s1')).toEqual(session('s1', { endedAtMs: T + 1 }))
      })

      it('end for one user at once, all but one', async () => {
        for (const id of ['s1', 's2', 's3', 's4']) await records.insertSession(session(id), `r-${id}`)
        await records.insertSession(session('b1', { username: 'bob' }), 'r-b1')
        await records.endSession('s4', T)

        expect((await records.endSessionsOf('ann', T + 1, 's2')).sort()).toEqual(['s1', 's3'])
        expect(await records.endSessionsOf('ann', T + 2)).toEqual(['s2'])
        expect(await records.endSessionsOf('ann', T + 3)).toEqual([])

        expect((await records.findSession('s1'))?.endedAtMs).toBe(T + 1)
        expect((await records.findSession('s4'))?.endedAtMs).toBe(T)
        expect((await records.findSession('b1'))?.endedAtMs).toBeNull()
      })

      it('are removed by age, with their refresh tokens', async () => {
        await records.insertSession(session('expired', { expiresAtMs: T + 1 }), 'r1')
        await records.insertSession(session('ended'), 'r2')
        await records.endSession('ended', T + 1)
        await records.insertSession(session('recent'), 'r3')
        await records.endSession('recent', T + 2)
        await records.insertSession(session('living'), 'r4')
        for (let i = 0; i < 45; i++) await records.insertSession(session(`old${i}`, { expiresAtMs: T }), `o${i}`)

        expect(await records.removeSessions(T + 2)).toBe(47)

        expect(await records.findSession('expired')).toBeUndefined()
        expect(await records.findSession('ended')).toBeUndefined()
        expect(await records.findSession('recent')).toEqual(session('recent', { endedAtMs: T + 2 }))
        expect(await records.rotateRefresh('r4', 'r5', T + 3)).toEqual(session('living'))
      })
    })
  })
}
