import type { BlobUploadId, FindKnownUploads } from './blob-store.js'
import type { ListedMultipart, S3Bucket } from './s3-bucket.js'
import { hashOfMultipart, UPLOADS_PREFIX, uploadOfKey } from './s3-keys.js'

const ASKED_AT_ONCE = 8
const ABANDONED = /^abandoned\.([\w-]+)\.([\w-]+)$/

/** What is under an upload's place, from the listing of all of them. */
interface Found {
  changedAtMs: number
  readonly multiparts: ListedMultipart[]
}

/** A multipart upload of the bucket that no upload knows: its process was killed before it could write down that it began it. */
export interface Abandoned {
  readonly key: string
  readonly multipartId: string
}

/** @returns undefined when it is the id of an upload, or of nothing */
export function abandonedOf(id: BlobUploadId): Abandoned | undefined {
  const [, key, multipartId] = ABANDONED.exec(id) ?? []
  return key && multipartId ? { key: decode(key), multipartId: decode(multipartId) } : undefined
}

/**
 * Uploads, litter of uploads and multipart uploads of nobody that nothing came for since a moment of the server's clock.
 * @param isRunning somebody here appends to it
 * @param findKnown what is not to be listed: S3 has to be asked for each upload when its parts came
 */
export async function findIdle(
  bucket: S3Bucket,
  sinceMs: number,
  isRunning: (id: BlobUploadId) => boolean,
  findKnown: FindKnownUploads = async () => [],
): Promise<BlobUploadId[]> {
  // Before the uploads: one that is begun meanwhile is written down by then, or too young.
  const multiparts = await bucket.listMultiparts('')
  const { uploads, abandoned } = await assign(bucket, multiparts)
  for (const one of abandoned) {
    const id = `abandoned.${encode(one.key)}.${encode(one.multipartId)}`
    uploads.set(id, { changedAtMs: one.begunAtMs, multiparts: [one] })
  }
  const silent = [...uploads].filter(([id, { changedAtMs }]) => changedAtMs < sinceMs && !isRunning(id))
  const known = new Set(silent.length === 0 ? [] : await findKnown(silent.map(([id]) => id)))
  const unknown = silent.filter(([id]) => !known.has(id))
  const idle: BlobUploadId[] = []
  for (let at = 0; at < unknown.length; at += ASKED_AT_ONCE) {
    const asked = unknown.slice(at, at + ASKED_AT_ONCE).map(async ([id, { multiparts }]) => {
      if (!(await hasPartsSince(bucket, multiparts, sinceMs))) idle.push(id)
    })
    await Promise.all(asked)
  }
  return idle
}

async function assign(bucket: S3Bucket, multiparts: readonly ListedMultipart[]) {
  const byHash = new Map(multiparts.map((one) => [hashOfMultipart(one.multipartId), one]))
  const uploads = new Map<BlobUploadId, Found>()
  const foundOf = (id: BlobUploadId) => {
    const found = uploads.get(id) ?? { changedAtMs: 0, multiparts: [] }
    uploads.set(id, found)
    return found
  }
  for await (const page of bucket.list(UPLOADS_PREFIX)) {
    for (const { key, changedAtMs } of page) {
      const { id, entry } = uploadOfKey(key) ?? {}
      if (id === undefined) continue
      const found = foundOf(id)
      found.changedAtMs = Math.max(found.changedAtMs, changedAtMs)
      const known = entry?.kind === 'multipart' ? byHash.get(entry.hash) : undefined
      if (known) {
        found.multiparts.push(known)
        byHash.delete(hashOfMultipart(known.multipartId))
      }
    }
  }
  for (const [hash, one] of byHash) {
    const id = uploadOfKey(one.key)?.id
    if (id === undefined) continue
    const found = foundOf(id)
    found.changedAtMs = Math.max(found.changedAtMs, one.begunAtMs)
    found.multiparts.push(one)
    byHash.delete(hash)
  }
  return { uploads, abandoned: [...byHash.values()] }
}

async function hasPartsSince(
  bucket: S3Bucket,
  multiparts: readonly ListedMultipart[],
  sinceMs: number,
): Promise<boolean> {
  for (const { key, multipartId } of multiparts) {
    const parts = (await bucket.listParts(key, multipartId)) ?? []
    if (parts.some(({ changedAtMs }) => changedAtMs >= sinceMs)) return true
  }
  return false
}

function encode(text: string): string {
  return Buffer.from(text).toString('base64url')
}

function decode(text: string): string {
  return Buffer.from(text, 'base64url').toString()
}
