import { openTestRecords, type TestRecords, testUser } from '../../test/support/test-records.js'
import { AuditLog } from './audit-log.js'
import { PasswordHasher } from './password-hasher.js'
import { PasswordReset } from './password-reset.js'
import { RECHECK_MS, UserSessionDirectory } from './user-session-directory.js'

describe('PasswordReset', () => {
  let records: TestRecords
  let hasher: PasswordHasher
  let resets: PasswordReset

  beforeEach(async () => {
    records = await openTestRecords()
    hasher = await PasswordHasher.create()
    resets = new PasswordReset(records.users, hasher, new AuditLog(records.audit, records.store))
  })

  afterEach(() => records.close())

  it('sets the password and enables the user again, with the role that they have', async () => {
    await records.users.insert(testUser({ username: 'anna', role: 'operator', disabled: true }))
    expect(await resets.reset('anna', 'correct horse battery')).toBe('reset')
    const anna = await records.users.find('anna')
    expect(anna).toMatchObject({ role: 'operator', disabled: false })
    expect(await hasher.isPassword('correct horse battery', anna?.passwordHash)).toBe(true)
  })

  it('ends sessions, which a running server sees within three seconds', async () => {
    let nowMs = Date.now()
    const sessions = new UserSessionDirectory(records.users, 900_000, () => nowMs)
    await records.users.insert(testUser({ username: 'admin', role: 'admin' }))
    const times = { createdAtMs: nowMs, expiresAtMs: nowMs + 86_400_000, endedAtMs: null }
    await records.users.insertSession({ sessionId: 'stolen', username: 'admin', ...times }, 'hash')
    expect(await sessions.find('stolen')).toBeDefined()
    await resets.reset('admin', 'correct horse battery')
    nowMs += RECHECK_MS
    expect(await sessions.find('stolen')).toBeUndefined()
  })

  it('creates the user admin if missing, and nobody else', async () => {
    expect(await resets.reset('anna', 'correct horse battery')).toBe('unknown')
    expect(await resets.reset('admin', 'correct horse battery')).toBe('created')
    expect((await records.users.list({ limit: 5 })).map(({ username, role }) => [username, role])).toEqual([
      ['admin', 'admin'],
    ])
  })

  it('is in the audit log as done by the system, without the password', async () => {
    await records.users.insert(testUser({ username: 'anna', disabled: true }))
    await resets.reset('anna', 'correct horse battery')
    const entries = await records.audit.list({ limit: 5 })
    expect(entries.map(({ by, action, target, detail, address }) => [by, action, target, detail, address])).toEqual([
      ['system', 'user.update', 'anna', { password: 'reset', disabled: false }, null],
    ])
  })
})
