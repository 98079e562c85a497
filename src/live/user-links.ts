import { Injectable } from '@nestjs/common'
import type { Socket } from 'socket.io'
import { AppConfig } from '../config/app-config.js'
import { TokenVerifier } from '../identity/token-verifier.js'
import { UserSessionDirectory } from '../identity/user-session-directory.js'
import { AppError } from '../model/app-error.js'
import { tokenOf } from '../web/handshake.js'
import { type UserClosingCode, UserLink } from './user-link.js'

/** Every user on the live feed: let in by their token, and out again when their session or their right to log in ends. */
@Injectable()
export class UserLinks {
  private readonly links = new Set<UserLink>()
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

  /** @throws AppError `token_missing` | `token_invalid` | `token_expired` | `login_refused` | `overloaded` | `store_unavailable` */
  async admit(socket: Socket): Promise<UserLink> {
    if (this.isStopping) throw new AppError('overloaded', 'The server is stopping', { retryAfterMs: 1000 })
    const token = tokenOf(socket, this.config.SOCKET_QUERY_TOKEN)
    const user = await this.verifier.verifyUser(token, 'login_refused')
    if (socket.conn.readyState !== 'open') {
      throw new AppError('token_invalid', 'The connection ended during the handshake')
    }
    const link = new UserLink(socket, user)
    this.links.add(link)
    const ended = () => {
      link.ended()
      this.links.delete(link)
    }
    // Both: a user may leave the namespace and keep the connection, or be gone before they have joined.
    socket.once('disconnect', ended)
    socket.conn.once('close', ended)
    return link
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

  private async verify(token: string) {
    try {
      return await this.verifier.verifyUser(token)
    } catch (error) {
      throw error instanceof AppError && error.status === 401 ? new AppError('token_invalid', error.message) : error
    }
  }

  private closeThose(code: UserClosingCode, isMeant: (link: UserLink) => boolean): void {
    for (const link of [...this.links]) if (isMeant(link)) link.close(code)
  }
}
