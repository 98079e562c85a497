import { createHash } from 'node:crypto'
import type { BlobUploadId } from './blob-store.js'
import { isUploadId } from './upload-id.js'

/** What every S3 server, its proxies and the file system under a gateway keep as it is. */
const PLAIN = /^(?!.*[. ]$)[\p{L}\p{N}_-][\p{L}\p{N}._ ()-]*$/u
const MOST_SEGMENT_BYTES = 200
/** Of S3 itself. */
const MOST_KEY_BYTES = 1024
/** In no plain name and in no device's id: what follows tells names apart. Signed and sent alike everywhere, unlike `%` and `~`. */
const MARK = '!'
const READABLE_CHARACTERS = 120
const PIECE = /^tail\.(\d+)-(\d+)$/
const MULTIPART = /^multipart\.([0-9a-f]{32})$/

/** Everything of uploads that are not objects yet. No object's key begins so. */
export const UPLOADS_PREFIX = `${MARK}uploads/`
/** Written now and then in order to know that it can be. */
export const PROBE_KEY = `${UPLOADS_PREFIX}probe`

/** What one of an upload's own objects is for. */
export type UploadEntry =
  | { readonly kind: 'marker' | 'whole' }
  | { readonly kind: 'piece'; readonly start: number; readonly end: number }
  | { readonly kind: 'multipart'; readonly hash: string }

/** Where the object is in the bucket. @throws RangeError S3 has no room for so long a key */
export function objectKeyOf(segments: readonly string[]): string {
  return within(namesOf(segments, true).join('/'))
}

/** What the bucket's keys begin with of everything whose key begins with the segments and goes on. */
export function prefixOf(segments: readonly string[]): string {
  return within(`${namesOf(segments, false).join('/')}/`)
}

export function uploadPrefixOf(id: BlobUploadId): string {
  return `${UPLOADS_PREFIX}${id}/`
}

export function markerKeyOf(id: BlobUploadId): string {
  return `${uploadPrefixOf(id)}upload`
}

/** Where an upload that went past this server is before it is completed. */
export function wholeKeyOf(id: BlobUploadId): string {
  return `${uploadPrefixOf(id)}whole`
}

export function pieceKeyOf(id: BlobUploadId, start: number, end: number): string {
  return `${uploadPrefixOf(id)}tail.${start}-${end}`
}

/** Says which multipart upload of the server is this upload's: by its name alone, so that one listing tells of all. */
export function multipartKeyOf(id: BlobUploadId, multipartId: string): string {
  return `${uploadPrefixOf(id)}multipart.${hashOfMultipart(multipartId)}`
}

/** The server's ids may be longer than a name of a file. */
export function hashOfMultipart(multipartId: string): string {
  return createHash('sha256').update(multipartId).digest('hex').slice(0, 32)
}

/** @returns undefined when it is no upload's */
export function uploadOfKey(
  key: string,
): { readonly id: BlobUploadId; readonly entry: UploadEntry | undefined } | undefined {
  const [id = '', name = '', ...more] = key.startsWith(UPLOADS_PREFIX)
    ? key.slice(UPLOADS_PREFIX.length).split('/')
    : []
  if (!isUploadId(id) || more.length > 0) return undefined
  return { id, entry: entryOf(name) }
}

function entryOf(name: string): UploadEntry | undefined {
  if (name === 'upload') return { kind: 'marker' }
  if (name === 'whole') return { kind: 'whole' }
  const [, start, end] = PIECE.exec(name) ?? []
  if (start !== undefined && end !== undefined) return { kind: 'piece', start: Number(start), end: Number(end) }
  const [, hash] = MULTIPART.exec(name) ?? []
  return hash === undefined ? undefined : { kind: 'multipart', hash }
}

/**
 * On a gateway to a file system an object and a folder never want the same name, so that `a/b` and `a/b/c` can both be: at the top the
 * folders have the plain names, below it the objects. So most are found as `<deviceId>/<fileName>`, on AWS too.
 */
function namesOf(segments: readonly string[], endsInObject: boolean): string[] {
  const last = segments.length - 1
  return segments.map((segment, depth) => {
    const isObject = endsInObject && depth === last
    return isObject === depth > 0 ? nameOf(segment) : nameOf(segment) + MARK
  })
}

/** Itself where that is safe, otherwise what can be read of it and a hash of all of it: S3 cannot hold halves of surrogate pairs or `..`. */
function nameOf(segment: string): string {
  const isShort = Buffer.byteLength(segment) <= MOST_SEGMENT_BYTES
  if (isShort && PLAIN.test(segment) && segment === segment.normalize('NFC')) return segment
  const readable = segment.slice(0, READABLE_CHARACTERS).replace(/[^A-Za-z0-9._ -]/g, '_')
  const hash = createHash('sha256').update(Buffer.from(segment, 'utf16le')).digest('hex')
  return `${readable.startsWith('.') ? '_' : ''}${readable}${MARK}${hash}`
}

function within(key: string): string {
  if (Buffer.byteLength(key) > MOST_KEY_BYTES) throw new RangeError('the key is too long for S3')
  return key
}
