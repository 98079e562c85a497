import { randomBytes } from 'node:crypto'
import { type FileHandle, lstat, readdir, unlink } from 'node:fs/promises'
import path from 'node:path'
import { stopping, translated } from './blob-errors.js'
import type { BlobUploadId, OnDurable } from './blob-store.js'
import { DurableWriter } from './durable-writer.js'
import { Interruption } from './interruption.js'
import { closing, createFile, openFile, orMissing, removeFile, syncDirectory } from './owned-files.js'

const UPLOAD_ID = /^[0-9a-f]{32}$/

interface RunningAppend {
  readonly interruption: Interruption
  /** Never rejects. */
  readonly ended: Promise<unknown>
}

/** Uploads as files that grow, in a directory of their own. One append at a time to each. */
export class DirectoryUploads {
  private readonly appends = new Map<BlobUploadId, RunningAppend>()

  /** @param assertWritable asked before each chunk; what it throws ends the append as a source that breaks off does */
  constructor(
    readonly directory: string,
    private readonly assertWritable: () => void,
  ) {}

  /** @throws RangeError what cannot be an upload's id */
  fileOf(id: BlobUploadId): string {
    if (!UPLOAD_ID.test(id)) throw noSuchUpload()
    return path.join(this.directory, id)
  }

  async begin(): Promise<BlobUploadId> {
    const id = newUploadId()
    await this.orRemoved(id, async () => {
      await (await createFile(this.fileOf(id))).close()
      await syncDirectory(this.directory)
    })
    return id
  }

  /** An upload whose bytes are all known; it is not durable before it is completed. */
  async beginWith(bytes: Uint8Array): Promise<BlobUploadId> {
    const id = newUploadId()
    await this.orRemoved(id, async () => {
      const handle = await createFile(this.fileOf(id))
      await closing(handle, () => handle.writeFile(bytes))
    })
    return id
  }

  /** What the source throws is thrown as it is. */
  append(
    id: BlobUploadId,
    offset: number,
    source: AsyncIterable<Uint8Array>,
    onDurable: OnDurable | undefined,
  ): Promise<number> {
    this.assertFree(id)
    const interruption = new Interruption()
    const appending = this.appendUntil(interruption, id, offset, source, onDurable)
    const ended = appending.catch(() => undefined).then(() => this.appends.delete(id))
    this.appends.set(id, { interruption, ended })
    return ended.then(() => appending)
  }

  /** @throws Error while somebody appends to the upload: what they are told would not be so */
  assertFree(id: BlobUploadId): void {
    if (this.appends.has(id)) throw new Error('somebody is appending to this upload')
  }

  async abort(id: BlobUploadId): Promise<void> {
    if (!UPLOAD_ID.test(id)) return
    await this.interrupt(this.appends.get(id), noSuchUpload())
    await removeFile(this.fileOf(id))
  }

  async listIdle(sinceMs: number): Promise<BlobUploadId[]> {
    const idle: BlobUploadId[] = []
    for (const name of await readdir(this.directory)) {
      if (!UPLOAD_ID.test(name) || this.appends.has(name)) continue
      const found = await orMissing(lstat(this.fileOf(name)))
      if (found !== undefined && found.mtimeMs < sinceMs) idle.push(name)
    }
    return idle
  }

  /** Writes and syncs as an append does. */
  async probe(): Promise<void> {
    const file = this.fileOf(newUploadId())
    const handle = await createFile(file)
    await closing(handle, async () => {
      await handle.writeFile('probe')
      await handle.datasync()
    })
    await unlink(file)
  }

  /** Ends what is being appended; what came stays. */
  async close(): Promise<void> {
    await Promise.all([...this.appends.values()].map((running) => this.interrupt(running, stopping())))
  }

  /** Nobody is told of an upload whose beginning failed: on a full disk each try would take more of it. */
  private async orRemoved(id: BlobUploadId, begin: () => Promise<void>): Promise<void> {
    try {
      await begin()
    } catch (error) {
      await unlink(this.fileOf(id)).catch(() => undefined)
      throw error
    }
  }

  private async interrupt(running: RunningAppend | undefined, error: Error): Promise<void> {
    running?.interruption.interrupt(error)
    await running?.ended
  }

  private async appendUntil(
    interruption: Interruption,
    id: BlobUploadId,
    offset: number,
    source: AsyncIterable<Uint8Array>,
    onDurable: OnDurable | undefined,
  ): Promise<number> {
    const handle = await translated(() => openFile(this.fileOf(id), 'write'))
    if (handle === undefined) throw noSuchUpload()
    return closing(handle, async () => {
      await translated(() => cutTo(handle, offset))
      const writer = new DurableWriter(handle, offset, onDurable)
      const broken = await this.pump(source, writer, interruption)
      const bytes = await writer.finish()
      if (broken) throw broken.error
      return bytes
    })
  }

  /** @returns why it ended before the source did */
  private async pump(
    source: AsyncIterable<Uint8Array>,
    writer: DurableWriter,
    interruption: Interruption,
  ): Promise<{ readonly error: unknown } | undefined> {
    const iterator = source[Symbol.asyncIterator]()
    try {
      for (;;) {
        this.assertWritable()
        const next = await interruption.wait(iterator.next())
        if (next.done) return undefined
        if (next.value.byteLength > 0) await writer.take(next.value)
      }
    } catch (error) {
      // Not awaited: a source that keeps its reader waiting would keep this waiting as well.
      Promise.resolve(iterator.return?.()).catch(() => undefined)
      return { error }
    }
  }
}

export function noSuchUpload(): RangeError {
  return new RangeError('there is no such upload')
}

/** @throws RangeError it holds less */
async function cutTo(handle: FileHandle, offset: number): Promise<void> {
  const { size } = await handle.stat()
  if (size < offset) throw new RangeError(`the upload holds ${size} bytes, not ${offset}`)
  if (size > offset) await handle.truncate(offset)
}

function newUploadId(): BlobUploadId {
  return randomBytes(16).toString('hex')
}
