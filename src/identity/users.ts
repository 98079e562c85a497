import { Injectable } from '@nestjs/common'
import { AppError } from '../model/app-error.js'
import { type Role, type UserQuery, type UserRecord, UserRecords } from '../storage/sql/user-records.js'
import type { UserCaller } from './access.js'
import { AuditLog } from './audit-log.js'
import { PasswordHasher } from './password-hasher.js'
import { UserSessionDirectory } from './user-session-directory.js'

export interface NewUser {
  readonly username: string
  readonly password: string
  readonly role: Role
}

export interface UserChanges {
  readonly role?: Role | undefined
  readonly disabled?: boolean | undefined
  readonly password?: string | undefined
}

/** Who made a change, and from where. */
export interface Author {
  readonly caller: UserCaller
  readonly address: string
}

/** The people who may log in. The last enabled admin stays. */
@Injectable()
export class Users {
  constructor(
    private readonly records: UserRecords,
    private readonly sessions: UserSessionDirectory,
    private readonly hasher: PasswordHasher,
    private readonly audit: AuditLog,
  ) {}

  list(query: UserQuery): Promise<UserRecord[]> {
    return this.records.list(query)
  }

  /** @throws AppError `not_found` */
  async get(username: string): Promise<UserRecord> {
    const user = await this.records.find(username)
    if (user === undefined) throw new AppError('not_found', 'There is no user of this name')
    return user
  }

  /** @throws AppError `user_exists` | `overloaded` */
  async create({ username, password, role }: NewUser, author: Author): Promise<UserRecord> {
    const passwordHash = await this.hasher.hash(password)
    const user: UserRecord = { username, passwordHash, role, disabled: false, createdAtMs: Date.now() }
    if (!(await this.records.insert(user))) throw new AppError('user_exists')
    await this.write(author, 'user.create', username, { role })
    return user
  }

  /**
   * A new password or disabling ends the user's sessions; a new role acts on them at once. An admin who changes their own
   * password keeps the session they do it in.
   * @throws AppError `not_found` | `last_admin` | `overloaded`
   */
  async update(username: string, { role, disabled, password }: UserChanges, author: Author): Promise<UserRecord> {
    const before = await this.get(username)
    if (role === undefined && disabled === undefined && password === undefined) return before
    const passwordHash = password === undefined ? undefined : await this.hasher.hash(password)
    const after = await this.records.update(username, definedOf({ role, disabled, passwordHash }))
    if (after === 'last_admin') throw new AppError('last_admin')
    if (after === undefined) throw new AppError('not_found')
    this.sessions.userChanged(after)
    if (password !== undefined || after.disabled) await this.endSessions(after, author)
    await this.write(author, 'user.update', username, {
      ...definedOf({ role, disabled }),
      ...(password === undefined ? {} : { password: 'changed' }),
    })
    return after
  }

  /** @throws AppError `not_found` | `last_admin` */
  async delete(username: string, author: Author): Promise<void> {
    const isDeleted = await this.records.delete(username)
    if (isDeleted === 'last_admin') throw new AppError('last_admin')
    if (!isDeleted) throw new AppError('not_found', 'There is no user of this name')
    this.sessions.userGone(username)
    await this.write(author, 'user.delete', username, null)
  }

  private async endSessions({ username, disabled }: UserRecord, { caller }: Author): Promise<void> {
    const spared = disabled ? undefined : caller.sessionId
    this.sessions.ended(await this.records.endSessionsOf(username, Date.now(), spared))
  }

  private write({ caller, address }: Author, action: string, target: string, detail: Record<string, unknown> | null) {
    return this.audit.record({ by: caller.username, action, target, detail, address })
  }
}

function definedOf<T extends object>(changes: T): Partial<T> {
  return Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined)) as Partial<T>
}
