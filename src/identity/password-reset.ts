import type { UserRecords } from '../storage/sql/user-records.js'
import type { AuditLog } from './audit-log.js'
import { FIRST_ADMIN } from './first-admin.js'
import type { PasswordHasher } from './password-hasher.js'

/** Resets a password on the machine itself, for whoever may read its disk and so needs no other proof. */
export class PasswordReset {
  constructor(
    private readonly records: UserRecords,
    private readonly hasher: PasswordHasher,
    private readonly audit: AuditLog,
  ) {}

  /**
   * Sets the password, enables the user again and ends all sessions. The user `admin` is created if missing.
   * @returns `unknown`: there is no such user, and nothing was changed
   */
  async reset(username: string, password: string): Promise<'reset' | 'created' | 'unknown'> {
    const passwordHash = await this.hasher.hash(password)
    const before = await this.records.find(username)
    if (before === undefined) return this.create(username, passwordHash)
    const detail = { password: 'reset', ...(before.disabled ? { disabled: false } : {}) }
    await this.audit.change(
      async ({ users }) => {
        await users.update(username, { passwordHash, disabled: false })
        await users.endSessionsOf(username, Date.now())
      },
      () => ({ by: 'system', action: 'user.update', target: username, detail }),
    )
    return 'reset'
  }

  private async create(username: string, passwordHash: string): Promise<'created' | 'unknown'> {
    if (username !== FIRST_ADMIN) return 'unknown'
    await this.audit.change(
      ({ users }) => users.insert({ username, passwordHash, role: 'admin', disabled: false, createdAtMs: Date.now() }),
      () => ({ by: 'system', action: 'user.create', target: username, detail: { role: 'admin' } }),
    )
    return 'created'
  }
}
