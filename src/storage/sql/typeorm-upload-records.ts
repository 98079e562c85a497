import type { DeviceId } from '../../model/device-id.js'
import { UploadEntity } from './entities/upload-entity.js'
import type { SqlSource } from './sql-source.js'
import { type UploadChanges, type UploadRecord, UploadRecords } from './upload-records.js'
import { findKnownBlobUploads, listIdleUploads, listUploadsOfDevice } from './upload-rows.js'

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
    return listIdleUploads(() => this.rows(), sinceMs, limit)
  }

  async findKnownBlobUploads(blobUploadIds: readonly string[]): Promise<string[]> {
    return findKnownBlobUploads(() => this.rows(), blobUploadIds)
  }

  async countOfDevice(deviceId: DeviceId): Promise<number> {
    return this.rows().where('upload.deviceId = :deviceId AND upload.videoId IS NULL', { deviceId }).getCount()
  }

  async listOfDevice(deviceId: DeviceId): Promise<UploadRecord[]> {
    return listUploadsOfDevice(() => this.rows(), deviceId)
  }

  private rows() {
    return this.source.createQueryBuilder(UploadEntity, 'upload')
  }
}
