import { openTestRecords, type TestRecords, testUser } from '../../test/support/test-records.js'
import { parseConfig } from '../config/app-config.js'
import { AuditLog } from './audit-log.js'
import { FirstAdmin, generatePassword } from './first-admin.js'
import { PasswordHasher } from './password-hasher.js'

describe('FirstAdmin', () => {
  let records: TestRecords
  let hasher: PasswordHasher
  const open = (environment: Record<string, string> = {}) =>
    new FirstAdmin(parseConfig(environment), records.users, hasher, new AuditLog(records.audit, records.store))

  beforeEach(async () => {
    records = await openTestRecords()
    hasher = await PasswordHasher.create()
  })

  afterEach(() => records.close())

  it('makes up a password for a new system, once', async () => {
    const password = await open().ensure()
    expect(password).toMatch(/^[A-HJ-NP-Za-km-z2-9]{20}$/)
    const admin = await records.users.find('admin')
    expect(admin).toMatchObject({ role: 'admin', disabled: false })
    expect(await hasher.isPassword(password ?? '', admin?.passwordHash)).toBe(true)
    expect(await open().ensure()).toBeUndefined()
    expect(await records.users.count()).toBe(1)
  })

  it('takes ADMIN_PASSWORD and shows nothing', async () => {
    expect(await open({ ADMIN_PASSWORD: 'correct horse battery' }).ensure()).toBeUndefined()
    const admin = await records.users.find('admin')
    expect(await hasher.isPassword('correct horse battery', admin?.passwordHash)).toBe(true)
  })

  it('does nothing where there is any user', async () => {
    await records.users.insert(testUser({ username: 'anna', role: 'viewer' }))
    expect(await open({ ADMIN_PASSWORD: 'correct horse battery' }).ensure()).toBeUndefined()
    expect(await records.users.find('admin')).toBeUndefined()
  })

  it('writes it down as done by the system', async () => {
    await open().ensure()
    const entries = await records.audit.list({ limit: 5 })
    expect(entries.map(({ by, action, target, detail }) => [by, action, target, detail])).toEqual([
      ['system', 'user.create', 'admin', { role: 'admin' }],
    ])
  })

  it('never makes up the same password twice', () => {
    expect(generatePassword()).not.toBe(generatePassword())
  })
})
