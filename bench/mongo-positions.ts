import mongoose from 'mongoose'
import type { Position } from '../src/model/position.js'
import { openMongoConnection } from '../src/storage/mongo-connection.js'
import { toDocument } from '../src/storage/positions/mongo-position-document.js'
import { openMongoPositions } from '../src/storage/positions/mongo-position-store.js'
import { count, type Finding, measureInTurn, rateFinding } from './finding.js'
import { makeBatches, type RowPlan } from './position-rows.js'

const ROWS_BEFORE = 100
const WARM_UP_BATCH = 5000
const ROWS = 20_000
const SCENARIOS = [
  { devices: 100, batchSize: 1000 },
  { devices: 500, batchSize: 5000 },
]
const LEAST_RATIO = 0.7
const DURABLE = { w: 'majority', journal: true } as const

/**
 * Append rates of the positions in the MongoDB of a URL, one batch after the other, against the driver's bare unordered insert of the
 * same documents, ready made and as durable. Records without a fix move no latest position: they show the store without those.
 * @param url its database is not touched; one beside it is made and dropped
 */
export async function benchMongoPositions(url: string, repeats: number): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const { devices, batchSize } of SCENARIOS) {
    const warmUp = { devices, batchSize: WARM_UP_BATCH, batches: (devices * ROWS_BEFORE) / WARM_UP_BATCH, firstRow: 0 }
    const timed = { devices, batchSize, batches: ROWS / batchSize, firstRow: devices * ROWS_BEFORE }
    const title = `MongoDB positions, ${devices} devices, batches of ${batchSize}`
    const [floorRates = [], bareOfFixes = [], rates = [], ratesOfFixes = []] = await measureInTurn(repeats, [
      () => bareRate(url, warmUp, timed, withoutFix),
      () => bareRate(url, warmUp, timed, asIs),
      () => storeRate(url, warmUp, timed, withoutFix),
      () => storeRate(url, warmUp, timed, asIs),
    ])
    findings.push(
      rateFinding(`${title}, no latest positions`, 'rows/s', { rates, floorRates }, { leastRatio: LEAST_RATIO }),
      rateFinding(`${title}, latest positions kept`, 'rows/s', { rates: ratesOfFixes, floorRates: bareOfFixes }),
    )
  }
  return [...findings, await sizeFinding(url)]
}

type Shape = (position: Position) => Position

const asIs: Shape = (position) => position
const withoutFix: Shape = (position) => ({ ...position, hasFix: false })

const batchesOf = (plan: RowPlan, shape: Shape) => makeBatches(plan).map((batch) => batch.map(shape))

async function storeRate(url: string, warmUp: RowPlan, timed: RowPlan, shape: Shape): Promise<number> {
  return inDatabase(url, async (own) => {
    const store = await openMongoPositions(await openMongoConnection({ url: own }))
    try {
      for (const batch of batchesOf(warmUp, shape)) await store.append(batch)
      const batches = batchesOf(timed, shape)
      const startMs = performance.now()
      for (const batch of batches) await store.append(batch)
      return rowsPerSecond(startMs)
    } finally {
      await store.close()
    }
  })
}

async function bareRate(url: string, warmUp: RowPlan, timed: RowPlan, shape: Shape): Promise<number> {
  return inDatabase(url, async (_, database) => {
    const bare = database.collection<{ readonly _id: string }>('bare')
    const documentsOf = (plan: RowPlan) => batchesOf(plan, shape).map((batch) => batch.map(toDocument))
    for (const documents of documentsOf(warmUp)) await bare.insertMany(documents, { ordered: false })
    const batches = documentsOf(timed)
    const startMs = performance.now()
    for (const documents of batches) await bare.insertMany(documents, { ordered: false })
    return rowsPerSecond(startMs)
  })
}

/** What a million positions take, of a tenth of that. */
async function sizeFinding(url: string): Promise<Finding> {
  const plan = { devices: 500, batchSize: 5000, batches: 20, firstRow: 0 }
  return inDatabase(url, async (own, database) => {
    const store = await openMongoPositions(await openMongoConnection({ url: own }))
    for (const batch of makeBatches(plan)) await store.append(batch)
    await store.close()
    const stats = await database.command({ collStats: 'positions' })
    const megabytes = ((Number(stats.storageSize) + Number(stats.totalIndexSize)) * 10) / 1e6
    return {
      title: 'MongoDB positions, a million with their index',
      figure: `${count(megabytes)} MB`,
      details: { size: stats.size, storageSize: stats.storageSize, totalIndexSize: stats.totalIndexSize },
    }
  })
}

function rowsPerSecond(startMs: number): number {
  return (ROWS / (performance.now() - startMs)) * 1000
}

/** Several hosts are no URL, and only the path is to change. */
async function inDatabase<T>(url: string, work: (own: string, database: mongoose.mongo.Db) => Promise<T>): Promise<T> {
  const name = `milepost_bench_${process.pid}`
  const own = url.replace(/^(\w+(?:\+\w+)?:\/\/[^/?]+)(?:\/[^?]*)?/, `$1/${name}`)
  const client = await mongoose.mongo.MongoClient.connect(own, { writeConcern: DURABLE })
  try {
    return await work(own, client.db(name))
  } finally {
    await client.db(name).dropDatabase()
    await client.close()
  }
}
