import { constants } from 'node:fs'
import { access, realpath, stat } from 'node:fs/promises'
import path from 'node:path'
import type { Readable } from 'node:stream'
import type { Metrics } from '../../metrics/metrics.js'
import { StoreOpenError } from '../store-open-error.js'
import { blobsUnavailable, stopping, toBlobError, translated } from './blob-errors.js'
import {
  BlobStore,
  type BlobUploadId,
  type ByteRange,
  type FindKnownUploads,
  type LocalFile,
  type OnDurable,
} from './blob-store.js'
import { DirectoryObjects } from './directory-objects.js'
import { DirectoryUploads } from './directory-uploads.js'
import { makeDirectory, openFile, syncDirectory } from './owned-files.js'
import { type TimedOperation, timedOperation } from './timed-operation.js'
import { noSuchUpload } from './upload-id.js'

/** Name of the store's directory in the data directory, and of its two parts. */
export const BLOBS_DIRECTORY = 'blobs'
export const OBJECTS_DIRECTORY = 'objects'
const UPLOADS_DIRECTORY = 'uploads'
const READ_AT_ONCE = 262_144

export interface DirectoryBlobsOptions {
  /** An existing one; `blobs` is made in it. */
  readonly directory: string
  /** Asked before and while something is written. @throws AppError `disk_full` */
  readonly assertWritable?: () => void
  readonly metrics?: Metrics
}

/**
 * Objects as files of a directory, uploads beside it on the same disk. An upload is a file that grows; completing it syncs it,
 * renames it into its place and syncs the directories, so that an object is there whole or not at all, whenever the power goes.
 * Completing another upload under a key that is taken, which only a leftover can be, puts the new object in its place; who reads
 * the old one reads it to its end. Everything is for the owner only, and below the root no link is followed.
 */
export class DirectoryBlobStore extends BlobStore {
  override readonly direct = undefined
  private readonly objects: DirectoryObjects
  private readonly uploads: DirectoryUploads
  private isClosed = false

  /** @param root absolute, without links */
  constructor(
    readonly root: string,
    private readonly options: Omit<DirectoryBlobsOptions, 'directory'> = {},
  ) {
    super()
    this.objects = new DirectoryObjects(path.join(root, OBJECTS_DIRECTORY))
    this.uploads = new DirectoryUploads(path.join(root, UPLOADS_DIRECTORY), () => this.assertWritable())
  }

  override beginUpload(_key: string): Promise<BlobUploadId> {
    return this.attempt(async () => {
      this.assertWritable()
      return this.uploads.begin()
    })
  }

  override async append(
    id: BlobUploadId,
    offset: number,
    source: AsyncIterable<Uint8Array>,
    onDurable?: OnDurable,
  ): Promise<number> {
    if (this.isClosed) throw stopping()
    return this.uploads.append(id, offset, source, onDurable)
  }

  override complete(id: BlobUploadId, key: string): Promise<void> {
    return this.timed('complete', async () => {
      this.uploads.assertFree(id)
      if (!(await this.objects.place(this.uploads.fileOf(id), key))) throw noSuchUpload()
    })
  }

  override abort(id: BlobUploadId): Promise<void> {
    return this.attempt(() => this.uploads.abort(id))
  }

  override async listIdleUploads(sinceMs: number, findKnown?: FindKnownUploads): Promise<BlobUploadId[]> {
    const idle = await this.attempt(() => this.uploads.listIdle(sinceMs))
    const known = new Set(idle.length === 0 ? [] : await findKnown?.(idle))
    return idle.filter((id) => !known.has(id))
  }

  override put(key: string, bytes: Uint8Array): Promise<void> {
    return this.timed('put', async () => {
      this.assertWritable()
      // What a crash leaves here is an upload that nobody knows, as any other.
      const id = await this.uploads.beginWith(bytes)
      try {
        await this.objects.place(this.uploads.fileOf(id), key)
      } catch (error) {
        await this.uploads.abort(id).catch(() => undefined)
        throw error
      }
    })
  }

  override stat(key: string): Promise<{ readonly bytes: number } | undefined> {
    return this.attempt(async () => {
      const found = await this.objects.find(key)
      return found && { bytes: found.bytes }
    })
  }

  override read(key: string, range?: ByteRange, bytes?: number): Promise<Readable | undefined> {
    return this.timed('open', async () => {
      const found = await this.objects.find(key)
      const handle = found && (await openFile(found.path, 'read'))
      if (handle === undefined) return undefined
      try {
        if (range || bytes !== undefined) assertSize((await handle.stat()).size, range, bytes)
        const part = range ? { start: range.first, end: range.last } : {}
        return handle.createReadStream({ highWaterMark: READ_AT_ONCE, ...part })
      } catch (error) {
        await handle.close()
        throw error
      }
    })
  }

  override async signRead(_key: string): Promise<undefined> {}

  override openLocal(key: string): Promise<LocalFile | undefined> {
    return this.attempt(async () => {
      const found = await this.objects.find(key)
      return found && { path: found.path, release: async () => undefined }
    })
  }

  override remove(key: string): Promise<void> {
    return this.timed('remove', () => this.objects.remove(key))
  }

  override removeUnder(...segments: readonly string[]): Promise<void> {
    return this.timed('remove', () => this.objects.removeUnder(segments))
  }

  override probe(): Promise<void> {
    return this.attempt(async () => {
      await access(this.objects.directory, constants.R_OK | constants.W_OK | constants.X_OK)
      await this.uploads.probe()
    })
  }

  override async close(): Promise<void> {
    this.isClosed = true
    await this.uploads.close()
  }

  private assertWritable(): void {
    this.options.assertWritable?.()
  }

  private timed<T>(operation: TimedOperation, act: () => Promise<T>): Promise<T> {
    return timedOperation(this.options.metrics, operation, () => this.attempt(act))
  }

  private async attempt<T>(act: () => Promise<T>): Promise<T> {
    if (this.isClosed) throw stopping()
    return translated(act)
  }
}

/**
 * Opens the objects in a directory.
 * @throws StoreOpenError
 */
export async function openDirectoryBlobs({
  directory,
  ...options
}: DirectoryBlobsOptions): Promise<DirectoryBlobStore> {
  const root = path.join(directory, BLOBS_DIRECTORY)
  try {
    await makeDirectory(root)
    const parts = [OBJECTS_DIRECTORY, UPLOADS_DIRECTORY].map((name) => path.join(root, name))
    for (const part of parts) await makeDirectory(part)
    await syncDirectory(root)
    await syncDirectory(directory)
    const [objects, uploads] = await Promise.all(parts.map((part) => stat(part)))
    if (objects?.dev !== uploads?.dev) throw blobsUnavailable('its objects and uploads are not on one file system')
    const store = new DirectoryBlobStore(await realpath(root), options)
    await store.probe()
    return store
  } catch (cause) {
    const { message } = toBlobError(cause) as Error
    throw new StoreOpenError(root, message.replace(/^blobs: /, ''), { cause })
  }
}

/** @throws RangeError */
function assertSize(found: number, range: ByteRange | undefined, wanted = found): void {
  if (found !== wanted) throw new RangeError(`the object has ${found} bytes, not ${wanted}`)
  if (range === undefined) return
  const { first, last } = range
  if (first < 0 || last < first || last >= found)
    throw new RangeError(`bytes ${first} to ${last} are not in an object of ${found}`)
}
