import { io, type Socket } from 'socket.io-client'

/** A handshake that was refused. */
export class Refused extends Error {
  constructor(readonly code: string) {
    super(code)
  }
}

/**
 * A unit's (or, with a path, a user's) socket, connected.
 * @param options.prepare registers for what may come together with the connection, and would be missed after it
 */
export async function connectSocket(
  url: string,
  options: {
    token?: string
    headers?: Record<string, string>
    query?: Record<string, string>
    transports?: string[]
    prepare?: (socket: Socket) => void
  } = {},
): Promise<Socket> {
  const socket = io(url, {
    auth: options.token === undefined ? {} : { token: options.token },
    extraHeaders: options.headers,
    query: options.query,
    transports: options.transports ?? ['websocket'],
    reconnection: false,
    forceNew: true,
  })
  options.prepare?.(socket)
  return new Promise((resolve, reject) => {
    socket.once('connect', () => resolve(socket))
    socket.once('connect_error', (error: Error & { data?: { code?: string } }) => {
      socket.close()
      reject(new Refused(error.data?.code ?? error.message))
    })
  })
}

/** Sends an event and gives its acknowledgement. */
export function ask<T = Record<string, unknown>>(socket: Socket, event: string, ...payload: unknown[]): Promise<T> {
  return socket.timeout(12_000).emitWithAck(event, ...payload) as Promise<T>
}

/** The next `closing` of the socket and that it was then disconnected. */
export function closingOf(socket: Socket): Promise<{ code: string; message: string }> {
  return new Promise((resolve, reject) => {
    let closing: { code: string; message: string } | undefined
    socket.once('closing', (payload: { code: string; message: string }) => {
      closing = payload
    })
    socket.once('disconnect', () =>
      closing === undefined ? reject(new Error('disconnected without words')) : resolve(closing),
    )
  })
}
