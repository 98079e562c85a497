import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Worker } from 'node:worker_threads'
import Database from 'libsql'
import { BEGIN, TRANSACTION_GONE } from './sql-request.js'
import { SqliteDatabase, startSqlWorker } from './sqlite-database.js'

describe('an SQLite database in threads', () => {
  let directory: string
  let database: SqliteDatabase
  let threads: { role: string; worker: Worker }[]

  beforeEach(async () => {
    directory = mkdtempSync(path.join(tmpdir(), 'milepost-sql-'))
    threads = []
    database = await SqliteDatabase.open(path.join(directory, 'milepost.sqlite'), {}, (data) => {
      const worker = startSqlWorker(data)
      threads.push({ role: data.role, worker })
      return worker
    })
    await database.write('CREATE TABLE t (k TEXT PRIMARY KEY)', [])
  })
  afterEach(async () => {
    await database.close()
    rmSync(directory, { recursive: true, force: true })
  })

  const kill = (role: string) =>
    Promise.all(threads.filter((thread) => thread.role === role).map(({ worker }) => worker.terminate()))

  it('fails what the writing thread had under way, and writes again with another one', async () => {
    await database.write("INSERT INTO t VALUES ('before')", [])
    const underWay = database.write(
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) INSERT INTO t SELECT 'x' || i FROM n",
      [],
    )
    const outcome = Promise.allSettled([underWay])
    await kill('writer')
    await database.write("INSERT INTO t VALUES ('after')", [])

    expect(await outcome).toMatchObject([{ status: 'rejected', reason: { code: 'store_unavailable' } }])
    expect(await database.read("SELECT k FROM t WHERE k IN ('before', 'after') ORDER BY k", [])).toEqual({
      rows: [{ k: 'after' }, { k: 'before' }],
    })
    expect(threads.map(({ role }) => role)).toEqual(['writer', 'reader', 'reader', 'writer'])
  })

  it('refuses the rest of a transaction that died with its thread, and lets the next writer in', async () => {
    const transaction = await database.begin()
    await transaction.run(BEGIN, [])
    await transaction.run("INSERT INTO t VALUES ('lost')", [])
    await kill('writer')

    expect(await transaction.run("INSERT INTO t VALUES ('stray')", [])).toMatchObject({ code: TRANSACTION_GONE })
    expect(await transaction.run('COMMIT', [])).toMatchObject({ code: TRANSACTION_GONE })
    await transaction.end()
    await database.write("INSERT INTO t VALUES ('next')", [])

    expect(await database.read('SELECT k FROM t', [])).toEqual({ rows: [{ k: 'next' }] })
  })

  it('rejects the reads that a dead thread had under way, and answers the next ones', async () => {
    const slow =
      'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000) SELECT count(*) FROM n'
    const underWay = Promise.allSettled([database.read(slow, []), database.read(slow, [])])
    await kill('reader')

    expect(await underWay).toMatchObject([
      { status: 'rejected', reason: { code: 'store_unavailable' } },
      { status: 'rejected', reason: { code: 'store_unavailable' } },
    ])
    expect(await database.read('SELECT 1 AS one', [])).toEqual({ rows: [{ one: 1 }] })
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
