/** Nobody waits longer. */
export const MAX_WAIT_S = 30

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
const QUOTED = '"(?:[^"\\\\]|\\\\.)*"'
const PREFERENCE = new RegExp(
  `^[ \\t]*(${TOKEN})(?:[ \\t]*=[ \\t]*(${TOKEN}|${QUOTED}))?(?:[ \\t]*;[ \\t]*(?:${TOKEN}(?:[ \\t]*=[ \\t]*(?:${TOKEN}|${QUOTED}))?)?)*[ \\t]*$`,
)
/** A longer header is none that anybody means. */
const MAX_CHARACTERS = 1000

/**
 * Reads `wait` from a `Prefer` header (RFC 7240): whole seconds, of several the first, in whatever company. What is malformed is
 * not there.
 * @returns seconds, at most {@link MAX_WAIT_S}
 */
export function preferredWaitS(header: string | undefined): number | undefined {
  if (header === undefined || header.length > MAX_CHARACTERS) return undefined
  for (const part of splitOutsideQuotes(header)) {
    const [, name, value] = PREFERENCE.exec(part) ?? []
    if (name?.toLowerCase() !== 'wait') continue
    const seconds = value?.startsWith('"') ? value.slice(1, -1) : value
    return seconds !== undefined && /^\d+$/.test(seconds) ? Math.min(Number(seconds), MAX_WAIT_S) : undefined
  }
  return undefined
}

function splitOutsideQuotes(header: string): string[] {
  const parts = ['']
  let isQuoted = false
  for (let at = 0; at < header.length; at++) {
    const character = header.charAt(at)
    if (character === ',' && !isQuoted) {
      parts.push('')
      continue
    }
    parts.push(parts.pop() + character)
    if (character === '"') isQuoted = !isQuoted
    else if (character === '\\' && isQuoted) parts.push(parts.pop() + header.charAt(++at))
  }
  return parts
}
