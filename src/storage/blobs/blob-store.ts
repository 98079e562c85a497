import type { Readable } from 'node:stream'

/** Bytes that are being gathered; names nothing until it is completed. */
export type BlobUploadId = string

/** First and last byte, both inclusive. */
export interface ByteRange {
  readonly first: number
  readonly last: number
}

/**
 * Told after bytes became durable: how many the upload has now. That is a sum of whole chunks of the source, and maybe less than was
 * taken from it by then. One telling at a time, in order; what it throws ends the append.
 */
export type OnDurable = (bytes: number) => Promise<void> | void

/** @returns those of the ids that somebody knows, and maybe others */
export type FindKnownUploads = (ids: readonly BlobUploadId[]) => Promise<readonly BlobUploadId[]>

/** An object as a file of this machine, for tools that read files. */
export interface LocalFile {
  readonly path: string
  /** The path may be gone after this. */
  release(): Promise<void>
}

/** What the store's own answer to a signed GET says of the object. */
export interface SignedAnswer {
  readonly expiresInS: number
  readonly contentType: string
  /** As the header of this name wants it. */
  readonly contentDisposition: string
}

/** Bytes that a unit announces to send in one request. */
export interface DirectPart {
  readonly bytes: number
  /** Lower-case hex. */
  readonly sha256: string
}

/** A request that a unit makes of the store, just so: the headers are signed. */
export interface SignedRequest {
  readonly method: 'PUT'
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly bytes: number
}

/**
 * Uploads whose bytes go past this server. They are uploads as others are (`complete`, `abort` and `listIdleUploads` know them), and
 * nothing of them can be seen under a key before they are completed.
 */
export interface DirectUploads {
  /**
   * @param key of the object that the upload is to become
   * @param parts one, or {@link DIRECT_PART_BYTES} each but for the last
   * @returns as many requests as parts, in their order
   */
  begin(
    key: string,
    parts: readonly DirectPart[],
    expiresInS: number,
  ): Promise<{ readonly id: BlobUploadId; readonly requests: readonly SignedRequest[] }>
  /**
   * The requests of an upload anew, for a unit that lost them, or came too late for them. What was sent of it stays.
   * @param parts as many as it was begun with
   * @returns undefined: it was gathered, and takes nothing any more
   * @throws RangeError no such upload
   */
  signAgain(
    id: BlobUploadId,
    parts: readonly DirectPart[],
    expiresInS: number,
  ): Promise<readonly SignedRequest[] | undefined>
  /**
   * Puts together what was sent, so that it can be read and completed; afterwards its requests change nothing any more. May be repeated.
   * @param etags of the parts, in their order; of one part none is needed
   * @returns how many bytes it has, or undefined when not all parts are there or one is another than its ETag says
   * @throws RangeError no such upload
   */
  gather(id: BlobUploadId, etags?: readonly string[]): Promise<number | undefined>
  /** The bytes of a gathered upload. @throws RangeError no such upload, or it is not gathered */
  read(id: BlobUploadId): Promise<Readable>
}

/** Larger files are sent directly in parts of this size. */
export const DIRECT_PART_BYTES = 67_108_864

/**
 * Objects by key. A key is one or more segments joined by `/`; a segment may hold any character but `/` and NUL, so that names of
 * files stay as units gave them, and adapters encode what their place cannot hold. An object appears whole or not at all and never
 * changes. Whatever resolves is on disk. Anything but "not found" that goes wrong is an error and never "not found".
 */
export abstract class BlobStore {
  /** Uploads that units send to the store themselves; undefined: they cannot reach it. */
  abstract readonly direct: DirectUploads | undefined

  /** @param key of the object that the upload is to become */
  abstract beginUpload(key: string): Promise<BlobUploadId>
  /**
   * Appends from the offset on; what the upload holds beyond the offset, as a crash may leave it, is dropped first. When the source
   * breaks off, what came before is kept and durable, and the source's error is thrown after that, as it is. When the store fails,
   * the source is ended (its iterator returned) and only what was told before is sure to be kept. One append at a time to an upload;
   * {@link abort} ends it.
   * @param offset 0, or what this upload was told to have last by an append's end or by an `onDurable` that resolved, or was told to
   * have by one that did not
   * @param onDurable called from time to time while bytes come in, and at the end, also when the source breaks off
   * @returns how many bytes the upload has now, all durable
   * @throws RangeError no such upload, or it cannot go on from the offset since it holds less; AppError `disk_full` | `store_unavailable`
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
   * @param key the one that the upload was begun for
   * @throws RangeError no such upload, and no object
   */
  abstract complete(id: BlobUploadId, key: string): Promise<void>
  /** Drops an upload; one that is not there is dropped already. */
  abstract abort(id: BlobUploadId): Promise<void>
  /**
   * Uploads that nobody is appending to and nothing was appended to since the moment; leftovers, once nobody knows them.
   * @param findKnown which of some are known: they are left out, before the store looks closer at each of the others
   */
  abstract listIdleUploads(sinceMs: number, findKnown?: FindKnownUploads): Promise<BlobUploadId[]>

  /** Stores a small object whole; takes the place of one that is there. */
  abstract put(key: string, bytes: Uint8Array): Promise<void>
  /** @returns undefined when there is no such object */
  abstract stat(key: string): Promise<{ readonly bytes: number } | undefined>
  /**
   * The object's bytes as they are now, or undefined when there is no such object. Reading the stream to its end or destroying it
   * frees what it holds.
   * @param bytes that the object must have, neither fewer nor more
   * @throws RangeError the range reaches beyond the object, or the object has another number of bytes
   */
  abstract read(key: string, range?: ByteRange, bytes?: number): Promise<Readable | undefined>
  /**
   * An address under which anybody can GET the object, with ranges, until it expires.
   * @returns undefined when the store has no address of its own; whether the object is there was not looked at
   */
  abstract signRead(key: string, answer: SignedAnswer): Promise<string | undefined>
  /**
   * @param giveUp ends a copying that is under way, or waits; @throws AppError `store_unavailable` then
   * @returns undefined when there is no such object
   */
  abstract openLocal(key: string, giveUp?: AbortSignal): Promise<LocalFile | undefined>
  /** What is not there is removed already. */
  abstract remove(key: string): Promise<void>
  /** Removes every object whose key begins with these segments. Repeating it is safe. */
  abstract removeUnder(...segments: readonly string[]): Promise<void>

  /** @throws Error saying why objects cannot be stored or read now */
  abstract probe(): Promise<void>
  abstract close(): Promise<void>
}
