import { bulkInsertRate } from './batches.js'
import type { BenchOptions } from './bench-options.js'
import { count, type Finding, measureInTurn, rateFinding } from './finding.js'
import { Fleet } from './fleet.js'
import { median } from './latencies.js'
import { LoadedTrackerEcho, LoadedTrackers, trackerVariables } from './loaded-trackers.js'
import { Milepost } from './milepost.js'
import { settledBytes } from './process-memory.js'
import { TrackerClient } from './tracker-client.js'
import { runTrackerRound } from './tracker-loop.js'
import { TrackerPackets } from './tracker-packets.js'
import { verifyStored } from './verification.js'

/** Records in a packet of a unit that is behind. */
const BATCH = 20
const LEAST_RATIO_OF_BULK = 0.5
const TENFOLD = 10
const SETTLE_MS = 5000

/** Teltonika units over TCP: few and many at full load, with the raw archive and without, then a whole fleet that connects at once. */
export async function benchTrackers(options: BenchOptions): Promise<Finding[]> {
  const { units } = options
  return [
    ...(await benchLoad(units, 0.2, options)),
    ...(await benchLoad(TENFOLD * units, 0.25, options)),
    ...(await benchConnections(options)),
  ]
}

/** @param leastRatio of single records to the bare server */
async function benchLoad(units: number, leastRatio: number, options: BenchOptions): Promise<Finding[]> {
  const off = await LoadedTrackers.start(units, 'off', options.profileDirectory)
  const archiving = await LoadedTrackers.start(units, 'trackers')
  const echo = await LoadedTrackerEcho.start(units, 1)
  const singles = await measureInTurn(options.repeats, [
    () => echo.measure(options),
    () => off.measure(1, options),
    () => archiving.measure(1, options),
  ])
  await echo.stop()
  const batches = await measureInTurn(options.repeats, [
    () => bulkInsertRate(options, { units, batch: BATCH, load: 'trackers' }),
    () => off.measure(BATCH, options),
    () => archiving.measure(BATCH, options),
  ])
  const stored = { off: await off.verifyAndStop(), trackers: await archiving.verifyAndStop() }
  const cpu = (server: LoadedTrackers, half: 0 | 1) => {
    const rounds = server.cpuMicroseconds.length / 2
    return median(server.cpuMicroseconds.slice(half * rounds + 1, (half + 1) * rounds)) // the first is thrown away
  }
  const finding = (
    [floorRates = [], ...products]: ReadonlyArray<readonly number[]>,
    half: 0 | 1,
    words: string,
    ratio: number,
  ) =>
    [off, archiving].map((server, at) => {
      const archive = at === 0 ? 'off' : 'trackers'
      const details = { stored: stored[archive], serverCpuMicrosecondsPerPosition: cpu(server, half) }
      const title = `${count(units)} trackers, ${words}, RAW_ARCHIVE=${archive}`
      // The target is that without the archive; with it the figure is reported.
      const extra = { ...(at === 0 ? { leastRatio: ratio } : {}), details }
      return rateFinding(title, 'records/s', { rates: products[at] ?? [], floorRates }, extra)
    })
  return [
    ...finding(singles, 0, 'one record a packet', leastRatio),
    ...finding(batches, 1, `${BATCH} records a packet`, LEAST_RATIO_OF_BULK),
  ]
}

/** As many as there are idle sockets in the memory part: the time until all are let in, what each costs, and one packet of all at once. */
async function benchConnections({ sockets }: BenchOptions): Promise<Finding[]> {
  const enrolling = await Milepost.start()
  await enrolling.loginUnits(sockets)
  const { port, variables } = await trackerVariables('off')
  const server = await enrolling.restart(variables)
  const idleBytes = await settledBytes(server.pid, SETTLE_MS)
  const startedMs = performance.now()
  const clients = await TrackerClient.connectAll(port, sockets)
  const connectedMs = performance.now() - startedMs
  const connectedBytes = await settledBytes(server.pid, SETTLE_MS)
  const fleet = new Fleet(sockets)
  const packets = new TrackerPackets(fleet, 1)
  const roundsMs: number[] = []
  for (let n = 0; n < 3; n++) roundsMs.push(await runTrackerRound(clients, packets, 1))
  const stored = await verifyStored(server, fleet)
  for (const client of clients) client.close()
  await server.stop()
  const kiB = (connectedBytes - idleBytes) / sockets / 1024
  const seconds = connectedMs / 1000
  return [
    {
      title: `${count(sockets)} trackers connect: all let in after`,
      figure: `${seconds.toFixed(1)} s (${count(sockets / seconds)} /s)`,
      details: { connectedMs },
    },
    {
      title: `memory of a tracker's idle connection, ${count(sockets)} of them`,
      figure: `${kiB.toFixed(1)} KiB`,
      details: { idleBytes, connectedBytes },
    },
    {
      title: `one packet of each of ${count(sockets)} trackers at once: all acknowledged after`,
      figure: `${count(median(roundsMs))} ms`,
      details: { roundsMs, stored },
    },
  ]
}
