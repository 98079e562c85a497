import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { Injectable } from '@nestjs/common'
import { AppConfig } from '../config/app-config.js'
import { AppError } from '../model/app-error.js'
import { type Role, UserRecords, type UserSessionRecord } from '../storage/sql/user-records.js'
import type { UserCaller } from './access.js'
import { AuditLog } from './audit-log.js'
import { UnseenTokens } from './unseen-tokens.js'
import { UserDoor } from './user-door.js'
import { type UserSession, UserSessionDirectory } from './user-session-directory.js'

/** What a person holds after logging in. */
export interface UserTokens {
  readonly accessToken: string
  readonly refreshToken: string
  readonly expiresInS: number
  readonly user: { readonly username: string; readonly role: Role }
}

/** A refresh token names its session, so that whoever uses one twice ends that session in memory too. */
const REFRESH_TOKEN = /^([0-9a-f-]{36})\.[A-Za-z0-9_-]{43}$/

/** People's logins: a session is a family of refresh tokens, each good for one exchange. */
@Injectable()
export class UserLogin {
  private readonly unseen = new UnseenTokens()

  constructor(
    private readonly config: AppConfig,
    private readonly records: UserRecords,
    private readonly sessions: UserSessionDirectory,
    private readonly door: UserDoor,
    private readonly audit: AuditLog,
  ) {}

  /** @throws AppError `login_refused` | `too_many_requests` | `overloaded` | `store_unavailable` */
  async login(username: string, password: string, address: string): Promise<UserTokens> {
    const entrance = await this.door.gate.enter({ id: username, address })
    const user = await this.records.find(username)
    const isRight = await this.door.hasher.isPassword(password, user?.passwordHash)
    if (user === undefined || !isRight || user.disabled) return this.door.gate.refuse(entrance)
    await this.door.gate.pass(entrance)
    const session = this.newSession(username)
    const refreshToken = newRefreshToken(session.sessionId)
    const isStored = await this.records.insertSession(session, hashOf(refreshToken))
    const live = isStored ? await this.confirm(session, user.passwordHash) : undefined
    if (live === undefined) return this.door.gate.refuse(entrance)
    await this.audit.record({ by: username, action: 'user.login', target: username, address })
    return this.tokensOf(session, live, refreshToken)
  }

  /**
   * The user may have been disabled, deleted or given another password while this one was being hashed: the new session must not survive
   * that.
   */
  private async confirm(session: UserSessionRecord, passwordHash: string): Promise<UserSession | undefined> {
    const user = await this.records.find(session.username)
    if (user?.passwordHash === passwordHash && !user.disabled) return this.sessions.find(session.sessionId)
    await this.records.endSession(session.sessionId, Date.now())
    return undefined
  }

  /**
   * Exchanges a refresh token for the next one. One whose exchange failed, the store being away, may be presented again within seconds.
   * @throws AppError `token_invalid`: unknown, expired, ended, or used before; the last also ends its session | `store_unavailable`
   */
  async refresh(refreshToken: string, address: string): Promise<UserTokens> {
    const sessionId = REFRESH_TOKEN.exec(refreshToken)?.[1]
    if (sessionId === undefined) throw new AppError('token_invalid')
    const presentedHash = hashOf(refreshToken)
    const unseen = this.unseen.take(presentedHash)
    const next = newRefreshToken(sessionId)
    try {
      const session = await this.exchange(presentedHash, unseen, hashOf(next))
      if (session === 'reused') return await this.endStolen(sessionId, address)
      const user = session && (await this.sessions.find(sessionId))
      if (session === undefined || user === undefined) throw new AppError('token_invalid')
      return await this.tokensOf(session, user, next)
    } catch (error) {
      const isAnswer = error instanceof AppError && error.code === 'token_invalid'
      if (!isAnswer) this.unseen.keep(presentedHash, [hashOf(next), ...unseen])
      throw error
    }
  }

  /** A token that nobody was given and that is good now was made of the one presented, by this very client: it is exchanged in its place. */
  private async exchange(presentedHash: string, unseen: readonly string[], nextHash: string) {
    for (const hash of [...unseen, presentedHash]) {
      const session = await this.records.rotateRefresh(hash, nextHash, Date.now())
      if (session !== undefined) return session
    }
    return undefined
  }

  /** Ends the session: its refresh tokens and its access tokens. */
  async logout(caller: UserCaller, address: string): Promise<void> {
    await this.sessions.changing(caller.username, () =>
      this.audit.change(
        ({ users }) => users.endSession(caller.sessionId, Date.now()),
        () => ({ by: caller.username, action: 'user.logout', target: caller.username, address }),
      ),
    )
    this.sessions.ended([caller.sessionId])
  }

  /**
   * Changes the caller's own password and ends their other sessions.
   * @throws AppError `login_refused` when `current` is wrong, or not the password any more when the new one is stored |
   * `too_many_requests` | `overloaded`
   */
  async changePassword(caller: UserCaller, current: string, next: string, address: string): Promise<void> {
    const { username } = caller
    const entrance = await this.door.gate.enter({ id: username, address })
    const user = await this.records.find(username)
    const isRight = await this.door.hasher.isPassword(current, user?.passwordHash)
    if (user === undefined || !isRight) return this.door.gate.refuse(entrance)
    await this.door.gate.pass(entrance)
    const passwordHash = await this.door.hasher.hash(next)
    const hashes = { before: user.passwordHash, after: passwordHash }
    const replacing = this.sessions.changing(username, () =>
      this.audit.change(
        ({ users }) => replaceOwnPassword(users, caller, hashes),
        () => ({ by: username, action: 'user.password', target: username, address }),
      ),
    )
    const ended = await replacing.catch((error: unknown) => {
      if (error instanceof AppError && error.code === 'login_refused') return this.door.gate.refuse(entrance)
      throw error
    })
    this.sessions.ended(ended)
  }

  private async endStolen(sessionId: string, address: string): Promise<never> {
    this.sessions.ended([sessionId])
    // It is ended, and is written down whoever's it was.
    const session = await this.records.findSession(sessionId).catch(() => undefined)
    await this.audit.record({
      by: 'system',
      action: 'session.reuse',
      target: session?.username ?? null,
      detail: { reason: 'a refresh token was used twice; its session was ended' },
      address,
    })
    throw new AppError('token_invalid', 'The refresh token was used before; its session is ended')
  }

  private newSession(username: string): UserSessionRecord {
    const createdAtMs = Date.now()
    return {
      sessionId: randomUUID(),
      username,
      createdAtMs,
      expiresAtMs: createdAtMs + this.config.REFRESH_TOKEN_TTL_S * 1000,
      endedAtMs: null,
    }
  }

  private async tokensOf(
    session: UserSessionRecord,
    { username, role }: { username: string; role: Role },
    refreshToken: string,
  ): Promise<UserTokens> {
    const { token, expiresInS } = await this.door.issuer.issueUser(session)
    return { accessToken: token, refreshToken, expiresInS, user: { username, role } }
  }
}

/**
 * Overrules nobody who gave the user another password, or ended the session, since `before` was looked at.
 * @returns the sessions that ended with it
 * @throws AppError `login_refused`: then the transaction must undo it
 */
async function replaceOwnPassword(
  users: UserRecords,
  { username, sessionId }: UserCaller,
  hashes: { readonly before: string; readonly after: string },
): Promise<string[]> {
  const isReplaced = await users.replacePassword(username, hashes)
  const session = await users.findSession(sessionId)
  if (!isReplaced || session?.endedAtMs !== null) throw new AppError('login_refused')
  return users.endSessionsOf(username, Date.now(), sessionId)
}

function newRefreshToken(sessionId: string): string {
  return `${sessionId}.${randomBytes(32).toString('base64url')}`
}

function hashOf(refreshToken: string): string {
  return createHash('sha256').update(refreshToken).digest('hex')
}
