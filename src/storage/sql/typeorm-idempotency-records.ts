import { IdempotencyEntity } from './entities/idempotency-entity.js'
import { type IdempotencyRecord, IdempotencyRecords } from './idempotency-records.js'
import { isDuplicateKey } from './sql-errors.js'
import type { SqlSource } from './sql-source.js'

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
      if (holder) return holder
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

  async release(scopeHash: string): Promise<void> {
    await this.source
      .createQueryBuilder()
      .delete()
      .from(IdempotencyEntity)
      .where('scopeHash = :scopeHash AND status IS NULL', { scopeHash })
      .execute()
  }

  async releaseRunning(createdBeforeMs: number): Promise<number> {
    return this.removeCreatedBefore(createdBeforeMs, 'AND status IS NULL')
  }

  async removeOlderThan(atMs: number): Promise<number> {
    return this.removeCreatedBefore(atMs)
  }

  private async insert(record: IdempotencyRecord): Promise<boolean> {
    try {
      await this.source
        .createQueryBuilder()
        .insert()
        .into(IdempotencyEntity)
        .values(record)
        .updateEntity(false)
        .execute()
      return true
    } catch (error) {
      if (isDuplicateKey(error)) return false
      throw error
    }
  }

  private async removeCreatedBefore(beforeMs: number, condition = ''): Promise<number> {
    const { affected } = await this.source
      .createQueryBuilder()
      .delete()
      .from(IdempotencyEntity)
      .where(`created_at < :before ${condition}`, { before: new Date(beforeMs) })
      .execute()
    return affected ?? 0
  }
}
