import { AppError } from '../../model/app-error.js'
import { blobsUnavailable, toBlobError } from './blob-errors.js'

const RETRY_WHEN_FULL_AFTER_MS = 30_000
const INSUFFICIENT_STORAGE = 507
const NOT_IMPLEMENTED = 501
const TOO_MANY_REQUESTS = 429
/** What servers call a bucket, an account or a disk that takes no more. */
const FULL = new Set(['QuotaExceeded', 'QuotaExceededException', 'InsufficientStorage', 'XMinioStorageFull'])
/** As the operating system names what went wrong. */
const SYSTEM_CODE = /\bE[A-Z]{4,}\b/
/** Refused with a status that says it is our fault, though the same request may pass. */
const PASSING = new Set(['RequestTimeout', 'SlowDown', 'BadDigest', 'IncompleteBody', 'OperationAborted'])

/** What is known of an answer that was a refusal. */
interface Refusal {
  /** The server's code, such as `NoSuchKey`; of an answer without a body only what follows from its status. */
  readonly code: string
  readonly status: number
}

/** @returns undefined when there was no answer, or the error is another one */
export function refusalOf(error: unknown): Refusal | undefined {
  const { name, Code, $metadata } = Object(error) as {
    name?: unknown
    Code?: unknown
    $metadata?: { httpStatusCode?: number }
  }
  const status = $metadata?.httpStatusCode
  if (status === undefined || status < 300) return undefined
  return { code: String(Code ?? name), status }
}

export function isRefusedAs(error: unknown, ...codes: readonly string[]): boolean {
  return codes.includes(refusalOf(error)?.code ?? '')
}

/** Only this is "not found": a bucket that is not there is a store that is away. */
export function isNoSuchKey(error: unknown): boolean {
  return isRefusedAs(error, 'NoSuchKey')
}

export function isNoSuchMultipart(error: unknown): boolean {
  return isRefusedAs(error, 'NoSuchUpload')
}

/** @returns undefined when the server says that there is none */
export async function orNoSuchKey<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found
  } catch (error) {
    if (isNoSuchKey(error)) return undefined
    throw error
  }
}

/** Whether the same request may pass when it is made again. */
export function isPassing(error: unknown): boolean {
  if (error instanceof AppError || error instanceof RangeError) return false
  const refusal = refusalOf(error)
  if (refusal === undefined) return true
  if (FULL.has(refusal.code) || refusal.status === INSUFFICIENT_STORAGE) return false
  if (PASSING.has(refusal.code) || refusal.status === TOO_MANY_REQUESTS) return true
  return refusal.status >= 500 && refusal.status !== NOT_IMPLEMENTED
}

/**
 * Does what needs the S3 server.
 * @throws AppError `disk_full` | `store_unavailable` for what the server refused or did not answer; RangeError and AppError as they are
 */
export async function withS3Errors<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    throw toS3Error(error)
  }
}

/** Without keys, buckets and addresses, since the words reach whoever asked. */
export function toS3Error(error: unknown): unknown {
  if (error instanceof AppError || error instanceof RangeError) return error
  const refusal = refusalOf(error)
  if (refusal !== undefined) {
    const words = `S3 answered ${refusal.code} (${refusal.status})`
    if (!FULL.has(refusal.code) && refusal.status !== INSUFFICIENT_STORAGE) return blobsUnavailable(words, error)
    return new AppError('disk_full', `blobs: ${words}`, { cause: error, retryAfterMs: RETRY_WHEN_FULL_AFTER_MS })
  }
  const { name, message, code, $metadata } = Object(error) as {
    name?: unknown
    message?: unknown
    code?: unknown
    $metadata?: unknown
  }
  if (name === 'AbortError' || name === 'TimeoutError') return blobsUnavailable('S3 does not answer in time', error)
  if (name === 'CredentialsProviderError') return blobsUnavailable('there is no key for S3', error)
  const system = typeof code === 'string' ? code : SYSTEM_CODE.exec(String(message))?.[0]
  // The SDK counts the tries of what it could not bring to the server.
  if (system !== undefined || $metadata !== undefined)
    return toBlobError(error) === error
      ? blobsUnavailable(`S3 cannot be reached${system ? ` (${system})` : ''}`, error)
      : unreached(error)
  return error
}

/** With the operating system's words. */
function unreached(error: unknown): AppError {
  const { message } = toBlobError(error) as Error
  return blobsUnavailable(`S3 cannot be reached: ${message.replace('blobs: ', '')}`, error)
}
