import type { Readable } from 'node:stream'
import { CreateMultipartUploadCommand, UploadPartCommand } from '@aws-sdk/client-s3'
import { type Chunks, lengthOf, md5Of, orNoSuchMultipart, type S3Bucket, withBody } from './s3-bucket.js'
import { withS3Errors } from './s3-errors.js'
import { multipartKeyOf, pieceKeyOf } from './s3-keys.js'
import {
  bytesOfParts,
  chainOf,
  LEAST_PART_BYTES,
  loadUpload,
  type Multipart,
  type Piece,
  type S3UploadState,
} from './s3-upload-state.js'
import { noSuchUpload } from './upload-id.js'

/** Parts of one upload that may be on their way at once. A process that is killed leaves no more of them to arrive later. */
export const PARTS_AT_ONCE = 2
/** By this an object says which upload it was made of. */
export const UPLOAD_METADATA = 'milepost-upload'

/** Where an append's bytes go, from the offset on that it was given. */
export class S3UploadPlace {
  /** Where the bytes begin that are in no part yet. */
  readonly partsEnd: number
  readonly pieces: readonly Piece[]
  private nextNumber: number
  private beginning: Promise<Multipart> | undefined

  private constructor(
    private readonly bucket: S3Bucket,
    private readonly state: S3UploadState,
    start: { readonly partsEnd: number; readonly pieces: readonly Piece[]; readonly nextNumber: number },
  ) {
    this.partsEnd = start.partsEnd
    this.pieces = start.pieces
    this.nextNumber = start.nextNumber
    if (state.multipart) this.beginning = Promise.resolve(state.multipart)
  }

  /**
   * Makes the upload end at the offset: what is beyond it can never come back, also when a request of a killed process arrives late.
   * @param isClean nothing of an append before can be on its way still
   * @throws RangeError no such upload, or it cannot go on from there
   */
  static async at(bucket: S3Bucket, id: string, offset: number, isClean: boolean): Promise<S3UploadPlace> {
    const state = await loadUpload(bucket, id)
    if (state === undefined || state.direct) throw noSuchUpload()
    // The server dropped it: what it held is gone.
    if (state.multipart && state.parts === undefined && offset > 0) throw noSuchUpload()
    const kept = partsWithin(state, offset)
    const partsEnd = bytesOfParts(kept)
    const pieces = await cutPieces(bucket, state, partsEnd, offset)
    const multipart = state.parts === undefined ? undefined : state.multipart
    const last = kept.at(-1)?.number ?? 0
    const place = { ...state, multipart }
    if (multipart === undefined || (isClean && state.highestNumber === last && !isSkippedAfter(multipart, last)))
      return new S3UploadPlace(bucket, place, { partsEnd, pieces, nextNumber: last + 1 })
    const skipped = skippedAfter(multipart, last, state.highestNumber + (isClean ? 0 : PARTS_AT_ONCE))
    const renewed = { ...multipart, skipped }
    await saveMultipart(bucket, id, renewed)
    const nextNumber = (skipped.at(-1)?.[1] ?? last) + 1
    return new S3UploadPlace(bucket, { ...state, multipart: renewed }, { partsEnd, pieces, nextNumber })
  }

  /** What the next part will be called. */
  get peekNumber(): number {
    return this.nextNumber
  }

  takeNumber(): number {
    return this.nextNumber++
  }

  async storePiece({ start, end }: Piece, chunks: Chunks): Promise<void> {
    await withS3Errors(() => this.bucket.put(pieceKeyOf(this.state.id, start, end), chunks))
  }

  async readPiece({ start, end }: Piece): Promise<Buffer> {
    const bytes = await withS3Errors(() => this.bucket.getWhole(pieceKeyOf(this.state.id, start, end)))
    if (bytes?.byteLength !== end - start) throw noSuchUpload()
    return bytes
  }

  async removePieces(pieces: readonly Piece[]): Promise<void> {
    await this.bucket.deleteAll(pieces.map(({ start, end }) => pieceKeyOf(this.state.id, start, end)))
  }

  /** @throws RangeError the server dropped the upload */
  async sendPart(PartNumber: number, chunks: Chunks, signal?: AbortSignal): Promise<string> {
    return withS3Errors(async () => {
      const { multipartId } = await this.begun()
      const at = { Bucket: this.bucket.name, Key: this.state.key, UploadId: multipartId, PartNumber }
      const checked = { ...at, ContentLength: lengthOf(chunks), ContentMD5: await md5Of(chunks) }
      const sent = await orNoSuchMultipart(
        this.bucket.connection.send(async (client, options, onProgress) => {
          const send = (Body: Readable) => client.send(new UploadPartCommand({ ...checked, Body }), options)
          return withBody(chunks, onProgress, send)
        }, signal),
      )
      if (sent === undefined) throw noSuchUpload()
      return sent.ETag ?? ''
    })
  }

  private begun(): Promise<Multipart> {
    this.beginning ??= this.begin()
    return this.beginning
  }

  private async begin(): Promise<Multipart> {
    const asked = { Bucket: this.bucket.name, Key: this.state.key, Metadata: { [UPLOAD_METADATA]: this.state.id } }
    const { UploadId } = await this.bucket.connection.ask((client, options) =>
      client.send(new CreateMultipartUploadCommand(asked), options),
    )
    const multipart = { key: this.state.key, multipartId: UploadId ?? '', skipped: [] }
    await saveMultipart(this.bucket, this.state.id, multipart)
    return multipart
  }
}

/** A smaller part than S3 takes in the middle is one that completing it had sent before it was broken off; its pieces are there. */
function partsWithin({ parts = [] }: S3UploadState, offset: number) {
  let bytes = 0
  const end = parts.findIndex((part) => {
    bytes += part.bytes
    return bytes > offset || part.bytes < LEAST_PART_BYTES
  })
  return end < 0 ? parts : parts.slice(0, end)
}

/** Leaves exactly the pieces from one place to the other. @throws RangeError they do not get there */
async function cutPieces(bucket: S3Bucket, state: S3UploadState, from: number, to: number): Promise<readonly Piece[]> {
  const { id, pieces } = state
  const straight = chainOf(pieces, from, to)
  const chain = straight ?? (await cutOne(bucket, state, from, to))
  const dropped = pieces.filter((piece) => !chain.includes(piece))
  await bucket.deleteAll(dropped.map(({ start, end }) => pieceKeyOf(id, start, end)))
  return chain
}

async function cutOne(bucket: S3Bucket, { id, pieces }: S3UploadState, from: number, to: number): Promise<Piece[]> {
  for (const piece of pieces.filter(({ start, end }) => start < to && end > to)) {
    const before = chainOf(pieces, from, piece.start)
    const bytes = before && (await bucket.getWhole(pieceKeyOf(id, piece.start, piece.end)))
    if (before === undefined || bytes === undefined) continue
    const cut = { start: piece.start, end: to }
    await bucket.put(pieceKeyOf(id, cut.start, cut.end), [bytes.subarray(0, to - piece.start)])
    return [...before, cut]
  }
  throw new RangeError(`the upload cannot go on from ${to} bytes`)
}

function isSkippedAfter({ skipped }: Multipart, number: number): boolean {
  return skipped.some(([, last]) => last > number)
}

/** The numbers that are no bytes of this upload once everything after one number is dropped. */
function skippedAfter({ skipped }: Multipart, number: number, last: number): [number, number][] {
  const before = skipped.filter(([, end]) => end <= number)
  const highest = Math.max(last, number, ...skipped.map(([, end]) => end))
  return highest > number ? [...before, [number + 1, highest]] : before
}

async function saveMultipart(bucket: S3Bucket, id: string, multipart: Multipart): Promise<void> {
  await bucket.put(multipartKeyOf(id, multipart.multipartId), [Buffer.from(JSON.stringify(multipart))])
}
