import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import {
  access,
  type FileHandle,
  lstat,
  mkdir,
  open,
  readdir,
  realpath,
  rename,
  rm,
  stat,
  unlink,
} from 'node:fs/promises'
import path from 'node:path'
import type { Readable } from 'node:stream'
import { StoreOpenError } from '../store-open-error.js'
import { blobsUnavailable, isMissing, toBlobError } from './blob-errors.js'
import { directoryPathOf, filePathOf, segmentsOf } from './blob-path.js'
import { BlobStore, type BlobUploadId, type ByteRange, type LocalFile, type OnDurable } from './blob-store.js'
import { DurableWriter } from './durable-writer.js'
import { Interruption } from './interruption.js'
import { assertDirectories, makeDirectories, syncDirectories, syncDirectory } from './synced-directory.js'

/** Name of the directory of all objects and uploads in the data directory. */
export const BLOBS_DIRECTORY = 'blobs'
const OBJECTS = 'objects'
const UPLOADS = 'uploads'
const UPLOAD_ID = /^[0-9a-f]{32}$/
const OWNER_ONLY = 0o700
const OWNER_FILE = 0o600
const { O_RDONLY, O_RDWR, O_CREAT, O_EXCL, O_WRONLY, O_NOFOLLOW } = constants
const READ_AT_ONCE = 262_144
/** Somebody may remove a directory between its making and its use. */
const PLACE_TRIES = 5

export interface DirectoryBlobsOptions {
  /** An existing one; `blobs` is made in it. */
  readonly directory: string
  /** Asked before and while something is written. @throws AppError `disk_full` */
  readonly assertWritable?: () => void
}

interface RunningAppend {
  readonly interruption: Interruption
  readonly ended: Promise<unknown>
}

/**
 * Objects as files of a directory, uploads in another beside it on the same disk. An upload is a file that grows; completing it
 * syncs it, renames it into its place and syncs the directories, so that an object is there whole or not at all, whenever the
 * power goes. Names of files are those of blob-path.ts. Everything is for the owner only, and no link is followed below the root.
 */
export class DirectoryBlobStore extends BlobStore {
  private readonly objects: string
  private readonly uploads: string
  private readonly appends = new Map<BlobUploadId, RunningAppend>()
  private isClosed = false

  /** @param root absolute, without links */
  constructor(
    readonly root: string,
    private readonly assertWritable: () => void = () => undefined,
  ) {
    super()
    this.objects = path.join(root, OBJECTS)
    this.uploads = path.join(root, UPLOADS)
  }

  override beginUpload(): Promise<BlobUploadId> {
    return this.attempt(async () => {
      this.assertWritable()
      const id = randomBytes(16).toString('hex')
      const handle = await this.createUpload(id)
      await handle.close()
      await syncDirectory(this.uploads)
      return id
    })
  }

  override append(
    id: BlobUploadId,
    offset: number,
    source: AsyncIterable<Uint8Array>,
    onDurable?: OnDurable,
  ): Promise<number> {
    return this.attempt(async () => {
      if (this.appends.has(id)) throw new Error('somebody else is appending to this upload')
      const interruption = new Interruption()
      const ended = this.appendUntil(interruption, id, offset, source, onDurable)
      this.appends.set(id, { interruption, ended: ended.catch(() => undefined) })
      return ended.finally(() => this.appends.delete(id))
    })
  }

  override complete(id: BlobUploadId, key: string): Promise<void> {
    return this.attempt(async () => {
      if (this.appends.has(id)) throw new Error('somebody is appending to this upload')
      await this.place(this.uploadFile(id), filePathOf(segmentsOf(key)))
    })
  }

  override abort(id: BlobUploadId): Promise<void> {
    return this.attempt(async () => {
      if (!UPLOAD_ID.test(id)) return
      const running = this.appends.get(id)
      running?.interruption.interrupt(noSuchUpload())
      await running?.ended
      await removeFile(this.uploadFile(id), this.uploads)
    })
  }

  override listIdleUploads(sinceMs: number): Promise<BlobUploadId[]> {
    return this.attempt(async () => {
      const idle: BlobUploadId[] = []
      for (const id of await readdir(this.uploads)) {
        if (!UPLOAD_ID.test(id) || this.appends.has(id)) continue
        const found = await orMissing(lstat(this.uploadFile(id)))
        if (found !== undefined && found.mtimeMs < sinceMs) idle.push(id)
      }
      return idle
    })
  }

  override put(key: string, bytes: Uint8Array): Promise<void> {
    return this.attempt(async () => {
      this.assertWritable()
      const target = filePathOf(segmentsOf(key))
      const id = randomBytes(16).toString('hex')
      try {
        const handle = await this.createUpload(id)
        await closing(handle, () => handle.writeFile(bytes))
        await this.place(this.uploadFile(id), target)
      } catch (error) {
        await unlink(this.uploadFile(id)).catch(() => undefined)
        throw error
      }
    })
  }

  override stat(key: string): Promise<{ readonly bytes: number } | undefined> {
    return this.attempt(async () => {
      const found = await this.findFile(key)
      return found && { bytes: found.bytes }
    })
  }

  override read(key: string, range?: ByteRange): Promise<Readable | undefined> {
    return this.attempt(async () => {
      const found = await this.findFile(key)
      const handle = found && (await orMissing(open(found.path, O_RDONLY | O_NOFOLLOW)))
      if (handle === undefined) return undefined
      try {
        const { size } = await handle.stat()
        if (range && (range.first < 0 || range.last < range.first || range.last >= size))
          throw new RangeError(`bytes ${range.first} to ${range.last} are not in an object of ${size}`)
        const part = range ? { start: range.first, end: range.last } : {}
        return handle.createReadStream({ highWaterMark: READ_AT_ONCE, ...part })
      } catch (error) {
        await handle.close()
        throw error
      }
    })
  }

  override openLocal(key: string): Promise<LocalFile | undefined> {
    return this.attempt(async () => {
      const found = await this.findFile(key)
      return found && { path: found.path, release: async () => undefined }
    })
  }

  override remove(key: string): Promise<void> {
    return this.attempt(async () => {
      const found = await this.findFile(key)
      if (found) await removeFile(found.path, path.dirname(found.path))
    })
  }

  override removeUnder(...segments: readonly string[]): Promise<void> {
    return this.attempt(async () => {
      const key = segments.join('/')
      if (segmentsOf(key).length !== segments.length) throw new RangeError('not the beginning of a key')
      await this.remove(key)
      const relative = directoryPathOf(segments)
      const parent = path.dirname(path.join(this.objects, relative))
      if ((await orMissing(assertDirectories(this.objects, relative).then(() => true))) === undefined) return
      await rm(path.join(this.objects, relative), { recursive: true, force: true, maxRetries: 3, retryDelay: 20 })
      await orMissing(syncDirectory(parent))
    })
  }

  override probe(): Promise<void> {
    return this.attempt(async () => {
      await access(this.objects, constants.R_OK | constants.W_OK | constants.X_OK)
      const file = path.join(this.uploads, 'probe')
      const handle = await open(file, O_WRONLY | O_CREAT | O_NOFOLLOW, OWNER_FILE)
      await closing(handle, async () => {
        await handle.write('probe')
        await handle.datasync()
      })
      await unlink(file)
    })
  }

  override async close(): Promise<void> {
    this.isClosed = true
    const running = [...this.appends.values()]
    for (const { interruption } of running) interruption.interrupt(blobsUnavailable('the server is stopping'))
    await Promise.all(running.map(({ ended }) => ended))
  }

  private async appendUntil(
    interruption: Interruption,
    id: BlobUploadId,
    offset: number,
    source: AsyncIterable<Uint8Array>,
    onDurable: OnDurable | undefined,
  ): Promise<number> {
    const handle = await orMissing(open(this.uploadFile(id), O_RDWR | O_NOFOLLOW))
    if (handle === undefined) throw noSuchUpload()
    return closing(handle, async () => {
      const { size } = await handle.stat()
      if (size < offset) throw new RangeError(`the upload holds ${size} bytes, not ${offset}`)
      if (size > offset) await handle.truncate(offset)
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
        const { done, value } = await interruption.wait(iterator.next())
        if (done) return undefined
        if (value.byteLength > 0) await writer.take(value)
      }
    } catch (error) {
      // Not awaited: a source that lets its reader wait would let this wait as well.
      Promise.resolve(iterator.return?.()).catch(() => undefined)
      return { error }
    }
  }

  private uploadFile(id: BlobUploadId): string {
    if (!UPLOAD_ID.test(id)) throw noSuchUpload()
    return path.join(this.uploads, id)
  }

  private createUpload(id: BlobUploadId): Promise<FileHandle> {
    return open(this.uploadFile(id), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, OWNER_FILE)
  }

  /** Makes the file the object; after a crash at any point it goes on from there. */
  private async place(file: string, relative: string): Promise<void> {
    const target = path.join(this.objects, relative)
    for (let tries = 1; ; tries++) {
      const handle = await orMissing(open(file, O_RDONLY | O_NOFOLLOW))
      if (handle === undefined) {
        if ((await this.findFileAt(relative)) === undefined) throw noSuchUpload()
        break
      }
      await closing(handle, () => handle.sync())
      await makeDirectories(this.objects, relative)
      try {
        await rename(file, target)
        break
      } catch (error) {
        if (!isMissing(error) || tries === PLACE_TRIES) throw error
      }
    }
    await syncDirectories(this.objects, relative)
    await syncDirectory(this.uploads)
  }

  private findFile(key: string): Promise<{ readonly path: string; readonly bytes: number } | undefined> {
    return this.findFileAt(filePathOf(segmentsOf(key)))
  }

  private async findFileAt(relative: string): Promise<{ readonly path: string; readonly bytes: number } | undefined> {
    const file = path.join(this.objects, relative)
    const found = await orMissing(assertDirectories(this.objects, relative).then(() => lstat(file)))
    if (found === undefined) {
      // No object, if only there is a place for objects.
      await lstat(this.objects)
      return undefined
    }
    if (!found.isFile()) throw blobsUnavailable('there is something else in the place of an object')
    return { path: file, bytes: found.size }
  }

  private async attempt<T>(act: () => Promise<T>): Promise<T> {
    if (this.isClosed) throw blobsUnavailable('the server is stopping')
    try {
      return await act()
    } catch (error) {
      throw toBlobError(error)
    }
  }
}

/**
 * Opens the objects in a directory.
 * @throws StoreOpenError
 */
export async function openDirectoryBlobs(options: DirectoryBlobsOptions): Promise<DirectoryBlobStore> {
  const { directory, assertWritable } = options
  const root = path.join(directory, BLOBS_DIRECTORY)
  try {
    for (const made of [root, path.join(root, OBJECTS), path.join(root, UPLOADS)])
      await mkdir(made, { recursive: true, mode: OWNER_ONLY })
    await syncDirectory(root)
    await syncDirectory(directory)
    const [objects, uploads] = await Promise.all([OBJECTS, UPLOADS].map((name) => stat(path.join(root, name))))
    if (objects?.dev !== uploads?.dev) throw blobsUnavailable(`${OBJECTS} and ${UPLOADS} must be on one file system`)
    const store = new DirectoryBlobStore(await realpath(root), assertWritable)
    await store.probe()
    return store
  } catch (cause) {
    const { message } = toBlobError(cause) as Error
    throw new StoreOpenError(root, message.replace(/^blobs: /, ''), { cause })
  }
}

async function orMissing<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

async function closing<T>(handle: FileHandle, act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } finally {
    await handle.close()
  }
}

async function removeFile(file: string, directory: string): Promise<void> {
  await orMissing(unlink(file))
  await orMissing(syncDirectory(directory))
}

function noSuchUpload(): RangeError {
  return new RangeError('there is no such upload')
}
