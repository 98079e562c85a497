import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, isIPv6 } from 'node:net'
import type { Clock } from '../clock.js'
import type { Refusal } from '../unit/unit-transport.js'

/** How a wire ended. `quietly`: the other side ended it in good order. */
export interface WireEnd {
  readonly isQuiet: boolean
}

/** A socket to the server: bytes out, bytes in. */
export interface Wire {
  /** Each piece is a message of its own, or a piece of a stream. */
  readonly hasMessages: boolean
  readonly ended: Promise<WireEnd>
  /** Takes what comes from now on. */
  onBytes(take: (bytes: Buffer) => void): void
  /** @param handleOut called once: the bytes are with the system, or never will be */
  write(bytes: Buffer, handleOut?: (isOut: boolean) => void): void
  /** Drops it without a word. */
  cut(): void
  /** Ends it when everything is out. */
  close(): void
}

export type WireOutcome =
  | { readonly wire: Wire; readonly refusal?: undefined }
  | { readonly wire?: undefined; readonly refusal: Refusal }

export interface WireParts {
  readonly host: string
  readonly port: number
  readonly clock: Clock
  readonly signal: AbortSignal
}

const CONNECT_TIMEOUT_MS = 20_000
/** A server that does not end its half is left. */
const CLOSE_TIMEOUT_MS = 3_000

/** Never rejects. */
export async function openStream({ host, port, clock, signal }: WireParts): Promise<WireOutcome> {
  const socket = connect({ host, port, noDelay: true })
  let isQuiet = false
  const ended = new Promise<WireEnd>((resolve) => socket.once('close', () => resolve({ isQuiet })))
  let reason = 'no connection'
  socket.on('error', (error: NodeJS.ErrnoException) => {
    reason = error.code ?? error.message
  })
  const abandon = () => void socket.destroy()
  signal.addEventListener('abort', abandon)
  const forgetTimeout = clock.after(CONNECT_TIMEOUT_MS, abandon)
  const isOpen = await Promise.race([
    once(socket, 'connect').then(
      () => true,
      () => false,
    ),
    ended.then(() => false),
  ])
  forgetTimeout()
  signal.removeEventListener('abort', abandon)
  if (!isOpen || signal.aborted) {
    socket.destroy()
    return { refusal: { code: 'unreachable', message: `${host}:${port}: ${reason}` } }
  }
  socket.once('end', () => {
    isQuiet = true
  })
  const close = () => {
    socket.end()
    const forget = clock.after(CLOSE_TIMEOUT_MS, () => socket.destroy())
    void ended.then(forget)
  }
  const write = (bytes: Buffer, handleOut?: (isOut: boolean) => void) => {
    if (!socket.writable) return handleOut?.(false)
    socket.write(bytes, (error) => handleOut?.(error === undefined || error === null))
  }
  const onBytes = (take: (bytes: Buffer) => void) => void socket.on('data', take)
  return { wire: { hasMessages: false, ended, onBytes, write, cut: () => void socket.resetAndDestroy(), close } }
}

/** A socket for datagrams to one address. Never rejects; nobody knows whether there is anyone to hear. */
export async function openDatagrams({ host, port }: WireParts): Promise<WireOutcome> {
  const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4')
  const ended = new Promise<WireEnd>((resolve) => socket.once('close', () => resolve({ isQuiet: false })))
  let isOver = false
  void ended.then(() => {
    isOver = true
  })
  const end = () => {
    if (!isOver) socket.close()
    isOver = true
  }
  try {
    socket.connect(port, host)
    await once(socket, 'connect')
  } catch (error) {
    end()
    const reason = (error as NodeJS.ErrnoException).code ?? String(error)
    return { refusal: { code: 'unreachable', message: `${host}:${port}: ${reason}` } }
  }
  // Nobody listens there now; a unit goes on as if it had heard nothing.
  socket.on('error', () => undefined)
  const write = (bytes: Buffer, handleOut?: (isOut: boolean) => void) => {
    if (isOver) return handleOut?.(false)
    socket.send(bytes, (error) => handleOut?.(error === null || error === undefined))
  }
  const onBytes = (take: (bytes: Buffer) => void) => void socket.on('message', take)
  return { wire: { hasMessages: true, ended, onBytes, write, cut: end, close: end } }
}
