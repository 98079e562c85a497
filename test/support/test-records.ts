import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { AuditRecords } from '../../src/storage/sql/audit-records.js'
import type { DeviceRecords } from '../../src/storage/sql/device-records.js'
import type { IdempotencyRecords } from '../../src/storage/sql/idempotency-records.js'
import { openSqliteDataSource } from '../../src/storage/sql/sqlite-data-source.js'
import { TypeormAuditRecords } from '../../src/storage/sql/typeorm-audit-records.js'
import { TypeormDeviceRecords } from '../../src/storage/sql/typeorm-device-records.js'
import { TypeormIdempotencyRecords } from '../../src/storage/sql/typeorm-idempotency-records.js'
import { TypeormUserRecords } from '../../src/storage/sql/typeorm-user-records.js'
import type { UserRecord, UserRecords } from '../../src/storage/sql/user-records.js'

/** The relational ports on an embedded database of their own. */
export interface TestRecords {
  readonly devices: DeviceRecords
  readonly users: UserRecords
  readonly audit: AuditRecords
  readonly idempotency: IdempotencyRecords
  close(): Promise<void>
}

export async function openTestRecords(): Promise<TestRecords> {
  const directory = await mkdtemp(path.join(tmpdir(), 'milepost-records-'))
  const dataSource = await openSqliteDataSource({ file: path.join(directory, 'test.db') })
  return {
    devices: new TypeormDeviceRecords(dataSource),
    users: new TypeormUserRecords(dataSource),
    audit: new TypeormAuditRecords(dataSource),
    idempotency: new TypeormIdempotencyRecords(dataSource),
    close: async () => {
      await dataSource.destroy()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** An enabled viewer whose password nobody knows. */
export function testUser(changes: Partial<UserRecord> & Pick<UserRecord, 'username'>): UserRecord {
  return {
    passwordHash: '$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
    role: 'viewer',
    disabled: false,
    createdAtMs: Date.parse('2026-11-22T07:30:00.000Z'),
    ...changes,
  }
}
