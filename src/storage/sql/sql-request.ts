import type { SqliteOutcome, SqliteValue } from '../sqlite-connection.js'

/** What may be bound to a parameter. A boolean is not among them: the driver ends the whole process on one. */
export type SqlValue = SqliteValue | bigint

/** One statement for the thread that holds the connection. */
export interface SqlRequest {
  readonly sql: string
  readonly values: readonly SqlValue[]
  /** The transaction it belongs to; undefined: none, it commits by itself. */
  readonly transaction?: number
}

/** SQLite's word on a statement that it did not run. It is an answer, since its code must cross the threads. */
export interface SqlRefusal {
  readonly code: string
  readonly message: string
}

/** What the statement did. Blobs in rows come as `ArrayBuffer`. */
export type SqlAnswer = SqliteOutcome

/** What the thread is started with. */
export interface SqlWorkerData {
  readonly file: string
  /** `writer`: the only one that writes; `reader`: cannot. */
  readonly role: 'writer' | 'reader'
}

/** Takes the write lock at once: a transaction that reads first and writes later could find it taken by another process. */
export const BEGIN = 'BEGIN IMMEDIATE'

/** Code of the refusal of a statement whose transaction ended without it: by time, or with its thread. */
export const TRANSACTION_GONE = 'TRANSACTION_GONE'
