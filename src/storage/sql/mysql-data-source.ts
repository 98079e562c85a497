import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import type { TypeCastField, TypeCastNext } from 'mysql2'
import { DataSource, type EntityManager } from 'typeorm'
import type { MysqlDataSourceOptions } from 'typeorm/driver/mysql/MysqlDataSourceOptions.js'
import { MIGRATIONS } from '../../../migrations/migrations.js'
import { StoreOpenError } from '../store-open-error.js'
import { ENTITIES } from './entities/entities.js'
import { PooledMysqlDriver } from './mysql-driver.js'
import type { MysqlLimits } from './mysql-limits.js'
import { type MysqlAddress, parseMysqlUrl } from './mysql-url.js'
import type { PooledQueryRunner } from './pooled-query-runner.js'
import { Repeats } from './repeats.js'

/** Where the server is and how to talk to it. */
export interface MysqlOptions {
  /** mysql://user:password@host:3306/database; also with mariadb: */
  readonly url: string
  /** As SQL_TLS: off, verified, or encrypted to whoever answers. */
  readonly tls: 'off' | 'on' | 'unverified'
  /** Certificates (PEM) that the server is verified by; undefined: those that Node trusts. */
  readonly caFile?: string | undefined
  readonly poolSize: number
}

type Work<T> = (manager: EntityManager) => Promise<T>

const KEEP_ALIVE_AFTER_MS = 10_000
/** Connections that rest for longer are closed: what stands between forgets them in silence. */
const REST_LIMIT_MS = 60_000

/** TypeORM on a pool of connections to one server, with transactions that are tried again where that is safe. */
export class MysqlDataSource extends DataSource {
  constructor(
    mysql: MysqlOptions,
    private readonly limits: MysqlLimits,
  ) {
    const address = parseMysqlUrl(mysql.url)
    super(toDataSourceOptions(address, mysql, limits))
    this.driver = new PooledMysqlDriver(this, limits, mysql.poolSize, address.shown)
  }

  override transaction<T>(work: Work<T>): Promise<T>
  override transaction<T>(isolation: unknown, work: Work<T>): Promise<T>
  /**
   * Runs the work in a transaction, and again from its beginning when the server took it back or the connection was lost before it was to
   * be committed; so the work does nothing but statements by its manager. Always READ COMMITTED.
   * @throws what the work threw | AppError `store_unavailable` | `disk_full` | `overloaded`
   */
  override async transaction<T>(first: unknown, second?: Work<T>): Promise<T> {
    const work = second ?? (first as Work<T>)
    const repeats = new Repeats(this.limits)
    for (;;) {
      const runner = this.createQueryRunner() as PooledQueryRunner
      try {
        await runner.startTransactionUntil(repeats.deadlineMs)
        const done = await work(runner.manager)
        await runner.commitTransaction()
        return done
      } catch (error) {
        const { broken } = runner
        await runner.rollbackTransaction()
        await runner.release()
        if (!broken || broken.isInDoubt || !(await repeats.mayFollow(broken.fault.kind))) throw error
      } finally {
        await runner.release()
      }
    }
  }
}

function toDataSourceOptions(
  { host, port, username, password, database, shown }: MysqlAddress,
  { tls, caFile, poolSize }: MysqlOptions,
  limits: MysqlLimits,
): MysqlDataSourceOptions {
  return {
    type: 'mysql',
    host,
    port,
    username,
    password,
    database,
    charset: 'utf8mb4',
    timezone: 'Z',
    supportBigNumbers: true,
    bigNumberStrings: false,
    connectTimeout: limits.connectMs,
    poolSize,
    ssl: tls === 'off' ? undefined : toTls(tls, caFile, host, shown),
    entities: ENTITIES,
    migrations: [...MIGRATIONS],
    // The server commits each change of a table by itself.
    migrationsTransactionMode: 'none',
    logging: false,
    extra: {
      // Sums are decimals there; no column is one.
      decimalNumbers: true,
      typeCast: exactDoubles,
      enableKeepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_AFTER_MS,
      maxIdle: Math.max(1, poolSize - 1),
      idleTimeout: REST_LIMIT_MS,
    },
  }
}

/** The driver's own way to read a double is off by its last digit where one has 16 of them and begins with a 9, such as 99.30000000000001. */
function exactDoubles(field: TypeCastField, next: TypeCastNext): unknown {
  if (field.type !== 'DOUBLE') return next()
  const text = field.string()
  return text === null ? null : Number(text)
}

function toTls(tls: 'on' | 'unverified', caFile: string | undefined, host: string, shown: string) {
  const isVerified = tls === 'on'
  // The driver would take a certificate for `localhost` from any address.
  if (isVerified && isIP(host) !== 0) {
    throw new StoreOpenError(
      shown,
      'SQL_TLS=on verifies the name of the server, and SQL_URL has an address in its place',
    )
  }
  const ca = caFile === undefined ? {} : { ca: readAuthorities(caFile, shown) }
  return { rejectUnauthorized: isVerified, verifyIdentity: isVerified, ...ca }
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----/gs

/** TLS takes an empty text for those that Node trusts, and leaves out what it cannot read. */
function readAuthorities(file: string, shown: string): string {
  try {
    const text = readFileSync(file, 'utf8')
    const certificates = text.match(CERTIFICATE) ?? []
    if (certificates.length === 0) throw new Error(`there is no certificate (PEM) in ${file}`)
    for (const certificate of certificates) new X509Certificate(certificate)
    return text
  } catch (cause) {
    throw new StoreOpenError(shown, `SQL_TLS_CA cannot be read: ${(cause as Error).message}`, { cause })
  }
}
