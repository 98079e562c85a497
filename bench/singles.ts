import type { BenchOptions } from './bench-options.js'
import { type ClosedLoop, type LoadResult, runClosedLoop } from './closed-loop.js'
import { exactly } from './expected-ack.js'
import { compare, count, type Finding, rateFinding } from './finding.js'
import { median } from './latencies.js'
import { LoadedEcho, LoadedServer } from './loaded-server.js'
import { runOpenLoop } from './open-loop.js'

const LOCATION = 'location'
const ONE_STORED = exactly('[{"accepted":1,"duplicates":0,"rejected":[]}]')
const NOTHING = exactly('[]')
const LEAST_RATIO = 0.5
const MOST_P99_MS = 100
const MANY_IN_FLIGHT = 5
const QUANTILES = [0.5, 0.95, 0.99] as const

/** Durable acknowledged single positions with five and with one of each unit under way, then their latency at half the highest rate. */
export async function benchSingles(options: BenchOptions): Promise<Finding[]> {
  const target = await LoadedServer.start(options)
  const echo = await LoadedEcho.start(options)
  const many = await benchClosed(options, target, echo, MANY_IN_FLIGHT)
  const one = await benchClosed(options, target, echo, 1)
  await echo.stop()
  const latency = await benchLatency(options, target, many.rate / 2)
  const stored = await target.verifyAndStop()
  return [many.finding, one.finding, { ...latency, details: { ...latency.details, stored } }]
}

async function benchClosed(
  options: BenchOptions,
  target: LoadedServer,
  echo: LoadedEcho,
  inFlight: number,
): Promise<{ rate: number; finding: Finding }> {
  const load: Omit<ClosedLoop, 'next' | 'isExpected'> = { inFlight, event: LOCATION, ...options }
  const results: LoadResult[] = []
  const cpu: number[] = []
  const measureFloor = async () => {
    const next = (unit: number) => echo.fleet.nextPosition(unit)
    return (await runClosedLoop(echo.clients, { ...load, next, isExpected: NOTHING })).eventsPerSecond
  }
  const measure = async () => {
    const next = (unit: number) => target.fleet.nextPosition(unit)
    let rate = 0
    const microseconds = await target.cpuPerPosition(async () => {
      const result = await runClosedLoop(target.clients, { ...load, next, isExpected: ONE_STORED })
      results.push(result)
      rate = result.eventsPerSecond
    })
    cpu.push(microseconds)
    return rate
  }
  const comparison = await compare(options.repeats, measureFloor, measure)
  const quantiles = results.slice(-options.repeats).map(({ latencies }) => latencies.quantiles(QUANTILES))
  const details = { latencyMsP50P95P99: quantiles, serverCpuMicrosecondsPerPosition: median(cpu) }
  const title = `single positions, ${options.units} units × ${inFlight} in flight`
  const leastRatio = inFlight === MANY_IN_FLIGHT ? LEAST_RATIO : undefined
  return {
    rate: median(comparison.rates),
    finding: rateFinding(title, 'acked/s', comparison, { leastRatio, details }),
  }
}

async function benchLatency(options: BenchOptions, target: LoadedServer, eventsPerSecond: number): Promise<Finding> {
  const next = (unit: number) => target.fleet.nextPosition(unit)
  const rounds: number[][] = []
  for (let n = 0; n < options.repeats; n++) {
    const load = { eventsPerSecond, event: LOCATION, ...options, next, isExpected: ONE_STORED }
    const latencies = await runOpenLoop(target.clients, load)
    rounds.push(latencies.quantiles(QUANTILES))
  }
  const [p50 = 0, p95 = 0, p99 = 0] = QUANTILES.map((_, at) => median(rounds.map((round) => round[at] ?? Number.NaN)))
  return {
    title: `ack latency at ${count(eventsPerSecond)}/s, p50 / p95 / p99`,
    figure: `${p50.toFixed(1)} / ${p95.toFixed(1)} / ${p99.toFixed(1)} ms`,
    target: `p99 < ${MOST_P99_MS} ms`,
    isMet: p99 < MOST_P99_MS,
    details: { eventsPerSecond, rounds },
  }
}
