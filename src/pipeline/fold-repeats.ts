import type { Position } from '../model/position.js'

/** Leaves the first of records with one identity. */
export function foldRepeats(positions: readonly Position[]): { once: readonly Position[]; repeats: number } {
  if (positions.length < 2) return { once: positions, repeats: 0 }
  const seen = new Set<number | string>()
  const once = positions.filter(({ timeMs, discriminator }) => {
    const identity = discriminator === 0 ? timeMs : `${timeMs}:${discriminator}`
    if (seen.has(identity)) return false
    seen.add(identity)
    return true
  })
  return { once, repeats: positions.length - once.length }
}
