import { AppError } from '../../model/app-error.js'

const DUPLICATE_KEY = new Set(['ER_DUP_ENTRY', 'SQLITE_CONSTRAINT_UNIQUE', 'SQLITE_CONSTRAINT_PRIMARYKEY'])
const RETRY_AFTER_MS = 5000

/** Whether a write failed because a row with this key exists, on any of the databases. */
export function isDuplicateKey(error: unknown): boolean {
  return error instanceof Error && 'code' in error && DUPLICATE_KEY.has(String(error.code))
}

const MISSING_REFERENCE = new Set(['ER_NO_REFERENCED_ROW_2', 'SQLITE_CONSTRAINT_FOREIGNKEY'])

/** Whether a write failed because the row that it refers to is not there, on any of the databases. */
export function isMissingReference(error: unknown): boolean {
  return error instanceof Error && 'code' in error && MISSING_REFERENCE.has(String(error.code))
}

/** SQLite's words, and the classes of the SQL standard (22: data, 23: constraints), for a value that a table does not take. */
const SQLITE_REFUSES_VALUE = /^SQLITE_(?:CONSTRAINT|MISMATCH|TOOBIG)/
const SQL_STATE_REFUSES_VALUE = /^2[23]/
/** What MySQL puts into other classes: a statement that is too long, text of another encoding, a condition of a column. */
export const MYSQL_REFUSES_VALUE: ReadonlySet<number> = new Set([1153, 1265, 1292, 1366, 3819])

/**
 * Whether a write failed for what was to be written, so that it fails whenever it is tried: a table does not take the value, or it is no
 * value at all (RangeError). Whatever is not plainly so is the store's fault, after which the same may be sent again.
 */
export function isValueAtFault(error: unknown): boolean {
  if (error instanceof RangeError) return true
  if (!(error instanceof Error)) return false
  const { code, sqlState, errno } = error as {
    readonly code?: unknown
    readonly sqlState?: unknown
    readonly errno?: unknown
  }
  if (typeof errno === 'number' && MYSQL_REFUSES_VALUE.has(errno)) return true
  return SQLITE_REFUSES_VALUE.test(String(code)) || SQL_STATE_REFUSES_VALUE.test(String(sqlState))
}

export function storeUnavailable(reason: string, cause?: unknown): AppError {
  return new AppError('store_unavailable', `database: ${reason}`, { cause, retryAfterMs: RETRY_AFTER_MS })
}
