import type { Readable } from 'node:stream'

/** Bytes that are being gathered; names nothing until it is completed. */
export type BlobUploadId = string

/** First and last byte, both inclusive. */
export interface ByteRange {
  readonly first: number
  readonly last: number
}

/**
 * Told after bytes became durable: how many the upload has now, which is all that was taken from the source so far. The next bytes
 * wait for it; what it throws ends the append.
 */
export type OnDurable = (bytes: number) => Promise<void> | void

/** An object as a file of this machine, for tools that read files. */
export interface LocalFile {
  readonly path: string
  /** The path may be gone after this. */
  release(): Promise<void>
}

/**
 * Objects by key. A key is one or more segments joined by `/`; a segment may hold any character but `/` and NUL, so that names of
 * files stay as units gave them, and adapters encode what their place cannot hold. An object appears whole or not at all and never
 * changes. Whatever resolves is on disk. Anything but "not found" that goes wrong is an error and never "not found".
 */
export abstract class BlobStore {
  abstract beginUpload(): Promise<BlobUploadId>
  /**
   * Appends from the offset on; what the upload holds beyond the offset, as a crash may leave it, is dropped first. When the source
   * breaks off, what came before is kept and durable, and the source's error is thrown after that, as it is. When the store fails,
   * the source is ended (its iterator returned) and only what was told before is sure to be kept. One append at a time to an upload;
   * {@link abort} ends it.
   * @param offset at most what the upload holds
   * @param onDurable called from time to time while bytes come in, and at the end, also when the source breaks off
   * @returns how many bytes the upload has now, all durable
   * @throws RangeError no such upload, or it holds less than the offset; AppError `disk_full` | `store_unavailable`
   */
  abstract append(
    id: BlobUploadId,
    offset: number,
    source: AsyncIterable<Uint8Array>,
    onDurable?: OnDurable,
  ): Promise<number>
  /**
   * Makes the object of the upload's bytes, atomically. Repeating it after it succeeded does nothing. An object that is there under
   * the key, which only a leftover can be since the records give out the names, is replaced.
   * @throws RangeError no such upload, and no object
   */
  abstract complete(id: BlobUploadId, key: string): Promise<void>
  /** Drops an upload; one that is not there is dropped already. */
  abstract abort(id: BlobUploadId): Promise<void>
  /** Uploads that nobody is appending to and nothing was appended to since the moment; leftovers, once nobody knows them. */
  abstract listIdleUploads(sinceMs: number): Promise<BlobUploadId[]>

  /** Stores a small object whole; takes the place of one that is there. */
  abstract put(key: string, bytes: Uint8Array): Promise<void>
  /** @returns undefined when there is no such object */
  abstract stat(key: string): Promise<{ readonly bytes: number } | undefined>
  /**
   * The object's bytes as they are now, or undefined when there is no such object. Reading the stream to its end or destroying it
   * frees what it holds.
   * @throws RangeError the range reaches beyond the object
   */
  abstract read(key: string, range?: ByteRange): Promise<Readable | undefined>
  /** @returns undefined when there is no such object */
  abstract openLocal(key: string): Promise<LocalFile | undefined>
  /** What is not there is removed already. */
  abstract remove(key: string): Promise<void>
  /** Removes every object whose key begins with these segments. Repeating it is safe. */
  abstract removeUnder(...segments: readonly string[]): Promise<void>

  /** @throws Error saying why objects cannot be stored or read now */
  abstract probe(): Promise<void>
  abstract close(): Promise<void>
}
