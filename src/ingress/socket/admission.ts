import { Injectable } from '@nestjs/common'
import type { Socket } from 'socket.io'
import { AppConfig } from '../../config/app-config.js'
import { TokenVerifier } from '../../identity/token-verifier.js'
import { AppError } from '../../model/app-error.js'
import { Sessions } from '../../sessions/sessions.js'
import { tokenOf } from '../../web/handshake.js'
import { within } from '../../web/within.js'
import { SocketLink } from './socket-link.js'

/** A newcomer to a contested identity may try again after this. */
const CONTESTED_RETRY_MS = 60_000
const ADMIT_WITHIN_MS = 9000

/** Lets a unit in by its token; the newest link of a device wins. */
@Injectable()
export class Admission {
  private isStopping = false

  constructor(
    private readonly config: AppConfig,
    private readonly verifier: TokenVerifier,
    private readonly sessions: Sessions,
  ) {}

  /** New units are refused from now on. */
  stop(): void {
    this.isStopping = true
  }

  /**
   * @throws AppError `token_missing` | `token_invalid` | `token_expired` | `login_refused` | `too_many_requests` | `overloaded`
   */
  async admit(socket: Socket): Promise<SocketLink> {
    if (this.isStopping) throw new AppError('overloaded', 'The server is stopping', { retryAfterMs: 1000 })
    const token = tokenOf(socket, this.config.SOCKET_QUERY_TOKEN)
    const { deviceId, expiresAtMs } = await within(this.verifier.verifyDevice(token, 'login_refused'), ADMIT_WITHIN_MS)
    if (socket.conn.readyState !== 'open')
      throw new AppError('token_invalid', 'The connection ended during the handshake')
    const link: SocketLink = new SocketLink(socket, deviceId, () => this.sessions.end(link, 'token_expired'))
    if (!this.sessions.open(link, true)) {
      throw new AppError('too_many_requests', 'Several units use this identity', { retryAfterMs: CONTESTED_RETRY_MS })
    }
    link.expireAt(expiresAtMs)
    const ended = () => {
      link.ended()
      this.sessions.closed(link)
      socket.conn.off('close', ended)
    }
    // Both: a unit may leave the namespace and keep the connection, or be gone before it has joined.
    socket.once('disconnect', ended)
    socket.conn.once('close', ended)
    return link
  }
}
