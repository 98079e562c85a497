import type { ObjectLiteral, SelectQueryBuilder } from 'typeorm'
import type { DeviceId } from '../../model/device-id.js'
import { datetimeOf } from './datetime.js'
import { chunksOf } from './sql-rows.js'

/** SQLite binds at most so many values to a statement, by default of old versions. */
const ASKED_AT_ONCE = 500

/** A new query of one of the tables of uploads, whose rows are called `upload`. */
type UploadRows<Row extends ObjectLiteral> = () => SelectQueryBuilder<Row>

/** Those of which nothing came since, oldest first. */
export function listIdleUploads<Row extends ObjectLiteral>(
  rows: UploadRows<Row>,
  sinceMs: number,
  limit: number,
): Promise<Row[]> {
  return rows()
    .where('upload.updatedAtMs < :since', { since: datetimeOf(sinceMs) })
    .orderBy('upload.updatedAtMs')
    .addOrderBy('upload.id')
    .limit(limit)
    .getMany()
}

export function listUploadsOfDevice<Row extends ObjectLiteral>(
  rows: UploadRows<Row>,
  deviceId: DeviceId,
): Promise<Row[]> {
  return rows().where('upload.deviceId = :deviceId', { deviceId }).orderBy('upload.id').getMany()
}

/** Which of these of the blob store's the records know. */
export async function findKnownBlobUploads<Row extends { readonly blobUploadId: string }>(
  rows: UploadRows<Row>,
  blobUploadIds: readonly string[],
): Promise<string[]> {
  const known: string[] = []
  for (const ids of chunksOf(blobUploadIds, ASKED_AT_ONCE)) {
    const found = await rows()
      .select(['upload.id', 'upload.blobUploadId'])
      .where('upload.blobUploadId IN (:...ids)', { ids })
      .getMany()
    known.push(...found.map(({ blobUploadId }) => blobUploadId))
  }
  return known
}
