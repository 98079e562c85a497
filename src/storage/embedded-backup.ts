import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { chmod, copyFile, mkdir, open, readdir, readFile, rename, rm, stat, statfs, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { formatTime } from '../model/time.js'
import { BLOBS_DIRECTORY, OBJECTS_DIRECTORY } from './blobs/directory-blob-store.js'
import { type BackedUpVideos, findDamagedVideo, ObjectBackup } from './blobs/object-backup.js'
import { SPOOL_FILE } from './spool/sqlite-spool-schema.js'
import { CopiedVideos } from './sql/copied-videos.js'
import { SQL_FILE } from './sql/open-sqlite-records.js'
import { backupSqliteFile } from './sqlite-backup.js'
import { SqliteConnection } from './sqlite-connection.js'

const KEYS = 'keys'
const MANIFEST = 'manifest.json'
const DATABASE = '.sqlite'
const FORMAT = 1
const NO_VIDEOS: BackedUpVideos = { videos: 0, bytes: 0, left: [] }

/** A backup that cannot be made, or is not whole; one clear line. */
export class BackupError extends Error {
  override readonly name = 'BackupError'
  /** EX_CANTCREAT of sysexits.h. */
  readonly exitCode = 73
}

export interface BackedUpFile {
  /** Relative to the backup, with `/`. */
  readonly name: string
  readonly bytes: number
  /** Lower-case hex. */
  readonly sha256: string
}

/** What a backup holds; the file `manifest.json` in it. */
export interface BackupManifest {
  readonly format: typeof FORMAT
  /** When it began: everything acknowledged before is in it. */
  readonly createdAt: string
  readonly files: readonly BackedUpFile[]
  /** Their files are not among the files: the database has their sizes and hashes. Absent in backups of older versions. */
  readonly videos?: BackedUpVideos
}

/**
 * Copies the embedded stores, the videos and the keys into a new directory, while a server uses them or not. Each database is
 * copied in one consistent state and checked, and every video in it has its file; the directory appears under its name only when
 * it is whole. On the disk of the videos these are hard links, which take no room.
 * @param dataDirectory the server's DATA_DIR
 * @param to must not exist
 * @param keepFreeBytes so much stays free on the disk that the backup goes to, so that a server on it is not stopped by its backup
 * @param copySqlite another way to copy a database, for tests that change things meanwhile
 * @throws BackupError
 */
export async function backUp(
  dataDirectory: string,
  to: string,
  keepFreeBytes: number,
  copySqlite = backupSqliteFile,
): Promise<BackupManifest> {
  const createdAt = formatTime(Date.now())
  const databases = await listDatabases(dataDirectory)
  await refuseExisting(to)
  const partial = `${to}.partial`
  await attempt(`${partial} cannot be made`, async () => {
    await mkdir(path.dirname(to), { recursive: true })
    await mkdir(partial, { mode: 0o700 })
  })
  try {
    const objects = new ObjectBackup(objectsIn(dataDirectory), objectsIn(partial))
    await assertRoom(dataDirectory, databases, partial, keepFreeBytes + (await objects.measure(partial)))
    await mkdir(path.join(partial, BLOBS_DIRECTORY), { mode: 0o700 })
    await objects.gather()
    const keys = await copyKeys(dataDirectory, partial)
    let videos = NO_VIDEOS
    for (const name of databases) {
      await copySqlite(path.join(dataDirectory, name), path.join(partial, name))
      await secure(path.join(partial, name))
      // At once, while little was removed since.
      if (name === SQL_FILE) videos = await settleVideos(objects, path.join(partial, name))
    }
    await objects.discard()
    const files = await Promise.all([...keys, ...databases].map((name) => describe(partial, name)))
    const manifest: BackupManifest = { format: FORMAT, createdAt, files, videos }
    await writeFile(path.join(partial, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`, {
      mode: 0o600,
      flush: true,
    })
    await syncDirectory(path.join(partial, BLOBS_DIRECTORY))
    await syncDirectory(partial)
    await rename(partial, to)
    await syncDirectory(path.dirname(to))
    return manifest
  } catch (error) {
    await rm(partial, { recursive: true, force: true })
    throw error instanceof BackupError ? error : new BackupError(wordsOf(error), { cause: error })
  }
}

/**
 * Looks whether a backup is as it was made: every file there, unchanged, every database sound, and every video as it was uploaded.
 * @throws BackupError naming the first file that is not
 */
export async function checkBackup(directory: string): Promise<BackupManifest> {
  const manifest = await attempt(`${directory} is no backup`, async () => {
    const parsed = JSON.parse(await readFile(path.join(directory, MANIFEST), 'utf8')) as BackupManifest
    if (parsed.format !== FORMAT) throw new Error(`its format ${parsed.format} is not known here`)
    return parsed
  })
  for (const { name, bytes, sha256 } of manifest.files) {
    const found = await attempt(`${name} cannot be read`, () => describe(directory, name))
    if (found.bytes !== bytes || found.sha256 !== sha256) throw new BackupError(`${name} is not as it was backed up`)
    if (name.endsWith(DATABASE)) assertSound(path.join(directory, name))
  }
  await assertVideos(directory)
  return manifest
}

/** @throws BackupError */
async function assertVideos(directory: string): Promise<void> {
  const videos = await openVideos(path.join(directory, SQL_FILE))
  try {
    const damaged = videos && (await findDamagedVideo(objectsIn(directory), videos))
    if (damaged) throw new BackupError(`the video ${damaged.id} (${damaged.deviceId}) is not as it was uploaded`)
  } finally {
    videos?.close()
  }
}

async function settleVideos(objects: ObjectBackup, database: string): Promise<BackedUpVideos> {
  const videos = await openVideos(database)
  try {
    return videos ? await objects.settle(videos) : NO_VIDEOS
  } finally {
    videos?.close()
  }
}

async function openVideos(database: string): Promise<CopiedVideos | undefined> {
  const isThere = await stat(database).catch(() => undefined)
  return isThere && CopiedVideos.open(database)
}

function objectsIn(directory: string): string {
  return path.join(directory, BLOBS_DIRECTORY, OBJECTS_DIRECTORY)
}

async function listDatabases(dataDirectory: string): Promise<string[]> {
  const names = await attempt(`${dataDirectory} cannot be read`, () => readdir(dataDirectory))
  const databases = names.filter((name) => name.endsWith(DATABASE)).sort()
  if (databases.length === 0) throw new BackupError(`there are no stores in ${dataDirectory}`)
  // What has gone on from the spool by the time that the others are copied is in those.
  return [...databases.filter((name) => name === SPOOL_FILE), ...databases.filter((name) => name !== SPOOL_FILE)]
}

async function refuseExisting(to: string): Promise<void> {
  const found = await stat(to).catch(() => undefined)
  if (found !== undefined) throw new BackupError(`${to} exists: a backup goes into a new directory`)
}

async function assertRoom(from: string, names: readonly string[], to: string, keepFreeBytes: number): Promise<void> {
  const sizes = await Promise.all(names.map(async (name) => (await stat(path.join(from, name))).size))
  const needed = sizes.reduce((sum, size) => sum + size, 0) + keepFreeBytes
  const { bavail, bsize } = await statfs(to)
  if (bavail * bsize < needed) {
    throw new BackupError(`${needed} bytes must be free on the disk of ${path.dirname(to)}, ${bavail * bsize} are`)
  }
}

async function secure(database: string): Promise<void> {
  await chmod(database, 0o600)
  assertSound(database)
}

/** @throws BackupError */
function assertSound(file: string): void {
  const connection = new SqliteConnection(file)
  try {
    connection.exec('PRAGMA query_only=ON')
    const said = connection.prepareQuery('PRAGMA integrity_check(1)').get()?.[0]
    if (said !== 'ok') throw new BackupError(`${file} is damaged: ${String(said)}`)
  } finally {
    connection.close()
  }
}

/** @returns their names; none when the keys come from the environment */
async function copyKeys(dataDirectory: string, to: string): Promise<string[]> {
  const entries = await readdir(path.join(dataDirectory, KEYS), { withFileTypes: true }).catch(() => [])
  const files = entries.filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
  if (files.length === 0) return []
  await mkdir(path.join(to, KEYS), { mode: 0o700 })
  for (const { name } of files) {
    const copy = path.join(to, KEYS, name)
    await copyFile(path.join(dataDirectory, KEYS, name), copy)
    await chmod(copy, 0o600)
    await syncFile(copy)
  }
  await syncDirectory(path.join(to, KEYS))
  return files.map(({ name }) => `${KEYS}/${name}`).sort()
}

async function describe(directory: string, name: string): Promise<BackedUpFile> {
  const file = path.join(directory, name)
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), hash)
  return { name, bytes: (await stat(file)).size, sha256: hash.digest('hex') }
}

async function syncFile(file: string): Promise<void> {
  const handle = await open(file, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

const syncDirectory = syncFile

async function attempt<T>(what: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (cause) {
    throw new BackupError(`${what}: ${wordsOf(cause)}`, { cause })
  }
}

function wordsOf(cause: unknown): string {
  return String((cause as { message?: unknown } | null)?.message ?? cause)
}
