/** Smaller chunks are put together: each costs far more than its bytes while it waits to be durable. */
const SMALL_BYTES = 16_384
const TOGETHER_BYTES = 65_536
/** What a slow line brings in this time goes on as it is. */
const WAIT_MS = 200

type Outcome = { readonly result: IteratorResult<Uint8Array> } | { readonly error: unknown }

/**
 * The same bytes in fewer chunks, so that what keeps chunks is bounded when it bounds their bytes: those that units send byte by byte
 * are put together, and nothing waits for long. What came before the source broke off comes before its error.
 */
export async function* gatherChunks(
  source: AsyncIterable<Uint8Array>,
  waitMs = WAIT_MS,
): AsyncGenerator<Uint8Array, void, undefined> {
  const iterator = source[Symbol.asyncIterator]()
  const held = new HeldBytes(waitMs)
  try {
    for (let next = outcomeOf(iterator); ; ) {
      const outcome = await held.unlessDue(next)
      if (outcome === undefined) {
        yield held.takeAll()
        continue
      }
      const chunk = 'error' in outcome || outcome.result.done ? undefined : outcome.result.value
      if (!held.isEmpty && (chunk === undefined || !held.hasRoomFor(chunk))) yield held.takeAll()
      if ('error' in outcome) throw outcome.error
      if (chunk === undefined) return
      if (chunk.byteLength >= SMALL_BYTES) yield chunk
      else held.add(chunk)
      next = outcomeOf(iterator)
    }
  } finally {
    if (!held.isEmpty) held.takeAll()
    // Not awaited: a source that sends nothing would keep this waiting as well.
    Promise.resolve(iterator.return?.()).catch(() => undefined)
  }
}

/** Small chunks, copied to one, and the time until they are to go on. */
class HeldBytes {
  private buffer: Buffer | undefined
  private bytes = 0
  private due: NodeJS.Timeout | undefined
  private onDue: () => void = () => undefined

  constructor(private readonly waitMs: number) {}

  get isEmpty(): boolean {
    return this.bytes === 0
  }

  hasRoomFor({ byteLength }: Uint8Array): boolean {
    return byteLength < SMALL_BYTES && this.bytes + byteLength <= TOGETHER_BYTES
  }

  add(chunk: Uint8Array): void {
    if (chunk.byteLength === 0) return
    // One for all that are held: one for each chunk would cost more than the chunk.
    if (this.isEmpty) this.due = setTimeout(() => this.onDue(), this.waitMs)
    this.buffer ??= Buffer.allocUnsafeSlow(TOGETHER_BYTES)
    this.buffer.set(chunk, this.bytes)
    this.bytes += chunk.byteLength
  }

  /** Waits for what comes next. @returns undefined when what is held is to go on before */
  unlessDue(next: Promise<Outcome>): Promise<Outcome | undefined> {
    if (this.isEmpty) return next
    return new Promise((resolve) => {
      this.onDue = () => resolve(undefined)
      void next.then(resolve)
    })
  }

  takeAll(): Uint8Array {
    clearTimeout(this.due)
    const { buffer = Buffer.alloc(0), bytes } = this
    this.bytes = 0
    // Little must not keep the memory for much.
    if (bytes < TOGETHER_BYTES - SMALL_BYTES) return Buffer.from(buffer.subarray(0, bytes))
    this.buffer = undefined
    return buffer.subarray(0, bytes)
  }
}

/** Never rejects. */
function outcomeOf(iterator: AsyncIterator<Uint8Array>): Promise<Outcome> {
  return iterator.next().then(
    (result) => ({ result }),
    (error: unknown) => ({ error }),
  )
}
