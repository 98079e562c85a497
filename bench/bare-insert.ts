import path from 'node:path'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import Database from 'libsql'
import { makeBatches, type RowPlan } from './position-rows.js'

interface BareTask {
  readonly directory: string
  readonly warmUp: RowPlan
  readonly timed: RowPlan
}

const COLUMNS = 13
const ROWS_PER_STATEMENT = 50

/**
 * What the store is measured against: a thread that does nothing but insert rows it already has, 50 in a statement, one
 * transaction a batch, same table, same pragmas; no messages, no repeats looked for, no latest position.
 * @returns rows per second
 */
export function bareInsertRate(task: BareTask): Promise<number> {
  return new Promise((resolve, reject) => {
    const thread = new Worker(new URL(import.meta.url), { workerData: task })
    thread.on('message', resolve)
    thread.on('error', reject)
  })
}

function insertAll({ directory, warmUp, timed }: BareTask): number {
  const database = new Database(path.join(directory, 'bare.sqlite'))
  database.exec(`PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-65536; PRAGMA wal_autocheckpoint=8000;
    CREATE TABLE positions(device INTEGER, time INTEGER, disc INTEGER, received INTEGER, lat REAL, lon REAL, has_fix INTEGER,
    altitude REAL, speed REAL, heading REAL, accuracy REAL, satellites REAL, attributes TEXT,
    PRIMARY KEY(device, time, disc)) WITHOUT ROWID`)
  for (const statements of valuesOf(warmUp)) insertBatch(database, statements)
  const batches = valuesOf(timed)
  const startMs = performance.now()
  for (const statements of batches) insertBatch(database, statements)
  const rate = ((timed.batches * timed.batchSize) / (performance.now() - startMs)) * 1000
  database.close()
  return rate
}

const prepared = new Map<number, Database.Statement>()

function insertBatch(database: Database.Database, statements: readonly unknown[][]): void {
  database.exec('BEGIN IMMEDIATE')
  for (const values of statements) {
    const rows = values.length / COLUMNS
    const row = `(${Array(COLUMNS).fill('?').join(',')})`
    const statement =
      prepared.get(rows) ?? database.prepare(`INSERT INTO positions VALUES ${Array(rows).fill(row).join(',')}`)
    prepared.set(rows, statement)
    statement.run(values)
  }
  database.exec('COMMIT')
}

/** For each batch the values of its statements. */
function valuesOf(plan: RowPlan): unknown[][][] {
  return makeBatches(plan).map((batch) => {
    const statements: unknown[][] = []
    for (let start = 0; start < batch.length; start += ROWS_PER_STATEMENT) {
      statements.push(
        batch
          .slice(start, start + ROWS_PER_STATEMENT)
          .flatMap((p) => [
            Number(p.deviceId) - 350_000_000_000_000,
            p.timeMs,
            p.discriminator,
            p.receivedAtMs,
            p.latitude,
            p.longitude,
            p.hasFix ? 1 : 0,
            p.altitudeM,
            p.speedKmh,
            p.headingDeg,
            p.accuracyM,
            p.satellites,
            p.attributes && JSON.stringify(p.attributes),
          ]),
      )
    }
    return statements
  })
}

if (!isMainThread) parentPort?.postMessage(insertAll(workerData as BareTask))
