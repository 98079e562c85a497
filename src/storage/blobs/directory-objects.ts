import { lstat, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { blobsUnavailable, isMissing } from './blob-errors.js'
import { directoryPathOf, filePathOf, segmentsOf } from './blob-path.js'
import {
  assertDirectoriesOf,
  closing,
  makeDirectoriesOf,
  openFile,
  orMissing,
  removeFile,
  syncDirectoriesOf,
  syncDirectory,
} from './owned-files.js'

/** Somebody may remove a directory between its making and its use. */
const PLACE_TRIES = 10
const REMOVE_TRIES = 5
const REMOVE_AGAIN_AFTER_MS = 20

/** An object's file as it is now. */
export interface FoundObject {
  readonly path: string
  readonly bytes: number
}

/** Objects as files below a directory; see blob-path.ts for their names. */
export class DirectoryObjects {
  constructor(readonly directory: string) {}

  /**
   * Syncs the file and renames it into the object's place; whoever does it again after a crash at any point goes on from there.
   * @returns false when there is neither the file nor an object
   */
  async place(file: string, key: string): Promise<boolean> {
    const relative = filePathOf(segmentsOf(key))
    if (!(await this.move(file, relative)) && (await this.findAt(relative)) === undefined) return false
    // Also when the object was there: it may be from just before a crash.
    await syncDirectoriesOf(this.directory, relative)
    await syncDirectory(path.dirname(file))
    return true
  }

  find(key: string): Promise<FoundObject | undefined> {
    return this.findAt(filePathOf(segmentsOf(key)))
  }

  async remove(key: string): Promise<void> {
    const found = await this.find(key)
    if (found) await removeFile(found.path)
  }

  async removeUnder(segments: readonly string[]): Promise<void> {
    const key = segments.join('/')
    if (segmentsOf(key).length !== segments.length) throw new RangeError('not the beginning of a key')
    await this.remove(key)
    const relative = directoryPathOf(segments)
    const hasParent = await orMissing(assertDirectoriesOf(this.directory, relative).then(() => true))
    if (!hasParent) return
    const directory = path.join(this.directory, relative)
    // Again when something was put into it meanwhile.
    const again = { maxRetries: REMOVE_TRIES, retryDelay: REMOVE_AGAIN_AFTER_MS }
    await rm(directory, { recursive: true, force: true, ...again })
    await orMissing(syncDirectory(path.dirname(directory)))
  }

  /** @returns false when there is no such file */
  private async move(file: string, relative: string): Promise<boolean> {
    for (let tries = 1; ; tries++) {
      const handle = await openFile(file, 'read')
      if (handle === undefined) return false
      await closing(handle, () => handle.sync())
      await makeDirectoriesOf(this.directory, relative)
      try {
        await rename(file, path.join(this.directory, relative))
        return true
      } catch (error) {
        if (!isMissing(error) || tries === PLACE_TRIES) throw error
      }
    }
  }

  private async findAt(relative: string): Promise<FoundObject | undefined> {
    const file = path.join(this.directory, relative)
    const found = await orMissing(assertDirectoriesOf(this.directory, relative).then(() => lstat(file)))
    if (found === undefined) {
      // An object is missing only where objects could be: otherwise all of them are.
      await lstat(this.directory)
      return undefined
    }
    if (!found.isFile()) throw blobsUnavailable('something else is in the place of an object')
    return { path: file, bytes: found.size }
  }
}
