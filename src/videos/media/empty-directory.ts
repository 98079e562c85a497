import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'

const PREFIX = 'milepost-media-'
/** No work takes as long; what is older was left by a server that was killed. */
const LEFT_AFTER_MS = 3_600_000

/** Runs something in a directory of its own that has nothing in it, and removes it afterwards. */
export async function inEmptyDirectory<T>(run: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(path.join(tmpdir(), PREFIX))
  try {
    return await run(directory)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** Removes the directories that killed servers left. Never throws: what cannot be removed is another's. */
export async function sweepEmptyDirectories(nowMs = Date.now()): Promise<void> {
  const names = await readdir(tmpdir()).catch(() => [])
  for (const name of names.filter((entry) => entry.startsWith(PREFIX))) {
    const directory = path.join(tmpdir(), name)
    const made = await stat(directory).catch(() => undefined)
    if (made !== undefined && made.mtimeMs < nowMs - LEFT_AFTER_MS) {
      await rm(directory, { recursive: true, force: true }).catch(() => undefined)
    }
  }
}
