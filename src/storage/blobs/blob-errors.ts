import { getSystemErrorMap } from 'node:util'
import { AppError } from '../../model/app-error.js'

const FULL = new Set(['ENOSPC', 'EDQUOT'])
const RETRY_AFTER_MS = 5000
const RETRY_WHEN_FULL_AFTER_MS = 30_000

export function isMissing(error: unknown): boolean {
  return codeOf(error) === 'ENOENT'
}

/** The operating system's code, such as `EEXIST`. */
export function codeOf(error: unknown): string | undefined {
  const { code, errno } = Object(error) as NodeJS.ErrnoException
  return typeof errno === 'number' ? code : undefined
}

export function blobsUnavailable(reason: string, cause?: unknown): AppError {
  return new AppError('store_unavailable', `blobs: ${reason}`, { cause, retryAfterMs: RETRY_AFTER_MS })
}

export function stopping(): AppError {
  return blobsUnavailable('the server is stopping')
}

/**
 * Does what needs the operating system.
 * @throws AppError `disk_full` | `store_unavailable` for what it refused; anything else as it is
 */
export async function translated<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    throw toBlobError(error)
  }
}

/** Without paths, since the words reach whoever asked. */
export function toBlobError(error: unknown): unknown {
  const code = codeOf(error)
  if (code === undefined) return error
  const words = `${getSystemErrorMap().get(Number((error as NodeJS.ErrnoException).errno))?.[1] ?? 'refused'} (${code})`
  if (!FULL.has(code)) return blobsUnavailable(words, error)
  return new AppError('disk_full', `blobs: ${words}`, { cause: error, retryAfterMs: RETRY_WHEN_FULL_AFTER_MS })
}
