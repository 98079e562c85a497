import { DecodeError } from '../../src/codecs/decode-error.js'
import type { TrackerCodec, TrackerMessage } from '../../src/codecs/tracker-codec.js'

/** Numbers in [0, 1). */
type Random = () => number

/** A codec with what mutations start from. */
export interface FuzzTarget {
  readonly codec: TrackerCodec
  readonly seeds: readonly Buffer[]
  /** Makes length and checksum hold, so that what lies behind them is tried as well. */
  readonly reseal: (frame: Buffer) => Buffer
  /** Makes the checksum alone hold, and leaves the length as it says. */
  readonly resum: (frame: Buffer) => Buffer
}

/** What became of mutated frames. */
export interface FuzzReport {
  readonly frames: number
  /** By what became of them: `message`, `wait`, `skip`, or the code of the error. */
  readonly outcomes: Readonly<Record<string, number>>
  /** The one that took longest. */
  readonly slowestMs: number
  readonly slowestHex: string
}

/** A frame that broke a promise of the codec, with what happened. */
export class FuzzFinding extends Error {
  constructor(
    readonly codec: string,
    readonly hex: string,
    override readonly cause: unknown,
  ) {
    super(`${codec}: ${String(cause)} for ${hex}`)
  }
}

/**
 * Mutates real frames and gives them to a codec, which must read them or say why not, whatever they are.
 * @throws FuzzFinding the first frame that made it do anything else
 */
export function fuzzCodec({ codec, seeds, reseal, resum }: FuzzTarget, frames: number, random: Random): FuzzReport {
  const finishes = [reseal, resum, leave, leave]
  const outcomes: Record<string, number> = {}
  let slowestMs = 0
  let slowest: Buffer = Buffer.alloc(0)
  for (let i = 0; i < frames; i++) {
    const mutated = mutate(seeds, random)
    const bytes = (finishes[below(random, finishes.length)] ?? leave)(mutated)
    const startedMs = performance.now()
    const outcome = withoutTraces(() => read(codec, bytes))
    if (outcome === undefined) throw findingOf(codec, bytes)
    const tookMs = performance.now() - startedMs
    if (tookMs > slowestMs) {
      // Once more: a pause of the machine, or of memory being tidied, comes only once.
      const againMs = Math.min(
        tookMs,
        timeOf(() => read(codec, bytes)),
      )
      if (againMs > slowestMs) [slowestMs, slowest] = [againMs, bytes]
    }
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
  }
  return { frames, outcomes, slowestMs, slowestHex: slowest.toString('hex') }
}

const leave = (frame: Buffer): Buffer => frame

function timeOf(act: () => string): number {
  const startedMs = performance.now()
  withoutTraces(act)
  return performance.now() - startedMs
}

/** Most frames are refused by an error, and its trace, which nobody looks at, costs more than all the rest. @returns undefined: it failed */
function withoutTraces(act: () => string): string | undefined {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  try {
    return act()
  } catch {
    return undefined
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
}

/** Once more, to tell where it happens. */
function findingOf(codec: TrackerCodec, bytes: Buffer): FuzzFinding {
  try {
    read(codec, bytes)
  } catch (cause) {
    return new FuzzFinding(codec.protocol, bytes.toString('hex'), cause)
  }
  return new FuzzFinding(codec.protocol, bytes.toString('hex'), 'it failed once, and then no more')
}

/** @throws Error what a codec must not do */
function read(codec: TrackerCodec, bytes: Buffer): string {
  readDatagram(codec, bytes)
  const split = codec.split(bytes)
  switch (split.kind) {
    case 'lost':
      return split.error.code
    case 'wait':
      if (split.length <= bytes.length) throw new Error(`waits for ${split.length} of ${bytes.length} bytes`)
      if (split.length > codec.maxFrameBytes + 1) throw new Error(`waits for ${split.length} bytes`)
      return decodeAnyway(codec, bytes, 'wait')
    default:
      if (split.length < 1 || split.length > bytes.length)
        throw new Error(`takes ${split.length} of ${bytes.length} bytes`)
      if (split.kind === 'skip') return 'skip'
      return decodeAnyway(codec, bytes.subarray(0, split.length), 'message')
  }
}

/** @throws Error what a codec must not do with a datagram, which holds no more messages than bytes */
function readDatagram(codec: TrackerCodec, bytes: Buffer): void {
  const messages = codec.decodeDatagram?.(bytes) ?? []
  if (messages.length > bytes.length) throw new Error(`${messages.length} messages of ${bytes.length} bytes`)
  for (const message of messages) {
    if (message instanceof DecodeError) continue
    check(message)
    if (message.imei === undefined) throw new Error('nobody can tell whose datagram it is')
    if (message.records.some(({ span }) => span[1] > bytes.length))
      throw new Error('the record ends behind the datagram')
    const answered = [message.answers.settled, message.answers.settledWithSack, message.answers.refused]
    if (answered.some((answer) => (answer?.length ?? 0) > bytes.length)) throw new Error('the answer is longer')
  }
}

/** Also what is no whole frame: a codec is total, whoever calls it. */
function decodeAnyway(codec: TrackerCodec, bytes: Buffer, outcome: string): string {
  try {
    check(codec.decode(bytes))
    return outcome
  } catch (error) {
    if (error instanceof DecodeError) return outcome === 'message' ? error.code : outcome
    throw error
  }
}

/** @throws Error a message that no frame can mean */
function check(message: TrackerMessage): void {
  if (message.imei !== undefined && !/^[0-9A-Fa-f]{14,15}$/.test(message.imei)) throw new Error('the IMEI is none')
  for (const { discriminator, headingDeg, speedKmh, attributes, span } of message.records) {
    if (!Number.isSafeInteger(discriminator) || discriminator < 0 || discriminator >= 2 ** 48)
      throw new Error('the discriminator does not fit')
    if (headingDeg !== null && !(headingDeg >= 0 && headingDeg < 360)) throw new Error(`a heading of ${headingDeg}`)
    if (speedKmh !== null && !(speedKmh >= 0 && speedKmh <= 65_535)) throw new Error(`a speed of ${speedKmh}`)
    if (span[0] > span[1]) throw new Error('the record ends before it begins')
    for (const value of Object.values(attributes ?? {}))
      if (typeof value === 'number' && !Number.isFinite(value)) throw new Error('an attribute is no number')
  }
}

type Mutation = (bytes: Buffer, random: Random, seeds: readonly Buffer[]) => Buffer

const INTERESTING = [0x00, 0x01, 0x24, 0x2b, 0x2c, 0x7f, 0x80, 0xff]

const MUTATIONS: readonly Mutation[] = [
  withExtreme,
  (bytes, random) => {
    const changed = Buffer.from(bytes)
    const bit = below(random, Math.max(1, changed.length * 8))
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    return changed
  },
  (bytes, random) => {
    const changed = Buffer.from(bytes)
    changed[below(random, Math.max(1, changed.length))] = INTERESTING[below(random, INTERESTING.length)] ?? 0
    return changed
  },
  (bytes, random) => bytes.subarray(0, below(random, bytes.length + 1)),
  (bytes, random) => bytes.subarray(below(random, bytes.length + 1)),
  (bytes, random) => {
    const at = below(random, bytes.length + 1)
    const noise = Buffer.from(Array.from({ length: 1 + below(random, 8) }, () => below(random, 256)))
    return Buffer.concat([bytes.subarray(0, at), noise, bytes.subarray(at)])
  },
  (bytes, random) => {
    const [a, b] = [below(random, bytes.length + 1), below(random, bytes.length + 1)]
    return Buffer.concat([bytes.subarray(0, Math.min(a, b)), bytes.subarray(Math.max(a, b))])
  },
  (bytes, random, seeds) => {
    const other = seeds[below(random, seeds.length)] ?? bytes
    return Buffer.concat([
      bytes.subarray(0, below(random, bytes.length + 1)),
      other.subarray(below(random, other.length + 1)),
    ])
  },
  (_bytes, random) => Buffer.from(Array.from({ length: below(random, 200) }, () => below(random, 256))),
]

/** Widths of the fields that say lengths and counts. */
const WIDTHS = [1, 2, 4]

/** Sets what may be a length or a count to nothing, one, its most, half of it, one more than it was, or one less. */
function withExtreme(bytes: Buffer, random: Random): Buffer {
  const width = WIDTHS[below(random, WIDTHS.length)] ?? 1
  if (bytes.length < width) return bytes
  const at = below(random, bytes.length - width + 1)
  const isLittleEndian = random() < 0.5
  const most = 256 ** width - 1
  const before = isLittleEndian ? bytes.readUIntLE(at, width) : bytes.readUIntBE(at, width)
  const values = [0, 1, most, (most - 1) / 2, (most + 1) / 2, Math.min(most, before + 1), Math.max(0, before - 1)]
  const value = values[below(random, values.length)] ?? 0
  const changed = Buffer.from(bytes)
  if (isLittleEndian) changed.writeUIntLE(value, at, width)
  else changed.writeUIntBE(value, at, width)
  return changed
}

function below(random: Random, n: number): number {
  return Math.floor(random() * n)
}

function mutate(seeds: readonly Buffer[], random: Random): Buffer {
  let bytes = seeds[below(random, seeds.length)] ?? Buffer.alloc(1)
  for (let left = 1 + below(random, 4); left > 0; left--) {
    const mutation = MUTATIONS[below(random, MUTATIONS.length)]
    if (mutation !== undefined) bytes = mutation(bytes, random, seeds)
  }
  return bytes.length === 0 ? Buffer.of(below(random, 256)) : bytes
}
