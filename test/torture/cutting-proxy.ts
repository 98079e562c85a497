import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

interface Mark {
  readonly bytes: number
  readonly reached: () => void
}

/** A network that drops: passes connections on to a port, tells when so many bytes have passed, and cuts all of them when it is told to. */
export class CuttingProxy {
  /** That came from clients. */
  bytes = 0
  private readonly sockets = new Set<Socket>()
  private marks: Mark[] = []

  private constructor(
    private readonly server: Server,
    private readonly target: () => number,
  ) {
    server.on('connection', (client: Socket) => this.pass(client))
  }

  /** @param target port on this machine, asked for each connection */
  static async open(target: () => number): Promise<CuttingProxy> {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new CuttingProxy(server, target)
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  /** Resolves when so many more bytes have come from clients. */
  after(bytes: number): Promise<void> {
    return new Promise((resolve) => this.marks.push({ bytes: this.bytes + bytes, reached: resolve }))
  }

  cut(): void {
    for (const socket of this.sockets) socket.resetAndDestroy()
  }

  close(): void {
    this.server.close()
    this.cut()
  }

  private pass(client: Socket): void {
    const upstream = connect(this.target(), '127.0.0.1')
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      this.sockets.add(one)
      one.on('error', () => undefined)
      one.once('close', () => {
        this.sockets.delete(one)
        other.destroy()
      })
    }
    client.on('data', (chunk: Buffer) => this.count(chunk.length))
    client.pipe(upstream)
    upstream.pipe(client)
  }

  private count(bytes: number): void {
    this.bytes += bytes
    for (const { bytes: mark, reached } of this.marks) if (mark <= this.bytes) reached()
    this.marks = this.marks.filter((mark) => mark.bytes > this.bytes)
  }
}
