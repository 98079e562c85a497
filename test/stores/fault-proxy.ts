import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, createServer, type Server, type Socket } from 'node:net'

/** A way to a server that can be spoiled. */
export class FaultProxy {
  /** Nothing is handed on in either direction, and nobody is told. */
  isBlackhole = false
  /** Each piece waits so long before it is handed on. */
  latencyMs = 0
  /** A connection is cut once it has brought so many bytes; only the next one, as often as this says. */
  cutAfterBytes = Number.POSITIVE_INFINITY
  cuts = 0
  /** Connections that are open. */
  readonly sockets = new Set<Socket>()

  private constructor(
    private readonly server: Server,
    private readonly target: { readonly host: string; readonly port: number },
  ) {}

  static async open(target: { readonly host: string; readonly port: number }): Promise<FaultProxy> {
    const server = createServer()
    const proxy = new FaultProxy(server, target)
    server.on('connection', (socket) => proxy.serve(socket))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return proxy
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
    this.server.close()
    await once(this.server, 'close')
  }

  private serve(client: Socket): void {
    const upstream = connect(this.target)
    let brought = 0
    this.handOn(client, upstream, (bytes) => {
      brought += bytes
      if (brought < this.cutAfterBytes || this.cuts === 0) return
      this.cuts--
      client.destroy()
      upstream.destroy()
    })
    this.handOn(upstream, client, () => undefined)
  }

  private handOn(from: Socket, to: Socket, onBytes: (bytes: number) => void): void {
    this.sockets.add(from)
    from.on('data', (chunk) => {
      onBytes(chunk.length)
      if (this.isBlackhole) return
      if (this.latencyMs === 0) this.write(from, to, chunk)
      else setTimeout(() => this.write(from, to, chunk), this.latencyMs)
    })
    from.on('error', () => to.destroy())
    from.on('close', () => {
      this.sockets.delete(from)
      // Not before what is still on its way.
      setTimeout(() => to.destroy(), this.latencyMs)
    })
  }

  private write(from: Socket, to: Socket, chunk: Buffer): void {
    if (to.destroyed || to.write(chunk)) return
    from.pause()
    to.once('drain', () => from.resume())
  }
}
