import { Injectable } from '@nestjs/common'
import type { Socket } from 'socket.io'
import { AppConfig } from '../config/app-config.js'
import { TokenVerifier, type VerifiedUser } from '../identity/token-verifier.js'
import { UserSessionDirectory } from '../identity/user-session-directory.js'
import { AppError } from '../model/app-error.js'
import { tokenOf } from '../web/handshake.js'
import { within } from '../web/within.js'
import { type UserClosingCode, UserLink } from './user-link.js'

/** A handshake and a renewal are answered within this, also when a store stalls. */
const ANSWER_WITHIN_MS = 9000

/** Every user on the live feed: let in by their token, and out again when their session or their right to log in ends. */
@Injectable()
export class UserLinks {
  private readonly links = new Set<UserLink>()
  /** Connections that joined or are about to: a burst of joins on one connection must not make many watchers of it. */
  private readonly joined = new WeakSet<Socket['conn']>()
  private isStopping = false

  constructor(
    private readonly config: AppConfig,
    private readonly verifier: TokenVerifier,
    private readonly sessions: UserSessionDirectory,
  ) {}

  /** Starts heeding the ends of sessions. */
  heed(): void {
    this.sessions.onUserDisabled((username) =>
      this.closeThose('user_disabled', ({ user }) => user.username === username),
    )
    this.sessions.onEnded((sessionId) => {
      // The sessions of a user who was disabled end first; the link is to be told the reason that says more.
      queueMicrotask(() => this.closeThose('session_ended', ({ user }) => user.sessionId === sessionId))
    })
  }

  /**
   * @throws AppError `token_missing` | `token_invalid` | `token_expired` | `login_refused` | `too_many_requests` (the connection has
   * joined already) | `overloaded` | `store_unavailable`
   */
  async admit(socket: Socket): Promise<UserLink> {
    if (this.isStopping) throw new AppError('overloaded', 'The server is stopping', { retryAfterMs: 1000 })
    const { conn } = socket
    if (this.joined.has(conn)) throw new AppError('too_many_requests', 'This connection has joined already')
    this.joined.add(conn)
    try {
      return this.take(socket, await this.identify(socket))
    } catch (error) {
      this.joined.delete(conn)
      throw error
    }
  }

  /**
   * Goes on under a fresh token.
   * @returns how long it lives, in seconds
   * @throws AppError `token_invalid`, whatever is wrong with it | `store_unavailable`
   */
  async renew(link: UserLink, token: string): Promise<number> {
    const user = await this.verify(token)
    if (user.username !== link.user.username) throw new AppError('token_invalid', 'The token is of another user')
    link.renew(user)
    return Math.max(0, Math.floor((user.expiresAtMs - Date.now()) / 1000))
  }

  /** Nobody is let in any more, and all are told that the server stops. */
  stop(): void {
    this.isStopping = true
    this.closeThose('shutting_down', () => true)
  }

  private identify(socket: Socket): Promise<VerifiedUser> {
    const token = tokenOf(socket, this.config.SOCKET_QUERY_TOKEN)
    return within(this.verifier.verifyUser(token, 'login_refused'), ANSWER_WITHIN_MS)
  }

  private take(socket: Socket, user: VerifiedUser): UserLink {
    if (socket.conn.readyState !== 'open') {
      throw new AppError('token_invalid', 'The connection ended during the handshake')
    }
    const link = new UserLink(socket, user)
    this.links.add(link)
    const ended = () => {
      link.ended()
      this.links.delete(link)
      this.joined.delete(socket.conn)
      socket.conn.off('close', ended)
    }
    // Both: a user may leave the namespace and keep the connection, or be gone before they have joined.
    socket.once('disconnect', ended)
    socket.conn.once('close', ended)
    return link
  }

  private async verify(token: string): Promise<VerifiedUser> {
    try {
      return await within(this.verifier.verifyUser(token), ANSWER_WITHIN_MS)
    } catch (error) {
      throw error instanceof AppError && error.status === 401 ? new AppError('token_invalid', error.message) : error
    }
  }

  private closeThose(code: UserClosingCode, isMeant: (link: UserLink) => boolean): void {
    for (const link of [...this.links]) if (isMeant(link)) link.close(code)
  }
}
