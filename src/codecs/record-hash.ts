/**
 * A number that tells records of one device and one moment apart: the same bytes always give the same one, others with near
 * certainty another one. Not for bytes that somebody would choose to be taken for others: who could do that speaks for the device anyway.
 * @returns 0 ≤ n < 2^48
 */
export function recordHash(bytes: Uint8Array, start = 0, end = bytes.length): number {
  let low = 0x811c9dc5
  let high = 0x9747b28c
  for (let i = start; i < end; i++) {
    const byte = bytes[i] as number
    low = Math.imul(low ^ byte, 0x01000193)
    high = Math.imul(high ^ byte, 0x85ebca6b)
    high ^= high >>> 13
  }
  low = mixed(low ^ Math.imul(high, 0x9e3779b1))
  high = mixed(high ^ low)
  return (high & 0xffff) * 0x1_0000_0000 + (low >>> 0)
}

/** Spreads every bit over all others. */
function mixed(value: number): number {
  let hash = value ^ (value >>> 16)
  hash = Math.imul(hash, 0x7feb352d)
  hash ^= hash >>> 15
  hash = Math.imul(hash, 0x846ca68b)
  return hash ^ (hash >>> 16)
}
