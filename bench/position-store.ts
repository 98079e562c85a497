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

export interface PositionStoreRate {
  readonly devices: number
  readonly batchSize: number
  /** Rows per second, medians. */
  readonly storeRate: number
  readonly bareRate: number
}

/** Append rates of the embedded position store, one batch after the other, against bare inserts of the same rows. */
export async function benchPositionStore(): Promise<PositionStoreRate[]> {
  const rates: PositionStoreRate[] = []
  console.log('positions: rows/s, medians of three        store     bare  store/bare')
  for (const devices of DEVICES) {
    for (const batchSize of BATCH_SIZES) {
      const rate = await measure(devices, batchSize)
      const title = `${devices} devices, batches of ${batchSize}`.padEnd(39)
      const figures = [rate.storeRate, rate.bareRate].map((value) => Math.round(value).toString().padStart(8)).join(' ')
      console.log(`${title} ${figures}     ${(rate.storeRate / rate.bareRate).toFixed(2)}`)
      rates.push(rate)
    }
  }
  return rates
}

async function measure(devices: number, batchSize: number): Promise<PositionStoreRate> {
  const warmUp: RowPlan = { devices, batchSize: 5000, batches: (devices * ROWS_BEFORE) / 5000, firstRow: 0 }
  const batches = Math.max(12, Math.ceil(30_000 / batchSize))
  const timed: RowPlan = { devices, batchSize, batches, firstRow: devices * ROWS_BEFORE }
  const store: number[] = []
  const bare: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    store.push(await inDirectory((directory) => storeRate(directory, warmUp, timed)))
    bare.push(await inDirectory((directory) => bareInsertRate({ directory, warmUp, timed })))
  }
  return { devices, batchSize, storeRate: median(store), bareRate: median(bare) }
}

async function storeRate(directory: string, warmUp: RowPlan, timed: RowPlan): Promise<number> {
  const store = await openSqlitePositions({ directory })
  for (const batch of makeBatches(warmUp)) await store.append(batch)
  const batches = makeBatches(timed)
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
