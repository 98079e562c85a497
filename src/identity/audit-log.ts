import { Injectable, Logger } from '@nestjs/common'
import { type AuditRecord, AuditRecords } from '../storage/sql/audit-records.js'
import { type JoinedRecords, SqlStore } from '../storage/sql/sql-store.js'

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

/** Every change made by a user, and every login. */
@Injectable()
export class AuditLog {
  private readonly logger = new Logger('audit')

  constructor(
    private readonly records: AuditRecords,
    private readonly store: SqlStore,
  ) {}

  /**
   * Makes a change and writes it down, both or neither, whenever the process ends. Tell others of the change after this resolves.
   * @param make changes by these records and does nothing else: the database waits for it
   * @param factOf what is written down of what was done; undefined: nothing was changed
   * @returns what `make` returned
   * @throws AppError `store_unavailable` | `disk_full` | `overloaded`, and what `make` throws: nothing was changed, but see
   * {@link SqlStore.together} for answers that get lost
   */
  async change<Done>(
    make: (records: JoinedRecords) => Promise<Done>,
    factOf: (done: Done) => AuditFact | undefined,
  ): Promise<Done> {
    return this.store.together(async (records) => {
      const done = await make(records)
      const fact = factOf(done)
      if (fact !== undefined) await records.audit.append(toEntry(fact))
      return done
    })
  }

  /**
   * Writes down what is no change of a record, such as a login. Never throws: it has happened, and calling it failed would be a lie.
   * A fact that the store does not take is logged whole, as an error.
   */
  async record(fact: AuditFact): Promise<void> {
    const entry = toEntry(fact)
    try {
      await this.records.append(entry)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      this.logger.error({ event: 'audit_write_failed', reason, entry })
    }
  }
}

function toEntry({ by, action, target, detail, address }: AuditFact): Omit<AuditRecord, 'id'> {
  return { atMs: Date.now(), by, action, target: target ?? null, detail: detail ?? null, address: address ?? null }
}
