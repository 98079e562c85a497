import { openTestRecords, type TestRecords, testUser } from '../../test/support/test-records.js'
import { AppError } from '../model/app-error.js'
import { AuditLog } from './audit-log.js'
import { PasswordHasher } from './password-hasher.js'
import { UserSessionDirectory } from './user-session-directory.js'
import { type Author, Users } from './users.js'

const NOW_MS = Date.parse('2026-11-22T07:30:00.000Z')

describe('Users', () => {
  let records: TestRecords
  let sessions: UserSessionDirectory
  let users: Users
  let ended: string[]
  const author: Author = {
    caller: { kind: 'user', username: 'admin', accountSinceMs: 0, role: 'admin', sessionId: 'own-session' },
    address: '192.0.2.7',
  }

  beforeEach(async () => {
    records = await openTestRecords()
    sessions = new UserSessionDirectory(records.users, 900_000, () => NOW_MS)
    ended = []
    sessions.onEnded((sessionId) => ended.push(sessionId))
    users = new Users(
      records.users,
      sessions,
      await PasswordHasher.create(),
      new AuditLog(records.audit, records.store),
    )
    await records.users.insert(testUser({ username: 'admin', role: 'admin' }))
    await openSession('admin', 'own-session')
  })

  afterEach(() => records.close())

  async function openSession(username: string, sessionId: string): Promise<void> {
    const times = { createdAtMs: NOW_MS, expiresAtMs: Date.now() + 86_400_000, endedAtMs: null }
    await records.users.insertSession({ sessionId, username, ...times }, `hash of ${sessionId}`)
    await sessions.find(sessionId)
  }

  async function codeOf(work: Promise<unknown>): Promise<string> {
    try {
      await work
      return 'passed'
    } catch (error) {
      if (error instanceof AppError) return error.code
      throw error
    }
  }

  const anna = { username: 'anna', password: 'correct horse battery', role: 'viewer' } as const

  it('creates a user once', async () => {
    expect(await users.create(anna, author)).toMatchObject({ username: 'anna', role: 'viewer', disabled: false })
    expect(await codeOf(users.create(anna, author))).toBe('user_exists')
    expect((await users.get('anna')).passwordHash).toMatch(/^\$argon2id\$/)
  })

  it('knows nobody of another spelling', async () => {
    await users.create(anna, author)
    expect(await codeOf(users.get('Anna'))).toBe('not_found')
    expect(await codeOf(users.update('anna ', { role: 'admin' }, author))).toBe('not_found')
    expect(await codeOf(users.delete('nobody', author))).toBe('not_found')
  })

  it('gives a new role to open sessions at once', async () => {
    await users.create(anna, author)
    await openSession('anna', 'annas')
    await users.update('anna', { role: 'operator' }, author)
    expect(await sessions.find('annas')).toEqual({
      sessionId: 'annas',
      username: 'anna',
      accountSinceMs: expect.any(Number),
      role: 'operator',
    })
    expect(ended).toEqual([])
  })

  it('ends all sessions of a user who is disabled', async () => {
    await users.create(anna, author)
    await openSession('anna', 'annas')
    expect((await users.update('anna', { disabled: true }, author)).disabled).toBe(true)
    expect(await sessions.find('annas')).toBeUndefined()
    expect((await records.users.findSession('annas'))?.endedAtMs).not.toBeNull()
    expect(ended).toContain('annas')
    expect(await sessions.find('own-session')).toBeDefined()
  })

  it('ends all sessions of a user who is given a new password', async () => {
    await users.create(anna, author)
    await openSession('anna', 'annas')
    await users.update('anna', { password: 'another horse battery' }, author)
    expect(ended).toEqual(['annas'])
    expect(await sessions.find('annas')).toBeUndefined()
  })

  it('spares the session in which admins change their own password, not their others', async () => {
    await openSession('admin', 'other-session')
    await users.update('admin', { password: 'another horse battery' }, author)
    expect(ended).toEqual(['other-session'])
    expect(await sessions.find('own-session')).toBeDefined()
  })

  it('ends the sessions of a user who is deleted', async () => {
    await users.create(anna, author)
    await openSession('anna', 'annas')
    await users.delete('anna', author)
    expect(ended).toEqual(['annas'])
    expect(await codeOf(users.get('anna'))).toBe('not_found')
  })

  it('keeps the last admin: neither deleted, nor disabled, nor demoted', async () => {
    expect(await codeOf(users.delete('admin', author))).toBe('last_admin')
    expect(await codeOf(users.update('admin', { disabled: true }, author))).toBe('last_admin')
    expect(await codeOf(users.update('admin', { role: 'operator' }, author))).toBe('last_admin')
    expect(await users.get('admin')).toMatchObject({ role: 'admin', disabled: false })
    expect(await sessions.find('own-session')).toMatchObject({ role: 'admin' })
  })

  it('does not count a disabled admin as one who stays', async () => {
    await users.create({ ...anna, role: 'admin' }, author)
    await users.update('anna', { disabled: true }, author)
    expect(await codeOf(users.update('admin', { role: 'viewer' }, author))).toBe('last_admin')
  })

  it('lets one of two admins go who are removed at the same time', async () => {
    await users.create({ ...anna, role: 'admin' }, author)
    const codes = await Promise.all([codeOf(users.delete('admin', author)), codeOf(users.delete('anna', author))])
    expect(codes.sort()).toEqual(['last_admin', 'passed'])
  })

  it('writes every change down, without passwords', async () => {
    await users.create(anna, author)
    await users.update('anna', { role: 'operator', password: 'another horse battery' }, author)
    await users.update('anna', {}, author)
    await users.delete('anna', author)
    const entries = await records.audit.list({ limit: 10 })
    expect(entries.map(({ by, action, target, detail }) => [by, action, target, detail])).toEqual([
      ['admin', 'user.delete', 'anna', null],
      ['admin', 'user.update', 'anna', { role: 'operator', password: 'changed' }],
      ['admin', 'user.create', 'anna', { role: 'viewer' }],
    ])
  })

  it.each<[string, () => Promise<unknown>]>([
    ['is disabled', () => users.update('anna', { disabled: true }, author)],
    ['gets another password', () => users.update('anna', { password: 'another horse battery' }, author)],
    ['is deleted', () => users.delete('anna', author)],
  ])(
    'finds out at the next use of a session, and soon without, that its user %s, when the answer of the store is lost',
    async (_name, change) => {
      await users.create(anna, author)
      await openSession('anna', 'used')
      await openSession('anna', 'watching')
      const together = records.store.together.bind(records.store)
      jest.spyOn(records.store, 'together').mockImplementationOnce(async (work) => {
        await together(work)
        throw new AppError('store_unavailable')
      })
      expect(await codeOf(change())).toBe('store_unavailable')
      expect(await sessions.find('used')).toBeUndefined()
      expect(ended).toEqual(['used'])
      await sessions.sweep()
      expect([ended, (await sessions.find('own-session'))?.username]).toEqual([['used', 'watching'], 'admin'])
    },
  )
})
