import { type FileHandle, lstat, readdir, unlink } from 'node:fs/promises'
import path from 'node:path'
import { stopping, translated } from './blob-errors.js'
import type { BlobUploadId, OnDurable } from './blob-store.js'
import { DurableWriter } from './durable-writer.js'
import type { Interruption } from './interruption.js'
import { closing, createFile, openFile, orMissing, removeFile, syncDirectory } from './owned-files.js'
import { pump, RunningAppends } from './running-appends.js'
import { isUploadId, newUploadId, noSuchUpload } from './upload-id.js'

/** Uploads as files that grow, in a directory of their own. One append at a time to each. */
export class DirectoryUploads {
  private readonly appends = new RunningAppends()

  /** @param assertWritable asked before each chunk; what it throws ends the append as a source that breaks off does */
  constructor(
    readonly directory: string,
    private readonly assertWritable: () => void,
  ) {}

  /** @throws RangeError what cannot be an upload's id */
  fileOf(id: BlobUploadId): string {
    if (!isUploadId(id)) throw noSuchUpload()
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
    return this.appends.run(id, (interruption) => this.appendUntil(interruption, id, offset, source, onDurable))
  }

  /** @throws Error while somebody appends to the upload: what they are told would not be so */
  assertFree(id: BlobUploadId): void {
    this.appends.assertFree(id)
  }

  async abort(id: BlobUploadId): Promise<void> {
    if (!isUploadId(id)) return
    await this.appends.interrupt(id, noSuchUpload())
    await removeFile(this.fileOf(id))
  }

  async listIdle(sinceMs: number): Promise<BlobUploadId[]> {
    const idle: BlobUploadId[] = []
    for (const name of await readdir(this.directory)) {
      if (!isUploadId(name) || this.appends.isRunning(name)) continue
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
    await this.appends.interruptAll(stopping())
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
      const take = (chunk: Uint8Array) => writer.take(chunk)
      const broken = await pump(source, interruption, take, this.assertWritable)
      const bytes = await writer.finish()
      if (broken) throw broken.error
      return bytes
    })
  }
}

/** @throws RangeError it holds less */
async function cutTo(handle: FileHandle, offset: number): Promise<void> {
  const { size } = await handle.stat()
  if (size < offset) throw new RangeError(`the upload holds ${size} bytes, not ${offset}`)
  if (size > offset) await handle.truncate(offset)
}
