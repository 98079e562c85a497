import { getSystemErrorMap } from 'node:util'
import { AppError } from '../../model/app-error.js'

const FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])
const RETRY_AFTER_MS = 5000
const RETRY_WHEN_FULL_AFTER_MS = 30_000

export function isMissing(error: unknown): boolean {
  return codeOf(error) === 'ENOENT'
}

export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}

export function blobsUnavailable(reason: string, cause?: unknown): AppError {
  return new AppError('store_unavailable', `blobs: ${reason}`, { cause, retryAfterMs: RETRY_AFTER_MS })
}

/** What the operating system refused, as an error of the store: without paths, since the words reach whoever asked. */
export function toBlobError(error: unknown): unknown {
  const code = codeOf(error)
  if (code === undefined || error instanceof AppError || error instanceof RangeError) return error
  const { errno } = error as NodeJS.ErrnoException
  const words = errno === undefined ? code : `${getSystemErrorMap().get(errno)?.[1] ?? code} (${code})`
  if (!FULL.has(code)) return blobsUnavailable(words, error)
  return new AppError('disk_full', `blobs: ${words}`, { cause: error, retryAfterMs: RETRY_WHEN_FULL_AFTER_MS })
}
