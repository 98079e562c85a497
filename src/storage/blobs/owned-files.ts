import { constants } from 'node:fs'
import { type FileHandle, lstat, mkdir, open, unlink } from 'node:fs/promises'
import path from 'node:path'
import { blobsUnavailable, codeOf, isMissing } from './blob-errors.js'

// No call here follows a link, and what it makes is for its owner only, whatever the process's mask.
const { O_RDONLY, O_RDWR, O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW, O_DIRECTORY } = constants
const DIRECTORY_MODE = 0o700
const FILE_MODE = 0o600

/** @throws EEXIST when there is one */
export function createFile(file: string): Promise<FileHandle> {
  return open(file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, FILE_MODE)
}

/** @returns undefined when there is none */
export function openFile(file: string, access: 'read' | 'write'): Promise<FileHandle | undefined> {
  return orMissing(open(file, (access === 'read' ? O_RDONLY : O_RDWR) | O_NOFOLLOW))
}

/** Closes the file when the work with it has ended. */
export async function closing<T>(handle: FileHandle, act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } finally {
    await handle.close()
  }
}

/** Its entry is gone from the disk, too; a file that is not there is removed already. */
export async function removeFile(file: string): Promise<void> {
  await orMissing(unlink(file))
  await orMissing(syncDirectory(path.dirname(file)))
}

/** Makes a directory in one that is there, if it is absent. */
export async function makeDirectory(directory: string): Promise<void> {
  await mkdir(directory, { mode: DIRECTORY_MODE }).catch((error: unknown) => {
    if (codeOf(error) !== 'EEXIST') throw error
  })
}

/** Makes the directories of a path below the root, where they are absent. @throws AppError `store_unavailable` */
export async function makeDirectoriesOf(root: string, relative: string): Promise<void> {
  for (const directory of directoriesOf(root, relative)) await makeDirectory(directory)
  await assertDirectoriesOf(root, relative)
}

/**
 * A link in the place of one of the directories could lead out of the root.
 * @throws AppError `store_unavailable`; ENOENT when one is absent
 */
export async function assertDirectoriesOf(root: string, relative: string): Promise<void> {
  for (const directory of directoriesOf(root, relative)) {
    const found = await lstat(directory)
    if (!found.isDirectory()) throw blobsUnavailable('something else is in the place of a directory')
  }
}

/** Afterwards the entries on the way to the path are on disk, from the innermost directory up to the root. */
export async function syncDirectoriesOf(root: string, relative: string): Promise<void> {
  for (const directory of directoriesOf(root, relative).reverse()) await syncDirectory(directory)
  await syncDirectory(root)
}

export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, O_RDONLY | O_DIRECTORY)
  await closing(handle, () => handle.sync())
}

/** @returns undefined when what it looks for is not there */
export async function orMissing<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** The directories of a path from the one below the root down to that of its last name; none for a path of one name. */
function directoriesOf(root: string, relative: string): string[] {
  const names = relative.split(path.sep).slice(0, -1)
  return names.map((_, index) => path.join(root, ...names.slice(0, index + 1)))
}
