import type { ByteRange } from '../storage/blobs/blob-store.js'

/** Numbers of any length: no more of them comes than a header may have, and what is too large for one lies outside every file. */
const ONE_RANGE = /^bytes=[ \t]*(?:(\d+)-(\d*)|-(\d+))[ \t]*$/i

/**
 * Reads `Range` (RFC 9110, 14.2). What is no byte range, and more than one range at once, is ignored, as the RFC allows: players ask
 * for one, and many small ones are a known way to wear a server out.
 * @param bytes of the whole file
 * @returns undefined: the whole; `unsatisfiable`: the range lies outside the file
 */
export function parseByteRange(header: string | undefined, bytes: number): ByteRange | 'unsatisfiable' | undefined {
  const match = header === undefined ? null : ONE_RANGE.exec(header)
  if (match === null) return undefined
  const [, from, to, suffix] = match
  if (from === undefined) return lastBytes(Number(suffix), bytes)
  const first = Number(from)
  const last = to === '' || to === undefined ? Number.POSITIVE_INFINITY : Number(to)
  if (last < first) return undefined
  return first < bytes ? { first, last: Math.min(last, bytes - 1) } : 'unsatisfiable'
}

function lastBytes(count: number, bytes: number): ByteRange | 'unsatisfiable' {
  return count === 0 || bytes === 0 ? 'unsatisfiable' : { first: Math.max(0, bytes - count), last: bytes - 1 }
}
