import { Injectable, Logger } from '@nestjs/common'
import { AuditRecords } from '../storage/sql/audit-records.js'

/** Who did what to what, from where. Never a secret: neither a password nor a token nor a hash of one. */
export interface AuditFact {
  /** Username, or `system` for what was done on the machine itself. */
  readonly by: string
  /** Dotted, thing first: `device.create`, `user.login`. */
  readonly action: string
  /** A device id, a username, … */
  readonly target?: string | null
  readonly detail?: Readonly<Record<string, unknown>> | null
  /** Client address. */
  readonly address?: string | null
}

/** Every change made by a user. */
@Injectable()
export class AuditLog {
  private readonly logger = new Logger('audit')

  constructor(private readonly records: AuditRecords) {}

  /**
   * Writes the fact down; call it after the change was stored, and await it before answering. Never throws: the change has
   * happened, and calling it failed would be a lie. A fact that the store does not take is logged whole, as an error.
   */
  async record(fact: AuditFact): Promise<void> {
    const entry = {
      atMs: Date.now(),
      by: fact.by,
      action: fact.action,
      target: fact.target ?? null,
      detail: fact.detail ?? null,
      address: fact.address ?? null,
    }
    try {
      await this.records.append(entry)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      this.logger.error({ event: 'audit_write_failed', reason, entry })
    }
  }
}
