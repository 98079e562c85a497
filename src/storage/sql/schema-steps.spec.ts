import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createConnection } from 'mysql2/promise'
import { MIGRATIONS } from '../../../migrations/migrations.js'
import { describeOn } from '../../../test/stores/describe-on.js'
import { makeSqlDatabase } from '../../../test/stores/test-servers.js'
import { MysqlDataSource } from './mysql-data-source.js'
import { CALL_LIMITS } from './mysql-limits.js'
import { bringUpToDate, MysqlSchema } from './mysql-schema.js'
import type { SqlSchema } from './sql-schema.js'
import { openSqliteDataSource } from './sqlite-data-source.js'
import { SqliteSchema } from './sqlite-schema.js'

const NAMES = MIGRATIONS.map(({ name }) => name)

interface Opened {
  readonly schema: SqlSchema
  /** Every column and index there is, but those of the steps' own tables. */
  describe(): Promise<string[]>
  close(): Promise<void>
}

/** One set of migrations, wherever it runs. */
function schemaStepsContract(name: string, open: () => Promise<Opened>): void {
  describe(`the steps of the schema on ${name}`, () => {
    let opened: Opened
    beforeEach(async () => {
      opened = await open()
    })
    afterEach(() => opened.close())

    it('are taken once, in their order', async () => {
      expect(await opened.schema.readStatus()).toEqual({ done: [], pending: NAMES, unknown: [], unfinished: undefined })
      expect(await opened.schema.up()).toEqual(NAMES)
      expect(await opened.schema.up()).toEqual([])
      expect(await opened.schema.readStatus()).toEqual({ done: NAMES, pending: [], unknown: [], unfinished: undefined })
    })

    it('go back one by one to nothing, and come again to the same', async () => {
      await opened.schema.up()
      const whole = await opened.describe()
      expect(whole.length).toBeGreaterThan(100)

      const byStep: string[][] = []
      for (const name of [...NAMES].reverse()) {
        expect(await opened.schema.down(1)).toEqual([name])
        byStep.push(await opened.describe())
      }

      expect(byStep.at(-1)).toEqual([])
      expect(await opened.schema.down(1)).toEqual([])
      expect(await opened.schema.up()).toEqual(NAMES)
      expect(await opened.describe()).toEqual(whole)
    })

    it('go back several at once', async () => {
      await opened.schema.up()
      expect(await opened.schema.down(NAMES.length + 1)).toEqual([...NAMES].reverse())
      expect(await opened.describe()).toEqual([])
    })
  })
}

schemaStepsContract('SQLite', async () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'milepost-steps-'))
  const file = path.join(directory, 'milepost.sqlite')
  const schema = await SqliteSchema.open(file)
  return {
    schema,
    describe: async () => {
      const source = await openSqliteDataSource({ file, isBroughtUpToDate: false })
      const rows = await source.query<{ type: string; name: string; sql: string }[]>(
        "SELECT type, name, sql FROM sqlite_master WHERE tbl_name NOT IN ('migrations', 'sqlite_sequence') ORDER BY name",
      )
      const columns = await source.query<{ told: string }[]>(
        "SELECT m.name || ' ' || c.name || ' ' || c.type AS told FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT IN ('migrations', 'sqlite_sequence') ORDER BY m.name, c.cid",
      )
      await source.destroy()
      return [...rows.map(({ type, name, sql }) => `${type} ${name} ${sql}`), ...columns.map(({ told }) => told)]
    },
    close: async () => {
      await schema.close()
      rmSync(directory, { recursive: true, force: true })
    },
  }
})

describeOn('SQL_URL', 'on MySQL or MariaDB', () => {
  schemaStepsContract('the server of SQL_URL', async () => {
    const { variables, remove } = await makeSqlDatabase()
    const url = variables.SQL_URL ?? ''
    const schema = await MysqlSchema.open(optionsOf(url))
    return {
      schema,
      describe: () => describeTables(url),
      close: async () => {
        await schema.close()
        await remove()
      },
    }
  })

  describe('the lock and the marker', () => {
    let url: string
    let remove: () => Promise<void>
    beforeEach(async () => {
      const made = await makeSqlDatabase()
      url = made.variables.SQL_URL ?? ''
      remove = made.remove
    })
    afterEach(() => remove())

    async function onServer<T>(act: (query: (sql: string) => Promise<unknown>) => Promise<T>): Promise<T> {
      const connection = await createConnection(url)
      try {
        return await act(async (sql) => (await connection.query(sql))[0])
      } finally {
        await connection.end()
      }
    }

    it('let nodes that start together end with one schema, each step taken once', async () => {
      await Promise.all(Array.from({ length: 5 }, () => bringUpToDate(optionsOf(url))))

      const rows = await onServer((query) => query('SELECT name FROM migrations ORDER BY id'))
      expect(rows).toEqual(NAMES.map((name) => ({ name })))
    })

    it('say who is in the way when a node takes too long', async () => {
      const first = await MysqlSchema.open(optionsOf(url))
      await first.up()
      const second = await MysqlSchema.open(optionsOf(url), 1)

      await expect(second.up()).rejects.toMatchObject({
        exitCode: 69,
        message: expect.stringMatching(
          /^cannot open mysql:.*: another node has been changing its schema for more than 1 s$/,
        ),
      })
      await first.close()
      expect(await second.up()).toEqual([])
      await second.close()
    })

    it('tell of a step that died half-way, at every start until it is settled', async () => {
      const [first = ''] = NAMES
      // As a program that was killed between its tables leaves it.
      await bringUpToDate(optionsOf(url))
      await onServer(async (query) => {
        await query('DROP TABLE device_addresses')
        await query(`DELETE FROM migrations WHERE name = '${first}'`)
        await query(`INSERT INTO schema_step VALUES (1, '${first}', 'up', '2026-11-22 10:00:00.123')`)
      })

      const told = `the schema change ${first} (up) began at 2026-11-22T10:00:00.123Z and did not end`
      for (let start = 0; start < 2; start++) {
        await expect(bringUpToDate(optionsOf(url))).rejects.toMatchObject({
          exitCode: 69,
          message: expect.stringContaining(told),
        })
      }
      await onServer((query) => query('DROP TABLE devices'))
      const schema = await MysqlSchema.open(optionsOf(url))
      expect(await schema.settle('undone')).toBe(first)
      expect(await schema.up()).toEqual([first])
      await schema.close()
    })

    it('take a step for done that ended right before its program', async () => {
      await bringUpToDate(optionsOf(url))
      const last = NAMES.at(-1) ?? ''
      await onServer((query) => query(`INSERT INTO schema_step VALUES (1, '${last}', 'up', '2026-11-22 10:00:00.123')`))

      await bringUpToDate(optionsOf(url))

      expect(await onServer((query) => query('SELECT * FROM schema_step'))).toEqual([])
    })

    it('tell of a step that the server refuses, and leave nothing unfinished if it had done nothing', async () => {
      await onServer((query) => query('CREATE TABLE devices (a int)'))

      await expect(bringUpToDate(optionsOf(url))).rejects.toMatchObject({
        exitCode: 69,
        message: expect.stringMatching(
          /the schema change CreateDevices1795305600001 \(up\) failed: ER_TABLE_EXISTS_ERROR, Table 'devices' already exists$/,
        ),
      })
      await onServer((query) => query('DROP TABLE devices'))
      await bringUpToDate(optionsOf(url))
    })

    it('refuse a database that a newer version has changed', async () => {
      await bringUpToDate(optionsOf(url))
      await onServer((query) => query("INSERT INTO migrations (timestamp, name) VALUES (1, 'Later9999999999999')"))

      await expect(bringUpToDate(optionsOf(url))).rejects.toMatchObject({
        exitCode: 69,
        message: expect.stringMatching(
          /it was made by a newer version of Milepost \(schema change Later9999999999999\)$/,
        ),
      })
    })
  })

  describe.each([
    ['latin1', 'latin1_swedish_ci'],
    ['utf8mb4', 'utf8mb4_general_ci'],
  ])('a database made with %s and %s', (charset, collation) => {
    it('compares keys byte by byte all the same', async () => {
      const { variables, remove } = await makeSqlDatabase()
      const url = variables.SQL_URL ?? ''
      const connection = await createConnection(url)
      await connection.query(`ALTER DATABASE CHARACTER SET ${charset} COLLATE ${collation}`)
      await bringUpToDate(optionsOf(url))
      const source = new MysqlDataSource(optionsOf(url), CALL_LIMITS)
      await source.initialize()
      const keys = ['McDonalds', 'mcdonalds', 'a', 'a ', 'caf\u00e9', 'cafe\u0301', 'cafe', '\u{1F69A}']

      for (const key of keys) await source.query('INSERT INTO alarm_blocks (block) VALUES (?)', [keys.indexOf(key)])
      for (const key of keys) {
        const values = [key, 'user', '', new Date(1_700_000_000_123)]
        await source.query('INSERT INTO erasures (device_id, asked_by, address, asked_at) VALUES (?, ?, ?, ?)', values)
      }

      for (const key of keys) {
        const found = await source.query('SELECT device_id FROM erasures WHERE device_id = ?', [key])
        expect(found).toEqual([{ device_id: key }])
      }
      const [stored] = (
        await connection.query('SELECT CAST(MIN(asked_at) AS CHAR) AS at FROM erasures')
      )[0] as unknown[]
      expect(stored).toEqual({ at: '2023-11-14 22:13:20.123' })
      await source.destroy()
      await connection.end()
      await remove()
    })
  })
})

function optionsOf(url: string) {
  return { url, tls: 'off', poolSize: 3 } as const
}

async function describeTables(url: string): Promise<string[]> {
  const connection = await createConnection(url)
  const mine = "TABLE_SCHEMA = DATABASE() AND TABLE_NAME NOT IN ('migrations', 'schema_step')"
  const [columns] = await connection.query(
    `SELECT CONCAT_WS(' ', TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE, COLLATION_NAME) AS told
     FROM information_schema.COLUMNS WHERE ${mine} ORDER BY TABLE_NAME, ORDINAL_POSITION`,
  )
  const [indexes] = await connection.query(
    `SELECT CONCAT_WS(' ', TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX, COLUMN_NAME, NON_UNIQUE) AS told
     FROM information_schema.STATISTICS WHERE ${mine} ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX`,
  )
  const [tables] = await connection.query(
    `SELECT CONCAT_WS(' ', TABLE_NAME, ENGINE) AS told FROM information_schema.TABLES WHERE ${mine} ORDER BY TABLE_NAME`,
  )
  await connection.end()
  return [columns, indexes, tables].flat().map((row) => (row as { told: string }).told)
}
