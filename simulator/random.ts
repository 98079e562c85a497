import { createHash } from 'node:crypto'

/** A number from 0 up to, but not including, 1. */
export type Random = () => number

/** A source whose numbers are the same for the same seed, on every machine (xoshiro128**, seeded through SHA-256). */
export function randomOf(seed: string): Random {
  const digest = createHash('sha256').update(seed).digest()
  let [a, b, c, d] = [digest.readUInt32LE(0), digest.readUInt32LE(4), digest.readUInt32LE(8), digest.readUInt32LE(12)]
  return () => {
    const result = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9) >>> 0
    const carried = b << 9
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= carried
    d = rotateLeft(d, 11)
    return result / 2 ** 32
  }
}

/** A whole number from 0 up to, but not including, the limit. */
export function below(random: Random, limit: number): number {
  return Math.floor(random() * limit)
}

/** Puts the items into a random order, in place (Fisher–Yates). */
export function shuffle<T>(random: Random, items: T[]): void {
  for (let last = items.length - 1; last > 0; last--) {
    const other = below(random, last + 1)
    const [x, y] = [items[last], items[other]]
    if (x === undefined || y === undefined) continue
    items[last] = y
    items[other] = x
  }
}

function rotateLeft(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits))
}
