import type { PoolConnection } from 'mysql2'
import { StoreOpenError } from '../store-open-error.js'
import { runInTime } from './mysql-connection.js'
import type { MysqlLimits } from './mysql-limits.js'

/** Which of the two servers it is, where they differ. */
export interface MysqlServer {
  /** As the server gives it. */
  readonly version: string
  readonly isMariaDb: boolean
  /** Compares byte by byte, trailing blanks too. */
  readonly collation: string
}

/** Longer than connections rest in the pool; what a node that died had locked is free again after it. */
const IDLE_LIMIT_S = 90
/** `NO_BACKSLASH_ESCAPES` must not be in it: the driver writes values into statements with backslashes. */
const SQL_MODE =
  'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ZERO_DATE,NO_ZERO_IN_DATE,NO_ENGINE_SUBSTITUTION,PIPES_AS_CONCAT'

/** @throws the driver's error */
export async function recogniseServer(connection: PoolConnection, { connectMs }: MysqlLimits): Promise<MysqlServer> {
  const [row] = (await runInTime(connection, 'SELECT VERSION() AS version', [], connectMs)) as { version: string }[]
  const version = row?.version ?? ''
  const isMariaDb = /mariadb/i.test(version)
  return { version, isMariaDb, collation: isMariaDb ? 'utf8mb4_nopad_bin' : 'utf8mb4_0900_bin' }
}

/**
 * Makes a new connection one of ours, whatever the server's defaults are: strict, in UTC, READ COMMITTED, bytewise, and with limits.
 * @throws the driver's error
 */
export async function prepareSession(
  connection: PoolConnection,
  server: MysqlServer,
  limits: MysqlLimits,
): Promise<void> {
  await runInTime(connection, 'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED', [], limits.connectMs)
  const settings: Readonly<Record<string, string | number>> = {
    // Not `SET NAMES`, so that all is said at once.
    character_set_client: 'utf8mb4',
    character_set_results: 'utf8mb4',
    // Of text in statements: with the one of the columns, the two meet in unions and comparisons.
    collation_connection: server.collation,
    sql_mode: SQL_MODE,
    time_zone: '+00:00',
    autocommit: 1,
    innodb_lock_wait_timeout: limits.lockWaitS,
    lock_wait_timeout: limits.lockWaitS,
    wait_timeout: IDLE_LIMIT_S,
    // MariaDB ends any statement, MySQL only what reads: writes there are bounded by what they wait for.
    ...(server.isMariaDb
      ? { max_statement_time: limits.statementMs / 1000 }
      : { max_execution_time: Math.min(limits.statementMs, 0xffffffff) }),
  }
  const assignments = Object.keys(settings).map((name) => `SESSION ${name} = ?`)
  await runInTime(connection, `SET ${assignments.join(', ')}`, Object.values(settings), limits.connectMs)
}

/** @throws StoreOpenError when the server cannot hold the tables */
export async function refuseUnfitServer(
  connection: PoolConnection,
  { version, collation }: MysqlServer,
  shown: string,
  { connectMs }: MysqlLimits,
): Promise<void> {
  const question = 'SELECT COLLATION_NAME FROM information_schema.COLLATIONS WHERE COLLATION_NAME = ?'
  const rows = (await runInTime(connection, question, [collation], connectMs)) as unknown[]
  if (rows.length > 0) return
  throw new StoreOpenError(
    shown,
    `version ${version} has no collation ${collation}: MySQL 8.0.17 or MariaDB 10.2 at least`,
  )
}
