import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { BenchOptions } from './bench-options.js'
import { runChild } from './child-process.js'
import { runClosedLoop } from './closed-loop.js'
import { exactly } from './expected-ack.js'
import { compare, type Finding, rateFinding } from './finding.js'
import { median } from './latencies.js'
import { LoadedServer } from './loaded-server.js'

const BATCH = 60
const IN_FLIGHT = 2
const LEAST_RATIO = 0.5
const ALL_STORED = exactly(`[{"accepted":${BATCH},"duplicates":0,"rejected":[]}]`)
const BULK_INSERT = fileURLToPath(new URL('./bulk-insert.js', import.meta.url))

/** Batches of 60 against a bare bulk insert of the same rows. */
export async function benchBatches(options: BenchOptions): Promise<Finding[]> {
  const target = await LoadedServer.start(options)
  const cpu: number[] = []
  const measure = async () => {
    const next = (unit: number) => target.fleet.nextBatch(unit, BATCH)
    let rate = 0
    const microseconds = await target.cpuPerPosition(async () => {
      const load = { inFlight: IN_FLIGHT, event: 'location', ...options, next, isExpected: ALL_STORED }
      rate = (await runClosedLoop(target.clients, load)).eventsPerSecond * BATCH
    })
    cpu.push(microseconds)
    return rate
  }
  const comparison = await compare(
    options.repeats,
    () => bulkInsertRate(options, { units: options.units, batch: BATCH, load: 'sockets' }),
    measure,
  )
  const stored = await target.verifyAndStop()
  const details = { stored, serverCpuMicrosecondsPerPosition: median(cpu) }
  const title = `batches of ${BATCH}, ${options.units} units × ${IN_FLIGHT} in flight`
  return [rateFinding(title, 'positions/s', comparison, { leastRatio: LEAST_RATIO, details })]
}

/** @returns rows a second that a process inserts which does nothing else: those of units' batches of that size, as the load makes them */
export async function bulkInsertRate(
  { windowMs }: BenchOptions,
  { units, batch, load }: { readonly units: number; readonly batch: number; readonly load: 'sockets' | 'trackers' },
): Promise<number> {
  const directory = mkdtempSync(path.join(tmpdir(), 'milepost-bench-'))
  try {
    return Number(await runChild([BULK_INSERT, directory, String(units), String(batch), String(windowMs / 1000), load]))
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
