import { Logger, type OnModuleDestroy } from '@nestjs/common'
import { LRUCache } from 'lru-cache'
import type { Role, UserRecord, UserRecords } from '../storage/sql/user-records.js'

/** A session that lives, with what its user may do now. */
export interface UserSession {
  readonly sessionId: string
  readonly username: string
  /** When the account was made. */
  readonly accountSinceMs: number
  readonly role: Role
}

/** What was changed beside this process (`npm run admin:password`) is seen within this when a session is used. */
export const RECHECK_MS = 3000
const SWEEP_MS = 1000
/** With up to 300 sessions in use, unused ones are looked at every {@link RECHECK_MS} too; beyond that less often. */
const MAX_SWEPT = 100
const MAX_SESSIONS = 10_000

interface Entry {
  readonly session: UserSession
  readonly sessionEndsAtMs: number
  checkedAtMs: number
  usedAtMs: number
}

/**
 * Users' sessions in memory, so that each use of an access token is checked against what its session and user are now. What is
 * changed in this process acts at once; what is changed in the database beside it, within seconds. While the database is away,
 * sessions known here go on.
 */
export class UserSessionDirectory implements OnModuleDestroy {
  private readonly logger = new Logger('sessions')
  private readonly entries = new LRUCache<string, Entry>({ max: MAX_SESSIONS })
  private readonly loads = new Map<string, Promise<UserSession | undefined>>()
  private readonly endedListeners: Array<(sessionId: string) => void> = []
  private readonly disabledListeners: Array<(username: string) => void> = []
  /** Counts changes made here: what was read from the store before one may be from before it. */
  private changes = 0
  private timer: NodeJS.Timeout | undefined

  /** @param keepMs how long an unused session is watched: the life of an access token */
  constructor(
    private readonly records: UserRecords,
    private readonly keepMs: number,
    private readonly now: () => number = Date.now,
  ) {}

  /** Registers for the end of sessions, whatever ended them; the listener must not throw or wait. */
  onEnded(listener: (sessionId: string) => void): void {
    this.endedListeners.push(listener)
  }

  /** Registers for users who were disabled or deleted; the listener must not throw or wait. */
  onUserDisabled(listener: (username: string) => void): void {
    this.disabledListeners.push(listener)
  }

  /**
   * @returns undefined: unknown, ended, or its user is disabled or gone
   * @throws AppError `store_unavailable` when the session is not known here and the store cannot be asked
   */
  async find(sessionId: string): Promise<UserSession | undefined> {
    const now = this.now()
    const entry = this.entries.get(sessionId)
    if (entry === undefined) return this.load(sessionId)
    entry.usedAtMs = now
    if (entry.sessionEndsAtMs > now && now - entry.checkedAtMs < RECHECK_MS) return entry.session
    return this.recheck(sessionId, entry)
  }

  /** Sessions were ended in the store. */
  ended(sessionIds: readonly string[]): void {
    this.changes += 1
    for (const sessionId of sessionIds) this.forget(sessionId)
  }

  /** A user was changed in the store. */
  userChanged(user: Pick<UserRecord, 'username' | 'role' | 'disabled'>): void {
    if (user.disabled) {
      this.userGone(user.username)
      return
    }
    this.changes += 1
    for (const [sessionId, entry] of this.entriesOf(user.username)) {
      this.entries.set(sessionId, { ...entry, session: { ...entry.session, role: user.role } })
    }
  }

  /** A user was deleted or disabled in the store. */
  userGone(username: string): void {
    this.changes += 1
    for (const [sessionId] of this.entriesOf(username)) this.forget(sessionId)
    for (const listener of this.disabledListeners) listener(username)
  }

  /**
   * Stores a change of a user or of their sessions. When the store fails in it, it may be kept all the same: the user's sessions are looked
   * at again with their next use, and within seconds without.
   * @param store its error is thrown on
   */
  async changing<Done>(username: string, store: () => Promise<Done>): Promise<Done> {
    try {
      return await store()
    } catch (error) {
      this.changes += 1
      for (const [sessionId, entry] of this.entriesOf(username))
        this.entries.set(sessionId, { ...entry, checkedAtMs: 0 })
      throw error
    }
  }

  /** Starts looking at sessions in the background, for those who use one without asking here, such as the live feed. */
  watch(): void {
    this.timer = setTimeout(() => void this.sweep().finally(() => this.timer && this.watch()), SWEEP_MS)
    this.timer.unref()
  }

  onModuleDestroy(): void {
    clearTimeout(this.timer)
    this.timer = undefined
  }

  /** Looks again at the sessions that were not looked at for longest, and lets go of those not used any more. */
  async sweep(): Promise<void> {
    const now = this.now()
    const due: Array<[string, Entry]> = []
    for (const [sessionId, entry] of [...this.entries.entries()]) {
      if (now - entry.usedAtMs > this.keepMs) this.entries.delete(sessionId)
      else if (now - entry.checkedAtMs >= RECHECK_MS - SWEEP_MS) due.push([sessionId, entry])
    }
    due.sort(([, a], [, b]) => a.checkedAtMs - b.checkedAtMs)
    for (const [sessionId, entry] of due.slice(0, MAX_SWEPT)) await this.recheck(sessionId, entry)
  }

  private async recheck(sessionId: string, entry: Entry): Promise<UserSession | undefined> {
    try {
      return await this.load(sessionId)
    } catch (error) {
      if (entry.sessionEndsAtMs <= this.now()) return undefined
      this.logger.debug({ event: 'session_recheck_failed', reason: String(error) })
      return this.entries.get(sessionId)?.session
    }
  }

  private load(sessionId: string): Promise<UserSession | undefined> {
    const running = this.loads.get(sessionId)
    if (running !== undefined) return running
    const load = this.fetch(sessionId).finally(() => this.loads.delete(sessionId))
    this.loads.set(sessionId, load)
    return load
  }

  private async fetch(sessionId: string): Promise<UserSession | undefined> {
    for (;;) {
      const before = this.changes
      const record = await this.records.findSession(sessionId)
      const user = record === undefined ? undefined : await this.records.find(record.username)
      if (before !== this.changes) continue
      const lives = record !== undefined && record.endedAtMs === null && record.expiresAtMs > this.now()
      if (lives && user !== undefined && !user.disabled) {
        const { username, role, createdAtMs } = user
        return this.keep({ sessionId, username, accountSinceMs: createdAtMs, role }, record.expiresAtMs)
      }
      if (this.entries.has(sessionId)) this.forget(sessionId)
      return undefined
    }
  }

  private keep(session: UserSession, sessionEndsAtMs: number): UserSession {
    const now = this.now()
    const usedAtMs = this.entries.peek(session.sessionId)?.usedAtMs ?? now
    this.entries.set(session.sessionId, { session, sessionEndsAtMs, checkedAtMs: now, usedAtMs })
    return session
  }

  private forget(sessionId: string): void {
    this.entries.delete(sessionId)
    for (const listener of this.endedListeners) listener(sessionId)
  }

  private entriesOf(username: string): Array<[string, Entry]> {
    return [...this.entries.entries()].filter(([, { session }]) => session.username === username)
  }
}
