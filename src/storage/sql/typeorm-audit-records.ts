import type { QueryDeepPartialEntity, SelectQueryBuilder } from 'typeorm'
import { type AuditQuery, type AuditRecord, AuditRecords } from './audit-records.js'
import { datetimeOf } from './datetime.js'
import { AuditEntity } from './entities/audit-entity.js'
import type { SqlSource } from './sql-source.js'
import { TimeOrderedIds } from './time-ordered-id.js'

/** Removed at once, so that nobody waits long for the write lock. */
const REMOVED_AT_ONCE = 1000

/** The audit log in the relational database. */
export class TypeormAuditRecords extends AuditRecords {
  constructor(
    private readonly source: SqlSource,
    private readonly ids = new TimeOrderedIds(),
  ) {
    super()
  }

  /** The same log, read and written in a transaction. */
  within(transaction: SqlSource): TypeormAuditRecords {
    return new TypeormAuditRecords(transaction, this.ids)
  }

  async append(entry: Omit<AuditRecord, 'id'>): Promise<void> {
    // TypeORM takes the free fields of `detail` for columns of their own and demands functions for what is unknown in them.
    const row = { ...entry, id: this.ids.next(entry.atMs) } as QueryDeepPartialEntity<AuditRecord>
    await this.source.createQueryBuilder().insert().into(AuditEntity).values(row).updateEntity(false).execute()
  }

  async list({ by, actions, fromMs, toMs, limit, before }: AuditQuery): Promise<AuditRecord[]> {
    if (by?.length === 0 || actions?.length === 0) return []
    const rows = this.source
      .createQueryBuilder(AuditEntity, 'entry')
      .orderBy('entry.atMs', 'DESC')
      .addOrderBy('entry.id', 'DESC')
      .limit(limit)
    addSomeOf(rows, 'by', by)
    addSomeOf(rows, 'action', actions)
    if (fromMs !== undefined) rows.andWhere('entry.atMs >= :from', { from: datetimeOf(fromMs) })
    if (toMs !== undefined) rows.andWhere('entry.atMs < :to', { to: datetimeOf(toMs) })
    if (before) {
      // In two conditions, since not every database can search an index by a pair.
      const at = datetimeOf(before.atMs)
      rows.andWhere('entry.atMs <= :at AND (entry.atMs < :at OR entry.id < :id)', { at, id: before.id })
    }
    return rows.getMany()
  }

  async removeOlderThan(atMs: number): Promise<number> {
    let removed = 0
    for (;;) {
      const old = await this.source
        .createQueryBuilder(AuditEntity, 'entry')
        .select(['entry.id'])
        .where('entry.atMs < :at', { at: datetimeOf(atMs) })
        .limit(REMOVED_AT_ONCE)
        .getMany()
      if (old.length === 0) return removed
      const ids = old.map(({ id }) => id)
      await this.source.createQueryBuilder().delete().from(AuditEntity).where('id IN (:...ids)', { ids }).execute()
      removed += ids.length
    }
  }
}

function addSomeOf(
  rows: SelectQueryBuilder<AuditRecord>,
  column: 'by' | 'action',
  values: readonly string[] | undefined,
): void {
  if (!values) return
  const [first, ...more] = values
  // One value by equality: the index then gives the order too.
  if (more.length === 0) rows.andWhere(`entry.${column} = :${column}`, { [column]: first })
  else rows.andWhere(`entry.${column} IN (:...${column})`, { [column]: values })
}
