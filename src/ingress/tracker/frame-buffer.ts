import type { DecodeError } from '../../codecs/decode-error.js'
import type { TrackerCodec } from '../../codecs/tracker-codec.js'

const NOTHING = Buffer.alloc(0)
/** Each small buffer costs as much as a hundred bytes or two: a frame that comes byte by byte is put together now and then. */
const MOST_CHUNKS = 64
/** A frame that is not complete may keep so many other bytes alive; the pool of Node's own buffers has up to eight times as many. */
const MOST_BESIDE = 8192
/** Of what cannot be read, for inspection. */
const LOST_BYTES = 1024

/** What has come on a connection and was not taken out as a frame yet. An incomplete frame holds no more memory than its bytes. */
export class FrameBuffer {
  private bytes: Buffer = NOTHING
  /** Chunks that came since, which are put together only when they may complete a frame. */
  private more: Buffer[] = []
  private moreBytes = 0
  /** No frame can be complete before there are so many. */
  private needed = 1
  private incompleteSince: number | undefined
  private error: DecodeError | undefined
  private unreadable: Buffer = NOTHING

  constructor(private readonly codec: Pick<TrackerCodec, 'split'>) {}

  /** How many bytes wait. */
  get length(): number {
    return this.bytes.length + this.moreBytes
  }

  /** When the frame began that is not complete; undefined: nothing is waiting. Copes with a sender of one byte now and then. */
  get incompleteSinceMs(): number | undefined {
    return this.length > 0 ? this.incompleteSince : undefined
  }

  /** Nothing that comes can be read any more. */
  get lost(): DecodeError | undefined {
    return this.error
  }

  /** The beginning of what made it lost. */
  get lostBytes(): Buffer {
    return this.unreadable
  }

  push(chunk: Buffer, nowMs: number): void {
    if (this.error !== undefined) return
    if (this.length === 0) this.incompleteSince = nowMs
    this.more.push(chunk)
    this.moreBytes += chunk.length
    if (this.more.length >= MOST_CHUNKS) this.join()
  }

  /** @returns the next whole frame, or undefined when more bytes are needed or the stream is lost */
  shift(nowMs: number): Buffer | undefined {
    while (this.error === undefined && this.length >= this.needed) {
      this.join()
      const split = this.codec.split(this.bytes)
      switch (split.kind) {
        case 'wait':
          this.needed = split.length
          this.bytes = withoutRest(this.bytes)
          return undefined
        case 'lost':
          this.error = split.error
          this.unreadable = Buffer.from(this.bytes.subarray(0, LOST_BYTES))
          this.drop(this.bytes.length, nowMs)
          return undefined
        case 'skip':
          this.drop(split.length, nowMs)
          break
        default: {
          const frame = this.bytes.subarray(0, split.length)
          this.drop(split.length, nowMs)
          return frame
        }
      }
    }
    return undefined
  }

  private join(): void {
    if (this.more.length === 0) return
    this.bytes =
      this.bytes.length === 0 && this.more.length === 1
        ? (this.more[0] ?? NOTHING)
        : Buffer.concat([this.bytes, ...this.more])
    this.more = []
    this.moreBytes = 0
  }

  private drop(length: number, nowMs: number): void {
    this.bytes = this.bytes.subarray(length)
    this.needed = 1
    // What is left began at the latest now; when it really did, nobody can tell.
    this.incompleteSince = nowMs
    if (this.bytes.length === 0) this.bytes = NOTHING
  }
}

/** The bytes by themselves when they would keep alive what was read with them. */
function withoutRest(bytes: Buffer): Buffer {
  if (bytes.buffer.byteLength - bytes.length <= MOST_BESIDE) return bytes
  const copy = Buffer.allocUnsafeSlow(bytes.length)
  bytes.copy(copy)
  return copy
}
