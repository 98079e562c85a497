import { access, open, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { AppError } from '../model/app-error.js'
import type { SqliteBackup } from './sqlite-backup-thread.js'
import { SqliteWorkerClient } from './sqlite-worker-client.js'
import { startWorkerThread } from './worker-thread.js'

/**
 * Copies an SQLite database while it is in use, by this process or by another. The copy is one consistent state: all that
 * was committed when it began. It appears under its name only when it is whole and on disk; an older one is replaced.
 *
 * `VACUUM INTO` reads one snapshot from beginning to end, the one exception from the rule that no read stays open for long:
 * appends go on, but the write-ahead log grows until the copy is done and is cut back afterwards. Leave as much free disk
 * as the copy needs and the appends of that time take. (Copying the file's pages in small reads would start over whenever
 * an append changes it, so it would never end on a busy system.)
 * @throws AppError `disk_full` | `store_unavailable`
 */
export async function backupSqliteFile(from: string, to: string): Promise<void> {
  await access(from).catch((cause: unknown) => {
    throw new AppError('store_unavailable', `backup: there is no database ${from}`, { cause })
  })
  const partial = `${to}.partial`
  const thread = new SqliteWorkerClient<SqliteBackup>({
    name: 'backup',
    start: () => startWorkerThread(import.meta.url, './sqlite-backup-thread.js'),
    maxWaiting: 1,
  })
  try {
    await rm(partial, { force: true })
    await thread.call('copy', { from, to: partial })
    await syncToDisk(partial)
    await rename(partial, to)
    await syncToDisk(path.dirname(to))
  } catch (error) {
    await rm(partial, { force: true })
    throw error instanceof AppError
      ? error
      : new AppError('store_unavailable', `backup: ${String(error)}`, { cause: error })
  } finally {
    await thread.close()
  }
}

async function syncToDisk(file: string): Promise<void> {
  const handle = await open(file)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
