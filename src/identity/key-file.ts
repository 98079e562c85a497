import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { link, mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import path from 'node:path'

/** The directory of keys cannot be used, or holds what is no key. The process ends with {@link KeyDirectoryError.exitCode}. */
export class KeyDirectoryError extends Error {
  override readonly name = 'KeyDirectoryError'
  /** EX_CANTCREAT of sysexits.h: the data directory is not as it must be. */
  readonly exitCode = 73
}

/** Makes the directory for its owner only, if it is absent. */
export async function makeKeyDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 })
  } catch (cause) {
    throw new KeyDirectoryError(`key directory ${directory} cannot be made: ${wordsOf(cause)}`, { cause })
  }
}

/**
 * Writes a file that only its owner may read, whole or not at all, and on the disk before it returns.
 * @param file absolute; what is there already is replaced
 */
export async function writePrivateFile(file: string, text: string): Promise<void> {
  const temporary = await writeTemporary(file, text)
  await rename(temporary, file)
  await syncDirectory(path.dirname(file))
}

/**
 * The text of a private file, written first if there is none; of several processes that do so at once, one wins and all get
 * its text.
 */
export async function readOrCreatePrivateFile(file: string, makeText: () => string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    if (!isErrorCode(cause, 'ENOENT')) throw new KeyDirectoryError(`${file}: ${wordsOf(cause)}`, { cause })
  }
  const temporary = await writeTemporary(file, makeText())
  // A link, unlike a rename, fails when the name is taken: the first one stays.
  await link(temporary, file).catch((cause) => {
    if (!isErrorCode(cause, 'EEXIST')) throw cause
  })
  await rm(temporary)
  await syncDirectory(path.dirname(file))
  return readFile(file, 'utf8')
}

export function wordsOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}

async function writeTemporary(file: string, text: string): Promise<string> {
  const temporary = path.join(path.dirname(file), `.${path.basename(file)}.${randomBytes(6).toString('hex')}`)
  try {
    const handle = await open(temporary, 'wx', 0o600)
    try {
      await handle.writeFile(text)
      await handle.sync()
    } finally {
      await handle.close()
    }
    return temporary
  } catch (cause) {
    throw new KeyDirectoryError(`${file} cannot be written: ${wordsOf(cause)}`, { cause })
  }
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, constants.O_RDONLY)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function isErrorCode(cause: unknown, code: string): boolean {
  return (cause as NodeJS.ErrnoException | null)?.code === code
}
