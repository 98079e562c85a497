import type { BlobUploadId } from './blob-store.js'
import { Interruption } from './interruption.js'

interface RunningAppend {
  readonly interruption: Interruption
  /** Never rejects. */
  readonly ended: Promise<unknown>
}

/** Why an append ended before its source did. */
export interface Broken {
  readonly error: unknown
}

/** Who is appending to which upload: one at a time to each. */
export class RunningAppends {
  private readonly all = new Map<BlobUploadId, RunningAppend>()

  isRunning(id: BlobUploadId): boolean {
    return this.all.has(id)
  }

  /** @throws Error while somebody appends to the upload: what they are told would not be so */
  assertFree(id: BlobUploadId): void {
    if (this.all.has(id)) throw new Error('somebody is appending to this upload')
  }

  /** @throws Error somebody is appending to it already */
  run<T>(id: BlobUploadId, append: (interruption: Interruption) => Promise<T>): Promise<T> {
    this.assertFree(id)
    const interruption = new Interruption()
    const appending = append(interruption)
    const ended = appending.then(
      () => this.all.delete(id),
      () => this.all.delete(id),
    )
    this.all.set(id, { interruption, ended })
    return ended.then(() => appending)
  }

  /** Ends an append from outside and waits until it has ended. */
  async interrupt(id: BlobUploadId, error: Error): Promise<void> {
    const running = this.all.get(id)
    running?.interruption.interrupt(error)
    await running?.ended
  }

  async interruptAll(error: Error): Promise<void> {
    await Promise.all([...this.all.keys()].map((id) => this.interrupt(id, error)))
  }
}

/**
 * Hands a source's chunks on, one by one; empty ones are left out.
 * @returns why it ended before the source did: it broke off, was interrupted, or was not taken
 */
export async function pump(
  source: AsyncIterable<Uint8Array>,
  interruption: Interruption,
  take: (chunk: Uint8Array) => Promise<void>,
  assertWanted: () => void = () => undefined,
): Promise<Broken | undefined> {
  const iterator = source[Symbol.asyncIterator]()
  try {
    for (;;) {
      assertWanted()
      const next = await interruption.wait(iterator.next())
      if (next.done) return undefined
      if (next.value.byteLength > 0) await take(next.value)
    }
  } catch (error) {
    // Not awaited: a source that keeps its reader waiting would keep this waiting as well.
    Promise.resolve(iterator.return?.()).catch(() => undefined)
    return { error }
  }
}
