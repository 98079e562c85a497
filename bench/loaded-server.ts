import { fileURLToPath } from 'node:url'
import type { BenchOptions } from './bench-options.js'
import { type Child, startChild } from './child-process.js'
import { Fleet } from './fleet.js'
import { LightClient } from './light-client.js'
import { Milepost } from './milepost.js'
import { cpuSeconds } from './process-memory.js'
import { verifyStored } from './verification.js'

/** The product with a fleet connected to it, fresh for each scenario. */
export class LoadedServer {
  private constructor(
    readonly server: Milepost,
    readonly clients: readonly LightClient[],
    readonly fleet: Fleet,
  ) {}

  static async start({ units, profileDirectory }: BenchOptions): Promise<LoadedServer> {
    const server = await Milepost.start(profileDirectory)
    const tokens = await server.loginUnits(units)
    const clients = await Promise.all(tokens.map((token) => LightClient.connect(server.url, token)))
    return new LoadedServer(server, clients, new Fleet(units))
  }

  /** CPU time that the server spends while the work runs, in microseconds for each position that it brings. */
  async cpuPerPosition(work: () => Promise<unknown>): Promise<number> {
    const sent = this.sent
    const before = cpuSeconds(this.server.pid)
    await work()
    return ((cpuSeconds(this.server.pid) - before) * 1e6) / (this.sent - sent)
  }

  /**
   * Checks what is stored against what was acknowledged, then ends everything.
   * @returns positions that are stored
   */
  async verifyAndStop(): Promise<number> {
    const stored = await verifyStored(this.server, this.fleet)
    for (const client of this.clients) client.close()
    await this.server.stop()
    return stored
  }

  private get sent(): number {
    return this.fleet.sent.reduce((sum, one) => sum + one, 0)
  }
}

/** The bare socket.io server with as many clients. */
export class LoadedEcho {
  private constructor(
    private readonly child: Child,
    readonly clients: readonly LightClient[],
    readonly fleet: Fleet,
  ) {}

  static async start({ units }: BenchOptions): Promise<LoadedEcho> {
    const child = await startChild([fileURLToPath(new URL('./socket-echo.js', import.meta.url))], {})
    const clients = await Promise.all(Array.from({ length: units }, () => LightClient.connect(child.url)))
    return new LoadedEcho(child, clients, new Fleet(units))
  }

  async stop(): Promise<void> {
    for (const client of this.clients) client.close()
    await this.child.stop()
  }
}
