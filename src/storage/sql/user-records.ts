export type Role = 'viewer' | 'operator' | 'admin'

/** A person who may log in. */
export interface UserRecord {
  readonly username: string
  /** argon2id, encoded. */
  readonly passwordHash: string
  readonly role: Role
  readonly disabled: boolean
  readonly createdAtMs: number
}

/** One login of a user: a family of refresh tokens. Access tokens carry its id and die with it. */
export interface UserSessionRecord {
  readonly sessionId: string
  readonly username: string
  readonly createdAtMs: number
  /** When the family ends at the latest. */
  readonly expiresAtMs: number
  /** null: it lives. */
  readonly endedAtMs: number | null
}

export interface UserQuery {
  /** Exclusive. */
  readonly afterUsername?: string
  readonly limit: number
}

/** Users and their sessions. Names compare byte by byte. */
export abstract class UserRecords {
  abstract find(username: string): Promise<UserRecord | undefined>
  /** Ascending by name. */
  abstract list(query: UserQuery): Promise<UserRecord[]>
  abstract count(): Promise<number>
  /** @returns false when the name is taken */
  abstract insert(record: UserRecord): Promise<boolean>
  /**
   * Changes a user, but never leaves the system without an enabled admin.
   * @returns the record after the change; undefined: no such user; `'last_admin'`: refused
   */
  abstract update(
    username: string,
    changes: Partial<Pick<UserRecord, 'passwordHash' | 'role' | 'disabled'>>,
  ): Promise<UserRecord | undefined | 'last_admin'>
  /** Gives a user another password if it is still the one it was. @returns false: it is not, or there is no such user */
  abstract replacePassword(
    username: string,
    hashes: { readonly before: string; readonly after: string },
  ): Promise<boolean>
  /** Removes a user and their sessions. @returns `'last_admin'`: refused */
  abstract delete(username: string): Promise<boolean | 'last_admin'>

  /** @returns false: there is no such user (nothing is stored then) */
  abstract insertSession(session: UserSessionRecord, refreshHash: string): Promise<boolean>
  abstract findSession(sessionId: string): Promise<UserSessionRecord | undefined>
  /**
   * Exchanges a refresh token for the next one of its family, once.
   * @param refreshHash SHA-256 hex of the token presented
   * @returns the session; `'reused'`: it was exchanged before (the family is ended by this call); undefined: unknown, ended or expired
   */
  abstract rotateRefresh(
    refreshHash: string,
    nextRefreshHash: string,
    atMs: number,
  ): Promise<UserSessionRecord | 'reused' | undefined>
  /** Ends one session. */
  abstract endSession(sessionId: string, atMs: number): Promise<void>
  /** Ends all sessions of a user but one. @returns the ids of those that ended */
  abstract endSessionsOf(username: string, atMs: number, exceptSessionId?: string): Promise<string[]>
  /** Removes sessions and refresh tokens that ended or expired before the moment. @returns how many sessions */
  abstract removeSessions(beforeMs: number): Promise<number>
}
