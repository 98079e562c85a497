import { setTimeout as sleep } from 'node:timers/promises'
import { createConnection } from 'mysql2/promise'
import type { DataSource } from 'typeorm'
import { describeOn } from '../../../test/stores/describe-on.js'
import { makeSqlDatabase } from '../../../test/stores/test-servers.js'
import { UnreliableNetwork } from '../../../test/stores/unreliable-network.js'
import { CALL_LIMITS, type MysqlLimits } from './mysql-limits.js'
import { openMysqlDataSource } from './open-mysql-data-source.js'
import { isDuplicateKey, isValueAtFault } from './sql-errors.js'

const AWAY = { code: 'store_unavailable', retryAfterMs: 5000 }
const POOL_SIZE = 4
const TEN_SECONDS = 10_000

describeOn('SQL_URL', 'MySQL or MariaDB in trouble', () => {
  let network: UnreliableNetwork
  let url: string
  let remove: () => Promise<void>
  const opened: DataSource[] = []

  beforeEach(async () => {
    const made = await makeSqlDatabase()
    url = made.variables.SQL_URL ?? ''
    remove = made.remove
    network = await UnreliableNetwork.before(url)
  })
  afterEach(async () => {
    network.mend()
    for (const source of opened.splice(0)) await source.destroy()
    await network.close()
    await remove()
  })

  async function open(limits?: Partial<MysqlLimits>): Promise<DataSource> {
    const options = { url: network.urlOf(url), tls: 'off', poolSize: POOL_SIZE } as const
    const source = await openMysqlDataSource(options, { ...CALL_LIMITS, ...limits })
    opened.push(source)
    return source
  }

  async function openWithTable(limits?: Partial<MysqlLimits>): Promise<DataSource> {
    const source = await open(limits)
    await source.query('CREATE TABLE t (k varchar(20) PRIMARY KEY, v int NOT NULL) ENGINE=InnoDB')
    return source
  }

  /** Past the network. */
  async function onServer<Row>(sql: string): Promise<Row[]> {
    const connection = await createConnection(url)
    try {
      return (await connection.query(sql))[0] as Row[]
    } finally {
      await connection.end()
    }
  }

  const keys = async () => (await onServer<{ k: string }>('SELECT k FROM t ORDER BY k')).map(({ k }) => k)

  describe('a connection that ends', () => {
    it('while it rests is not handed out again', async () => {
      const source = await openWithTable()
      await Promise.all(Array.from({ length: POOL_SIZE }, () => source.query('SELECT SLEEP(0.05)')))

      network.cut()
      await source.query("INSERT INTO t VALUES ('a', 1)").catch((error) => expect(error).toMatchObject(AWAY))
      await source.query("INSERT INTO t VALUES ('b', 1)")

      expect(await keys()).toContain('b')
    })

    it('under a read costs nothing: it is asked again', async () => {
      const source = await openWithTable()
      const slow = source.query('SELECT SLEEP(0.3) AS slept')
      await sleep(100)
      network.cut()

      expect(await slow).toEqual([{ slept: 0 }])
    })

    it('under a write alone says store_unavailable, since it may have been done', async () => {
      const source = await openWithTable()
      const write = source.query("INSERT INTO t SELECT 'a', SLEEP(0.4)")
      await sleep(100)
      network.cut()

      await expect(write).rejects.toMatchObject({ ...AWAY, message: expect.stringMatching(/^database: .+/) })
    })

    it('in a transaction before its commit is made good by a second one', async () => {
      const source = await openWithTable()
      let attempts = 0

      await source.transaction(async (manager) => {
        attempts++
        await manager.query("INSERT INTO t VALUES ('a', 1)")
        if (attempts === 1) network.cut()
        await manager.query("INSERT INTO t VALUES ('b', 1)")
      })

      expect(attempts).toBe(2)
      expect(await keys()).toEqual(['a', 'b'])
    })

    it('on the way back from a commit is told as in doubt, and the work is not done again', async () => {
      const source = await openWithTable()
      let attempts = 0

      const outcome = source.transaction(async (manager) => {
        attempts++
        await manager.query("INSERT INTO t VALUES ('a', 1)")
        void network.cutAnswerTo('COMMIT')
      })

      await expect(outcome).rejects.toMatchObject({
        ...AWAY,
        message: expect.stringMatching(/, while it committed: all of it was kept, or nothing$/),
      })
      expect(attempts).toBe(1)
      expect(await keys()).toEqual(['a'])
    })

    it('by KILL is as any other', async () => {
      const source = await openWithTable()
      let attempts = 0

      await source.transaction(async (manager) => {
        attempts++
        await manager.query("INSERT INTO t VALUES ('a', 1)")
        const [{ id }] = await manager.query('SELECT CONNECTION_ID() AS id')
        if (attempts === 1) await onServer(`KILL CONNECTION ${id}`)
        await manager.query("INSERT INTO t VALUES ('b', 1)")
      })

      expect(attempts).toBe(2)
      expect(await keys()).toEqual(['a', 'b'])
    })
  })

  describe('a server that is away', () => {
    it('refusing connections, is told at once and back without a restart', async () => {
      const source = await openWithTable()
      network.refuse()
      const began = performance.now()

      await expect(source.query('SELECT 1')).rejects.toMatchObject(AWAY)
      await expect(source.transaction((manager) => manager.query('SELECT 1'))).rejects.toMatchObject(AWAY)

      expect(performance.now() - began).toBeLessThan(3000)
      network.mend()
      expect(await source.query('SELECT 1 AS one')).toEqual([{ one: 1 }])
    })

    it('in silence, is told to everyone within ten seconds, and back without a restart', async () => {
      const source = await openWithTable()
      await Promise.all(Array.from({ length: POOL_SIZE }, () => source.query('SELECT SLEEP(0.05)')))
      network.silence()
      const began = performance.now()

      const calls = Array.from({ length: POOL_SIZE * 5 }, async (_, i) => {
        const insert = `INSERT INTO t VALUES ('k${i}', ${i})`
        const call = i % 2 ? source.query(insert) : source.transaction((manager) => manager.query(insert))
        await expect(call).rejects.toMatchObject(AWAY)
        return performance.now() - began
      })

      const times = await Promise.all(calls)
      expect(Math.max(...times)).toBeLessThan(9000)
      network.mend()
      await source.query("INSERT INTO t VALUES ('after', 1)")
      expect(await keys()).toEqual(['after'])
    }, 20_000)

    it('in silence, is not waited for longer than a call may take, also by who needs a new connection', async () => {
      const source = await openWithTable({ callMs: 1000 })
      network.cut()
      await source.query('SELECT 1').catch(() => undefined)
      network.cut()
      network.silence()
      const began = performance.now()

      const calls = Array.from({ length: POOL_SIZE + 2 }, () =>
        source.transaction((manager) => manager.query('SELECT 1')),
      )
      const outcomes = await Promise.allSettled(calls)

      expect(performance.now() - began).toBeLessThan(2000)
      for (const outcome of outcomes) expect(outcome).toMatchObject({ status: 'rejected', reason: AWAY })
      network.mend()
      expect(await source.query('SELECT 1 AS one')).toEqual([{ one: 1 }])
    })

    it('from the start, ends the start with one line', async () => {
      network.refuse()

      await expect(open()).rejects.toMatchObject({
        exitCode: 69,
        message: expect.stringMatching(/^cannot open mysql:\/\/127\.0\.0\.1:\d+\/mptest\w+: .+/),
      })
    })
  })

  it('loses no write that was acknowledged, and doubles none, while connections break', async () => {
    const source = await openWithTable()
    const kept = new Set<string>()
    const latest = performance.now() + 20_000
    const isEnough = () => kept.size >= 50 || performance.now() > latest
    const trouble = (async () => {
      for (let turn = 0; turn < 12 || !isEnough(); turn++) {
        await sleep(150)
        if (turn % 3 === 2) {
          network.refuse()
          await sleep(100)
          network.mend()
        } else network.cut()
      }
    })()

    const writers = Array.from({ length: 8 }, async (_, writer) => {
      for (let i = 0; i < 3 || !isEnough(); i++) {
        const key = `${writer}-${i}`
        try {
          await source.transaction(async (manager) => {
            await manager.query('INSERT INTO t VALUES (?, 1)', [key])
            await manager.query('UPDATE t SET v = v + 1 WHERE k = ?', [key])
          })
          kept.add(key)
        } catch (error) {
          expect(error).toMatchObject({ code: 'store_unavailable' })
          await sleep(5) // it may refuse at once
        }
      }
    })
    const ends = await Promise.allSettled([...writers, trouble])
    expect(ends.filter(({ status }) => status === 'rejected')).toEqual([])

    const rows = await onServer<{ k: string; v: number }>('SELECT k, v FROM t')
    const stored = new Set(rows.map(({ k }) => k))
    expect([...kept].filter((key) => !stored.has(key))).toEqual([])
    expect(rows.filter(({ v }) => v !== 2)).toEqual([])
    expect(kept.size).toBeGreaterThanOrEqual(50)
  }, 40_000)

  describe('others in the way', () => {
    it('of two that wait for each other both get through', async () => {
      const source = await openWithTable()
      await source.query("INSERT INTO t VALUES ('a', 0), ('b', 0)")
      let attempts = 0
      const bothHoldOne = meeting(2)

      const both = (['a', 'b'] as const).map((first) =>
        source.transaction(async (manager) => {
          attempts++
          await manager.query('UPDATE t SET v = v + 1 WHERE k = ?', [first])
          await bothHoldOne()
          await manager.query('UPDATE t SET v = v + 1 WHERE k <> ?', [first])
        }),
      )
      await Promise.all(both)

      expect(attempts).toBeGreaterThan(2)
      expect(await onServer('SELECT k, v FROM t ORDER BY k')).toEqual([
        { k: 'a', v: 2 },
        { k: 'b', v: 2 },
      ])
    })

    it('for too long are told within ten seconds', async () => {
      const source = await openWithTable({ lockWaitS: 1 })
      await source.query("INSERT INTO t VALUES ('a', 0)")
      const holder = await createConnection(url)
      await holder.query('START TRANSACTION')
      await holder.query("UPDATE t SET v = 9 WHERE k = 'a'")
      const began = performance.now()

      await expect(source.query("UPDATE t SET v = 1 WHERE k = 'a'")).rejects.toMatchObject(AWAY)

      expect(performance.now() - began).toBeLessThan(TEN_SECONDS)
      await holder.query('ROLLBACK')
      await holder.end()
      await source.query("UPDATE t SET v = 1 WHERE k = 'a'")
    }, 20_000)

    it('do not let a beaten transaction go on, even if the work does not mind', async () => {
      const source = await openWithTable()
      await source.query("INSERT INTO t VALUES ('a', 0), ('b', 0)")
      const bothHoldOne = meeting(2)

      const both = (['a', 'b'] as const).map((first) =>
        source.transaction(async (manager) => {
          const second = first === 'a' ? 'b' : 'a'
          await manager.query('UPDATE t SET v = v + 1 WHERE k = ?', [first])
          await bothHoldOne()
          await manager.query('UPDATE t SET v = v + 1 WHERE k = ?', [second]).catch(() => undefined)
          await manager.query('INSERT INTO t VALUES (?, 0)', [`of ${first}`])
        }),
      )
      await Promise.all(both)

      expect(await onServer('SELECT k, v FROM t ORDER BY k')).toEqual([
        { k: 'a', v: 2 },
        { k: 'b', v: 2 },
        { k: 'of a', v: 0 },
        { k: 'of b', v: 0 },
      ])
    })

    it('wait for a connection in a queue, and are told when none is free in time', async () => {
      const source = await openWithTable({ waitMs: 200 })
      const busy = Array.from({ length: POOL_SIZE }, () => source.query('SELECT SLEEP(1)'))

      await expect(source.query('SELECT 1')).rejects.toMatchObject({
        ...AWAY,
        message: 'database: no connection was free within 200 ms',
      })
      await Promise.all(busy)
    })

    it('end a transaction that takes too long, so that it holds nothing', async () => {
      const source = await openWithTable({ callMs: 400 })
      await source.query("INSERT INTO t VALUES ('a', 0)")

      const forgotten = source.transaction(async (manager) => {
        await manager.query("UPDATE t SET v = 1 WHERE k = 'a'")
        await sleep(1000)
      })
      await expect(forgotten).rejects.toMatchObject({
        ...AWAY,
        message: 'database: a transaction took longer than 400 ms and was rolled back',
      })

      expect(await onServer("SELECT v FROM t WHERE k = 'a' FOR UPDATE")).toEqual([{ v: 0 }])
    })

    it('leave no time to commit, which is then not begun, so that nobody is in doubt', async () => {
      const source = await openWithTable({ callMs: 2000 })
      let attempts = 0

      const late = source.transaction(async (manager) => {
        attempts++
        await manager.query("INSERT INTO t VALUES ('a', 1)")
        await sleep(1850)
      })

      await expect(late).rejects.toMatchObject({
        ...AWAY,
        message: 'database: a transaction had no time left to commit and was rolled back',
      })
      expect(attempts).toBe(1)
      expect(await keys()).toEqual([])
    })

    it('give a commit that was begun two seconds, whatever the call has left', async () => {
      const source = await openWithTable({ callMs: 2000 })
      const began = performance.now()

      const doubtful = source.transaction(async (manager) => {
        await manager.query("INSERT INTO t VALUES ('a', 1)")
        await sleep(1200)
        network.silence()
      })

      await expect(doubtful).rejects.toMatchObject({
        message: expect.stringMatching(/, while it committed: all of it was kept, or nothing$/),
      })
      expect(performance.now() - began).toBeGreaterThan(3100)
    })

    it('end a statement that takes too long', async () => {
      const source = await openWithTable({ statementMs: 300 })
      const began = performance.now()

      await source.query('SELECT COUNT(*) FROM t WHERE SLEEP(3) = 0').catch(() => undefined)
      await expect(
        source.query("SELECT BENCHMARK(2000000000, SHA2(REPEAT('a', 100), 512)) AS slow"),
      ).rejects.toMatchObject(AWAY)

      expect(performance.now() - began).toBeLessThan(5000)
      expect(await source.query('SELECT 1 AS one')).toEqual([{ one: 1 }])
    })
  })

  describe('the end of a data source', () => {
    it('is told to who asks afterwards as a store that is away', async () => {
      const source = await openWithTable()
      const runner = source.createQueryRunner()
      await source.destroy()
      opened.length = 0

      await expect(runner.query('SELECT 1')).rejects.toMatchObject(AWAY)
      await runner.release()
    })

    it('does not wait for what is under way for longer than some seconds, and tells it', async () => {
      const source = await openWithTable()
      const slow = expect(source.query("INSERT INTO t SELECT 'a', SLEEP(5)")).rejects.toMatchObject(AWAY)
      await sleep(100)
      network.silence()
      const began = performance.now()

      await source.destroy()
      await slow

      opened.length = 0
      expect(performance.now() - began).toBeLessThan(3000)
    })
  })

  describe('sessions', () => {
    it('are strict, in UTC, read what is committed and compare bytes, whatever the server says', async () => {
      const [before] = await onServer<{ zone: string }>('SELECT @@global.time_zone AS zone')
      await onServer("SET GLOBAL time_zone = '+09:00'")
      try {
        const source = await open()
        const rows = await Promise.all(
          Array.from({ length: POOL_SIZE }, async () => {
            const [row] = await source.query(
              'SELECT @@session.time_zone AS zone, @@session.sql_mode AS mode, @@session.collation_connection AS collation, SLEEP(0.05) AS slept',
            )
            return row
          }),
        )
        for (const { zone, mode, collation } of rows) {
          expect(zone).toBe('+00:00')
          expect(mode).toContain('STRICT_ALL_TABLES')
          expect(mode).not.toContain('NO_BACKSLASH_ESCAPES')
          expect(['utf8mb4_nopad_bin', 'utf8mb4_0900_bin']).toContain(collation)
        }
      } finally {
        await onServer(`SET GLOBAL time_zone = '${before?.zone ?? 'SYSTEM'}'`)
      }
    })

    it('see in a transaction what others committed after it began', async () => {
      const source = await openWithTable()

      await source.transaction(async (manager) => {
        expect(await manager.query('SELECT k FROM t')).toEqual([])
        await source.query("INSERT INTO t VALUES ('other', 1)")
        expect(await manager.query('SELECT k FROM t')).toEqual([{ k: 'other' }])
      })
    })

    it('keep text, times, numbers and booleans as they were given', async () => {
      const source = await open()
      await source.query('CREATE TABLE u (s text, at datetime(3), n bigint, d double, b boolean)')
      const text = 'it\'s \\ a "quote" \n\u0000 % _ \u{1F69A} \u00e9'
      const row = [text, new Date('2026-11-22T00:30:00.123Z'), Number.MAX_SAFE_INTEGER, 0.1 + 0.2, true]

      await source.query('INSERT INTO u VALUES (?, ?, ?, ?, ?)', row)

      expect(
        await source.query('SELECT s, at, n, d, b, SUM(n) AS total FROM u GROUP BY s, at, n, d, b LIMIT ?', [1]),
      ).toEqual([{ s: text, at: row[1], n: row[2], d: row[3], b: 1, total: row[2] }])
    })

    it('count the rows that a change was for, also those that had the values already', async () => {
      const source = await openWithTable()
      await source.query("INSERT INTO t VALUES ('a', 1)")

      expect(await source.query("UPDATE t SET v = 1 WHERE k = 'a'")).toMatchObject({ affectedRows: 1 })
    })

    it('roll back what a forgotten transaction did before the connection serves again', async () => {
      const source = await openWithTable()
      const forgotten = source.createQueryRunner()
      await forgotten.startTransaction()
      await forgotten.query("INSERT INTO t VALUES ('forgotten', 1)")
      await forgotten.release()

      await Promise.all(
        Array.from({ length: POOL_SIZE }, (_, i) => source.query('INSERT INTO t VALUES (?, 1)', [`${i}`])),
      )

      expect(await keys()).toEqual(['0', '1', '2', '3'])
    })
  })

  describe('errors', () => {
    it('tell values at fault from everything else, without the values', async () => {
      const source = await openWithTable()
      await source.query("INSERT INTO t VALUES ('secret', 1)")
      const failing = async (sql: string, values: unknown[]) => {
        const error = await source.query(sql, values).then(
          () => undefined,
          (reason: unknown) => reason,
        )
        expect(JSON.stringify(error)).not.toContain('secret')
        expect(String((error as Error).message)).not.toContain('secret')
        return error
      }
      const insert = 'INSERT INTO t VALUES (?, ?)'

      const repeated = await failing(insert, ['secret', 1])
      const long = await failing(insert, ['secret'.repeat(4), 1])
      const absent = await failing(insert, ['k', null])
      const noNumber = await failing(insert, ['k', 'secret'])
      const large = await failing(insert, ['k', 1e12])
      const unknown = await failing('SELECT * FROM nowhere WHERE a = ?', ['secret'])

      expect([repeated, long, absent, noNumber, large, unknown].map(isDuplicateKey)).toEqual([
        true,
        false,
        false,
        false,
        false,
        false,
      ])
      expect([repeated, long, absent, noNumber, large, unknown].map(isValueAtFault)).toEqual([
        true,
        true,
        true,
        true,
        true,
        false,
      ])
      expect(unknown).toMatchObject({ code: 'ER_NO_SUCH_TABLE' })
    })

    it('hold the table at fault, not the value, when a column that nobody named wants one', async () => {
      const source = await openWithTable()
      await source.query('ALTER TABLE t ADD COLUMN later int NOT NULL')

      const error = await source
        .query('INSERT INTO t (k, v) VALUES (?, ?)', ['a', 1])
        .catch((reason: unknown) => reason)

      expect(isValueAtFault(error)).toBe(false)
      expect(error).toMatchObject({
        ...AWAY,
        message: 'database: a column that this version does not know wants a value (error 1364)',
      })
    })
  })
})

/** Where each waits until so many have come; who comes again later goes on at once. */
function meeting(size: number): () => Promise<void> {
  let come = 0
  let begin = () => {}
  const begun = new Promise<void>((resolve) => {
    begin = resolve
  })
  return () => {
    come++
    if (come === size) begin()
    return begun
  }
}
