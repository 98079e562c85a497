/** The state of one idempotency key within its scope. */
export interface IdempotencyRecord {
  /** SHA-256 hex over user, method, path and key. */
  readonly scopeHash: string
  /** SHA-256 hex of the body. */
  readonly bodyHash: string
  readonly createdAtMs: number
  /** What the server that runs the first request is known by, while that runs; null: it has ended, or nobody wrote it down. */
  readonly owner: string | null
  /** null: the first request is still running. */
  readonly status: number | null
  /** Sealed answer (headers and body); null while running. */
  readonly sealed: string | null
}

/** Keys of repeated user POSTs, kept for 24 h. */
export abstract class IdempotencyRecords {
  /** Claims a key. @returns undefined: claimed by this call; else the record that holds it */
  abstract claim(record: IdempotencyRecord): Promise<IdempotencyRecord | undefined>
  abstract complete(scopeHash: string, status: number, sealed: string): Promise<void>
  /** Gives back the claim that was made at this time, when the request failed in a way worth repeating; never one that is completed. */
  abstract release(scopeHash: string, createdAtMs: number): Promise<void>
  /** Gives back the claims that a server was running when it ended, and those of which nobody knows whose they are. @returns how many */
  abstract releaseRunning(owner: string): Promise<number>
  abstract removeOlderThan(atMs: number): Promise<number>
}
