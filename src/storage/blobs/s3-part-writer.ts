import type { OnDurable } from './blob-store.js'
import type { MemoryShare } from './memory-share.js'
import { PARTS_AT_ONCE, type S3UploadPlace } from './s3-upload-place.js'
import type { Piece } from './s3-upload-state.js'

const PART_BYTES = 8_388_608
/** S3 takes 10,000 parts. They grow, so that there is no end to a file that anybody would send: at 10,000 it has 0.48 TiB. */
const GROW_AFTER_PARTS = 1000
const MOST_PART_BYTES = 67_108_864
/** A unit on a slow line must not lose minutes of work with the process. */
const FLUSH_AFTER_MS = 15_000
/** Then the small ones among them are put together, so that reading them again is a matter of a second. */
const MOST_PIECES = 48
const SMALL_PIECE_BYTES = 1_048_576

/** Bytes in a row: in memory, as a piece, or both. */
interface Segment {
  readonly start: number
  end: number
  chunks: Uint8Array[] | undefined
  /** Ends when there is a piece of it; undefined: none was begun. */
  storing: Promise<void> | undefined
}

type Source = () => Promise<readonly Uint8Array[]>

/**
 * Gathers chunks to parts and sends them while the next is gathered; what is less than a part is stored as pieces, when it has waited
 * long, when memory is short and at the end. A piece goes when the part that holds it was told.
 */
export class S3PartWriter {
  private tail: Segment[]
  private tailStart: number
  private taken: number
  private heldBytes = 0
  private durable: number
  private hasTold = false
  private readonly unsettled: Promise<unknown>[] = []
  /** What is told and removed, in the order of the bytes. */
  private telling: Promise<void> = Promise.resolve()
  private failure: { readonly error: unknown } | undefined
  private readonly stopped = new AbortController()
  private flushing: NodeJS.Timeout | undefined

  constructor(
    private readonly place: S3UploadPlace,
    private readonly memory: MemoryShare,
    offset: number,
    private readonly onDurable: OnDurable = () => undefined,
    private readonly flushAfterMs = FLUSH_AFTER_MS,
  ) {
    this.tail = place.pieces.map((piece) => ({ ...piece, chunks: undefined, storing: Promise.resolve() }))
    this.tailStart = place.partsEnd
    this.taken = offset
    this.durable = offset
  }

  /** Resolves when more may come. The chunk is kept, not copied. */
  async take(chunk: Uint8Array): Promise<void> {
    this.assertGoing()
    this.keep(chunk)
    if (this.taken - this.tailStart >= this.partBytes) await this.seal()
    else if (this.memory.isPressed(this.heldBytes)) await this.spill()
    else this.flushing ??= setTimeout(() => this.flush(), this.flushAfterMs).unref()
    this.assertGoing()
  }

  /**
   * @returns how many bytes the upload has, all durable
   * @throws what any step before threw
   */
  async finish(): Promise<number> {
    if (!this.failure) this.flush()
    await this.settled()
    this.assertGoing()
    if (!this.hasTold) await this.tell(this.taken)
    this.letGo(this.heldBytes)
    return this.durable
  }

  /** Sends nothing more; resolves when nothing is on its way. */
  async stop(error: unknown): Promise<void> {
    this.fail(error)
    await this.settled()
    this.letGo(this.heldBytes)
  }

  private get partBytes(): number {
    const grown = PART_BYTES * 2 ** Math.floor(this.place.peekNumber / GROW_AFTER_PARTS)
    return Math.min(grown, MOST_PART_BYTES)
  }

  private keep(chunk: Uint8Array): void {
    const last = this.tail.at(-1)
    const end = this.taken + chunk.byteLength
    if (last?.chunks && !last.storing) {
      last.chunks.push(chunk)
      last.end = end
    } else this.tail.push({ start: this.taken, end, chunks: [chunk], storing: undefined })
    this.taken = end
    this.heldBytes += chunk.byteLength
    this.memory.hold(chunk.byteLength)
  }

  /** What was gathered is a part, and the next one is gathered while it is sent. */
  private async seal(): Promise<void> {
    clearTimeout(this.flushing)
    this.flushing = undefined
    const segments = this.tail
    const number = this.place.takeNumber()
    const end = this.taken
    this.tail = []
    this.tailStart = end
    if (this.unsettled.length >= PARTS_AT_ONCE) await this.unsettled.shift()
    const sent = this.sendPart(number, segments)
    this.unsettled.push(sent.catch(() => undefined))
    this.next(async () => {
      await sent
      await this.tell(end)
      // What stays is known to be old by its place, and goes with the upload.
      await this.place.removePieces(segments.filter(({ storing }) => storing)).catch(() => undefined)
    })
  }

  private async sendPart(number: number, segments: readonly Segment[]): Promise<void> {
    const sources = segments.map((segment) => this.sourceOf(segment))
    await this.memory.inSlot(async () => {
      this.assertGoing()
      await this.place.sendPart(number, await loaded(sources), this.stopped.signal)
    })
    for (const segment of segments) this.drop(segment)
  }

  /** The bytes as they are now: what is let go of later is still there for who asked before. */
  private sourceOf({ start, end, chunks, storing }: Segment): () => Promise<readonly Uint8Array[]> {
    if (chunks) return async () => chunks
    return async () => {
      await storing
      return [await this.place.readPiece({ start, end })]
    }
  }

  /** Stores what is in memory only, and lets go of it. */
  private async spill(): Promise<void> {
    this.flush()
    await this.settled()
    if (!this.failure) for (const segment of this.tail) this.drop(segment)
  }

  /** Stores what is in memory only. */
  private flush(): void {
    clearTimeout(this.flushing)
    this.flushing = undefined
    const fresh = this.tail.at(-1)
    if (fresh === undefined || fresh.storing) return
    const replaced = this.tail.splice(this.firstToStore())
    const [first = fresh] = replaced
    const sources = replaced.map((segment) => this.sourceOf(segment))
    const stored: Segment = { start: first.start, end: fresh.end, chunks: undefined, storing: undefined }
    if (replaced.every(({ chunks }) => chunks)) stored.chunks = replaced.flatMap(({ chunks }) => chunks ?? [])
    const storing = this.storePiece(stored, sources)
    storing.catch(() => undefined)
    stored.storing = storing
    this.tail.push(stored)
    this.next(async () => {
      await storing
      if (!stored.chunks) for (const segment of replaced) this.drop(segment)
      await this.tell(stored.end)
      await this.place.removePieces(replaced.filter((segment) => segment !== fresh)).catch(() => undefined)
    })
  }

  private async storePiece({ start, end }: Piece, sources: readonly Source[]): Promise<void> {
    await this.memory.inSlot(async () => {
      this.assertGoing()
      await this.place.storePiece({ start, end }, await loaded(sources))
    })
  }

  /** When there are many pieces, the small ones at the end become one with the newest. */
  private firstToStore(): number {
    let first = this.tail.length - 1
    if (first < MOST_PIECES) return first
    while (first > 0 && sizeOf(this.tail[first - 1]) < SMALL_PIECE_BYTES) first--
    return first
  }

  private next(step: () => Promise<void>): void {
    this.telling = this.telling.then(async () => {
      if (this.failure) return
      try {
        await step()
      } catch (error) {
        this.fail(error)
      }
    })
  }

  private async tell(bytes: number): Promise<void> {
    this.durable = bytes
    this.hasTold = true
    await this.onDurable(bytes)
  }

  /** After a failure nothing more is sent or told: what the upload holds beyond the last word is not known. */
  private fail(error: unknown): void {
    clearTimeout(this.flushing)
    this.failure ??= { error }
    this.stopped.abort()
  }

  private async settled(): Promise<void> {
    await this.telling
    await Promise.all(this.unsettled.splice(0))
  }

  private assertGoing(): void {
    if (this.failure) throw this.failure.error
  }

  private drop(segment: Segment): void {
    if (segment.chunks === undefined) return
    this.letGo(segment.end - segment.start)
    segment.chunks = undefined
  }

  private letGo(bytes: number): void {
    this.heldBytes -= bytes
    this.memory.release(bytes)
  }
}

async function loaded(sources: readonly Source[]): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = []
  for (const source of sources) chunks.push(...(await source()))
  return chunks
}

function sizeOf(segment: Segment | undefined): number {
  return segment === undefined ? 0 : segment.end - segment.start
}
