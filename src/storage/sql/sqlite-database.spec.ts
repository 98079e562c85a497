import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import Database from 'libsql'
import { startWorkerThread } from '../worker-thread.js'
import { BEGIN, type SqlWorkerData, TRANSACTION_GONE } from './sql-request.js'
import { SqliteDatabase } from './sqlite-database.js'

/** Ends the thread that is asked to run it. (`terminate` would not do: the driver ends the whole process when it is in the midst of a statement.) */
const DEADLY = '/* dies */ SELECT 1'

describe('an SQLite database in threads', () => {
  let directory: string
  let database: SqliteDatabase
  let started: SqlWorkerData['role'][]

  beforeEach(async () => {
    directory = mkdtempSync(path.join(tmpdir(), 'milepost-sql-'))
    started = []
    database = await SqliteDatabase.open(path.join(directory, 'milepost.sqlite'), {}, (workerData) => {
      started.push(workerData.role)
      return startWorkerThread(import.meta.url, '../../../test/stores/mortal-sql-worker.js', { workerData })
    })
    await database.write('CREATE TABLE t (k TEXT PRIMARY KEY)', [])
  })
  afterEach(async () => {
    await database.close()
    rmSync(directory, { recursive: true, force: true })
  })

  it('fails what the writing thread had under way, and writes again with another one', async () => {
    await database.write("INSERT INTO t VALUES ('before')", [])

    await expect(database.write(DEADLY, [])).rejects.toMatchObject({ code: 'store_unavailable' })
    await database.write("INSERT INTO t VALUES ('after')", [])

    expect(await database.read('SELECT k FROM t', [])).toEqual({ rows: [{ k: 'before' }, { k: 'after' }] })
    expect(started).toEqual(['writer', 'reader', 'reader', 'writer'])
  })

  it('refuses the rest of a transaction that died with its thread, and lets the next writer in', async () => {
    const transaction = await database.begin()
    await transaction.run(BEGIN, [])
    await transaction.run("INSERT INTO t VALUES ('lost')", [])
    await expect(transaction.run(DEADLY, [])).rejects.toMatchObject({ code: 'store_unavailable' })

    expect(await transaction.run("INSERT INTO t VALUES ('stray')", [])).toMatchObject({ code: TRANSACTION_GONE })
    expect(await transaction.run('COMMIT', [])).toMatchObject({ code: TRANSACTION_GONE })
    await transaction.end()
    await database.write("INSERT INTO t VALUES ('next')", [])

    expect(await database.read('SELECT k FROM t', [])).toEqual({ rows: [{ k: 'next' }] })
  })

  it('rejects the reads that dead threads had under way, and answers the next ones', async () => {
    const underWay = [DEADLY, DEADLY, 'SELECT 1', 'SELECT 1'].map((sql) => database.read(sql, []))

    for (const { status, reason } of (await Promise.allSettled(underWay)) as PromiseRejectedResult[]) {
      expect({ status, code: reason?.code }).toEqual({ status: 'rejected', code: 'store_unavailable' })
    }
    expect(await database.read('SELECT 1 AS one', [])).toEqual({ rows: [{ one: 1 }] })
    expect(started).toEqual(['writer', 'reader', 'reader', 'reader'])
  })

  it('refuses what comes after it was closed', async () => {
    await database.close()

    await expect(database.read('SELECT 1', [])).rejects.toMatchObject({ code: 'store_unavailable' })
    await expect(database.write("INSERT INTO t VALUES ('a')", [])).rejects.toMatchObject({ code: 'store_unavailable' })
  })

  describe('beside another process that writes', () => {
    let other: Database.Database

    beforeEach(() => {
      other = new Database(database.file)
      other.exec('BEGIN IMMEDIATE')
    })
    afterEach(() => other.close())

    const blocked = { code: 'store_unavailable', message: 'database writer: database is locked (SQLITE_BUSY)' }

    it('fails a write after waiting for it, and writes the next one when it is gone', async () => {
      await expect(database.write("INSERT INTO t VALUES ('blocked')", [])).rejects.toMatchObject(blocked)
      other.exec('ROLLBACK')

      await database.write("INSERT INTO t VALUES ('a')", [])
      const transaction = await database.begin()
      await transaction.run(BEGIN, [])
      await transaction.run("INSERT INTO t VALUES ('b')", [])
      expect(await transaction.run('COMMIT', [])).toMatchObject({ changes: expect.any(Number) })
      await transaction.end()

      expect(await database.read('SELECT k FROM t', [])).toEqual({ rows: [{ k: 'a' }, { k: 'b' }] })
    })

    it('fails a transaction at its beginning, and begins the next one when it is gone', async () => {
      const failed = await database.begin()
      await expect(failed.run(BEGIN, [])).rejects.toMatchObject(blocked)
      await failed.end()
      other.exec('ROLLBACK')

      const transaction = await database.begin()
      await transaction.run(BEGIN, [])
      await transaction.run("INSERT INTO t VALUES ('a')", [])
      await transaction.run('COMMIT', [])
      await transaction.end()

      expect(await database.read('SELECT k FROM t', [])).toEqual({ rows: [{ k: 'a' }] })
    })
  })
})
