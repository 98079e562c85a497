/** One change made by a user, or a login. Never holds a secret. */
export interface AuditRecord {
  readonly id: string
  readonly atMs: number
  /** Username, or `system` for what was done on the machine itself. */
  readonly by: string
  /** Dotted: `device.create`, `user.login`, … */
  readonly action: string
  /** What it was done to: a device id, a username, … */
  readonly target: string | null
  readonly detail: Readonly<Record<string, unknown>> | null
  /** Client address. */
  readonly address: string | null
}

export interface AuditQuery {
  readonly by?: readonly string[]
  readonly actions?: readonly string[]
  readonly fromMs?: number
  readonly toMs?: number
  readonly limit: number
  /** Exclusive: continue with entries older than this one. */
  readonly before?: { readonly atMs: number; readonly id: string }
}

/** The audit log: appended, read newest first, removed only by age. */
export abstract class AuditRecords {
  abstract append(entry: Omit<AuditRecord, 'id'>): Promise<void>
  abstract list(query: AuditQuery): Promise<AuditRecord[]>
  abstract removeOlderThan(atMs: number): Promise<number>
}
