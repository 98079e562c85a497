import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'libsql'
import type { DataSource } from 'typeorm'
import { FoldSharpS1795305600008 } from '../../../migrations/1795305600008-fold-sharp-s.js'
import { MIGRATIONS } from '../../../migrations/migrations.js'
import { makeDevice } from '../../../test/support/memory-device-records.js'
import { StoreOpenError } from '../store-open-error.js'
import { isDuplicateKey } from './sql-errors.js'
import { openSqliteDataSource } from './sqlite-data-source.js'
import type { SqliteLimits } from './sqlite-database.js'
import { TypeormDeviceRecords } from './typeorm-device-records.js'

/** Counts without touching a table: about a tenth of a second for each million. */
const slowCount = (rows: number) =>
  `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows}) SELECT count(*) AS rows FROM n`
const TWO_SECONDS = 2000

describe('the SQLite data source', () => {
  let directory: string
  let file: string
  const opened: DataSource[] = []

  beforeEach(() => {
    directory = mkdtempSync(path.join(tmpdir(), 'milepost-sql-'))
    file = path.join(directory, 'milepost.sqlite')
  })
  afterEach(async () => {
    for (const source of opened.splice(0)) if (source.isInitialized) await source.destroy()
    rmSync(directory, { recursive: true, force: true })
  })

  async function open(limits?: Partial<SqliteLimits>): Promise<DataSource> {
    const source = await openSqliteDataSource({ file, limits })
    opened.push(source)
    return source
  }

  async function openWithTable(limits?: Partial<SqliteLimits>): Promise<DataSource> {
    const source = await open(limits)
    await source.query('CREATE TABLE t (k TEXT PRIMARY KEY, v INT)')
    return source
  }

  const keysIn = async (source: DataSource) =>
    (await source.query<{ k: string }[]>('SELECT k FROM t ORDER BY k')).map(({ k }) => k)

  describe('transactions', () => {
    it('keeps exactly what was committed when twenty run at once and half are rolled back', async () => {
      const source = await openWithTable()

      const outcomes = await Promise.allSettled(
        Array.from({ length: 20 }, (_, i) =>
          source.transaction(async (manager) => {
            await manager.query('INSERT INTO t VALUES (?, ?)', [`k${10 + i}`, i])
            await sleep(i % 3)
            if (i % 2 === 1) throw new Error('changed my mind')
          }),
        ),
      )

      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(10)
      expect(await keysIn(source)).toEqual(['k10', 'k12', 'k14', 'k16', 'k18', 'k20', 'k22', 'k24', 'k26', 'k28'])
    })

    it("lets another request's write during an open transaction survive its rollback", async () => {
      const source = await openWithTable()
      let other: Promise<unknown> = Promise.resolve()

      const failed = source.transaction(async (manager) => {
        await manager.query("INSERT INTO t VALUES ('inside', 1)")
        other = source.query("INSERT INTO t VALUES ('outside', 1)")
        await sleep(30)
        throw new Error('changed my mind')
      })

      await expect(failed).rejects.toThrow('changed my mind')
      await other
      expect(await keysIn(source)).toEqual(['outside'])
    })

    it('shows its own writes inside and nobody else before the commit', async () => {
      const source = await openWithTable()

      await source.transaction(async (manager) => {
        await manager.query("INSERT INTO t VALUES ('a', 1)")
        expect(await manager.query('SELECT k FROM t')).toEqual([{ k: 'a' }])
        expect(await keysIn(source)).toEqual([])
      })

      expect(await keysIn(source)).toEqual(['a'])
    })

    it('rolls a nested one back to its beginning only', async () => {
      const source = await openWithTable()

      await source.transaction(async (manager) => {
        await manager.query("INSERT INTO t VALUES ('outer', 1)")
        await manager.transaction((nested) => nested.query("INSERT INTO t VALUES ('kept', 1)"))
        const failed = manager.transaction(async (nested) => {
          await nested.query("INSERT INTO t VALUES ('dropped', 1)")
          throw new Error('changed my mind')
        })
        await expect(failed).rejects.toThrow('changed my mind')
      })

      expect(await keysIn(source)).toEqual(['kept', 'outer'])
    })

    it('rolls a forgotten one back after a time, so that others can write', async () => {
      const source = await openWithTable({ idleTransactionMs: 100 })
      const forgotten = source.createQueryRunner()
      await forgotten.startTransaction()
      await forgotten.query("INSERT INTO t VALUES ('forgotten', 1)")

      await source.query("INSERT INTO t VALUES ('later', 1)")

      expect(await keysIn(source)).toEqual(['later'])
      await expect(forgotten.commitTransaction()).rejects.toMatchObject({ code: 'store_unavailable' })
      await forgotten.release()
      await source.transaction((manager) => manager.query("INSERT INTO t VALUES ('last', 1)"))
      expect(await keysIn(source)).toEqual(['last', 'later'])
    })

    it('rolls one back whose runner is released without an end', async () => {
      const source = await openWithTable()
      const runner = source.createQueryRunner()
      await runner.startTransaction()
      await runner.query("INSERT INTO t VALUES ('a', 1)")
      await runner.release()

      await source.query("INSERT INTO t VALUES ('b', 1)")

      expect(await keysIn(source)).toEqual(['b'])
    })

    it('refuses a write that waited too long for another transaction', async () => {
      const source = await openWithTable({ lockWaitMs: 50 })
      const runner = source.createQueryRunner()
      await runner.startTransaction()

      await expect(source.query("INSERT INTO t VALUES ('a', 1)")).rejects.toMatchObject({
        code: 'store_unavailable',
        message: 'database: its write lock was not free within 50 ms',
      })
      await runner.rollbackTransaction()
      await source.query("INSERT INTO t VALUES ('b', 1)")

      expect(await keysIn(source)).toEqual(['b'])
    })

    it('refuses one that is begun by hand, and keeps nobody from writing after it', async () => {
      const source = await openWithTable()

      await expect(source.query('BEGIN')).rejects.toMatchObject({ code: 'SQLITE_MISUSE' })
      await source.query("INSERT INTO t VALUES ('a', 1)")

      expect(await keysIn(source)).toEqual(['a'])
    })
  })

  describe('threads', () => {
    it('reads what an awaited write has committed, every time', async () => {
      const source = await openWithTable()
      await source.query("INSERT INTO t VALUES ('a', 0)")

      for (let v = 1; v <= 300; v++) {
        await source.query('UPDATE t SET v = ?', [v])
        expect(await source.query('SELECT v FROM t')).toEqual([{ v }])
      }
    })

    it('holds up neither the event loop nor writes nor other reads while a query takes two seconds', async () => {
      const source = await openWithTable()
      const started = performance.now()
      await source.query(slowCount(1_000_000))
      const rows = Math.ceil((1_000_000 * TWO_SECONDS) / (performance.now() - started))
      const delay = monitorEventLoopDelay({ resolution: 1 })
      delay.enable()

      let isDone = false
      const slowStarted = performance.now()
      const slow = source.query(slowCount(rows)).then((answer) => {
        isDone = true
        return answer
      })
      const tookMs: number[] = []
      while (!isDone) {
        const startedAt = performance.now()
        await source.query('INSERT INTO t VALUES (?, 1)', [`k${tookMs.length}`])
        expect(await source.query('SELECT count(*) AS n FROM t')).toEqual([{ n: tookMs.length + 1 }])
        tookMs.push(performance.now() - startedAt)
        await sleep(10)
      }
      delay.disable()
      const slowMs = performance.now() - slowStarted

      expect(await slow).toEqual([{ rows }])
      // In shares of the slow query's time: other work on the machine slows all of it down alike.
      expect(tookMs.length).toBeGreaterThan(4)
      expect(Math.max(...tookMs)).toBeLessThan(slowMs / 2)
      expect(delay.max / 1e6).toBeLessThan(slowMs / 2)
    })

    it('fails a statement that takes too long, and goes on', async () => {
      const source = await openWithTable({ answerMs: 100 })

      await expect(source.query(slowCount(10_000_000))).rejects.toMatchObject({
        code: 'store_unavailable',
        message: 'database: no answer within 100 ms',
      })

      expect(await keysIn(source)).toEqual([])
    })

    it('runs with a log that is synced at every commit, and with foreign keys', async () => {
      const source = await open()

      expect(await source.query('PRAGMA journal_mode')).toEqual([{ journal_mode: 'wal' }])
      expect(await source.query('PRAGMA synchronous')).toEqual([{ synchronous: 2 }])
      expect(await source.query('PRAGMA foreign_keys')).toEqual([{ foreign_keys: 1 }])
    })

    it('leaves one file behind when it is closed', async () => {
      const source = await openWithTable()
      await source.query("INSERT INTO t VALUES ('a', 1)")
      await keysIn(source)
      await source.destroy()

      expect(readdirSync(directory)).toEqual(['milepost.sqlite'])
    })
  })

  describe('results and errors', () => {
    it('answers as TypeORM expects of this database', async () => {
      const source = await openWithTable()
      const runner = source.createQueryRunner()

      expect(await runner.query("INSERT INTO t VALUES ('a', 1), ('b', 2)", [], true)).toMatchObject({
        affected: 2,
        raw: 2,
        records: [],
      })
      expect(await runner.query('SELECT k, v FROM t WHERE v < ?', [2], true)).toMatchObject({
        raw: [{ k: 'a', v: 1 }],
        records: [{ k: 'a', v: 1 }],
      })
      expect(await runner.query('DELETE FROM t RETURNING k')).toEqual([{ k: 'a' }, { k: 'b' }])
      await runner.release()
    })

    it('binds booleans, dates and absent values', async () => {
      const source = await open()
      const at = new Date('2026-11-22T08:00:00.120Z')

      expect(await source.query('SELECT ? AS yes, ? AS no, ? AS at, ? AS none', [true, false, at, undefined])).toEqual([
        { yes: 1, no: 0, at: '2026-11-22 08:00:00.120', none: null },
      ])
      await expect(source.query('SELECT ?', [{}])).rejects.toThrow('a parameter of type object cannot be bound')
    })

    it('tells duplicates from other refusals', async () => {
      const source = await openWithTable()
      await source.query('CREATE UNIQUE INDEX once ON t (v)')
      await source.query("INSERT INTO t VALUES ('a', 1)")
      const errorOf = (sql: string) =>
        source.query(sql).then(
          () => undefined,
          (error: unknown) => error,
        )

      expect(isDuplicateKey(await errorOf("INSERT INTO t VALUES ('a', 2)"))).toBe(true)
      expect(isDuplicateKey(await errorOf("INSERT INTO t VALUES ('b', 1)"))).toBe(true)
      const syntax = await errorOf('SELEC 1')
      expect(isDuplicateKey(syntax)).toBe(false)
      expect(syntax).toMatchObject({ code: 'SQLITE_ERROR', message: expect.stringContaining('syntax error') })
    })

    it('says disk_full when the file cannot grow, and works again when it can', async () => {
      const source = await openWithTable()
      await source.query('PRAGMA max_page_count = 40')
      const fill = (k: string) => source.query('INSERT INTO t VALUES (?, zeroblob(300000))', [k])

      await expect(fill('a')).rejects.toMatchObject({ code: 'disk_full' })
      await expect(
        source.transaction((manager) => manager.query("INSERT INTO t VALUES ('a', zeroblob(300000))")),
      ).rejects.toMatchObject({ code: 'disk_full' })
      await source.query('PRAGMA max_page_count = 4000')
      await fill('b')

      expect(await keysIn(source)).toEqual(['b'])
    })
  })

  describe('opening', () => {
    const failureOf = (name: string) =>
      openSqliteDataSource({ file: path.join(directory, name) }).then(
        () => undefined,
        (error: unknown) => error,
      )

    it('brings the schema up to date once', async () => {
      const source = await open()
      const names = 'SELECT name FROM migrations ORDER BY id'
      const before = await source.query<unknown[]>(names)
      await source.destroy()

      const again = await open()

      expect(before).toEqual(MIGRATIONS.map(({ name }) => ({ name })))
      expect(await again.query(names)).toEqual(before)
    })

    it('can take each step of the schema back, and again', async () => {
      const source = await open()
      for (const _ of MIGRATIONS) await source.undoLastMigration()
      const tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
      expect(await source.query(tables)).toEqual([{ name: 'migrations' }])

      await source.runMigrations()

      expect(await source.query('SELECT count(*) AS rows FROM devices')).toEqual([{ rows: 0 }])
    })

    it('finds devices by names with a capital sharp s that an older version folded otherwise', async () => {
      const source = await open()
      const records = new TypeormDeviceRecords(source)
      const device = makeDevice({ deviceId: 'truck-1', name: 'Lange STRAẞE' })
      await records.insert(device)
      const since = MIGRATIONS.slice(MIGRATIONS.indexOf(FoldSharpS1795305600008))
      for (const _ of since) await source.undoLastMigration()
      await source.query("UPDATE devices SET search = REPLACE(search, 'strasse', 'straße')")
      const found = async () => (await records.list({ text: 'straße', limit: 10 })).map(({ name }) => name)
      expect(await found()).toEqual([])

      await source.runMigrations()

      expect(await found()).toEqual(['Lange STRAẞE'])
    })

    it('says in one line why it cannot', async () => {
      mkdirSync(path.join(directory, 'folder'))
      writeFileSync(path.join(directory, 'text'), 'this is no database\n'.repeat(100))

      expect(await failureOf('folder')).toMatchObject({
        exitCode: 69,
        message: `cannot open ${path.join(directory, 'folder')}: it is not a file`,
      })
      expect(await failureOf('text')).toMatchObject({
        message: `cannot open ${path.join(directory, 'text')}: file is not a database (SQLITE_NOTADB)`,
      })
      const missing = await failureOf('no/such/folder')
      expect(missing).toBeInstanceOf(StoreOpenError)
      expect(missing).toMatchObject({
        message: expect.stringMatching(/^cannot open .*no\/such\/folder: .*unable to open.*$/i),
      })
      expect(existsSync(path.join(directory, 'no'))).toBe(false)
    })

    it('refuses a file that a newer version has changed, and leaves its schema as it is', async () => {
      const source = await open()
      await source.query('DROP TABLE audit')
      await source.query("DELETE FROM migrations WHERE name LIKE 'CreateAudit%'")
      await source.query("INSERT INTO migrations (timestamp, name) VALUES (1, 'AddRockets1')")
      await source.destroy()

      await expect(open()).rejects.toMatchObject({
        exitCode: 69,
        message: `cannot open ${file}: it was made by a newer version of Milepost (schema change AddRockets1)`,
      })
      const database = new Database(file)
      expect(database.prepare("SELECT name FROM sqlite_master WHERE name = 'audit'").all()).toEqual([])
      database.close()
    })
  })
})
