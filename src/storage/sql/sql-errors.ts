import { AppError } from '../../model/app-error.js'

const DUPLICATE_KEY = new Set(['ER_DUP_ENTRY', 'SQLITE_CONSTRAINT_UNIQUE', 'SQLITE_CONSTRAINT_PRIMARYKEY'])
const RETRY_AFTER_MS = 5000

/** Whether a write failed because a row with this key exists, on any of the databases. */
export function isDuplicateKey(error: unknown): boolean {
  return error instanceof Error && 'code' in error && DUPLICATE_KEY.has(String(error.code))
}

export function storeUnavailable(reason: string, cause?: unknown): AppError {
  return new AppError('store_unavailable', `database: ${reason}`, { cause, retryAfterMs: RETRY_AFTER_MS })
}
