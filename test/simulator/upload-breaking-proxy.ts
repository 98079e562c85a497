import { type AddressInfo, createServer, connect as open, type Server, type Socket } from 'node:net'

/** One request of an upload, as it passed: method, and the offset where it names one. */
export interface SeenRequest {
  readonly method: string
  readonly offset: number | undefined
}

const UPLOAD = /(POST|PATCH|HEAD) \/api\/v1\/videos\/uploads[^\r]*\r\n((?:[^\r]+\r\n)*)/g

/** It stands still before it breaks, as networks do: what came through before is there. */
const STALLS_MS = 200

/** A network between units and a server, which breaks once when it is told to. */
export class UploadBreakingProxy {
  /** The requests of resumable uploads, in order. */
  readonly seen: SeenRequest[] = []
  private readonly sockets = new Set<Socket>()
  /** Bytes of the next request with bytes after which it breaks; `answer`: all of them, and the answer is lost. */
  private cutAfter: number | 'answer' | undefined

  private constructor(
    private readonly server: Server,
    private readonly target: URL,
  ) {
    server.on('connection', (client) => this.join(client))
  }

  static async start(target: string): Promise<UploadBreakingProxy> {
    const proxy = new UploadBreakingProxy(createServer(), new URL(target))
    await new Promise<void>((resolve) => proxy.server.listen(0, '127.0.0.1', resolve))
    return proxy
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  cutOnce(after: number | 'answer'): void {
    this.cutAfter = after
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
    await new Promise((resolve) => this.server.close(resolve))
  }

  private join(client: Socket): void {
    const server = open(Number(this.target.port), this.target.hostname)
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.sockets.add(socket)
      socket.on('error', () => {})
      socket.once('close', () => {
        this.sockets.delete(socket)
        other.destroy()
      })
    }
    let passed: number | undefined // since a request with bytes began
    client.on('data', (chunk) => {
      const text = chunk.toString('latin1')
      if (this.note(text)) passed = 0
      const room = passed === undefined || typeof this.cutAfter !== 'number' ? chunk.length : this.cutAfter - passed
      if (passed !== undefined) passed += chunk.length
      if (room >= chunk.length) return void server.write(chunk)
      this.cutAfter = undefined
      client.pause()
      server.write(chunk.subarray(0, Math.max(0, room)))
      setTimeout(() => client.destroy(), STALLS_MS)
    })
    server.on('data', (chunk) => {
      if (passed === undefined || this.cutAfter !== 'answer') return void client.write(chunk)
      this.cutAfter = undefined
      client.destroy()
    })
  }

  /** Whether a request with bytes begins here. */
  private note(text: string): boolean {
    const requests = [...text.matchAll(UPLOAD)].map(([, method = '', headers = '']) => {
      const [, offset] = /upload-offset: (\d+)/i.exec(headers) ?? []
      return { method, offset: offset === undefined ? undefined : Number(offset) }
    })
    this.seen.push(...requests)
    return requests.some(({ method }) => method === 'PATCH')
  }
}
