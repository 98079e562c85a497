import { z } from 'zod'
import type { BlobUploadId } from './blob-store.js'
import type { ListedPart, S3Bucket } from './s3-bucket.js'
import { markerKeyOf, multipartKeyOf, uploadOfKey, uploadPrefixOf } from './s3-keys.js'

/** S3 takes no smaller part but the last. */
export const LEAST_PART_BYTES = 5_242_880

/** Bytes that are not in a part yet, as an object of their own. */
export interface Piece {
  readonly start: number
  readonly end: number
}

const multipartSchema = z.object({
  /** The bucket's, of the object that it is to become. */
  key: z.string(),
  multipartId: z.string().min(1),
  /** Numbers of parts, first and last, that are no bytes of this upload, whatever is stored under them. */
  skipped: z.array(z.tuple([z.int(), z.int()])),
})
export type Multipart = z.infer<typeof multipartSchema>

const directSchema = z.object({
  /** Bytes of each part, as they were announced. */
  parts: z.array(z.int()).min(1),
  /** Of several parts only. */
  multipartId: z.string().optional(),
  /** The object that the parts were put together to. */
  gathered: z.object({ etag: z.string(), bytes: z.int() }).optional(),
})
export type Direct = z.infer<typeof directSchema>

const markerSchema = z.object({ key: z.string(), direct: directSchema.optional() })
export type Marker = z.infer<typeof markerSchema>

/** An upload as the server has it. */
export interface S3UploadState extends Marker {
  readonly id: BlobUploadId
  readonly multipart: Multipart | undefined
  /** Of the multipart upload, by number, those that are the upload's own and follow each other; undefined: the server has it no more. */
  readonly parts: readonly ListedPart[] | undefined
  readonly highestNumber: number
  readonly pieces: readonly Piece[]
}

/**
 * Of several multipart uploads, which is what a killed process leaves whose last word came late, the one that has parts is taken, and
 * the others are aborted.
 * @returns undefined when there is no such upload
 */
export async function loadUpload(bucket: S3Bucket, id: BlobUploadId): Promise<S3UploadState | undefined> {
  const keys = await keysOf(bucket, id)
  const { multipart, listed } = await onlyOne(bucket, id, await loadMultiparts(bucket, keys))
  // Last, as it is the first to go: what was found above is all that there was, even if another node just drops the upload.
  const marker = await loadMarker(bucket, id)
  if (marker === undefined) return undefined
  return {
    ...marker,
    id,
    multipart,
    parts: multipart && listed ? own(listed, multipart) : undefined,
    highestNumber: Math.max(0, ...(listed ?? []).map(({ number }) => number)),
    pieces: keys.flatMap((key) => {
      const entry = uploadOfKey(key)?.entry
      return entry?.kind === 'piece' ? [{ start: entry.start, end: entry.end }] : []
    }),
  }
}

export async function loadMarker(bucket: S3Bucket, id: BlobUploadId): Promise<Marker | undefined> {
  const bytes = await bucket.getSmall(markerKeyOf(id))
  return bytes && markerSchema.parse(JSON.parse(bytes.toString()))
}

export async function saveMarker(bucket: S3Bucket, id: BlobUploadId, marker: Marker): Promise<void> {
  await bucket.put(markerKeyOf(id), [Buffer.from(JSON.stringify(marker))])
}

export async function keysOf(bucket: S3Bucket, id: BlobUploadId): Promise<string[]> {
  const keys: string[] = []
  for await (const page of bucket.list(uploadPrefixOf(id))) keys.push(...page.map(({ key }) => key))
  return keys
}

/** The multipart uploads that an upload says are its own: one, or none yet. */
export async function loadMultiparts(bucket: S3Bucket, keys: readonly string[]): Promise<Multipart[]> {
  const found: Multipart[] = []
  for (const key of keys.filter((one) => uploadOfKey(one)?.entry?.kind === 'multipart')) {
    const bytes = await bucket.getSmall(key)
    if (bytes) found.push(multipartSchema.parse(JSON.parse(bytes.toString())))
  }
  return found
}

/** A multipart upload with its parts; undefined: the server has it no more. */
interface Listed {
  readonly multipart: Multipart | undefined
  readonly listed: readonly ListedPart[] | undefined
}

async function onlyOne(bucket: S3Bucket, id: BlobUploadId, multiparts: readonly Multipart[]): Promise<Listed> {
  const all: Listed[] = []
  for (const multipart of multiparts)
    all.push({ multipart, listed: await bucket.listParts(multipart.key, multipart.multipartId) })
  const [first = { multipart: undefined, listed: undefined }, ...others] = all.sort((a, b) => rankOf(b) - rankOf(a))
  for (const { multipart } of others) {
    if (multipart === undefined) continue
    await bucket.abortMultipart(multipart.key, multipart.multipartId)
    await bucket.delete(multipartKeyOf(id, multipart.multipartId))
  }
  return first
}

/** Nothing is sent before it is written down where: of two, one has no parts. One that the server has no more may be the object by now. */
function rankOf({ multipart, listed }: Listed): number {
  if (multipart === undefined || listed === undefined) return 0
  return bytesOfParts(own(listed, multipart)) || -1
}
export function isSkipped({ skipped }: Multipart, number: number): boolean {
  return skipped.some(([first, last]) => number >= first && number <= last)
}

/** Parts from the first one on with nothing missing between them. */
function own(listed: readonly ListedPart[], multipart: Multipart): ListedPart[] {
  const byNumber = new Map(listed.map((part) => [part.number, part]))
  const parts: ListedPart[] = []
  for (let number = 1; ; number++) {
    if (isSkipped(multipart, number)) continue
    const part = byNumber.get(number)
    if (part === undefined) return parts
    parts.push(part)
  }
}

export function bytesOfParts(parts: readonly ListedPart[]): number {
  return parts.reduce((sum, { bytes }) => sum + bytes, 0)
}

/**
 * Pieces that follow each other from one place on.
 * @param to where they must end; undefined: as far as they go
 * @returns undefined when they do not get there
 */
export function chainOf(pieces: readonly Piece[], from: number, to?: number): Piece[] | undefined {
  const before = new Map<number, Piece | undefined>([[from, undefined]])
  for (const piece of [...pieces].sort((a, b) => a.start - b.start || a.end - b.end)) {
    if (before.has(piece.start) && !before.has(piece.end) && piece.end > piece.start) before.set(piece.end, piece)
  }
  const end = to ?? Math.max(...before.keys())
  if (!before.has(end)) return undefined
  const chain: Piece[] = []
  for (let piece = before.get(end); piece !== undefined; piece = before.get(piece.start)) chain.unshift(piece)
  return chain
}
