import type { DeviceId } from '../../model/device-id.js'
import { ErasureEntity } from './entities/erasure-entity.js'
import { type ErasureRecord, ErasureRecords } from './erasure-records.js'
import { isDuplicateKey } from './sql-errors.js'
import type { SqlSource } from './sql-source.js'

/** Erasures in the relational database. */
export class TypeormErasureRecords extends ErasureRecords {
  constructor(private readonly source: SqlSource) {
    super()
  }

  /** The same erasures, read and written in a transaction. */
  within(transaction: SqlSource): TypeormErasureRecords {
    return new TypeormErasureRecords(transaction)
  }

  async add(record: ErasureRecord): Promise<boolean> {
    try {
      await this.source.createQueryBuilder().insert().into(ErasureEntity).values(record).updateEntity(false).execute()
      return true
    } catch (error) {
      if (isDuplicateKey(error)) return false
      throw error
    }
  }

  async find(deviceId: DeviceId): Promise<ErasureRecord | undefined> {
    return (await this.source.getRepository(ErasureEntity).findOneBy({ deviceId })) ?? undefined
  }

  async list(): Promise<ErasureRecord[]> {
    return this.source.getRepository(ErasureEntity).find({ order: { askedAtMs: 'ASC', deviceId: 'ASC' } })
  }

  async remove(deviceId: DeviceId): Promise<boolean> {
    const { affected } = await this.source
      .createQueryBuilder()
      .delete()
      .from(ErasureEntity)
      .where('deviceId = :deviceId', { deviceId })
      .execute()
    return affected === 1
  }
}
