import { createHash } from 'node:crypto'
import { constants, createReadStream } from 'node:fs'
import { copyFile, link, lstat, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { fileKeyOf, screenshotKeyOf, thumbnailKeyOf } from '../../model/video-keys.js'
import type { CopiedVideo, CopiedVideos } from '../sql/copied-videos.js'
import { codeOf } from './blob-errors.js'
import { filePathOf, segmentsOf } from './blob-path.js'
import { closing, orMissing, syncDirectory } from './owned-files.js'

const DIRECTORY_MODE = 0o700
/** The clock may be set while a backup runs. */
const CLOCK_SLACK_MS = 3_600_000
/** What a file system says that has no hard links, or not between these two places, or not that many. */
const NO_LINK = new Set(['EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'])

/** What a backup holds of videos. */
export interface BackedUpVideos {
  readonly videos: number
  readonly bytes: number
  /** Ids of videos that were removed while it ran, or whose file was not there. */
  readonly left: readonly string[]
}

/**
 * Copies objects beside a copy of the database, while a server adds and removes them. Everything is gathered first, then the
 * database is copied, then whatever its videos need is put in place and the rest is dropped: so each video that the copy shows has
 * its file and its pictures, also when it was removed meanwhile. Objects never change, so that on one disk a hard link is a copy.
 */
export class ObjectBackup {
  private readonly startedAtMs = Date.now()
  private readonly gathered: string

  /**
   * @param from the directory of all objects; may be absent
   * @param to the directory of them in the backup; absent
   * @param makeLink another way to make a hard link, for tests without them
   */
  constructor(
    private readonly from: string,
    private readonly to: string,
    private readonly makeLink: typeof link = link,
  ) {
    this.gathered = `${to}.gathered`
  }

  /** Bytes that are needed on the disk of a directory: none when it is the objects' own disk. */
  async measure(directory: string): Promise<number> {
    const found = await orMissing(stat(this.from))
    if (found === undefined || found.dev === (await stat(directory)).dev) return 0
    let bytes = 0
    for await (const relative of filesIn(this.from))
      bytes += (await orMissing(lstat(path.join(this.from, relative))))?.size ?? 0
    return bytes
  }

  /** Before the database is copied. */
  async gather(): Promise<void> {
    for await (const relative of filesIn(this.from)) await this.take(relative, this.gathered)
  }

  /** @param videos of the copy of the database; what is not there any more is hidden in it */
  async settle(videos: CopiedVideos): Promise<BackedUpVideos> {
    const left: string[] = []
    let count = 0
    let bytes = 0
    for (const video of videos.list()) {
      if (await this.settleVideo(video)) {
        count++
        bytes += video.bytes
      } else left.push(video.id)
    }
    for (const id of left) videos.hide(id)
    videos.forgetUploads()
    if (count > 0) await syncTree(this.to)
    return { videos: count, bytes, left }
  }

  /** What was gathered and is not needed. */
  async discard(): Promise<void> {
    await rm(this.gathered, { recursive: true, force: true })
  }

  private async settleVideo(video: CopiedVideo): Promise<boolean> {
    const isYoung = video.uploadedAtMs > this.startedAtMs - CLOCK_SLACK_MS
    const isIt = async (file: string) => isFileOf(file, video, isYoung)
    const isThere = async (file: string) => (await orMissing(lstat(file))) !== undefined
    for (const key of picturesOf(video)) if (!(await this.settleObject(key, isThere))) return false
    return this.settleObject(fileKeyOf(video), isIt)
  }

  /** Puts the right one in place: the one that was gathered, or the one that is there now. */
  private async settleObject(key: string, isRight: (file: string) => Promise<boolean>): Promise<boolean> {
    const relative = filePathOf(segmentsOf(key))
    const gathered = path.join(this.gathered, relative)
    if (!(await isRight(gathered))) {
      await rm(gathered, { force: true })
      await this.take(relative, this.gathered)
      if (!(await isRight(gathered))) return false
    }
    const target = path.join(this.to, relative)
    await mkdir(path.dirname(target), { recursive: true, mode: DIRECTORY_MODE })
    await rename(gathered, target)
    return true
  }

  /** Does nothing when the object is gone. */
  private async take(relative: string, to: string): Promise<void> {
    const source = path.join(this.from, relative)
    const target = path.join(to, relative)
    await mkdir(path.dirname(target), { recursive: true, mode: DIRECTORY_MODE })
    try {
      await this.makeLink(source, target)
    } catch (error) {
      if (NO_LINK.has(codeOf(error) ?? '')) await orMissing(copySynced(source, target))
      else if (codeOf(error) !== 'ENOENT') throw error
    }
  }
}

/**
 * Looks at every video of a backup.
 * @returns the first whose file or pictures are not there or not as they were, or undefined when all are
 */
export async function findDamagedVideo(objects: string, videos: CopiedVideos): Promise<CopiedVideo | undefined> {
  for (const video of videos.list()) {
    const fileOf = (key: string) => path.join(objects, filePathOf(segmentsOf(key)))
    if (!(await isFileOf(fileOf(fileKeyOf(video)), video, true))) return video
    for (const key of picturesOf(video)) if ((await orMissing(lstat(fileOf(key)))) === undefined) return video
  }
  return undefined
}

function picturesOf({ id, hasThumbnail, screenshots }: CopiedVideo): string[] {
  const numbered = Array.from({ length: screenshots }, (_, index) => screenshotKeyOf(id, index + 1))
  return hasThumbnail ? [thumbnailKeyOf(id), ...numbered] : numbered
}

/** @param isHashed false: the size tells enough, since nobody can have taken its name meanwhile */
async function isFileOf(file: string, { bytes, sha256 }: CopiedVideo, isHashed: boolean): Promise<boolean> {
  const found = await orMissing(lstat(file))
  if (found === undefined || !found.isFile() || found.size !== bytes) return false
  if (!isHashed) return true
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), hash)
  return hash.digest('hex') === sha256
}

/** Paths of all files below a directory, relative to it. */
async function* filesIn(directory: string, below = ''): AsyncGenerator<string> {
  for (const entry of (await orMissing(readdir(path.join(directory, below), { withFileTypes: true }))) ?? []) {
    const relative = path.join(below, entry.name)
    if (entry.isDirectory()) yield* filesIn(directory, relative)
    else if (entry.isFile()) yield relative
  }
}

async function copySynced(source: string, target: string): Promise<void> {
  await copyFile(source, target, constants.COPYFILE_FICLONE)
  const handle = await open(target, 'r')
  await closing(handle, () => handle.sync())
}

async function syncTree(directory: string): Promise<void> {
  for (const entry of await readdir(directory, { withFileTypes: true }))
    if (entry.isDirectory()) await syncTree(path.join(directory, entry.name))
  await syncDirectory(directory)
}
