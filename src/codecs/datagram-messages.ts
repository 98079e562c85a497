import { DecodeError, orDecodeError } from './decode-error.js'
import type { TrackerCodec, TrackerMessage } from './tracker-codec.js'

/** Where one bad frame says nothing of those after it: so many say that it is another protocol. */
const MOST_BAD_FRAMES = 32

/**
 * The messages of a datagram that holds frames as a connection brings them. What is no whole frame at its end was cut: nothing comes after
 * it. Spans of records are those within the datagram.
 */
export function decodeFrames(
  datagram: Buffer,
  { split, decode, survivesBadFrames }: Pick<TrackerCodec, 'split' | 'decode' | 'survivesBadFrames'>,
): Array<TrackerMessage | DecodeError> {
  const messages: Array<TrackerMessage | DecodeError> = []
  let badOnes = 0
  for (let at = 0; at < datagram.length; ) {
    const rest = datagram.subarray(at)
    const next = split(rest)
    if (next.kind === 'lost') return [...messages, next.error]
    if (next.kind === 'wait')
      return [...messages, new DecodeError('bad_structure', 'the datagram ends before the message does')]
    if (next.kind === 'frame') {
      const message = orDecodeError(() => decode(rest.subarray(0, next.length)))
      messages.push(message instanceof DecodeError ? message : shifted(message, at))
      // Its length may be what is wrong.
      if (message instanceof DecodeError && (!survivesBadFrames || ++badOnes >= MOST_BAD_FRAMES)) return messages
    }
    at += next.length
  }
  return messages
}

function shifted(message: TrackerMessage, by: number): TrackerMessage {
  if (by === 0 || message.records.length === 0) return message
  const records = message.records.map((record) => ({
    ...record,
    span: [record.span[0] + by, record.span[1] + by] as const,
  }))
  return { ...message, records }
}
