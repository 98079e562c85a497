import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3'
import { blobsUnavailable } from './blob-errors.js'
import type { S3Connection } from './s3-connection.js'
import { isNoSuchMultipart, orNoSuchKey, refusalOf } from './s3-errors.js'
import { S3ReadStream } from './s3-read-stream.js'

/** Larger bodies are sent as long as the server takes bytes; smaller ones must be through in time. */
const SMALL_BYTES = 262_144
const NOT_FOUND = 404
const DELETE_AT_ONCE = 1000
const SLICE_BYTES = 65_536

export interface ListedObject {
  readonly key: string
  readonly bytes: number
  readonly changedAtMs: number
}

export interface ListedMultipart {
  readonly key: string
  readonly multipartId: string
  readonly begunAtMs: number
}

export interface ListedPart {
  readonly number: number
  readonly bytes: number
  readonly etag: string
  readonly changedAtMs: number
  /** Base64, where the server keeps it. */
  readonly sha256: string | undefined
}

export interface FoundObject {
  readonly bytes: number
  readonly etag: string
  readonly metadata: Readonly<Record<string, string>>
}

/** Bytes in the order they have in the object. */
export type Chunks = readonly Uint8Array[]

/** One bucket in the words of S3: keys are the bucket's own. What goes wrong is thrown as the SDK does. */
export class S3Bucket {
  constructor(
    readonly connection: S3Connection,
    readonly name: string,
  ) {}

  async put(key: string, chunks: Chunks, metadata: Readonly<Record<string, string>> = {}): Promise<void> {
    const ContentLength = lengthOf(chunks)
    const given = { Bucket: this.name, Key: key, Metadata: metadata, ContentMD5: await md5Of(chunks), ContentLength }
    if (ContentLength <= SMALL_BYTES) {
      const Body = Buffer.concat(chunks)
      await this.connection.ask((client, options) => client.send(new PutObjectCommand({ ...given, Body }), options))
      return
    }
    await this.connection.send(async (client, options, onProgress) => {
      await withBody(chunks, onProgress, (Body) => client.send(new PutObjectCommand({ ...given, Body }), options))
    })
  }

  /** All bytes of an object of a few kilobytes. @returns undefined when it is not there */
  async getSmall(key: string): Promise<Buffer | undefined> {
    const found = await orNoSuchKey(
      this.connection.ask(async (client, options) => {
        const { Body } = await client.send(new GetObjectCommand({ Bucket: this.name, Key: key }), options)
        return Body?.transformToByteArray()
      }),
    )
    return found && Buffer.from(found)
  }

  /** All bytes of an object that memory has room for, as long as the server goes on sending them. @returns undefined when it is not there */
  async getWhole(key: string): Promise<Buffer | undefined> {
    const found = await orNoSuchKey(
      this.connection.read((client, options) =>
        client.send(new GetObjectCommand({ Bucket: this.name, Key: key }), options),
      ),
    )
    if (found?.Body === undefined) return undefined
    const stream = new S3ReadStream(found.Body as Readable, found.ContentLength ?? 0)
    return Buffer.concat(await stream.toArray())
  }

  /** What is known of an object. @returns undefined only when there is no such object, not when there is no bucket */
  async head(key: string): Promise<FoundObject | undefined> {
    const at = { Bucket: this.name, Key: key }
    try {
      return found(await this.connection.ask((client, options) => client.send(new HeadObjectCommand(at), options)))
    } catch (error) {
      if (refusalOf(error)?.status !== NOT_FOUND) throw error
    }
    // The answer to HEAD has no words: whether the object or the bucket is missing is said to GET only.
    return orNoSuchKey(
      this.connection.ask(async (client, options) => {
        const answer = await client.send(new GetObjectCommand(at), options)
        ;(answer.Body as Readable | undefined)?.destroy()
        return found(answer)
      }),
    )
  }

  async delete(key: string): Promise<void> {
    await this.connection.ask((client, options) =>
      client.send(new DeleteObjectCommand({ Bucket: this.name, Key: key }), options),
    )
  }

  async deleteAll(keys: readonly string[]): Promise<void> {
    for (let at = 0; at < keys.length; at += DELETE_AT_ONCE) {
      const Objects = keys.slice(at, at + DELETE_AT_ONCE).map((Key) => ({ Key }))
      if (Objects.length === 1) await this.delete(keys[at] ?? '')
      else await this.deleteBatch(Objects)
    }
  }

  /** Page by page. */
  async *list(prefix: string): AsyncGenerator<readonly ListedObject[]> {
    let ContinuationToken: string | undefined
    do {
      const asked = { Bucket: this.name, Prefix: prefix, ContinuationToken }
      const { Contents, NextContinuationToken, IsTruncated } = await this.connection.ask((client, options) =>
        client.send(new ListObjectsV2Command(asked), options),
      )
      yield (Contents ?? []).map(({ Key, Size, LastModified }) => ({
        key: Key ?? '',
        bytes: Size ?? 0,
        changedAtMs: LastModified?.getTime() ?? 0,
      }))
      ContinuationToken = IsTruncated ? NextContinuationToken : undefined
    } while (ContinuationToken)
  }

  /** Multipart uploads that were neither completed nor aborted. */
  async listMultiparts(prefix: string): Promise<ListedMultipart[]> {
    const all: ListedMultipart[] = []
    let marks: { readonly KeyMarker?: string | undefined; readonly UploadIdMarker?: string | undefined } = {}
    for (;;) {
      const asked = { Bucket: this.name, ...(prefix === '' ? {} : { Prefix: prefix }), ...marks }
      const { Uploads, IsTruncated, NextKeyMarker, NextUploadIdMarker } = await this.connection.ask((client, options) =>
        client.send(new ListMultipartUploadsCommand(asked), options),
      )
      for (const { Key, UploadId, Initiated } of Uploads ?? [])
        all.push({ key: Key ?? '', multipartId: UploadId ?? '', begunAtMs: Initiated?.getTime() ?? 0 })
      if (!IsTruncated || !NextKeyMarker) return all
      marks = { KeyMarker: NextKeyMarker, UploadIdMarker: NextUploadIdMarker }
    }
  }

  /** Its parts by number. @returns undefined when there is no such multipart upload */
  async listParts(key: string, multipartId: string): Promise<ListedPart[] | undefined> {
    const all: ListedPart[] = []
    let PartNumberMarker: string | undefined
    do {
      const asked = { Bucket: this.name, Key: key, UploadId: multipartId, PartNumberMarker }
      const page = await orNoSuchMultipart(
        this.connection.ask((client, options) => client.send(new ListPartsCommand(asked), options)),
      )
      if (page === undefined) return undefined
      for (const { PartNumber, Size, ETag, LastModified, ChecksumSHA256 } of page.Parts ?? []) {
        const changedAtMs = LastModified?.getTime() ?? 0
        all.push({ number: PartNumber ?? 0, bytes: Size ?? 0, etag: ETag ?? '', changedAtMs, sha256: ChecksumSHA256 })
      }
      PartNumberMarker = page.IsTruncated ? page.NextPartNumberMarker : undefined
    } while (PartNumberMarker)
    return all
  }

  /** One that is not there is aborted already. */
  async abortMultipart(key: string, multipartId: string): Promise<void> {
    const at = { Bucket: this.name, Key: key, UploadId: multipartId }
    await orNoSuchMultipart(
      this.connection.ask((client, options) => client.send(new AbortMultipartUploadCommand(at), options)),
    )
  }

  private async deleteBatch(Objects: { Key: string }[]): Promise<void> {
    const batch = { Bucket: this.name, Delete: { Objects, Quiet: true } }
    const { Errors } = await this.connection.ask((client, options) =>
      client.send(new DeleteObjectsCommand(batch), options),
    )
    const [first] = (Errors ?? []).filter(({ Code }) => Code !== 'NoSuchKey')
    if (first) throw blobsUnavailable(`S3 did not remove an object: ${first.Code ?? 'refused'}`)
  }
}

/** As a header, what an object or a source must have to be taken. */
export function copySourceOf(bucket: string, key: string): string {
  return `${bucket}/${key.split('/').map(encodeURIComponent).join('/')}`
}

export function lengthOf(chunks: Chunks): number {
  return chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0)
}

/** In steps: a part at once would keep everybody waiting for the time of ten acknowledgements. */
export async function md5Of(chunks: Chunks): Promise<string> {
  const hash = createHash('md5')
  let sinceTurn = 0
  for (const slice of slicesOf(chunks, SLICE_BYTES * 4)) {
    hash.update(slice)
    sinceTurn += slice.byteLength
    if (sinceTurn >= 2 * SLICE_BYTES * 4) {
      sinceTurn = 0
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  return hash.digest('base64')
}

/** Sends chunks as they are, without a copy. @param onProgress called for each piece that the connection takes */
export async function withBody<T>(
  chunks: Chunks,
  onProgress: () => void,
  act: (body: Readable) => Promise<T>,
): Promise<T> {
  function* reported(): Generator<Uint8Array> {
    for (const slice of slicesOf(chunks, SLICE_BYTES)) {
      onProgress()
      yield slice
    }
    onProgress()
  }
  const body = Readable.from(reported(), { objectMode: false, highWaterMark: SLICE_BYTES })
  try {
    return await act(body)
  } finally {
    body.destroy()
  }
}

export async function orNoSuchMultipart<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found
  } catch (error) {
    if (isNoSuchMultipart(error)) return undefined
    throw error
  }
}

function* slicesOf(chunks: Chunks, bytes: number): Generator<Uint8Array> {
  for (const chunk of chunks) for (let at = 0; at < chunk.byteLength; at += bytes) yield chunk.subarray(at, at + bytes)
}

function found(answer: { ContentLength?: number; ETag?: string; Metadata?: Record<string, string> }): FoundObject {
  return { bytes: answer.ContentLength ?? 0, etag: answer.ETag ?? '', metadata: answer.Metadata ?? {} }
}
