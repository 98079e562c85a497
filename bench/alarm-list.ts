import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { openSqlitePositions } from '../src/storage/positions/sqlite-position-store.js'
import { ALARM_GROUPINGS, type AlarmRecords } from '../src/storage/sql/alarm-records.js'
import { openSqliteRecords } from '../src/storage/sql/open-sqlite-records.js'
import { ASKED, SUMMED } from './alarm-questions.js'
import type { Finding } from './finding.js'
import { Latencies } from './latencies.js'
import { makeBatches } from './position-rows.js'
import { seedAlarms } from './seed-alarms.js'
import { MILLION, type SeedPlan, seedDeviceId } from './seed-rows.js'
import { benchServerAlarms } from './server-alarms.js'

const PAGE = 50
const CALLS = 60
const SUMMARIES = 7
const LIST_TARGET_MS = 20
const SUMMARY_TARGET_MS = 500
const APPENDS = 300

/**
 * Pages of the alarm list and summaries, filter by filter, one call after the other, and what long ones do to others; with SQL_URL on
 * that server, in a database that is made for it and removed, or in the one of ALARMS_DATABASE, which stays.
 */
export async function benchAlarmList(plan: SeedPlan = MILLION): Promise<Finding[]> {
  const url = process.env.SQL_URL
  return url === undefined ? benchEmbedded(plan) : benchServerAlarms(url, plan, measureLists)
}

async function measureLists(alarms: AlarmRecords): Promise<Finding[]> {
  return [...(await lists(alarms)), ...(await summaries(alarms))]
}

async function benchEmbedded(plan: SeedPlan): Promise<Finding[]> {
  const directory = process.env.ALARMS_DIR ?? mkdtempSync(path.join(tmpdir(), 'milepost-bench-'))
  try {
    const startMs = performance.now()
    if (process.env.ALARMS_DIR === undefined) await seedAlarms(directory, plan)
    process.stderr.write(`${plan.alarms} alarms in ${((performance.now() - startMs) / 1000).toFixed(0)} s\n`)
    const { alarms, store } = await openSqliteRecords({ directory })
    try {
      return [...(await measureLists(alarms)), ...(await neighbours(alarms, directory))]
    } finally {
      await store.close()
    }
  } finally {
    if (process.env.ALARMS_DIR === undefined) rmSync(directory, { recursive: true, force: true })
  }
}

async function lists(alarms: AlarmRecords): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const [title, ask] of Object.entries(ASKED)) {
    let found = 0
    const times = await timed(CALLS, async (n) => {
      found += (await alarms.list({ order: 'newest', limit: PAGE, ...ask(n) })).length
    })
    findings.push(finding(`alarm list: ${title}`, times, LIST_TARGET_MS, { found: found / CALLS }))
  }
  return findings
}

async function summaries(alarms: AlarmRecords): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const [title, filter] of Object.entries(SUMMED)) {
    for (const by of ALARM_GROUPINGS) {
      let keys = 0
      const times = await timed(SUMMARIES, async () => {
        keys = (await alarms.summarize(filter, by)).length
      })
      const target = title === 'all' ? SUMMARY_TARGET_MS : undefined
      findings.push(finding(`alarm summary by ${by}: ${title}`, times, target, { keys }))
    }
  }
  return findings
}

/** Appends of positions and short lists, alone and while summaries run one after the other. */
async function neighbours(alarms: AlarmRecords, directory: string): Promise<Finding[]> {
  const positions = await openSqlitePositions({ directory })
  const batches = makeBatches({ devices: 100, batchSize: 100, batches: APPENDS * 2, firstRow: 0 })
  const append = async (batch: number) => {
    const rows = batches[batch]
    if (rows) await positions.append(rows)
  }
  const list = async (n: number) => {
    await alarms.list({ order: 'newest', limit: PAGE, deviceIds: [seedDeviceId(n)] })
  }
  try {
    const alone = [await timed(APPENDS, append), await timed(APPENDS, list)]
    let isOver = false
    const summing = (async () => {
      while (!isOver) await Promise.all([alarms.summarize({}, 'day'), alarms.summarize({ text: 'mp4' }, 'type')])
    })()
    const beside = [await timed(APPENDS, (n) => append(n + APPENDS)), await timed(APPENDS, list)]
    isOver = true
    await summing
    return [
      ...alone.map((times, i) => finding(`${i === 0 ? 'append of 100 positions' : 'short list'}, alone`, times)),
      ...beside.map((times, i) =>
        finding(`${i === 0 ? 'append of 100 positions' : 'short list'}, beside two summaries`, times),
      ),
    ]
  } finally {
    await positions.close()
  }
}

interface Times {
  readonly taken: Latencies
  /** Processor time of all threads of this process, which other programs on the machine hardly change. */
  readonly cpu: Latencies
}

async function timed(calls: number, call: (n: number) => Promise<void>): Promise<Times> {
  const times = { taken: new Latencies(), cpu: new Latencies() }
  for (let n = 0; n < calls; n++) {
    const startMs = performance.now()
    const before = process.cpuUsage()
    await call(n)
    const { user, system } = process.cpuUsage(before)
    times.taken.add(performance.now() - startMs)
    times.cpu.add((user + system) / 1000)
  }
  return times
}

function finding(title: string, { taken, cpu }: Times, targetMs?: number, details: Finding['details'] = {}): Finding {
  const [p50 = Number.NaN, p95 = Number.NaN, max = Number.NaN] = taken.quantiles([0.5, 0.95, 1])
  const [cpuP50 = Number.NaN, cpuP95 = Number.NaN] = cpu.quantiles([0.5, 0.95])
  return {
    title,
    figure: `p50 ${p50.toFixed(1)}, p95 ${p95.toFixed(1)} ms (CPU ${cpuP50.toFixed(1)}, ${cpuP95.toFixed(1)})`,
    target: targetMs === undefined ? undefined : `p95 < ${targetMs} ms`,
    isMet: targetMs === undefined ? undefined : p95 < targetMs,
    details: { p50, p95, max, cpuP50, cpuP95, ...details },
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  for (const { title, figure, isMet, details } of await benchAlarmList()) {
    console.log(
      `${title.padEnd(58)} ${figure.padEnd(48)} ${isMet === false ? 'MISSED' : ''} ${details.found ?? details.keys ?? ''}`,
    )
  }
}
