import { readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { prefixOf, UPLOADS_PREFIX, uploadOfKey, uploadPrefixOf } from '../../src/storage/blobs/s3-keys.js'
import { listBucket, runsOnServers, storesOf } from '../stores/test-servers.js'

/**
 * What the blob store of a data directory holds of uploads that have not become objects, running ones too; looked up past the store
 * itself, so that what it has forgotten shows.
 * @returns their ids, or of what has none whatever names it
 */
export async function heldUploads(dataDirectory: string): Promise<string[]> {
  if (!runsOnServers()) return readdir(path.join(dataDirectory, 'blobs', 'uploads'))
  const { keys, multiparts } = await bucketOf(dataDirectory)
  const ids = keys.flatMap((key) => uploadOfKey(key)?.id ?? [])
  return [...new Set(ids), ...multiparts]
}

/** Whether an upload holds no byte, in a server that is not running. */
export async function isUploadEmpty(dataDirectory: string, id: string): Promise<boolean> {
  if (!runsOnServers()) return (await stat(path.join(dataDirectory, 'blobs', 'uploads', id))).size === 0
  const { keys } = await bucketOf(dataDirectory)
  const own = keys.filter((key) => key.startsWith(uploadPrefixOf(id)))
  return own.length > 0 && own.every((key) => uploadOfKey(key)?.entry?.kind === 'marker')
}

/** Names of the objects that the blob store of a data directory holds, or of those whose key begins with the segment; as its place has them. */
export async function heldObjects(dataDirectory: string, segment?: string): Promise<string[]> {
  if (runsOnServers()) {
    const { keys } = await bucketOf(dataDirectory)
    const prefix = segment === undefined ? '' : prefixOf([segment])
    return keys.filter((key) => key.startsWith(prefix) && !key.startsWith(UPLOADS_PREFIX))
  }
  const directory = path.join(dataDirectory, 'blobs', 'objects', segment ?? '')
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => path.join(parentPath, name))
}

async function bucketOf(dataDirectory: string): ReturnType<typeof listBucket> {
  return listBucket((await storesOf(dataDirectory)).S3_BUCKET ?? '')
}
