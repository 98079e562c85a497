import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { getSystemErrorMap } from 'node:util'
import Database from 'libsql'
import { StoreOpenError } from './store-open-error.js'

const LOCK_FILE = 'milepost.lock'
const PID_FILE = 'milepost.pid'

/** The data directory cannot be made or written. The process ends with {@link DataDirectoryError.exitCode}. */
export class DataDirectoryError extends Error {
  override readonly name = 'DataDirectoryError'
  /** EX_CANTCREAT of sysexits.h. */
  readonly exitCode = 73
}

/**
 * Makes the directory if it is absent (for its owner only) and proves by a file that it can be written.
 * @returns its absolute path
 * @throws DataDirectoryError
 */
export function prepareDataDirectory(directory: string): string {
  const absolute = path.resolve(directory)
  attempt(`data directory ${absolute} cannot be made`, () => makeDirectory(absolute))
  const probe = path.join(absolute, `.probe-${process.pid}`)
  attempt(`data directory ${absolute} cannot be written`, () => {
    writeFileSync(probe, 'probe', { flush: true })
    rmSync(probe)
  })
  return absolute
}

/** Keeps every other server out of a data directory until it is released or the process ends, however it ends. */
export class DataDirectoryLock {
  private constructor(
    private readonly database: Database.Database,
    private readonly pidFile: string,
  ) {}

  /**
   * The lock is a lock of the operating system on a file, taken through SQLite: the kernel gives it back with the process, so that
   * neither a kill nor a process id used again can leave it behind or forge it.
   * @throws StoreOpenError when another server holds it
   */
  static acquire(directory: string): DataDirectoryLock {
    const pidFile = path.join(directory, PID_FILE)
    let database: Database.Database | undefined
    try {
      database = new Database(path.join(directory, LOCK_FILE), { timeout: 0 })
      database.exec('PRAGMA busy_timeout = 0')
      database.exec('BEGIN EXCLUSIVE')
    } catch (cause) {
      database?.close()
      throw new StoreOpenError(directory, lockRefusal(cause, pidFile), { cause })
    }
    writeFileSync(pidFile, `${process.pid}\n`)
    return new DataDirectoryLock(database, pidFile)
  }

  release(): void {
    if (!this.database.open) return
    rmSync(this.pidFile, { force: true })
    this.database.exec('ROLLBACK')
    this.database.close()
  }
}

/** Not `recursive: true`, which never returns where a parent exists but takes no directories (such as under /proc). */
function makeDirectory(directory: string): void {
  if (existsSync(directory) && statSync(directory).isDirectory()) return
  const parent = path.dirname(directory)
  if (parent !== directory) makeDirectory(parent)
  mkdirSync(directory, { mode: 0o700 })
}

function lockRefusal(cause: unknown, pidFile: string): string {
  const { code, message } = cause as { code?: string; message: string }
  if (code !== 'SQLITE_BUSY') return `its lock cannot be taken (${message})`
  return `another server is using this data directory${pidIn(pidFile)}`
}

function pidIn(pidFile: string): string {
  try {
    return ` (process ${Number.parseInt(readFileSync(pidFile, 'utf8'), 10)})`
  } catch {
    return ''
  }
}

function attempt(what: string, act: () => void): void {
  try {
    act()
  } catch (cause) {
    const { errno, message } = cause as NodeJS.ErrnoException
    const reason = errno === undefined ? message : (getSystemErrorMap().get(errno)?.[1] ?? message)
    throw new DataDirectoryError(`${what}: ${reason}`, { cause })
  }
}
