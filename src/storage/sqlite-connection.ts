import Database from 'libsql'

/** What may be bound to a parameter. A boolean is not among them: this driver ends the whole process on one. */
export type SqliteValue = number | string | null | Uint8Array

/** One row, columns in the order of the statement. */
export type SqliteRow = readonly SqliteValue[]

export interface SqliteSettings {
  readonly file: string
  readonly cacheKiB: number
  /** Pages in the log at which a commit also writes them back into the file; 0: this connection never does. */
  readonly checkpointPages: number
  /** The file's largest size; a write beyond it is refused as when the disk is full. */
  readonly maxBytes?: number
}

/** What decides whether a commit survives a power cut. */
export interface SqlitePragmas {
  readonly journalMode: string
  /** 2 is FULL. */
  readonly synchronous: number
}

/** How long a statement waits for a lock that another process holds. */
const BUSY_TIMEOUT_MS = 2000
/** A log that grew while a backup held it is cut back to this once it is empty. */
const LOG_LIMIT_BYTES = 67_108_864
const PAGE_BYTES = 4096
const SYNCHRONOUS_FULL = 2

export interface SqliteWrite {
  /** @returns how many rows it changed */
  run(values?: readonly SqliteValue[]): number
}

export interface SqliteQuery {
  all(values?: readonly SqliteValue[]): SqliteRow[]
  get(values?: readonly SqliteValue[]): SqliteRow | undefined
}

/** What a statement of any kind did: rows by the names of their columns, or what it changed. */
export type SqliteOutcome =
  | { readonly rows: readonly Readonly<Record<string, unknown>>[] }
  | { readonly changes: number; readonly lastRowId: number }

export interface SqliteStatement {
  execute(values: readonly (SqliteValue | bigint)[]): SqliteOutcome
}

/** The narrow part of the driver that the embedded stores use, for one connection of one thread. */
export class SqliteConnection {
  private readonly database: Database.Database

  constructor(file: string) {
    this.database = new Database(file)
    this.exec(`PRAGMA busy_timeout=${BUSY_TIMEOUT_MS}`)
  }

  get isInTransaction(): boolean {
    return this.database.inTransaction
  }

  exec(sql: string): void {
    this.database.exec(sql)
  }

  prepareWrite(sql: string): SqliteWrite {
    const statement = this.database.prepare(sql)
    return { run: (values = []) => statement.run(values).changes }
  }

  prepareQuery(sql: string): SqliteQuery {
    // Rows as arrays: as objects they cost twice the time, and `get` adds a field of the driver's own to them.
    const statement = this.database.prepare(sql).raw()
    return {
      all: (values = []) => statement.all(values) as SqliteRow[],
      get: (values = []) => statement.get(values) as SqliteRow | undefined,
    }
  }

  /** For a caller who does not know what kind of statement it is. */
  prepareAny(sql: string): SqliteStatement {
    const statement = this.database.prepare(sql)
    return {
      execute: (values) => {
        if (statement.reader) return { rows: statement.all(values) as Record<string, unknown>[] }
        const { changes, lastInsertRowid } = statement.run(values)
        return { changes, lastRowId: Number(lastInsertRowid) }
      },
    }
  }

  queryNumber(sql: string): number {
    return Number(this.prepareQuery(sql).get()?.[0])
  }

  /**
   * Runs the work in one transaction; whatever is thrown, none of it stays. Every prepared write belongs into one: the driver
   * leaves a prepared statement that met another process's lock in progress, and then no commit works any more. Inside a
   * transaction none meets a lock.
   */
  transact<T>(work: () => T): T {
    this.begin()
    try {
      const result = work()
      this.exec('COMMIT')
      return result
    } catch (error) {
      this.rollBack()
      throw error
    }
  }

  /** For a transaction that is not one piece of work here; it ends by a `COMMIT` or {@link rollBack}. */
  begin(): void {
    this.exec('BEGIN IMMEDIATE')
  }

  /** Ends the transaction, if there is one. */
  rollBack(): void {
    // After a full disk SQLite has often rolled back by itself.
    if (this.isInTransaction) this.exec('ROLLBACK')
  }

  readPragmas(): SqlitePragmas {
    return {
      journalMode: String(this.prepareQuery('PRAGMA journal_mode').get()?.[0]),
      synchronous: this.queryNumber('PRAGMA synchronous'),
    }
  }

  close(): void {
    this.database.close()
  }
}

/**
 * Opens the one connection that writes, with a write-ahead log and `synchronous=FULL`: with a log, FULL syncs it at every
 * commit, while NORMAL syncs it only now and then and a power cut takes back commits that were already acknowledged.
 * @throws Error when those two are not in force
 */
export function openForWriting(settings: SqliteSettings): SqliteConnection {
  const connection = new SqliteConnection(settings.file)
  // Has an effect only before the first table: removed rows' pages can then be given back to the disk in steps.
  connection.exec(`PRAGMA page_size=${PAGE_BYTES}; PRAGMA auto_vacuum=INCREMENTAL`)
  connection.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL')
  connection.exec(`PRAGMA cache_size=-${settings.cacheKiB}; PRAGMA temp_store=MEMORY`)
  connection.exec(`PRAGMA wal_autocheckpoint=${settings.checkpointPages}; PRAGMA journal_size_limit=${LOG_LIMIT_BYTES}`)
  if (settings.maxBytes) connection.exec(`PRAGMA max_page_count=${Math.floor(settings.maxBytes / PAGE_BYTES)}`)
  const { journalMode, synchronous } = connection.readPragmas()
  if (journalMode !== 'wal' || synchronous !== SYNCHRONOUS_FULL) {
    throw new Error(
      `the database runs with journal_mode=${journalMode}, synchronous=${synchronous}: commits may be lost`,
    )
  }
  return connection
}

/** Opens a connection that can only read. */
export function openForReading(settings: Pick<SqliteSettings, 'file' | 'cacheKiB'>): SqliteConnection {
  const connection = new SqliteConnection(settings.file)
  connection.exec(`PRAGMA query_only=ON; PRAGMA cache_size=-${settings.cacheKiB}; PRAGMA temp_store=MEMORY`)
  return connection
}

/**
 * Brings the schema to the newest version, all steps in one transaction.
 * @param steps SQL of version 1, 2, …; the file says in `user_version` which it has
 * @throws Error when the file is of a newer version than the steps know
 */
export function upgradeSchema(connection: SqliteConnection, steps: readonly string[]): void {
  connection.transact(() => {
    const version = connection.queryNumber('PRAGMA user_version')
    if (version > steps.length) {
      throw new Error(`the file has schema ${version} of a newer program, this one knows schema ${steps.length}`)
    }
    for (const sql of steps.slice(version)) connection.exec(sql)
    connection.exec(`PRAGMA user_version=${steps.length}`)
  })
}

/**
 * Gives one step of free pages back to the disk when much of the file is free. A little stays, since new rows take it again.
 * @returns whether there is more to give back
 */
export function giveBackFreePages(connection: SqliteConnection, pages: number): boolean {
  const isMuchFree = () =>
    connection.queryNumber('PRAGMA freelist_count') * 4 > connection.queryNumber('PRAGMA page_count')
  if (!isMuchFree()) return false
  connection.exec(`PRAGMA incremental_vacuum(${pages})`)
  return isMuchFree()
}

/** Writes the log back into the file, empties it and closes. */
export function closeWriting(connection: SqliteConnection): void {
  try {
    connection.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  } finally {
    connection.close()
  }
}
