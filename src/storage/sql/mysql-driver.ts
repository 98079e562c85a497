import type { Pool, PoolConnection } from 'mysql2'
import type { DataSource } from 'typeorm'
import { MysqlDriver } from 'typeorm/driver/mysql/MysqlDriver.js'
import { discard, type Lease, type LeaseSource, StatementTimeout } from './mysql-connection.js'
import type { MysqlLimits } from './mysql-limits.js'
import { type MysqlServer, prepareSession, recogniseServer, refuseUnfitServer } from './mysql-session.js'
import { PooledQueryRunner } from './pooled-query-runner.js'
import { Turns } from './turns.js'

/** A pool says goodbye to its servers behind what is under way; that is not waited for any longer. */
const GOODBYE_LIMIT_MS = 2000

/** TypeORM's knowledge of MySQL, with connections that are all made ours before they are used, and callers that wait in a bounded queue. */
export class PooledMysqlDriver extends MysqlDriver implements LeaseSource {
  private readonly turns: Turns
  private readonly prepared = new WeakSet<PoolConnection>()
  private readonly watched = new WeakSet<PoolConnection>()
  private server: MysqlServer | undefined

  /** @param shown the server's address, for messages */
  constructor(
    dataSource: DataSource,
    readonly limits: MysqlLimits,
    poolSize: number,
    private readonly shown: string,
  ) {
    super(dataSource)
    this.turns = new Turns({ refusal: 'no connection was free', count: poolSize, waitLimitMs: limits.waitMs })
  }

  override createQueryRunner(): PooledQueryRunner {
    return new PooledQueryRunner(this)
  }

  async lease(waitMs: number): Promise<Lease> {
    const latestMs = performance.now() + Math.min(waitMs, this.limits.callMs)
    const release = await this.turns.acquire(Math.min(waitMs, this.limits.waitMs))
    const obtaining = this.obtainMasterConnection().then(
      (connection): Lease => ({
        connection,
        release: () => {
          connection.release()
          release()
        },
      }),
      (error: unknown) => {
        release()
        throw error
      },
    )
    return leaseUntil(latestMs, obtaining)
  }

  override async connect(): Promise<void> {
    try {
      await super.connect()
    } catch (error) {
      await this.disconnect()
      throw error
    }
  }

  /** Ends within some seconds, whatever is under way: that fails then. */
  override async disconnect(): Promise<void> {
    const { pool } = this
    const ending: Promise<void> = super.disconnect()
    let timer: NodeJS.Timeout | undefined
    const limit = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, GOODBYE_LIMIT_MS)
    })
    try {
      await Promise.race([ending, limit])
    } finally {
      clearTimeout(timer)
      ending.catch(() => undefined)
      for (const connection of connectionsOf(pool)) discard(connection)
      this.pool = undefined
    }
  }

  /** @throws the driver's error | StoreOpenError when the server cannot hold the tables */
  override async obtainMasterConnection(): Promise<PoolConnection> {
    // What TypeORM says then is no fault of a connection.
    if (!this.pool) throw new Error('Pool is closed.')
    const obtaining: Promise<PoolConnection> = super.obtainMasterConnection()
    // A new connection is in the pool's list by now, and may fail from now on.
    this.watchConnections()
    const connection = await obtaining
    if (this.prepared.has(connection)) return connection
    try {
      const server = this.server ?? (await recogniseServer(connection, this.limits))
      if (!this.server) await refuseUnfitServer(connection, server, this.shown, this.limits)
      this.server = server
      await prepareSession(connection, server, this.limits)
      this.prepared.add(connection)
      return connection
    } catch (error) {
      discard(connection)
      throw error
    }
  }

  /** The first connection is made by the first who asks. */
  protected override async createPool(options: object): Promise<Pool> {
    return this.mysql.createPool(options)
  }

  /**
   * The pool listens to the first error of each connection, but a connection can have two: one that nobody listens to would end the
   * process. What failed is known from the statement that did.
   */
  private watchConnections(): void {
    for (const connection of connectionsOf(this.pool)) {
      if (this.watched.has(connection)) continue
      this.watched.add(connection)
      connection.on('error', () => undefined)
    }
  }
}

/** The lease, or none when it takes too long: it is given back as soon as it is there. */
function leaseUntil(latestMs: number, obtaining: Promise<Lease>): Promise<Lease> {
  const leftMs = Math.max(1, Math.round(latestMs - performance.now()))
  return new Promise((resolve, reject) => {
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      reject(new StatementTimeout(leftMs))
    }, leftMs)
    obtaining
      .then((lease) => {
        if (isLate) lease.release()
        else resolve(lease)
      })
      .catch(reject)
      .finally(() => clearTimeout(timer))
  })
}

function connectionsOf(pool: unknown): PoolConnection[] {
  const { _allConnections: all } = (pool ?? { _allConnections: { length: 0 } }) as ListOfConnections
  return Array.from({ length: all.length }, (_, i) => all.get(i)).filter((connection) => connection !== undefined)
}

/** The pool's own list, which it does not show. */
interface ListOfConnections {
  readonly _allConnections: { readonly length: number; get(i: number): PoolConnection | undefined }
}
