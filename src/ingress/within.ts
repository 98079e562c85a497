import { AppError } from '../model/app-error.js'

/**
 * What the promise gives, if it does so in time.
 * @throws AppError `store_unavailable` when it does not
 */
export async function within<T>(promise: Promise<T>, limitMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    const error = () => new AppError('store_unavailable', 'A store did not answer in time', { retryAfterMs: 2000 })
    timer = setTimeout(() => reject(error()), limitMs)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
