import type { IncomingMessage, Server } from 'node:http'
import type { Socket } from 'node:net'
import { refuseBrokenRequest } from './broken-request.js'

/** A whole request is here within this: 1 MiB at 9 KB/s. */
export const REQUEST_WITHIN_MS = 120_000
const LOOK_EVERY_MS = 5000

interface Pending {
  readonly request: IncomingMessage
  readonly sinceMs: number
}

const exempt = new WeakSet<IncomingMessage>()

/** Lets a request take as long as its bytes keep coming; only silence ends it then. */
export function exemptFromDeadline(request: IncomingMessage): void {
  exempt.add(request)
}

/** Keeps the connection of a request while its answer is worked on, also when nothing moves on it for longer than others may idle. */
export async function answerInItsTime<T>(request: IncomingMessage, work: () => Promise<T>): Promise<T> {
  const { socket } = request
  const { timeout } = socket
  socket.setTimeout(0)
  try {
    return await work()
  } finally {
    socket.setTimeout(timeout ?? 0)
  }
}

/**
 * Refuses requests that do not come to their end in time, so that slow clients cannot hold connections for ever. Node's own limit
 * knows no exceptions, and uploads over slow links need one.
 */
export class RequestDeadlines {
  /** The last request with a body on each connection. */
  private readonly pending = new Map<Socket, Pending>()

  constructor(
    private readonly limitMs = REQUEST_WITHIN_MS,
    private readonly lookEveryMs = LOOK_EVERY_MS,
  ) {}

  /** Watches the requests that come from now on, until the server closes. */
  watch(server: Server): void {
    server.prependListener('request', (request: IncomingMessage) => this.add(request))
    const timer = setInterval(() => this.look(), this.lookEveryMs).unref()
    server.once('close', () => clearInterval(timer))
  }

  private add(request: IncomingMessage): void {
    const { headers, socket } = request
    if (headers['content-length'] === undefined && headers['transfer-encoding'] === undefined) return
    this.pending.set(socket, { request, sinceMs: performance.now() })
  }

  private look(): void {
    const startedBeforeMs = performance.now() - this.limitMs
    for (const [socket, { request, sinceMs }] of this.pending) {
      if (request.complete || socket.destroyed || exempt.has(request)) this.pending.delete(socket)
      else if (sinceMs <= startedBeforeMs) {
        this.pending.delete(socket)
        refuseBrokenRequest({ code: 'ERR_HTTP_REQUEST_TIMEOUT' }, socket)
      }
    }
  }
}
