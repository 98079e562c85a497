/** The state of one idempotency key within its scope. */
export interface IdempotencyRecord {
  /** SHA-256 hex over user, method, path and key. */
  readonly scopeHash: string
  /** SHA-256 hex of the body. */
  readonly bodyHash: string
  readonly createdAtMs: number
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
  /** Gives a claim back, when the request failed in a way worth repeating. */
  abstract release(scopeHash: string): Promise<void>
  /** Gives back claims that were running when the process ended. */
  abstract releaseRunning(createdBeforeMs: number): Promise<number>
  abstract removeOlderThan(atMs: number): Promise<number>
}
