import type { FileHandle } from 'node:fs/promises'
import type { OnDurable } from './blob-store.js'

/** Bytes written at once, so that most chunks cost no call of their own. */
const BATCH_BYTES = 1_048_576
/** Many small chunks keep whole buffers of the socket alive. */
const BATCH_CHUNKS = 64
const SYNC_EVERY_BYTES = 8_388_608
/** A unit on a bad network must not lose minutes of work with the process. */
const SYNC_EVERY_MS = 2000

/**
 * Writes chunks to a file from an offset on, one batch while the next is gathered, and syncs from time to time. Whenever it tells
 * what is durable, that is all it was given.
 */
export class DurableWriter {
  private gathered: Uint8Array[] = []
  private gatheredBytes = 0
  private writing: Promise<void> | undefined
  private failure: { readonly error: unknown } | undefined
  /** Bytes of the file that were written. */
  private written: number
  private durable: number | undefined
  private syncedAtMs = performance.now()

  constructor(
    private readonly handle: FileHandle,
    private readonly offset: number,
    private readonly onDurable: OnDurable = () => undefined,
  ) {
    this.written = offset
  }

  /** Resolves when more may come. The chunk is kept, not copied. */
  async take(chunk: Uint8Array): Promise<void> {
    this.gathered.push(chunk)
    this.gatheredBytes += chunk.byteLength
    if (this.gatheredBytes >= BATCH_BYTES || this.gathered.length >= BATCH_CHUNKS) await this.beginWrite()
    if (this.isSyncDue()) await this.sync()
  }

  /** @returns how many bytes the file has, all durable */
  async finish(): Promise<number> {
    if (this.failure) throw this.failure.error
    if (this.durable === undefined || this.durable < this.written + this.gatheredBytes) await this.sync()
    return this.written
  }

  private isSyncDue(): boolean {
    const since = this.written + this.gatheredBytes - (this.durable ?? this.offset)
    return since >= SYNC_EVERY_BYTES || performance.now() - this.syncedAtMs >= SYNC_EVERY_MS
  }

  private async beginWrite(): Promise<void> {
    await this.endWrite()
    const batch = this.gathered
    this.gathered = []
    this.gatheredBytes = 0
    this.writing = this.write(batch)
    // It is awaited later; meanwhile its failure must not count as one that nobody handles.
    this.writing.catch(() => undefined)
  }

  private async endWrite(): Promise<void> {
    const { writing } = this
    this.writing = undefined
    await this.noting(async () => writing)
  }

  private async sync(): Promise<void> {
    await this.beginWrite()
    await this.endWrite()
    await this.noting(() => this.handle.datasync())
    this.durable = this.written
    this.syncedAtMs = performance.now()
    await this.noting(async () => this.onDurable(this.written))
  }

  private async write(batch: readonly Uint8Array[]): Promise<void> {
    let rest = batch
    while (rest.length > 0) {
      const { bytesWritten } = await this.handle.writev(rest, this.written)
      this.written += bytesWritten
      rest = withoutFirst(rest, bytesWritten)
    }
  }

  /** After a failure nothing more is written, synced or told: what the file holds beyond the last word is not known. */
  private async noting(step: () => Promise<void>): Promise<void> {
    try {
      await step()
    } catch (error) {
      this.failure ??= { error }
      throw error
    }
  }
}

function withoutFirst(chunks: readonly Uint8Array[], bytes: number): readonly Uint8Array[] {
  let left = bytes
  let index = 0
  for (let chunk = chunks[0]; chunk !== undefined && chunk.byteLength <= left; chunk = chunks[++index]) {
    left -= chunk.byteLength
  }
  const [partly, ...others] = chunks.slice(index)
  return partly === undefined ? [] : [partly.subarray(left), ...others]
}
