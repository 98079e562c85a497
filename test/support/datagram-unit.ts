import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'

const WITHIN_MS = 10_000

/** A tracker's UDP socket: datagrams out, datagrams in. */
export class DatagramUnit {
  private readonly came: string[] = []

  private constructor(
    private readonly socket: Socket,
    private readonly serverPort: number,
  ) {
    socket.on('message', (bytes) => this.came.push(bytes.toString('hex')))
    socket.on('error', () => undefined)
  }

  /** From a free port of this machine: an address of its own. */
  static async open(serverPort: number): Promise<DatagramUnit> {
    const socket = createSocket('udp4')
    socket.bind(0, '127.0.0.1')
    await once(socket, 'listening')
    return new DatagramUnit(socket, serverPort)
  }

  get port(): number {
    return this.socket.address().port
  }

  /** Each part is a datagram of its own. */
  async send(...datagrams: readonly (Uint8Array | string)[]): Promise<void> {
    for (const one of datagrams) {
      const bytes = typeof one === 'string' ? Buffer.from(one, 'hex') : one
      await new Promise<void>((resolve, reject) => {
        this.socket.send(bytes, this.serverPort, '127.0.0.1', (error) => (error === null ? resolve() : reject(error)))
      })
    }
  }

  /** Takes the next datagram that came. @throws Error when none does */
  async answer(withinMs = WITHIN_MS): Promise<string> {
    const untilMs = performance.now() + withinMs
    while (this.came.length === 0) {
      if (performance.now() > untilMs) throw new Error('no answer came')
      await sleep(5)
    }
    return this.came.shift() ?? ''
  }

  /** @returns what came within a moment: nothing, where nothing may be answered */
  async answersWithin(ms: number): Promise<string[]> {
    await sleep(ms)
    return this.came.splice(0)
  }

  async close(): Promise<void> {
    const closed = once(this.socket, 'close')
    this.socket.close()
    await closed
  }
}
