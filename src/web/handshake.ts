import type { Socket } from 'socket.io'
import { AppError } from '../model/app-error.js'

/** What a refused handshake gives to socket.io: the client sees it as `connect_error` with `data.code`. */
export class HandshakeError extends Error {
  override readonly name = 'HandshakeError'
  readonly data: { readonly code: string; readonly retryAfterMs?: number }

  constructor(error: AppError) {
    super(error.message)
    const { code, retryAfterMs } = error
    this.data = retryAfterMs === undefined ? { code } : { code, retryAfterMs }
  }
}

/**
 * The token of a handshake: `auth.token`, else an `Authorization: Bearer` header, else `?token=` where that is allowed.
 * @throws AppError `token_missing`
 */
export function tokenOf({ handshake }: Pick<Socket, 'handshake'>, allowQuery: boolean): string {
  const fromAuth: unknown = handshake.auth?.token
  if (typeof fromAuth === 'string' && fromAuth !== '') return fromAuth.replace(/^Bearer /i, '')
  const header = /^Bearer +(\S+)$/i.exec(handshake.headers.authorization ?? '')?.[1]
  if (header !== undefined) return header
  const fromQuery = allowQuery ? handshake.query.token : undefined
  if (typeof fromQuery === 'string' && fromQuery !== '') return fromQuery
  throw new AppError('token_missing')
}
