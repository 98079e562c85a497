import { fileURLToPath } from 'node:url'
import { freePort } from '../test/support/free-port.js'
import type { BenchOptions } from './bench-options.js'
import { type Child, startChild } from './child-process.js'
import { Fleet } from './fleet.js'
import { Milepost } from './milepost.js'
import { cpuSeconds } from './process-memory.js'
import { TrackerClient } from './tracker-client.js'
import { runTrackerLoop } from './tracker-loop.js'
import { TrackerPackets } from './tracker-packets.js'
import { verifyStored } from './verification.js'

/** Whether the bytes of trackers are kept as well. */
export type Archive = 'off' | 'trackers'

/** The variables that let trackers of Teltonika in on a free port. */
export async function trackerVariables(archive: Archive): Promise<{ port: number; variables: Record<string, string> }> {
  const port = await freePort()
  return { port, variables: { TRACKER_TELTONIKA_PORT: String(port), RAW_ARCHIVE: archive } }
}

/** The product with trackers connected to it. */
export class LoadedTrackers {
  /** Of the server, for each position of the windows so far, in microseconds. */
  readonly cpuMicroseconds: number[] = []
  private readonly packets = new Map<number, TrackerPackets>()

  private constructor(
    private readonly server: Milepost,
    private readonly clients: readonly TrackerClient[],
    private readonly fleet: Fleet,
  ) {}

  static async start(units: number, archive: Archive, profileDirectory?: string): Promise<LoadedTrackers> {
    const { port, variables } = await trackerVariables(archive)
    const server = await Milepost.start(profileDirectory, variables)
    // Enrolled by this: the first connection of a device costs what no other does.
    await server.loginUnits(units)
    return new LoadedTrackers(server, await TrackerClient.connectAll(port, units), new Fleet(units))
  }

  /** @returns records acknowledged in a second */
  async measure(size: number, options: BenchOptions): Promise<number> {
    const { fleet, server } = this
    const packets = this.packets.get(size) ?? new TrackerPackets(fleet, size)
    this.packets.set(size, packets)
    const [sentBefore, cpuBefore] = [total(fleet.sent), cpuSeconds(server.pid)]
    const rate = await runTrackerLoop(this.clients, packets, { ...options, size })
    this.cpuMicroseconds.push(((cpuSeconds(server.pid) - cpuBefore) * 1e6) / (total(fleet.sent) - sentBefore))
    return rate
  }

  /** Checks what is stored against what was acknowledged, then ends everything. @returns positions that are stored */
  async verifyAndStop(): Promise<number> {
    const stored = await verifyStored(this.server, this.fleet)
    for (const client of this.clients) client.close()
    await this.server.stop()
    return stored
  }
}

/** The bare server with as many trackers. */
export class LoadedTrackerEcho {
  private constructor(
    private readonly child: Child,
    private readonly clients: readonly TrackerClient[],
    private readonly packets: TrackerPackets,
    private readonly size: number,
  ) {}

  static async start(units: number, size: number): Promise<LoadedTrackerEcho> {
    const child = await startChild([fileURLToPath(new URL('./tracker-echo.js', import.meta.url))], {})
    const clients = await TrackerClient.connectAll(Number(new URL(child.url).port), units)
    return new LoadedTrackerEcho(child, clients, new TrackerPackets(new Fleet(units), size), size)
  }

  measure(options: BenchOptions): Promise<number> {
    return runTrackerLoop(this.clients, this.packets, { ...options, size: this.size })
  }

  async stop(): Promise<void> {
    for (const client of this.clients) client.close()
    await this.child.stop()
  }
}

function total(numbers: readonly number[]): number {
  return numbers.reduce((sum, one) => sum + one, 0)
}
