import { constants } from 'node:fs'
import { lstat, mkdir, open } from 'node:fs/promises'
import path from 'node:path'
import { blobsUnavailable, codeOf } from './blob-errors.js'

const OWNER_ONLY = 0o700

/** Directories from the one below the root down to that of the path, the root left out. */
function directoriesDownTo(root: string, relative: string): string[] {
  const names = path.dirname(relative).split(path.sep)
  return names[0] === '.' ? [] : names.map((_, index) => path.join(root, ...names.slice(0, index + 1)))
}

/** Makes the directories of a path below the root, where they are absent. */
export async function makeDirectories(root: string, relative: string): Promise<void> {
  for (const directory of directoriesDownTo(root, relative)) {
    await mkdir(directory, { mode: OWNER_ONLY }).catch((error: unknown) => {
      if (codeOf(error) !== 'EEXIST') throw error
    })
  }
  await assertDirectories(root, relative)
}

/**
 * A link in the place of a directory would lead out of the root.
 * @throws AppError `store_unavailable`, or ENOENT
 */
export async function assertDirectories(root: string, relative: string): Promise<void> {
  for (const directory of directoriesDownTo(root, relative)) {
    if (!(await lstat(directory)).isDirectory())
      throw blobsUnavailable('there is something else in the place of a directory')
  }
}

/** The entries of the directories of a path are on disk after it, from the innermost up to those of the root. */
export async function syncDirectories(root: string, relative: string): Promise<void> {
  for (const directory of directoriesDownTo(root, relative).reverse()) await syncDirectory(directory)
  await syncDirectory(root)
}

export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
