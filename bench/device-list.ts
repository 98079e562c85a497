import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { pathToFileURL } from 'node:url'
import type { DeviceQuery, DeviceRecord, DeviceRecords } from '../src/storage/sql/device-records.js'
import { openSqliteRecords } from '../src/storage/sql/open-sqlite-records.js'

const DEVICES = 100_000
const INSERTED_AT_ONCE = 200
const CALLS = 100
const MODELS = [
  'Mercedes-Benz Actros',
  'Volvo FH16',
  'Scania R450',
  'MAN TGX',
  'DAF XF',
  'Iveco S-Way',
  'Renault T-High',
]
const TOWNS = ['M', 'B', 'HH', 'K', 'F', 'S', 'DD']

/** What is asked of the list, from the cheapest to the dearest: a text that nothing matches reads every device. */
const QUERIES: Readonly<Record<string, Omit<DeviceQuery, 'limit'>>> = {
  'first page': {},
  'one status, rare': { statuses: ['disabled'] },
  'among 500': { among: Array.from({ length: 500 }, (_, i) => idOf(i * 200)) },
  'text of many': { text: 'volvo' },
  'text of one': { text: 'truck 99871' },
  'text of none': { text: 'zeppelin' },
  'three words of none': { text: 'volvo scania depot' },
  'text of none among the disabled': { text: 'zeppelin', statuses: ['disabled'] },
}

export interface DeviceListFigure {
  readonly query: string
  readonly found: number
  readonly p50Ms: number
  readonly p95Ms: number
}

/** Times of one page of the device list at 100,000 devices, one call after the other, and the delay of the event loop meanwhile. */
export async function benchDeviceList(): Promise<DeviceListFigure[]> {
  const directory = mkdtempSync(path.join(tmpdir(), 'milepost-bench-'))
  const { devices, store } = await openSqliteRecords({ directory })
  try {
    const startMs = performance.now()
    await seed(devices)
    const insertsPerSecond = DEVICES / ((performance.now() - startMs) / 1000)
    console.log(`devices: ${Math.round(insertsPerSecond)} inserts/s`)
    const touchMs = await measureTouch(devices)
    console.log(`last seen of 5000 devices: ${touchMs.toFixed(0)} ms`)
    const delay = monitorEventLoopDelay({ resolution: 1 })
    delay.enable()
    const figures: DeviceListFigure[] = []
    for (const [query, filters] of Object.entries(QUERIES)) {
      const figure = await measure(devices, query, filters)
      console.log(
        `${query.padEnd(34)} found ${String(figure.found).padStart(3)}  p50 ${figure.p50Ms.toFixed(1).padStart(5)} ms  p95 ${figure.p95Ms.toFixed(1).padStart(5)} ms`,
      )
      figures.push(figure)
    }
    console.log(`event loop delay meanwhile: p99 ${(delay.percentile(99) / 1e6).toFixed(1)} ms`)
    return figures
  } finally {
    await store.close()
    rmSync(directory, { recursive: true })
  }
}

async function seed(devices: DeviceRecords): Promise<void> {
  for (let i = 0; i < DEVICES; i += INSERTED_AT_ONCE) {
    await Promise.all(Array.from({ length: INSERTED_AT_ONCE }, (_, j) => devices.insert(deviceOf(i + j))))
  }
}

async function measureTouch(devices: DeviceRecords): Promise<number> {
  const startMs = performance.now()
  await devices.touch(Array.from({ length: 5000 }, (_, i) => ({ deviceId: idOf(i * 20), atMs: Date.now() })))
  return performance.now() - startMs
}

async function measure(
  devices: DeviceRecords,
  query: string,
  filters: Omit<DeviceQuery, 'limit'>,
): Promise<DeviceListFigure> {
  const tookMs: number[] = []
  let found = 0
  for (let i = 0; i < CALLS; i++) {
    const startMs = performance.now()
    found = (await devices.list({ limit: 50, ...filters })).length
    tookMs.push(performance.now() - startMs)
  }
  tookMs.sort((a, b) => a - b)
  const at = (share: number) => tookMs[Math.floor(CALLS * share)] ?? Number.NaN
  return { query, found, p50Ms: at(0.5), p95Ms: at(0.95) }
}

function idOf(i: number): string {
  return String(350_000_000_000_000 + i * 7919)
}

function deviceOf(i: number): DeviceRecord {
  const [brand = '', model = ''] = (MODELS[i % MODELS.length] ?? '').split(' ')
  const letters = String.fromCharCode(65 + (i % 26), 65 + (Math.floor(i / 26) % 26))
  return {
    deviceId: idOf(i),
    kind: 'imei',
    name: `Truck ${i} North Depot`,
    plate: `${TOWNS[i % TOWNS.length]}-${letters} ${i % 10_000}`,
    brand,
    model,
    protocol: null,
    status: i % 1000 === 0 ? 'disabled' : 'active',
    secretHash: 'a'.repeat(64),
    trackerAllowed: false,
    trackerSack: false,
    commandPassword: null,
    generation: 'b'.repeat(32),
    createdAtMs: 1_700_000_000_000 + i,
    lastSeenAtMs: null,
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await benchDeviceList()
