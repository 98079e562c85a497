import type { FileHandle } from 'node:fs/promises'
import { translated } from './blob-errors.js'
import type { OnDurable } from './blob-store.js'

/** Bytes written at once, so that most chunks cost no call of their own. */
const BATCH_BYTES = 1_048_576
/** Many small chunks would keep many whole buffers of a socket alive. */
const BATCH_CHUNKS = 64
const SYNC_EVERY_BYTES = 8_388_608
/** A unit on a slow line must not lose minutes of work with the process. */
const SYNC_EVERY_MS = 5000

/**
 * Writes chunks to a file from an offset on, one batch while the next is gathered, and syncs from time to time. Whenever it tells
 * what is durable, that is all that it was given.
 */
export class DurableWriter {
  private gathered: Uint8Array[] = []
  private gatheredBytes = 0
  private writing: Promise<void> = Promise.resolve()
  private failure: { readonly error: unknown } | undefined
  /** How long the file is with all that was given. */
  private taken: number
  /** How long it is without what is gathered or being written. */
  private written: number
  private durable: number
  private hasTold = false
  private syncedAtMs = performance.now()

  constructor(
    private readonly handle: FileHandle,
    offset: number,
    private readonly onDurable: OnDurable = () => undefined,
  ) {
    this.taken = offset
    this.written = offset
    this.durable = offset
  }

  /** Resolves when more may come. The chunk is kept, not copied. */
  take(chunk: Uint8Array): Promise<void> {
    return this.noting(async () => {
      this.gathered.push(chunk)
      this.gatheredBytes += chunk.byteLength
      this.taken += chunk.byteLength
      if (this.gatheredBytes >= BATCH_BYTES || this.gathered.length >= BATCH_CHUNKS) await this.beginWrite()
      if (this.isSyncDue()) await this.sync()
    })
  }

  /**
   * @returns how many bytes the file has, all durable
   * @throws what any step before threw
   */
  async finish(): Promise<number> {
    if (this.failure) throw this.failure.error
    if (!this.hasTold || this.durable < this.taken) await this.noting(() => this.sync())
    return this.durable
  }

  private isSyncDue(): boolean {
    return this.taken - this.durable >= SYNC_EVERY_BYTES || performance.now() - this.syncedAtMs >= SYNC_EVERY_MS
  }

  private async beginWrite(): Promise<void> {
    await this.writing
    const batch = this.gathered
    this.gathered = []
    this.gatheredBytes = 0
    this.writing = this.write(batch)
    // It is awaited before the next one; until then its failure must not pass for one that nobody handles.
    this.writing.catch(() => undefined)
  }

  private async sync(): Promise<void> {
    await this.beginWrite()
    await this.writing
    await translated(() => this.handle.datasync())
    this.durable = this.written
    this.syncedAtMs = performance.now()
    this.hasTold = true
    await this.onDurable(this.durable)
  }

  private async write(batch: readonly Uint8Array[]): Promise<void> {
    let rest = batch
    while (rest.length > 0) {
      const left = rest
      const { bytesWritten } = await translated(() => this.handle.writev(left, this.written))
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

/** @param bytes not more than they have */
function withoutFirst(chunks: readonly Uint8Array[], bytes: number): readonly Uint8Array[] {
  let left = bytes
  const rest: Uint8Array[] = []
  for (const chunk of chunks) {
    if (chunk.byteLength > left) rest.push(chunk.subarray(left))
    left = Math.max(0, left - chunk.byteLength)
  }
  return rest
}
