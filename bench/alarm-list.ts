import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import type { BoundingBox } from '../src/model/position.js'
import { openSqlitePositions } from '../src/storage/positions/sqlite-position-store.js'
import { ALARM_GROUPINGS, type AlarmFilter, type AlarmRecords } from '../src/storage/sql/alarm-records.js'
import { openSqliteRecords } from '../src/storage/sql/open-sqlite-records.js'
import type { Finding } from './finding.js'
import { Latencies } from './latencies.js'
import { makeBatches } from './position-rows.js'
import {
  MILLION,
  SEED_END_MS,
  SEED_USERS,
  type SeedPlan,
  seedAlarms,
  seedDeviceId,
  seedDeviceName,
} from './seed-alarms.js'

const PAGE = 50
const CALLS = 60
const SUMMARIES = 7
const LIST_TARGET_MS = 20
const SUMMARY_TARGET_MS = 500
const DAY_MS = 86_400_000
const APPENDS = 300

const place = (longitude: number, latitude: number, degrees: number): BoundingBox => ({
  minLongitude: longitude,
  minLatitude: latitude,
  maxLongitude: longitude + degrees,
  maxLatitude: latitude + degrees,
})

type Ask = (call: number) => AlarmFilter

/** What is asked of the list; what can vary does so from call to call, so that not one page of the file is read all the time. */
const ASKED: Readonly<Record<string, Ask>> = {
  'no filter': () => ({}),
  'a device': (n) => ({ deviceIds: [seedDeviceId(n * 31)] }),
  'the noisiest device': () => ({ deviceIds: [seedDeviceId(0)] }),
  '50 devices': (n) => ({ deviceIds: Array.from({ length: 50 }, (_, i) => seedDeviceId(n + i * 39)) }),
  'a device, type and status': (n) => ({ deviceIds: [seedDeviceId(n)], types: ['SOS'], statuses: ['resolved'] }),
  'a common type': () => ({ types: ['OVERSPEED'] }),
  'a rare type': () => ({ types: ['JAMMING'] }),
  'eight types': () => ({
    types: ['CRASH', 'SOS', 'TOWING', 'JAMMING', 'TAMPER', 'POWER_CUT', 'HARD_BRAKE', 'OVERSPEED'],
  }),
  'status open': () => ({ statuses: ['open'] }),
  'status resolved': () => ({ statuses: ['resolved'] }),
  'two statuses': () => ({ statuses: ['open', 'acknowledged'] }),
  'a rare type that is open': () => ({ types: ['CRASH'], statuses: ['open'] }),
  'an assignee of many': () => ({ assignees: SEED_USERS.slice(0, 1) }),
  'an assignee of few': () => ({ assignees: SEED_USERS.slice(-1) }),
  'an assignee, rare type': (n) => ({ assignees: [SEED_USERS[n % 12] ?? ''], types: ['CRASH'] }),
  'an assignee, common type, video': (n) => ({
    assignees: [SEED_USERS[n % 12] ?? ''],
    types: ['OVERSPEED'],
    hasVideo: true,
  }),
  'with video': () => ({ hasVideo: true }),
  'without video': () => ({ hasVideo: false }),
  'rare type with video': () => ({ types: ['SOS'], hasVideo: true }),
  'a day': (n) => ({ fromMs: SEED_END_MS - (n + 1) * DAY_MS, toMs: SEED_END_MS - n * DAY_MS }),
  'a day, type, status and video': (n) => ({
    fromMs: SEED_END_MS - (n + 1) * DAY_MS,
    toMs: SEED_END_MS - n * DAY_MS,
    types: ['HARD_BRAKE'],
    statuses: ['resolved'],
    hasVideo: true,
  }),
  'a time without alarms': () => ({ fromMs: 0, toMs: DAY_MS }),
  'a box of a country': () => ({ box: place(6, 47, 9) }),
  'a box of a city': (n) => ({ box: place(7 + (n % 6), 48 + (n % 5), 0.25) }),
  'a box of a street': (n) => ({ box: place(7 + n / 10, 50, 0.01) }),
  'an empty box beside all': () => ({ box: place(20, 47, 7) }),
  'a city box, open': (n) => ({ box: place(7 + (n % 6), 48 + (n % 5), 0.25), statuses: ['open'] }),
  'a city box, common type': (n) => ({ box: place(7 + (n % 6), 48 + (n % 5), 0.25), types: ['OVERSPEED'] }),
  'a country box, rare type': () => ({ box: place(6, 47, 9), types: ['CRASH'] }),
  'a city box, a day': (n) => ({
    box: place(8, 50, 0.25),
    fromMs: SEED_END_MS - (n + 1) * DAY_MS,
    toMs: SEED_END_MS - n * DAY_MS,
  }),
  'text of all with files': () => ({ text: 'mp4' }),
  'text of all devices': () => ({ text: 'truck' }),
  'text of an eighth of the devices': () => ({ text: 'hamburg' }),
  'text of one device': (n) => ({ text: seedDeviceName(n * 17 + 100) }),
  'text of one id': (n) => ({ text: seedDeviceId(n * 17) }),
  'text of a note, common': () => ({ text: 'pothole' }),
  'text of a note, of one month': () => ({ text: 'hailstorm' }),
  'text of a note, rare': () => ({ text: 'aquaplan' }),
  'text of one file': () => ({ text: '20261103-1200' }),
  'text of none': () => ({ text: 'zeppelin' }),
  'three words': () => ({ text: 'truck berlin pothole' }),
  'two words that never meet': () => ({ text: 'hamburg berlin' }),
  'text and open': () => ({ text: 'hamburg', statuses: ['open'] }),
  'rare text and open': () => ({ text: 'aquaplan', statuses: ['open'] }),
  'text and rare type': () => ({ text: 'mp4', types: ['CRASH'] }),
  'text and box': () => ({ text: 'pothole', box: place(8, 50, 0.5) }),
}

const SUMMED: Readonly<Record<string, AlarmFilter>> = {
  all: {},
  'status open': { statuses: ['open'] },
  'with video': { hasVideo: true },
  'an assignee': { assignees: SEED_USERS.slice(0, 1) },
  'a week': { fromMs: SEED_END_MS - 7 * DAY_MS },
  'a box of a country': { box: place(6, 47, 9) },
  'a box of a city': { box: place(8, 50, 0.25) },
  'text of all with files': { text: 'mp4' },
  'text of all devices': { text: 'truck' },
  'text of an eighth of the devices': { text: 'hamburg' },
  'text of one file': { text: '20261103-1200' },
}

/** Pages of the alarm list and summaries, filter by filter, one call after the other, and what long ones do to others. */
export async function benchAlarmList(plan: SeedPlan = MILLION): Promise<Finding[]> {
  const directory = process.env.ALARMS_DIR ?? mkdtempSync(path.join(tmpdir(), 'milepost-bench-'))
  try {
    const startMs = performance.now()
    if (process.env.ALARMS_DIR === undefined) await seedAlarms(directory, plan)
    process.stderr.write(`${plan.alarms} alarms in ${((performance.now() - startMs) / 1000).toFixed(0)} s\n`)
    const { alarms, store } = await openSqliteRecords({ directory })
    try {
      return [...(await lists(alarms)), ...(await summaries(alarms)), ...(await neighbours(alarms, directory))]
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
