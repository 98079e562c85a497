import type { DeviceId } from '../../model/device-id.js'
import { type DirectUploadChanges, type DirectUploadRecord, DirectUploadRecords } from './direct-upload-records.js'
import { DirectUploadEntity } from './entities/direct-upload-entity.js'
import type { SqlSource } from './sql-source.js'
import { findKnownBlobUploads, listIdleUploads, listUploadsOfDevice } from './upload-rows.js'

/** Uploads that go past this server, in the relational database. */
export class TypeormDirectUploadRecords extends DirectUploadRecords {
  constructor(private readonly source: SqlSource) {
    super()
  }

  async insert(record: DirectUploadRecord): Promise<void> {
    await this.source
      .createQueryBuilder()
      .insert()
      .into(DirectUploadEntity)
      .values(record)
      .updateEntity(false)
      .execute()
  }

  async find(id: string): Promise<DirectUploadRecord | undefined> {
    return (await this.rows().where('upload.id = :id', { id }).getOne()) ?? undefined
  }

  async update(id: string, changes: DirectUploadChanges): Promise<boolean> {
    const changed = Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined))
    if (Object.keys(changed).length === 0) return (await this.find(id)) !== undefined
    await this.source.createQueryBuilder().update(DirectUploadEntity).set(changed).where('id = :id', { id }).execute()
    // Not every database counts a row as affected that had the values already.
    return (await this.find(id)) !== undefined
  }

  async remove(id: string): Promise<void> {
    await this.source.createQueryBuilder().delete().from(DirectUploadEntity).where('id = :id', { id }).execute()
  }

  async listOfDevice(deviceId: DeviceId): Promise<DirectUploadRecord[]> {
    return listUploadsOfDevice(() => this.rows(), deviceId)
  }

  async listIdle(sinceMs: number, limit: number): Promise<DirectUploadRecord[]> {
    return listIdleUploads(() => this.rows(), sinceMs, limit)
  }

  async findKnownBlobUploads(blobUploadIds: readonly string[]): Promise<string[]> {
    return findKnownBlobUploads(() => this.rows(), blobUploadIds)
  }

  private rows() {
    return this.source.createQueryBuilder(DirectUploadEntity, 'upload')
  }
}
