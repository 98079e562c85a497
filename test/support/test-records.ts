import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { openSqliteRecords } from '../../src/storage/sql/open-sqlite-records.js'
import type { SqlRecords } from '../../src/storage/sql/records-of.js'
import type { UserRecord } from '../../src/storage/sql/user-records.js'

/** The relational ports on an embedded database of their own. */
export interface TestRecords extends SqlRecords {
  close(): Promise<void>
}

export async function openTestRecords(): Promise<TestRecords> {
  const directory = await mkdtemp(path.join(tmpdir(), 'milepost-records-'))
  const records = await openSqliteRecords({ directory })
  return {
    ...records,
    close: async () => {
      await records.store.close()
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
