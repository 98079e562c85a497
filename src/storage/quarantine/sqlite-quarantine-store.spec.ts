import { readdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { removeTemporaryDirectories, temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { SqliteConnection } from '../sqlite-connection.js'
import { quarantineStoreContract } from './quarantine-store.contract.js'
import type { QuarantineStore } from './quarantine-store.js'
import { openSqliteQuarantine } from './sqlite-quarantine-store.js'

const RECORD = { deviceId: 'truck-1', ingress: 'http', code: 'too_old', receivedAtMs: 1000, raw: '{}' }

afterAll(removeTemporaryDirectories)

quarantineStoreContract('sqlite', async () => {
  const directory = temporaryDirectory()
  return { open: () => openSqliteQuarantine({ directory }), remove: async () => {} }
})

describe('SQLite quarantine store', () => {
  const opened: QuarantineStore[] = []

  afterEach(async () => {
    await Promise.all(opened.splice(0).map((store) => store.close()))
  })

  const open = async (directory: string) => {
    const store = await openSqliteQuarantine({ directory })
    opened.push(store)
    return store
  }

  it('rejects what it cannot keep, keeps none of it, and goes on once the reason is gone', async () => {
    const directory = temporaryDirectory()
    const store = await open(directory)
    const other = new SqliteConnection(path.join(directory, 'quarantine.sqlite'))
    other.exec('BEGIN IMMEDIATE')
    await expect(store.keep([RECORD, RECORD])).rejects.toMatchObject({
      code: 'store_unavailable',
      message: 'quarantine: database is locked (SQLITE_BUSY)',
    })
    other.exec('ROLLBACK')
    other.close()
    await store.keep([RECORD])
    expect((await store.list({ limit: 10 })).length).toBe(1)
  })

  it('names the file and the reason when it cannot be opened', async () => {
    const directory = temporaryDirectory()
    writeFileSync(path.join(directory, 'quarantine.sqlite'), 'no database at all, only text'.repeat(200))
    await expect(open(directory)).rejects.toMatchObject({
      name: 'StoreOpenError',
      message: expect.stringMatching(/quarantine\.sqlite: file is not a database \(SQLITE_NOTADB\)$/),
    })
  })

  it('is copied while it runs', async () => {
    const store = await open(temporaryDirectory())
    await store.keep([RECORD])
    const directory = temporaryDirectory()
    await store.backupTo(path.join(directory, 'quarantine.sqlite'))
    await store.close()
    expect(readdirSync(directory)).toEqual(['quarantine.sqlite'])
    const copy = await open(directory)
    expect(await copy.list({ limit: 10 })).toEqual([{ ...RECORD, id: '1' }])
  })
})
