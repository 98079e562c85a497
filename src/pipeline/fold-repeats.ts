import { GatheredAttributes } from '../model/gathered-attributes.js'
import type { Position } from '../model/position.js'

export interface Folded {
  readonly once: readonly Position[]
  readonly repeats: number
  /** Those that one of `once` was made of, itself included. */
  sourcesOf(index: number): readonly Position[]
}

/** Leaves the first of records with one identity, with what further parts of it bring. */
export function foldRepeats(positions: readonly Position[]): Folded {
  if (positions.length > 1 && positions.some(({ isPart }) => isPart)) return foldParts(positions)
  const once = foldWhole(positions)
  return { once, repeats: positions.length - once.length, sourcesOf: (index) => once.slice(index, index + 1) }
}

function foldWhole(positions: readonly Position[]): readonly Position[] {
  // As nearly all come: then no two are of one moment.
  if (positions.every(({ timeMs }, index) => index === 0 || timeMs > (positions[index - 1]?.timeMs ?? 0)))
    return positions
  const seen = new Set<number | string>()
  return positions.filter((position) => {
    const identity = identityOf(position)
    if (seen.has(identity)) return false
    seen.add(identity)
    return true
  })
}

/** A part that cannot be folded into another one stays by itself: the store knows what is to become of it. */
function foldParts(positions: readonly Position[]): Folded {
  const once: Position[] = []
  const sources = new Map<number, Position[]>()
  const whole = new Set<number | string>()
  const parts = new Map<number | string, { readonly at: number; readonly gathered: GatheredAttributes }>()
  for (const position of positions) {
    const identity = identityOf(position)
    const others = parts.get(identity)
    if (!position.isPart) {
      if (whole.has(identity) || others !== undefined) continue
      whole.add(identity)
      once.push(position)
    } else if (others === undefined) {
      const gathered = new GatheredAttributes(position.attributes)
      const at = once.push(position) - 1
      parts.set(identity, { at, gathered })
      sources.set(at, [position])
    } else if (others.gathered.add(position.attributes)) sources.get(others.at)?.push(position)
    else once.push(position)
  }
  for (const { at, gathered } of parts.values()) {
    const first = once[at]
    if (first !== undefined && gathered.isGrown) once[at] = { ...first, attributes: gathered.toAttributes() }
  }
  return {
    once,
    repeats: positions.length - once.length,
    sourcesOf: (index) => sources.get(index) ?? once.slice(index, index + 1),
  }
}

function identityOf({ timeMs, discriminator }: Position): number | string {
  return discriminator === 0 ? timeMs : `${timeMs}:${discriminator}`
}
