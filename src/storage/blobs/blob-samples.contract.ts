import { createHash } from 'node:crypto'
import type { Readable } from 'node:stream'
import type { BlobStore, BlobUploadId } from './blob-store.js'

/** A place for objects that outlives the store on it, as that of a process which was killed. */
export interface BlobPlace {
  open(): Promise<BlobStore>
  /** Times that it says are cut to these. */
  readonly timeStepMs?: number
  /**
   * It sends bytes in parts while the next ones come: it may tell less than it took, and takes more while it tells. Unset: what it tells
   * is all that it took, the source waits meanwhile, and it holds less.
   */
  readonly sendsParts?: boolean
  remove(): Promise<void>
}

export const MEBIBYTE = 1_048_576

export async function* chunksOf(...chunks: readonly (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield Buffer.from(chunk)
}

/** Gives the chunks and then breaks off. */
export async function* brokenAfter(
  error: Error,
  ...chunks: readonly (string | Uint8Array)[]
): AsyncGenerator<Uint8Array> {
  yield* chunksOf(...chunks)
  throw error
}

/** A source that is fed step by step, for what happens in the middle of an append. */
export class HeldSource implements AsyncIterable<Uint8Array> {
  private readonly given: Uint8Array[] = []
  private readonly waiting: Array<() => void> = []
  private wake: () => void = () => undefined
  private isEnded = false
  private isAsked = false

  give(chunk: string | Uint8Array): void {
    this.given.push(Buffer.from(chunk))
    this.wake()
  }

  end(): void {
    this.isEnded = true
    this.wake()
  }

  /** Everything that was given was taken, and more is asked for. */
  async untilTaken(): Promise<void> {
    if (this.given.length > 0 || !this.isAsked) await new Promise<void>((resolve) => this.waiting.push(resolve))
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      const chunk = this.given.shift()
      if (chunk !== undefined) yield chunk
      else if (this.isEnded) return
      else await this.beAsked()
    }
  }

  private async beAsked(): Promise<void> {
    this.isAsked = true
    for (const resolve of this.waiting.splice(0)) resolve()
    await new Promise<void>((resolve) => {
      this.wake = resolve
    })
    this.isAsked = false
  }
}

/** An object made of the text or bytes. */
export async function store(blobs: BlobStore, key: string, ...chunks: readonly (string | Uint8Array)[]): Promise<void> {
  const id = await blobs.beginUpload(key)
  await blobs.append(id, 0, chunksOf(...chunks))
  await blobs.complete(id, key)
}

export async function bytesOf(readable: Readable | undefined): Promise<Buffer | undefined> {
  if (readable === undefined) return undefined
  const chunks: Buffer[] = []
  for await (const chunk of readable) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

export async function textOf(blobs: BlobStore, key: string): Promise<string | undefined> {
  return (await bytesOf(await blobs.read(key)))?.toString()
}

/** What an upload holds, by making the object of it that it was begun for. */
export async function contentOf(blobs: BlobStore, id: BlobUploadId, key = 'truck/clip'): Promise<string | undefined> {
  await blobs.complete(id, key)
  return textOf(blobs, key)
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** Bytes that repeat nowhere and are the same every time. */
export function patternOf(bytes: number, seed = 1): Buffer {
  const pattern = Buffer.alloc(bytes)
  for (let at = 0, value = seed; at < bytes; at += 4) {
    value = (Math.imul(value, 1_664_525) + 1_013_904_223) >>> 0
    pattern.writeUInt32LE(value, Math.min(at, Math.max(0, bytes - 4)))
  }
  return pattern
}
