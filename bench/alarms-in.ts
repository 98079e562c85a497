import { fileURLToPath } from 'node:url'
import { AlarmFleet } from './alarm-fleet.js'
import { AlarmFloor } from './alarm-floor.js'
import { verifyAlarms } from './alarm-verification.js'
import type { BenchOptions } from './bench-options.js'
import { type Child, startChild } from './child-process.js'
import { type LoadResult, runClosedLoop } from './closed-loop.js'
import { between } from './expected-ack.js'
import { count, type Finding, measureInTurn, percentiles, rateFinding } from './finding.js'
import { runHttpClosedLoop } from './http-closed-loop.js'
import { type Latencies, median } from './latencies.js'
import { LightClient } from './light-client.js'
import { LightHttpClient } from './light-http-client.js'
import { Milepost } from './milepost.js'
import { runOpenLoop } from './open-loop.js'
import { cpuSeconds } from './process-memory.js'
import { storeCalls } from './store-calls.js'

const PATH = '/api/v1/alarms'
/** Connections, as parts of the units that the run has: few, all, and a storm. */
const CONNECTIONS = [0.1, 1, 5]
const isNewAck = between('[{"id":"', '","duplicate":false}]')
const isNewAnswer = (status: number, body: string) => status === 201 && body.startsWith('{"id":"')

/** A way in, with as many connections as there are units. */
interface WayIn {
  readonly title: string
  /** A built program that answers alarms at once. */
  readonly echo: string
  connect(url: string, tokens: readonly string[]): Promise<Connections>
}

interface Connections {
  /** Each one has one alarm under way. */
  load(fleet: AlarmFleet, options: BenchOptions): Promise<LoadResult>
  /** Alarms at a fixed rate; only where a way has a timetable. */
  time?(fleet: AlarmFleet, options: BenchOptions, eventsPerSecond: number): Promise<Latencies>
  close(): void
}

const SOCKETS: WayIn = {
  title: 'alarms over sockets',
  echo: './socket-echo.js',
  connect: async (url, tokens) => {
    const clients = await Promise.all(tokens.map((token) => LightClient.connect(url, token)))
    const common = (fleet: AlarmFleet) => ({
      event: 'alarm',
      next: (unit: number) => fleet.nextAlarm(unit),
      isExpected: isNewAck,
    })
    return {
      load: (fleet, options) => runClosedLoop(clients, { inFlight: 1, ...options, ...common(fleet) }),
      time: (fleet, options, eventsPerSecond) =>
        runOpenLoop(clients, { eventsPerSecond, ...options, ...common(fleet) }),
      close: () => {
        for (const client of clients) client.close()
      },
    }
  },
}

const POSTS: WayIn = {
  title: 'POST /alarms',
  echo: './http-echo.js',
  connect: async (url, tokens) => {
    const clients = await Promise.all(tokens.map((token) => LightHttpClient.connect(url, PATH, token)))
    const next = (fleet: AlarmFleet) => (unit: number) => fleet.nextAlarm(unit)
    return {
      load: (fleet, options) => runHttpClosedLoop(clients, { ...options, next: next(fleet), isExpected: isNewAnswer }),
      close: () => {
        for (const client of clients) client.close()
      },
    }
  },
}

/** Alarms over both ways in, each with few, many and very many connections, against the bare store and against a bare server. */
export async function benchAlarmsIn(options: BenchOptions): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const way of [SOCKETS, POSTS]) {
    for (const part of CONNECTIONS) {
      const units = Math.max(1, Math.round(options.units * part))
      findings.push(...(await benchWay(way, { ...options, units }, part === 1)))
    }
  }
  return findings
}

async function benchWay(way: WayIn, options: BenchOptions, isTimed: boolean): Promise<Finding[]> {
  const { units } = options
  const server = await Milepost.start(options.profileDirectory)
  const tokens = await server.loginUnits(units)
  const connections = await way.connect(server.url, tokens)
  const echo = await startChild([fileURLToPath(new URL(way.echo, import.meta.url))], {})
  const echoConnections = await way.connect(echo.url, tokens)
  const floor = await AlarmFloor.open(units)
  const fleet = new AlarmFleet(units)
  try {
    const title = `${way.title}, ${count(units)} connections`
    const found = await measure(title, { server, connections, echoConnections, floor, fleet }, options)
    const timed = isTimed ? await benchLatency(connections, fleet, options, found.rate / 2) : []
    const stored = await verifyAlarms(server, fleet)
    return [...found.findings, ...timed].map((finding) => ({ ...finding, details: { ...finding.details, stored } }))
  } finally {
    connections.close()
    echoConnections.close()
    await end(server, echo, floor)
  }
}

interface Measured {
  readonly server: Milepost
  readonly connections: Connections
  readonly echoConnections: Connections
  readonly floor: AlarmFloor
  readonly fleet: AlarmFleet
}

async function measure(
  title: string,
  { server, connections, echoConnections, floor, fleet }: Measured,
  options: BenchOptions,
): Promise<{ readonly rate: number; readonly findings: readonly Finding[] }> {
  const echoFleet = new AlarmFleet(options.units)
  const cpuBefore = cpuSeconds(server.pid)
  const [inserted = [], echoed = [], loaded = []] = await measureInTurn(options.repeats, [
    () => floor.load(options),
    () => echoConnections.load(echoFleet, options),
    () => connections.load(fleet, options),
  ])
  const details = {
    cpuMicrosecondsPerAlarm: ((cpuSeconds(server.pid) - cpuBefore) * 1e6) / fleet.total,
    alarmsPerWrite: fleet.total / (await storeCalls(server, 'alarms', 'raise')),
  }
  const rates = ratesOf(loaded)
  const latency: Finding = {
    title: `${title}: ack p50 / p95 / p99`,
    figure: percentiles(loaded.map(({ latencies }) => latencies)),
    floor: percentiles(echoed.map(({ latencies }) => latencies)),
    details: { ...details, bareStoreBatchMs: percentiles(inserted.map(({ latencies }) => latencies)) },
  }
  return {
    rate: median(rates),
    findings: [
      rateFinding(`${title}, to a bare store`, 'acked/s', { rates, floorRates: ratesOf(inserted) }, { details }),
      rateFinding(`${title}, to a bare server`, 'acked/s', { rates, floorRates: ratesOf(echoed) }, { details }),
      latency,
    ],
  }
}

function ratesOf(results: readonly LoadResult[]): number[] {
  return results.map(({ eventsPerSecond }) => eventsPerSecond)
}

async function benchLatency(
  connections: Connections,
  fleet: AlarmFleet,
  options: BenchOptions,
  eventsPerSecond: number,
): Promise<Finding[]> {
  if (connections.time === undefined) return []
  const rounds: Latencies[] = []
  for (let n = 0; n < options.repeats; n++) rounds.push(await connections.time(fleet, options, eventsPerSecond))
  return [
    {
      title: `alarms over sockets at ${count(eventsPerSecond)}/s: ack p50 / p95 / p99`,
      figure: percentiles(rounds),
      details: { eventsPerSecond },
    },
  ]
}

async function end(server: Milepost, echo: Child, floor: AlarmFloor): Promise<void> {
  await Promise.all([server.stop(), echo.stop(), floor.close()])
}
