import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { removeStores } from '../stores/test-servers.js'

const made: string[] = []

/** A fresh directory that {@link removeTemporaryDirectories} removes. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'milepost-'))
  made.push(directory)
  return directory
}

/** Call it in `afterAll`; it also removes the stores on servers that stood in for a directory's. */
export async function removeTemporaryDirectories(): Promise<void> {
  for (const directory of made.splice(0)) rmSync(directory, { recursive: true, force: true })
  await removeStores()
}
