import { once } from 'node:events'
import net from 'node:net'

type State = 'through' | 'refused' | 'silent'

/** Stands between a program and a server, and fails as networks do. */
export class UnreliableNetwork {
  private state: State = 'through'
  private delayMs = 0
  private readonly pairs = new Set<readonly [net.Socket, net.Socket]>()
  private readonly server: net.Server

  private constructor(
    private readonly host: string,
    private readonly port: number,
  ) {
    this.server = net.createServer((near) => this.connect(near))
  }

  /** @param url of a server; its host and port are where the way leads */
  static async before(url: string): Promise<UnreliableNetwork> {
    const { hostname, port } = new URL(url)
    const network = new UnreliableNetwork(hostname, Number(port))
    network.server.listen(0, '127.0.0.1')
    await once(network.server, 'listening')
    return network
  }

  /** The URL by this way. */
  urlOf(url: string): string {
    const through = new URL(url)
    through.hostname = '127.0.0.1'
    through.port = String((this.server.address() as net.AddressInfo).port)
    return through.href
  }

  /** From now on all takes so much longer, each way, on new connections. */
  slow(delayMs: number): void {
    this.delayMs = delayMs
    this.cut()
  }

  /** Ends all connections; new ones work. */
  cut(): void {
    for (const pair of [...this.pairs]) this.end(pair)
  }

  /** Ends all connections and lets no new one through. */
  refuse(): void {
    this.state = 'refused'
    this.cut()
  }

  /** Lets nothing through, and tells nobody: connections stay, and new ones are not answered. */
  silence(): void {
    this.state = 'silent'
    for (const [near, far] of this.pairs) {
      near.unpipe(far)
      far.unpipe(near)
    }
  }

  /** Works again; what was silent is ended. */
  mend(): void {
    const wasSilent = this.state === 'silent'
    this.state = 'through'
    if (wasSilent) this.cut()
  }

  /** Cuts everything at the next answer to a message of the program that has this text: it is done, and not told. */
  cutAnswerTo(text: string): Promise<void> {
    return new Promise((resolve) => {
      for (const pair of this.pairs) {
        const [near, far] = pair
        near.on('data', (data) => {
          if (!data.includes(text)) return
          far.unpipe(near)
          far.once('data', () => {
            this.end(pair)
            resolve()
          })
          far.resume()
        })
      }
    })
  }

  async close(): Promise<void> {
    this.cut()
    this.server.close()
    await once(this.server, 'close')
  }

  private connect(near: net.Socket): void {
    if (this.state === 'refused') {
      near.destroy()
      return
    }
    const far = net.connect(this.port, this.host)
    const pair = [near, far] as const
    this.pairs.add(pair)
    for (const socket of pair) {
      socket.on('error', () => this.end(pair))
      socket.on('close', () => this.end(pair))
    }
    if (this.state === 'silent') return
    if (this.delayMs > 0) {
      this.passOn(near, far)
      this.passOn(far, near)
      return
    }
    near.pipe(far)
    far.pipe(near)
  }

  private passOn(from: net.Socket, to: net.Socket): void {
    from.on('data', (data) => {
      setTimeout(() => {
        if (!to.destroyed) to.write(data)
      }, this.delayMs)
    })
  }

  private end(pair: readonly [net.Socket, net.Socket]): void {
    this.pairs.delete(pair)
    for (const socket of pair) socket.destroy()
  }
}
