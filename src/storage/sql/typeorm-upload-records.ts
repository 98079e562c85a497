import type { DeviceId } from '../../model/device-id.js'
import { datetimeOf } from './datetime.js'
import { UploadEntity } from './entities/upload-entity.js'
import type { SqlSource } from './sql-source.js'
import { type UploadChanges, type UploadRecord, UploadRecords } from './upload-records.js'

/** SQLite binds at most so many values to a statement, by default of old versions. */
const ASKED_AT_ONCE = 500

/** Resumable uploads in the relational database. */
export class TypeormUploadRecords extends UploadRecords {
  constructor(private readonly source: SqlSource) {
    super()
  }

  async insert(record: UploadRecord): Promise<void> {
    await this.source.createQueryBuilder().insert().into(UploadEntity).values(record).updateEntity(false).execute()
  }

  async find(id: string): Promise<UploadRecord | undefined> {
    return (await this.rows().where('upload.id = :id', { id }).getOne()) ?? undefined
  }

  async update(id: string, changes: UploadChanges): Promise<boolean> {
    const changed = Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined))
    if (Object.keys(changed).length === 0) return (await this.find(id)) !== undefined
    const { affected } = await this.source
      .createQueryBuilder()
      .update(UploadEntity)
      .set(changed)
      .where('id = :id', { id })
      .execute()
    return affected === 1
  }

  async remove(id: string): Promise<void> {
    await this.source.createQueryBuilder().delete().from(UploadEntity).where('id = :id', { id }).execute()
  }

  async listIdle(sinceMs: number, limit: number): Promise<UploadRecord[]> {
    return this.rows()
      .where('upload.updatedAtMs < :since', { since: datetimeOf(sinceMs) })
      .orderBy('upload.updatedAtMs')
      .addOrderBy('upload.id')
      .limit(limit)
      .getMany()
  }

  async findKnownBlobUploads(blobUploadIds: readonly string[]): Promise<string[]> {
    const known: string[] = []
    for (let i = 0; i < blobUploadIds.length; i += ASKED_AT_ONCE) {
      const rows = await this.rows()
        .select(['upload.id', 'upload.blobUploadId'])
        .where('upload.blobUploadId IN (:...ids)', { ids: blobUploadIds.slice(i, i + ASKED_AT_ONCE) })
        .getMany()
      known.push(...rows.map(({ blobUploadId }) => blobUploadId))
    }
    return known
  }

  async countOfDevice(deviceId: DeviceId): Promise<number> {
    return this.rows().where('upload.deviceId = :deviceId AND upload.videoId IS NULL', { deviceId }).getCount()
  }

  async listOfDevice(deviceId: DeviceId): Promise<UploadRecord[]> {
    return this.rows().where('upload.deviceId = :deviceId', { deviceId }).orderBy('upload.id').getMany()
  }

  private rows() {
    return this.source.createQueryBuilder(UploadEntity, 'upload')
  }
}
