import { datetimeOf } from './datetime.js'
import { IdempotencyEntity, type IdempotencyRow } from './entities/idempotency-entity.js'
import { type IdempotencyRecord, IdempotencyRecords } from './idempotency-records.js'
import { isDuplicateKey } from './sql-errors.js'
import type { SqlSource } from './sql-source.js'

/** Removed at once, so that nobody waits long for the write lock. */
const REMOVED_AT_ONCE = 1000

/** Idempotency keys in the relational database. */
export class TypeormIdempotencyRecords extends IdempotencyRecords {
  constructor(private readonly source: SqlSource) {
    super()
  }

  async claim(record: IdempotencyRecord): Promise<IdempotencyRecord | undefined> {
    for (;;) {
      if (await this.insert(record)) return undefined
      const { scopeHash } = record
      const holder = await this.source.getRepository(IdempotencyEntity).findOneBy({ scopeHash })
      if (holder) return toRecord(holder)
      // It was given back in between: the next try may get it.
    }
  }

  async complete(scopeHash: string, status: number, sealed: string): Promise<void> {
    await this.source
      .createQueryBuilder()
      .update(IdempotencyEntity)
      .set({ status, sealed })
      .where('scopeHash = :scopeHash', { scopeHash })
      .execute()
  }

  async release(scopeHash: string, createdAtMs: number): Promise<void> {
    await this.source
      .createQueryBuilder()
      .delete()
      .from(IdempotencyEntity)
      .where('scopeHash = :scopeHash AND createdAtMs = :createdAt AND status IS NULL', {
        scopeHash,
        createdAt: datetimeOf(createdAtMs),
      })
      .execute()
  }

  async releaseRunning(owner: string): Promise<number> {
    const { affected } = await this.source
      .createQueryBuilder()
      .delete()
      .from(IdempotencyEntity)
      .where('status IS NULL AND (sealed IS NULL OR sealed = :owner)', { owner })
      .execute()
    return affected ?? 0
  }

  async removeOlderThan(atMs: number): Promise<number> {
    for (let removed = 0; ; ) {
      const old = await this.source
        .createQueryBuilder(IdempotencyEntity, 'claim')
        .select(['claim.scopeHash'])
        .where('claim.createdAtMs < :before', { before: datetimeOf(atMs) })
        .limit(REMOVED_AT_ONCE)
        .getMany()
      if (old.length === 0) return removed
      const hashes = old.map(({ scopeHash }) => scopeHash)
      await this.source
        .createQueryBuilder()
        .delete()
        .from(IdempotencyEntity)
        .where('scopeHash IN (:...hashes)', { hashes })
        .execute()
      removed += hashes.length
    }
  }

  private async insert(record: IdempotencyRecord): Promise<boolean> {
    try {
      await this.source
        .createQueryBuilder()
        .insert()
        .into(IdempotencyEntity)
        .values(toRow(record))
        .updateEntity(false)
        .execute()
      return true
    } catch (error) {
      if (isDuplicateKey(error)) return false
      throw error
    }
  }
}

function toRow({ owner, ...row }: IdempotencyRecord): IdempotencyRow {
  return row.status === null ? { ...row, sealed: owner } : row
}

function toRecord({ sealed, ...row }: IdempotencyRow): IdempotencyRecord {
  return row.status === null ? { ...row, owner: sealed, sealed: null } : { ...row, owner: null, sealed }
}
