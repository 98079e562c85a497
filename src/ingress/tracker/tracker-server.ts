import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer, type Server, type Socket } from 'node:net'
import { TrackerConnection, type TrackerHost } from './tracker-connection.js'

/** Places that listeners share. */
export interface ConnectionRoom {
  /** @returns false: there is no place for one more */
  enter(address: string): boolean
  leave(address: string): void
}

const TICK_MS = 1000
/** What closed connections have brought is settled, or kept, within this. */
const FINISH_WITHIN_MS = 5000

/** Listens for the trackers of one brand. */
export class TrackerServer {
  private readonly server: Server
  private readonly connections = new Set<TrackerConnection>()
  /** Closed, with something under way that they have brought. */
  private readonly finishing = new Set<TrackerConnection>()
  private timer: NodeJS.Timeout | undefined
  private whenClosed: Promise<void> | undefined

  constructor(
    private readonly host: TrackerHost,
    private readonly room: ConnectionRoom,
    /** Where from, as far as it is known. */
    private readonly onRefused: (address: string) => void,
  ) {
    this.server = createServer({ allowHalfOpen: true }, (socket) => this.take(socket))
    // One that cannot be accepted, since there are no more descriptors, is nobody's; the others go on.
    this.server.on('error', () => this.onRefused(''))
  }

  /** @returns the port that it listens on. @throws the system's error, such as EADDRINUSE */
  async listen(port: number, host: string): Promise<number> {
    this.server.listen({ port, host, backlog: 4096 })
    await once(this.server, 'listening')
    this.whenClosed = new Promise((resolve) => this.server.once('close', resolve))
    this.timer = setInterval(() => {
      for (const connection of this.connections) connection.tick()
    }, TICK_MS)
    this.timer.unref()
    return (this.server.address() as AddressInfo).port
  }

  get connectionCount(): number {
    return this.connections.size
  }

  /** No new connections; those that are there stay. */
  stopAccepting(): void {
    this.server.close()
  }

  /** Ends all connections and resolves when they are gone, and what they have brought is settled or kept, or cannot be soon. */
  async close(): Promise<void> {
    clearInterval(this.timer)
    for (const connection of this.connections) connection.end('shutting_down')
    if (this.server.listening) this.server.close()
    await this.whenClosed
    await this.finished()
  }

  private async finished(): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const tooLate = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, FINISH_WITHIN_MS)
    })
    const done = [...this.connections, ...this.finishing].map((connection) => connection.done())
    await Promise.race([Promise.all(done), tooLate])
    clearTimeout(timer)
  }

  private take(socket: Socket): void {
    const address = socket.remoteAddress ?? ''
    if (!this.room.enter(address)) {
      this.onRefused(address)
      socket.destroy()
      return
    }
    const connection = new TrackerConnection(socket, this.host)
    this.connections.add(connection)
    socket.once('close', () => {
      this.connections.delete(connection)
      this.room.leave(address)
      this.finishing.add(connection)
      void connection.done().then(() => this.finishing.delete(connection))
    })
  }
}
