import { types } from 'node:util'
import { QueryFailedError } from 'typeorm'
import { AppError } from '../../model/app-error.js'
import { MYSQL_REFUSES_VALUE, storeUnavailable } from './sql-errors.js'

/** An error as the driver gives it: of the server with a number and an SQLSTATE, of the connection with a code only. */
export interface MysqlDriverError extends Error {
  readonly code?: string
  readonly errno?: number
  readonly sqlState?: string
  readonly fatal?: boolean
}

/**
 * What is the matter with the store, not with the statement:
 * - `unsent`: there was no connection to say it on;
 * - `lost`: the connection ended, or was given up, while the statement was under way: it was done or not;
 * - `beaten`: the server took it back since others were in its way (deadlock, lock wait): nothing of it was done;
 * - `refused`: the server did not do it and would not now, such as one that is read-only or stops;
 * - `full`: there is no room on the server's disk.
 */
export type MysqlFaultKind = 'unsent' | 'lost' | 'beaten' | 'refused' | 'full'

export interface MysqlFault {
  readonly kind: MysqlFaultKind
  /** In words, without values that were bound. */
  readonly reason: string
}

/** Lock wait timeout, deadlock, deadlock of the metadata, certification of a cluster that failed. */
const BEATEN = new Set([1205, 1213, 3101, 3572])
/** Disk full, table full, temporary file without room, out of space of a tablespace. */
const FULL = new Set([1021, 1114, 3019])
/** The connection ended by the server: stopped, killed, idle for too long. */
const ENDED = new Set([1053, 1152, 1158, 1159, 1160, 1161, 1184, 1927, 4031])
/**
 * Of SQLSTATE classes that are else the statement's fault: access, database, read-only, too many connections, interruption by time, a column
 * that the program does not name and that has no default.
 */
const REFUSED = new Set([
  1040, 1044, 1045, 1049, 1129, 1130, 1142, 1143, 1203, 1226, 1227, 1290, 1317, 1364, 1665, 1698, 1792, 1836, 1969,
  3024, 3118,
])
/** SQLSTATE of statements that fail whenever they are tried: cardinality, data, constraints, syntax and unknown names. */
const STATEMENT_AT_FAULT = /^(?:0A|21|22|23|42)/
/** Codes of sockets, name look-up, TLS and of the driver's own that speak of the connection. */
const OF_CONNECTION =
  /^(?:E[A-Z]+$|EAI_|ERR_(?:TLS|SSL|STREAM|SOCKET)|PROTOCOL_|HANDSHAKE_|NO_ANSWER|CERT_|DEPTH_|UNABLE_TO_|SELF_SIGNED)/
const NO_SPACE = /errno: ?28\b|No space left/i
const TAKEN_BACK = /^40/

/** @returns undefined: the statement is at fault, or it is no error of the driver */
export function faultOf(error: unknown): MysqlFault | undefined {
  // Also of another realm, as Node's own are in tests.
  if (!types.isNativeError(error) || error instanceof AppError) return undefined
  const { errno, sqlState, code, fatal, message } = error as MysqlDriverError
  if (sqlState !== undefined && errno !== undefined) return faultOfServer(errno, sqlState, message, fatal === true)
  if (/closed state|Pool is closed/.test(message)) return { kind: 'unsent', reason: 'the connection was closed' }
  if (fatal || (code !== undefined && OF_CONNECTION.test(code))) return { kind: 'lost', reason: message }
  return undefined
}

function faultOfServer(errno: number, sqlState: string, message: string, fatal: boolean): MysqlFault | undefined {
  const reason = (what: string) => `${what} (error ${errno})`
  if (FULL.has(errno) || NO_SPACE.test(message)) return { kind: 'full', reason: reason('no room on its disk') }
  if (BEATEN.has(errno) || TAKEN_BACK.test(sqlState)) {
    return { kind: 'beaten', reason: reason(errno === 1205 ? 'a row was locked for too long' : 'a deadlock') }
  }
  if (ENDED.has(errno)) return { kind: 'lost', reason: reason('the server ended the connection') }
  if (REFUSED.has(errno)) return { kind: 'refused', reason: reason(REFUSALS[errno] ?? 'the server refuses it') }
  if (MYSQL_REFUSES_VALUE.has(errno) || STATEMENT_AT_FAULT.test(sqlState)) return undefined
  return { kind: fatal ? 'lost' : 'refused', reason: reason('the server failed') }
}

const REFUSALS: Readonly<Record<number, string>> = {
  1040: 'too many connections',
  1045: 'user or password are wrong',
  1049: 'there is no such database',
  1290: 'the server is read-only',
  1317: 'the statement was interrupted',
  1364: 'a column that this version does not know wants a value',
  1665: 'binlog_format=STATEMENT cannot take READ COMMITTED',
  1792: 'the server is read-only',
  1836: 'the server is read-only',
  1969: 'the statement took too long',
  3024: 'the statement took too long',
}

export function toAppError({ kind, reason }: MysqlFault, cause: unknown): AppError {
  if (kind === 'full') return new AppError('disk_full', `database: ${reason}`, { cause: cause && plainError(cause) })
  return storeUnavailable(reason, cause && plainError(cause))
}

/** The driver's error without what was bound: its own text and statement have the values in them, and errors are logged. */
export class MysqlStatementError extends Error {
  override readonly name = 'MysqlStatementError'

  constructor(
    readonly code: string,
    readonly errno: number | undefined,
    readonly sqlState: string | undefined,
    about: string,
  ) {
    super(about)
  }
}

/** What tells which key or column it was. */
const NAMED = /for key '([^']*)'|(?:column|field) [`']([^'`]*)[`']|(?:CONSTRAINT) [`']([^'`]*)[`']/i

/** @param isBare nothing was bound: the server's own words say more */
export function plainError(error: unknown, isBare = false): MysqlStatementError {
  const { code = 'UNKNOWN', errno, sqlState, message = '' } = error as MysqlDriverError
  if (isBare) return new MysqlStatementError(code, errno, sqlState, `${code}, ${message}`)
  const [, key, column, constraint] = NAMED.exec(message) ?? []
  const named = [key && `key ${key}`, column && `column ${column}`, constraint && `constraint ${constraint}`]
  const words = [code, ...named.filter(Boolean)].join(', ')
  return new MysqlStatementError(code, errno, sqlState, words)
}

/** Why something failed, in words for the one who runs the program, without values that were bound. */
export function plainReason(error: unknown): string {
  const fault = faultOf(error)
  if (fault) return fault.reason
  if (error instanceof QueryFailedError) return error.driverError.message
  const { message, cause } = error as Error
  return cause instanceof Error && !(error instanceof AppError) ? cause.message : message
}
