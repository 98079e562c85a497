import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { SQL_FILE } from '../src/storage/sql/open-sqlite-records.js'
import { testImei } from '../test/support/api.js'
import type { BenchOptions } from './bench-options.js'
import { startChild } from './child-process.js'
import type { LoadResult } from './closed-loop.js'
import { count, type Finding, measureInTurn, percentiles, rateFinding } from './finding.js'
import { runHttpClosedLoop } from './http-closed-loop.js'
import { LightClient } from './light-client.js'
import { LightHttpClient } from './light-http-client.js'
import { Milepost } from './milepost.js'
import { cpuSeconds } from './process-memory.js'
import { countWalCommits } from './wal-commits.js'

const UNITS = 50
const ORDER = '{"type":"RESET"}'
const WAIT = 'Prefer: wait=10\r\n'
const REPLY = '{"status":"done","result":{"uptimeS":12},"message":"restarted"}'
const COMMAND = /^42(\d+)\["command",/
/** Commands of which the commits are counted, and how often that is tried: now and then the log is begun anew. */
const COUNTED = 20
const TRIES = 5

/** Units that answer every command at once, and one connection for each that sends it commands and waits for their end. */
class Commanded {
  /** Commands that each unit obeyed. */
  readonly obeyed: number[] = Array.from({ length: UNITS }, () => 0)
  private surprise: string | undefined

  private constructor(
    private readonly units: readonly LightClient[],
    private readonly connectSender: (unit: number) => Promise<LightHttpClient>,
  ) {
    units.forEach((unit, n) => {
      unit.onSurprise = (text) => {
        this.surprise ??= `unit ${n} met: ${text}`
      }
      unit.onEvent = (text) => {
        const id = COMMAND.exec(text)?.[1]
        if (id === undefined) return unit.onSurprise(text)
        unit.send(`43${id}[${REPLY}]`)
        this.obeyed[n] = (this.obeyed[n] ?? 0) + 1
      }
    })
  }

  static async connect(url: string, tokens: readonly string[], userToken: string): Promise<Commanded> {
    const units = await Promise.all(tokens.map((token) => LightClient.connect(url, token)))
    const pathOf = (unit: number) => `/api/v1/devices/${testImei(unit)}/commands`
    return new Commanded(units, (unit) => LightHttpClient.connect(url, pathOf(unit), userToken, WAIT))
  }

  get total(): number {
    return this.obeyed.reduce((sum, one) => sum + one, 0)
  }

  /** One command after the other to each of the first so many units. */
  async load(units: number, { warmUpMs, windowMs }: Pick<BenchOptions, 'warmUpMs' | 'windowMs'>): Promise<LoadResult> {
    const isExpected = (status: number, body: string) => status === 200 && body.includes('"status":"done"')
    const load = { warmUpMs, windowMs, next: () => ORDER, isExpected }
    // New ones each time: servers close connections that say nothing for a minute.
    const senders = await Promise.all(this.units.slice(0, units).map((_, unit) => this.connectSender(unit)))
    try {
      const result = await runHttpClosedLoop(senders, load)
      if (this.surprise !== undefined) throw new Error(this.surprise)
      return result
    } finally {
      for (const sender of senders) sender.close()
    }
  }

  /** One command to the first unit. */
  async send(): Promise<void> {
    const sender = await this.connectSender(0)
    await new Promise<void>((resolve, reject) => {
      sender.post(ORDER, (status, body) => (status === 200 ? resolve() : reject(new Error(body))))
    })
    sender.close()
  }

  close(): void {
    for (const client of this.units) client.close()
  }
}

/** From the request that sends a command to the answer that says that the unit obeyed: one after the other, and to many units at once. */
export async function benchCommands(options: BenchOptions): Promise<Finding[]> {
  const server = await Milepost.start(options.profileDirectory)
  const echo = await startChild([fileURLToPath(new URL('./command-echo.js', import.meta.url))], {})
  const commanded = await Commanded.connect(server.url, await server.loginUnits(UNITS), await server.loginAdmin())
  const imeis = Array.from({ length: UNITS }, (_, unit) => testImei(unit))
  const echoed = await Commanded.connect(echo.url, imeis, 'none')
  try {
    const findings = [
      ...(await benchUnits(1, 'commands one after the other', server, commanded, echoed, options)),
      ...(await benchUnits(UNITS, `commands to ${UNITS} units at once`, server, commanded, echoed, options)),
    ]
    const commits = await commitsPerCommand(server, commanded)
    const done = await verifyDone(server, commanded)
    return findings.map((finding) => ({ ...finding, details: { ...finding.details, ...commits, done } }))
  } finally {
    commanded.close()
    echoed.close()
    await Promise.all([server.stop(), echo.stop()])
  }
}

async function benchUnits(
  units: number,
  title: string,
  server: Milepost,
  commanded: Commanded,
  echoed: Commanded,
  options: BenchOptions,
): Promise<Finding[]> {
  const before = { cpu: cpuSeconds(server.pid), total: commanded.total }
  const [floors = [], results = []] = await measureInTurn(options.repeats, [
    () => echoed.load(units, options),
    () => commanded.load(units, options),
  ])
  const cpuMs = (cpuSeconds(server.pid) - before.cpu) * 1000
  const details = { cpuMsPerCommand: cpuMs / (commanded.total - before.total) }
  const comparison = {
    rates: results.map(({ eventsPerSecond }) => eventsPerSecond),
    floorRates: floors.map(({ eventsPerSecond }) => eventsPerSecond),
  }
  return [
    {
      title: `${title}: round trip p50 / p95 / p99`,
      figure: percentiles(results.map(({ latencies }) => latencies)),
      floor: percentiles(floors.map(({ latencies }) => latencies)),
      details,
    },
    rateFinding(title, 'done/s', comparison, { details }),
  ]
}

/** What a command costs beside the round trips: transactions that are synced to the disk, counted in the database's log. */
async function commitsPerCommand(
  { directory }: Milepost,
  commanded: Commanded,
): Promise<{ readonly commitsPerCommand: number }> {
  const log = path.join(directory, `${SQL_FILE}-wal`)
  for (let tries = 0; tries < TRIES; tries++) {
    const before = countWalCommits(log)
    for (let n = 0; n < COUNTED; n++) await commanded.send()
    const after = countWalCommits(log)
    if (after.generation === before.generation) {
      return { commitsPerCommand: (after.commits - before.commits) / COUNTED }
    }
  }
  throw new Error('the log of the database was begun anew all the time')
}

/**
 * Asks the server by REST for all commands: as many as units obeyed, and all of them done.
 * @returns how many
 * @throws Error naming the first unit of which that is not so
 */
async function verifyDone(server: Milepost, { obeyed, total }: Commanded): Promise<number> {
  const admin = await server.loginAdmin()
  for (const [unit, times] of obeyed.entries()) {
    const list = `/api/v1/devices/${testImei(unit)}/commands?limit=500`
    const commands = await server.api.all<{ readonly status: string }>(list, admin)
    const done = commands.filter(({ status }) => status === 'done').length
    if (done !== times || commands.length !== times) {
      throw new Error(`unit ${unit} obeyed ${count(times)} commands; ${done} of ${commands.length} are done`)
    }
  }
  return total
}
