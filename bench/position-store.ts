import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { openSqlitePositions } from '../src/storage/positions/sqlite-position-store.js'
import { bareInsertRate } from './bare-insert.js'
import { makeBatches, type RowPlan } from './position-rows.js'

const ROUNDS = 3
/** Rows of each device that are there before the clock starts: a new file, all of whose rows share few pages, flatters. */
const ROWS_BEFORE = 200
const BATCH_SIZES = [60, 1000, 5000]
const DEVICES = [100, 500]
const TITLE_WIDTH = 58

interface Scenario {
  readonly devices: number
  readonly batchSize: number
  /** Records without a fix move no latest position: they show the store without those, which the floor has not either. */
  readonly keepsLatest: boolean
}

const SCENARIOS: readonly Scenario[] = [
  ...DEVICES.flatMap((devices) => BATCH_SIZES.map((batchSize) => ({ devices, batchSize, keepsLatest: true }))),
  // Those of MongoDB.
  { devices: 100, batchSize: 1000, keepsLatest: false },
  { devices: 500, batchSize: 5000, keepsLatest: false },
]

export interface PositionStoreRate extends Scenario {
  readonly title: string
  /** Rows per second, medians. */
  readonly storeRate: number
  readonly bareRate: number
}

/** Append rates of the embedded position store, one batch after the other, against bare inserts of the same rows. */
export async function benchPositionStore(): Promise<PositionStoreRate[]> {
  const rates: PositionStoreRate[] = []
  console.log(`${'positions: rows/s, medians of three'.padEnd(TITLE_WIDTH)}    store     bare  store/bare`)
  for (const scenario of SCENARIOS) {
    const rate = await measure(scenario)
    const figures = [rate.storeRate, rate.bareRate].map((value) => Math.round(value).toString().padStart(8)).join(' ')
    console.log(`${rate.title.padEnd(TITLE_WIDTH)} ${figures}     ${(rate.storeRate / rate.bareRate).toFixed(2)}`)
    rates.push(rate)
  }
  return rates
}

async function measure(scenario: Scenario): Promise<PositionStoreRate> {
  const { devices, batchSize, keepsLatest } = scenario
  const warmUp: RowPlan = { devices, batchSize: 5000, batches: (devices * ROWS_BEFORE) / 5000, firstRow: 0 }
  const batches = Math.max(12, Math.ceil(30_000 / batchSize))
  const timed: RowPlan = { devices, batchSize, batches, firstRow: devices * ROWS_BEFORE }
  const store: number[] = []
  const bare: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    store.push(await inDirectory((directory) => storeRate(directory, warmUp, timed, keepsLatest)))
    bare.push(await inDirectory((directory) => bareInsertRate({ directory, warmUp, timed })))
  }
  const latest = keepsLatest ? 'latest positions kept' : 'no latest positions'
  const title = `${devices} devices, batches of ${batchSize}, ${latest}`
  return { ...scenario, title, storeRate: median(store), bareRate: median(bare) }
}

async function storeRate(directory: string, warmUp: RowPlan, timed: RowPlan, keepsLatest: boolean): Promise<number> {
  const batchesOf = (plan: RowPlan) =>
    makeBatches(plan).map((batch) => batch.map((position) => ({ ...position, hasFix: keepsLatest })))
  const store = await openSqlitePositions({ directory })
  for (const batch of batchesOf(warmUp)) await store.append(batch)
  const batches = batchesOf(timed)
  const startMs = performance.now()
  for (const batch of batches) await store.append(batch)
  const rate = ((timed.batches * timed.batchSize) / (performance.now() - startMs)) * 1000
  await store.close()
  return rate
}

async function inDirectory<T>(work: (directory: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(path.join(tmpdir(), 'milepost-bench-'))
  try {
    return await work(directory)
  } finally {
    rmSync(directory, { recursive: true })
  }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await benchPositionStore()
