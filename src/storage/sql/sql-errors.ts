import { AppError } from '../../model/app-error.js'

const DUPLICATE_KEY = new Set(['ER_DUP_ENTRY', 'SQLITE_CONSTRAINT_UNIQUE', 'SQLITE_CONSTRAINT_PRIMARYKEY'])
const STORE_FAILURE =
  /^(?:SQLITE_(?:BUSY|LOCKED|IOERR|CANTOPEN|READONLY|CORRUPT|NOTADB|PROTOCOL|NOMEM)|UNKNOWN_SQLITE_ERROR|TRANSACTION_GONE)/
const RETRY_AFTER_MS = 5000

/** Whether a write failed because a row with this key exists, on any of the databases. */
export function isDuplicateKey(error: unknown): boolean {
  return error instanceof Error && 'code' in error && DUPLICATE_KEY.has(String(error.code))
}

/** The refusal that a user gets for what is the store's fault and not the statement's; undefined when it is the statement's. */
export function toStoreError(cause: Error & { readonly code: string }): AppError | undefined {
  if (cause.code.startsWith('SQLITE_FULL')) {
    return new AppError('disk_full', 'The disk of the database is full', { cause, retryAfterMs: RETRY_AFTER_MS })
  }
  if (!STORE_FAILURE.test(cause.code)) return undefined
  return storeUnavailable(`${cause.message} (${cause.code})`, cause)
}

export function storeUnavailable(reason: string, cause?: unknown): AppError {
  return new AppError('store_unavailable', `The database is not available: ${reason}`, {
    cause,
    retryAfterMs: RETRY_AFTER_MS,
  })
}
