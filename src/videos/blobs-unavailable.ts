import { AppError } from '../model/app-error.js'

const RETRY_AFTER_MS = 5000

/** What the blob store would say itself, where it is found out here only. */
export function blobsUnavailable(reason: string, cause?: unknown): AppError {
  return new AppError('store_unavailable', `blobs: ${reason}`, { cause, retryAfterMs: RETRY_AFTER_MS })
}
