import { DecodeError } from '../decode-error.js'
import type { Split } from '../tracker-codec.js'

export const END = 0x24 // $
const BEGINNING = 0x2b // +
const HEAD = /^\+(?:RESP|BUFF|ACK|NACK):GT/
const LONGEST_HEAD = 8
/** Some units end their messages with these as well. */
const BETWEEN: ReadonlySet<number> = new Set([0x00, 0x0a, 0x0d])
/** Reports have some 400 characters, dumps of a configuration some thousand. */
export const LONGEST_FRAME = 8192

/** @source Queclink, @Track air interface, "Protocol structure" */
export function splitQueclink(bytes: Buffer): Split {
  const between = bytes.findIndex((byte) => !BETWEEN.has(byte))
  if (between !== 0) return { kind: 'skip', length: between < 0 ? bytes.length : between }
  const end = bytes.indexOf(END)
  if (end >= LONGEST_FRAME || (end < 0 && bytes.length >= LONGEST_FRAME))
    return lost('too_large', `a message has at most ${LONGEST_FRAME} characters`)
  const isMessage = bytes[0] === BEGINNING && (bytes.length === 1 || isCapital(bytes[1]))
  if (isMessage && end >= 0) return { kind: 'frame', length: nextBeginning(bytes.subarray(0, end)) ?? end + 1 }
  if (isMessage) return { kind: 'wait', length: bytes.length + 1 }
  return splitRubbish(bytes, end)
}

/** Where another message begins within one: that has lost its end, and what follows is whole. */
function nextBeginning(message: Buffer): number | undefined {
  for (let at = message.indexOf(BEGINNING, 1); at > 0; at = message.indexOf(BEGINNING, at + 1))
    if (HEAD.test(message.toString('latin1', at, at + LONGEST_HEAD))) return at
  return undefined
}

/** A text with a `$` in it leaves its second half, which is refused by itself; what is no text at all, or has lines, is another protocol. */
function splitRubbish(bytes: Buffer, end: number): Split {
  const rubbish = bytes.subarray(0, end < 0 ? bytes.length : end)
  if (rubbish.some((byte) => byte < 0x20)) return lost('unknown_format', 'not the text protocol of this brand')
  return end < 0 ? { kind: 'wait', length: bytes.length + 1 } : { kind: 'frame', length: end + 1 }
}

function isCapital(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x41 && byte <= 0x5a
}

function lost(code: 'too_large' | 'unknown_format', message: string): Split {
  return { kind: 'lost', error: new DecodeError(code, message) }
}
