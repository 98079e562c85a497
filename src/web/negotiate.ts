import type { FastifyReply } from 'fastify'

interface MediaRange {
  readonly type: string
  readonly subtype: string
  readonly quality: number
  readonly order: number
}

interface Liking {
  readonly quality: number
  readonly specificity: number
  readonly order: number
}

const NOT_LIKED: Liking = { quality: 0, specificity: -1, order: 0 }
const PARTS = /(?:[^,"]|"(?:\\.|[^"\\])*")+/g
const RANGE = /^\s*([^\s/;,]+)\/([^\s/;,]+)\s*(?:;(.*))?$/s
const QUALITY = /(?:^|;)\s*q\s*=\s*"?([\d.]+)"?\s*(?:;|$)/i

/**
 * Picks the representation that the client likes best (RFC 9110, 12.5.1). Parameters other than `q` are not looked at: asking
 * for `application/json; charset=utf-8` is asking for JSON. Of equals the more specific range wins, then the one named
 * earlier, then the one offered earlier.
 * @param accept the header; absent or blank: anything
 * @param offered media types without parameters, lower case, the default first
 * @returns undefined: the client takes none of them
 */
export function negotiate<T extends string>(accept: string | undefined, offered: readonly T[]): T | undefined {
  if (accept === undefined || accept.trim() === '') return offered[0]
  const ranges = parseAccept(accept)
  let best: T | undefined
  let liking = NOT_LIKED
  for (const one of offered) {
    const candidate = likingOf(one, ranges)
    if (candidate.quality === 0 || !isBetter(candidate, liking)) continue
    best = one
    liking = candidate
  }
  return best
}

/** Adds a field to `Vary` beside those that are there. */
export function addVary(reply: FastifyReply, field: string): void {
  const present = reply.getHeader('vary')
  reply.header('vary', present === undefined ? field : `${String(present)}, ${field}`)
}

function parseAccept(accept: string): MediaRange[] {
  return (accept.match(PARTS) ?? []).flatMap((part, order) => {
    const match = RANGE.exec(part)
    if (match === null) return []
    const quality = qualityOf(match[3])
    if (quality === undefined) return []
    return [{ type: (match[1] as string).toLowerCase(), subtype: (match[2] as string).toLowerCase(), quality, order }]
  })
}

function qualityOf(parameters: string | undefined): number | undefined {
  const text = parameters === undefined ? undefined : QUALITY.exec(parameters)?.[1]
  if (text === undefined) return 1
  const quality = Number(text)
  return quality >= 0 && quality <= 1 ? quality : undefined
}

function likingOf(offered: string, ranges: readonly MediaRange[]): Liking {
  const [type, subtype] = offered.split('/')
  let liking = NOT_LIKED
  for (const range of ranges) {
    const specificity =
      range.type === type && range.subtype === subtype
        ? 2
        : range.type === type && range.subtype === '*'
          ? 1
          : range.type === '*' && range.subtype === '*'
            ? 0
            : -1
    if (specificity > liking.specificity) liking = { quality: range.quality, specificity, order: range.order }
  }
  return liking
}

function isBetter(a: Liking, b: Liking): boolean {
  if (a.quality !== b.quality) return a.quality > b.quality
  if (a.specificity !== b.specificity) return a.specificity > b.specificity
  return a.order < b.order
}
