import { AppError } from '../model/app-error.js'

const RETRY_AFTER_MS = 2000

/**
 * What the promise gives, if it does so in time; what it gives later is dropped.
 * @param late makes the error otherwise
 * @throws AppError `store_unavailable`, or the error of `late`, when it does not
 */
export async function within<T>(promise: Promise<T>, limitMs: number, late: () => Error = tooLate): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const end = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), limitMs)
  })
  try {
    return await Promise.race([promise, end])
  } finally {
    clearTimeout(timer)
  }
}

function tooLate(): AppError {
  return new AppError('store_unavailable', 'A store did not answer in time', { retryAfterMs: RETRY_AFTER_MS })
}
