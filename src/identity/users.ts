import { Injectable } from '@nestjs/common'
import { AppError } from '../model/app-error.js'
import { type Role, type UserQuery, type UserRecord, UserRecords } from '../storage/sql/user-records.js'
import type { UserCaller } from './access.js'
import { type AuditFact, AuditLog } from './audit-log.js'
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
    const isNew = await this.audit.change(
      ({ users }) => users.insert(user),
      (isInserted) => (isInserted ? factOf(author, 'user.create', username, { role }) : undefined),
    )
    if (!isNew) throw new AppError('user_exists')
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
    const detail = { ...definedOf({ role, disabled }), ...(password === undefined ? {} : { password: 'changed' }) }
    const { after, ended } = await this.sessions.changing(username, () =>
      this.audit.change(
        ({ users }) => updateAndShutOut(users, username, definedOf({ role, disabled, passwordHash }), author.caller),
        ({ after }) => (isUser(after) ? factOf(author, 'user.update', username, detail) : undefined),
      ),
    )
    if (after === 'last_admin') throw new AppError('last_admin')
    if (after === undefined) throw new AppError('not_found')
    this.sessions.userChanged(after)
    this.sessions.ended(ended)
    return after
  }

  /** @throws AppError `not_found` | `last_admin` */
  async delete(username: string, author: Author): Promise<void> {
    const isDeleted = await this.sessions.changing(username, () =>
      this.audit.change(
        ({ users }) => users.delete(username),
        (isDone) => (isDone === true ? factOf(author, 'user.delete', username, null) : undefined),
      ),
    )
    if (isDeleted === 'last_admin') throw new AppError('last_admin')
    if (!isDeleted) throw new AppError('not_found', 'There is no user of this name')
    this.sessions.userGone(username)
  }
}

/** With a new password, or disabled, the user's sessions end, but for the one it is done in. */
async function updateAndShutOut(
  users: UserRecords,
  username: string,
  changes: Partial<Pick<UserRecord, 'passwordHash' | 'role' | 'disabled'>>,
  caller: UserCaller,
) {
  const after = await users.update(username, changes)
  if (!isUser(after) || (changes.passwordHash === undefined && !after.disabled)) return { after, ended: [] }
  return {
    after,
    ended: await users.endSessionsOf(username, Date.now(), after.disabled ? undefined : caller.sessionId),
  }
}

function isUser(found: UserRecord | 'last_admin' | undefined): found is UserRecord {
  return typeof found === 'object'
}

function factOf(
  { caller, address }: Author,
  action: string,
  target: string,
  detail: Record<string, unknown> | null,
): AuditFact {
  return { by: caller.username, action, target, detail, address }
}

function definedOf<T extends object>(changes: T): Partial<T> {
  return Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined)) as Partial<T>
}
