import type { Socket } from 'socket.io'
import type { VerifiedUser } from '../identity/token-verifier.js'
import type { LiveEvent } from './live-event.js'
import type { Wire } from './watcher.js'

/** Why the server ends a user's connection; the user is told in `closing`. */
export type UserClosingCode = 'token_expired' | 'session_ended' | 'user_disabled' | 'shutting_down'

const CLOSING_WORDS: Readonly<Record<UserClosingCode, string>> = {
  token_expired: 'The token has expired; connect again with a fresh one',
  session_ended: 'The session has ended; log in again',
  user_disabled: 'This user may no longer log in',
  shutting_down: 'The server is stopping; come back with a jittered back-off',
}

/** Timers hold at most so many milliseconds; a token that lives longer is looked at again then. */
const MAX_TIMER_MS = 2_147_483_647
/** A connection that does not take its `closing` within this is cut without. */
const CUT_AFTER_MS = 3000

/** A user's authenticated connection. Ends itself, with words, when its token does. */
export class UserLink implements Wire {
  private expiry: NodeJS.Timeout | undefined
  private isClosed = false

  constructor(
    private readonly socket: Socket,
    private identity: VerifiedUser,
  ) {
    this.expireAt(identity.expiresAtMs)
  }

  get user(): VerifiedUser {
    return this.identity
  }

  get isOpen(): boolean {
    return !this.isClosed && this.socket.conn.readyState === 'open'
  }

  /** engine.io's transport is writable once the operating system took all that was handed to it, and then it is given all there is. */
  get isDrained(): boolean {
    return this.socket.conn.transport.writable
  }

  send(event: LiveEvent): void {
    const { text, options } = event.encode()
    this.socket.conn.send(text, options)
  }

  /** Goes on under a fresh token of the same user. */
  renew(identity: VerifiedUser): void {
    this.identity = identity
    this.expireAt(identity.expiresAtMs)
  }

  /** Tells the user why and ends the connection. */
  close(code: UserClosingCode): void {
    if (this.isClosed) return
    this.ended()
    this.socket.emit('closing', { code, message: CLOSING_WORDS[code] })
    this.socket.disconnect(true)
    const { conn } = this.socket
    setTimeout(() => conn.close(true), CUT_AFTER_MS).unref()
  }

  /** The connection is gone. */
  ended(): void {
    this.isClosed = true
    clearTimeout(this.expiry)
  }

  private expireAt(expiresAtMs: number): void {
    clearTimeout(this.expiry)
    if (this.isClosed) return
    const leftMs = Math.max(0, expiresAtMs - Date.now())
    this.expiry =
      leftMs > MAX_TIMER_MS
        ? setTimeout(() => this.expireAt(expiresAtMs), MAX_TIMER_MS)
        : setTimeout(() => this.close('token_expired'), leftMs)
    this.expiry.unref()
  }
}
