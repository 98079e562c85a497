import { setTimeout as sleep } from 'node:timers/promises'
import { CompleteMultipartUploadCommand, CopyObjectCommand } from '@aws-sdk/client-s3'
import { stopping } from './blob-errors.js'
import type { BlobUploadId, FindKnownUploads, OnDurable } from './blob-store.js'
import { MemoryShare } from './memory-share.js'
import { pump, RunningAppends } from './running-appends.js'
import { copySourceOf, type S3Bucket } from './s3-bucket.js'
import { completeBesideOthers } from './s3-completion.js'
import type { S3DirectUploads } from './s3-direct-uploads.js'
import { orNoSuchKey, withS3Errors } from './s3-errors.js'
import { markerKeyOf, pieceKeyOf, uploadPrefixOf } from './s3-keys.js'
import { abandonedOf, findIdle } from './s3-leftovers.js'
import { S3PartWriter } from './s3-part-writer.js'
import { S3UploadPlace, UPLOAD_METADATA } from './s3-upload-place.js'
import {
  bytesOfParts,
  chainOf,
  keysOf,
  loadMarker,
  loadMultiparts,
  loadUpload,
  type S3UploadState,
  saveMarker,
} from './s3-upload-state.js'
import { isUploadId, newUploadId, noSuchUpload } from './upload-id.js'

/** While the server stops, appends that were told to end before still have so long to bring what they hold to S3. */
const LAST_FLUSH_MS = 2500
const MOST_REMEMBERED = 10_000

/**
 * Uploads that grow: a multipart upload straight to the object's key, and beside it what is less than a part; a marker says that
 * there is the upload. What is done with an upload begins or ends with its marker, so that whatever a crash leaves is either an
 * upload or litter.
 */
export class S3Uploads {
  private readonly appends = new RunningAppends()
  /** Nothing of them is on its way. */
  private readonly clean = new Set<BlobUploadId>()
  private readonly dropped = new WeakSet<Error>()
  private readonly completing = new Map<BlobUploadId, Promise<void>>()

  constructor(
    private readonly bucket: S3Bucket,
    private readonly direct: S3DirectUploads,
    private readonly memory = new MemoryShare(),
  ) {}

  /** @param key the bucket's */
  async begin(key: string): Promise<BlobUploadId> {
    const id = newUploadId()
    await saveMarker(this.bucket, id, { key })
    return id
  }

  /** What the source throws is thrown as it is. */
  append(
    id: BlobUploadId,
    offset: number,
    source: AsyncIterable<Uint8Array>,
    onDurable: OnDurable | undefined,
  ): Promise<number> {
    if (!isUploadId(id)) throw noSuchUpload()
    return this.appends.run(id, async (interruption) => {
      const place = await withS3Errors(() => S3UploadPlace.at(this.bucket, id, offset, this.clean.delete(id)))
      const writer = new S3PartWriter(place, this.memory, offset, onDurable)
      this.memory.enter()
      try {
        const broken = await pump(source, interruption, (chunk) => writer.take(chunk))
        if (broken && this.dropped.has(broken.error as Error)) throw broken.error
        const bytes = await writer.finish()
        this.remember(id)
        if (broken) throw broken.error
        return bytes
      } catch (error) {
        await writer.stop(error)
        throw error
      } finally {
        this.memory.leave()
      }
    })
  }

  /** @param key the bucket's @throws RangeError */
  complete(id: BlobUploadId, key: string): Promise<void> {
    if (!isUploadId(id)) throw noSuchUpload()
    this.appends.assertFree(id)
    const running = this.completing.get(id) ?? Promise.resolve()
    // One after the other, since each looks whether the one before did it.
    const completing = running.catch(() => undefined).then(() => this.completeNow(id, key))
    const ended = completing.finally(() => {
      if (this.completing.get(id) === ended) this.completing.delete(id)
    })
    this.completing.set(id, ended)
    return ended
  }

  async abort(id: BlobUploadId): Promise<void> {
    const abandoned = abandonedOf(id)
    if (abandoned) return this.bucket.abortMultipart(abandoned.key, abandoned.multipartId)
    if (!isUploadId(id)) return
    const error = noSuchUpload()
    this.dropped.add(error)
    await this.appends.interrupt(id, error)
    this.clean.delete(id)
    await this.discard(id)
  }

  listIdle(sinceMs: number, findKnown?: FindKnownUploads): Promise<BlobUploadId[]> {
    const storeSinceMs = sinceMs + this.bucket.connection.clockOffsetMs
    return findIdle(this.bucket, storeSinceMs, (id) => this.appends.isRunning(id), findKnown)
  }

  /** Ends what is being appended; what came stays, unless it takes too long to bring it to the server. */
  async close(): Promise<void> {
    const giveUp = new AbortController()
    const late = sleep(LAST_FLUSH_MS, undefined, { signal: giveUp.signal }).catch(() => undefined)
    await Promise.race([this.appends.interruptAll(stopping()), late])
    giveUp.abort()
  }

  private async completeNow(id: BlobUploadId, key: string): Promise<void> {
    const state = await loadUpload(this.bucket, id)
    if (state === undefined) {
      if ((await this.bucket.head(key)) === undefined) throw noSuchUpload()
      return
    }
    if (state.key !== key) throw new RangeError('the upload was begun for another object')
    if (state.direct) await this.direct.complete(id, { key, direct: state.direct })
    else await this.assemble(state)
    this.clean.delete(id)
    await this.discard(id, state)
  }

  private async assemble(state: S3UploadState): Promise<void> {
    if (state.multipart && state.parts === undefined) return this.assertCompleted(state)
    if (state.parts?.length) return this.completeMultipart(state)
    await this.putTogether(state)
  }

  /** The server has the multipart upload no more: its object is there, or the server dropped it. */
  private async assertCompleted(state: S3UploadState): Promise<void> {
    if (!(await this.isCompleted(state))) throw noSuchUpload()
  }

  private async isCompleted({ id, key }: S3UploadState): Promise<boolean> {
    return (await this.bucket.head(key))?.metadata[UPLOAD_METADATA] === id
  }

  private async completeMultipart(state: S3UploadState): Promise<void> {
    const { key, multipart } = state
    const listed = await this.sendRest(state)
    const at = { Bucket: this.bucket.name, Key: key, UploadId: multipart?.multipartId }
    const asked = { ...at, MultipartUpload: { Parts: listed } }
    const send = () =>
      this.bucket.connection.work((client, options) => client.send(new CompleteMultipartUploadCommand(asked), options))
    const done = listed && (await completeBesideOthers(send, () => this.isCompleted(state)))
    // The answer of a try before may have been lost, or another node completes it as well.
    if (done === undefined) await this.assertCompleted(state)
  }

  /** Makes what is in no part yet the last one. @returns all parts; undefined: the upload went meanwhile */
  private async sendRest({ id, key, multipart, pieces, parts = [] }: S3UploadState) {
    const end = bytesOfParts(parts)
    const rest = chainOf(pieces, end) ?? []
    const listed = parts.map(({ number, etag }) => ({ PartNumber: number, ETag: etag }))
    if (rest.length === 0) return listed
    try {
      const total = rest.at(-1)?.end ?? end
      const place = await S3UploadPlace.at(this.bucket, id, total, this.clean.has(id))
      const PartNumber = place.takeNumber()
      const chunks = await Promise.all(rest.map((piece) => place.readPiece(piece)))
      return [...listed, { PartNumber, ETag: await place.sendPart(PartNumber, chunks) }]
    } catch (error) {
      // Servers may cut who sends to an upload that they have no more, instead of saying so.
      const isGone = multipart && (await this.bucket.listParts(key, multipart.multipartId)) === undefined
      if (isGone || error instanceof RangeError) return undefined
      throw error
    }
  }

  private async putTogether(state: S3UploadState): Promise<void> {
    const { id, key, pieces } = state
    const chain = chainOf(pieces, 0) ?? []
    const [only] = chain
    const metadata = { [UPLOAD_METADATA]: id }
    if (chain.length !== 1 || only === undefined) {
      const chunks = await Promise.all(chain.map(({ start, end }) => this.bucket.getWhole(pieceKeyOf(id, start, end))))
      if (chunks.includes(undefined)) return this.assertCompleted(state)
      return this.bucket.put(key, chunks as Buffer[], metadata)
    }
    const CopySource = copySourceOf(this.bucket.name, pieceKeyOf(id, only.start, only.end))
    const asked = { Bucket: this.bucket.name, Key: key, CopySource, MetadataDirective: 'REPLACE' as const }
    const copied = await orNoSuchKey(
      this.bucket.connection.work((client, options) =>
        client.send(new CopyObjectCommand({ ...asked, Metadata: metadata }), options),
      ),
    )
    if (copied === undefined) await this.assertCompleted(state)
  }

  /** The marker goes first: what a crash leaves then is litter that is found by its place, and never an upload that lost bytes. */
  private async discard(id: BlobUploadId, known?: S3UploadState): Promise<void> {
    const marker = known ?? (await loadMarker(this.bucket, id))
    const keys = await keysOf(this.bucket, id)
    const multiparts = known ? [known.multipart] : await loadMultiparts(this.bucket, keys)
    if (marker) await this.bucket.delete(markerKeyOf(id))
    // Completed, it is there no more.
    for (const multipart of known?.parts?.length ? [] : multiparts)
      if (multipart) await this.bucket.abortMultipart(multipart.key, multipart.multipartId)
    const isDirect = marker === undefined || marker.direct !== undefined
    const direct = isDirect ? await this.bucket.listMultiparts(uploadPrefixOf(id)) : []
    for (const { key, multipartId } of direct) await this.bucket.abortMultipart(key, multipartId)
    await this.bucket.deleteAll(keys.filter((key) => key !== markerKeyOf(id)))
  }

  private remember(id: BlobUploadId): void {
    if (this.clean.size >= MOST_REMEMBERED) this.clean.clear()
    this.clean.add(id)
  }
}
