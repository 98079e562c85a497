import { readdirSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { killAppender } from '../../../test/stores/kill-appender.js'
import { removeTemporaryDirectories, temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { SqliteConnection } from '../sqlite-connection.js'
import { spoolStoreContract } from './spool-store.contract.js'
import type { SpoolStore } from './spool-store.js'
import { openSqliteSpool } from './sqlite-spool-store.js'

const MIB = 1_048_576

afterAll(removeTemporaryDirectories)

spoolStoreContract('sqlite', async () => {
  const directory = temporaryDirectory()
  return { open: (maxBytes) => openSqliteSpool({ directory, maxBytes }), remove: async () => {} }
})

describe('SQLite spool store', () => {
  const opened: SpoolStore[] = []
  let directory: string

  beforeEach(() => {
    directory = temporaryDirectory()
  })
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((store) => store.close()))
  })

  const open = async (maxBytes = 64 * MIB) => {
    const store = await openSqliteSpool({ directory, maxBytes })
    opened.push(store)
    return store
  }
  let number = 0
  const entry = (body = 'body') => ({ deviceId: 'truck-1', key: `key ${number++}`, keptAtMs: 1000, body })
  const fileBytes = () => statSync(path.join(directory, 'spool.sqlite')).size

  it('rejects what it cannot keep, keeps none of it, and goes on once the reason is gone', async () => {
    const store = await open()
    const other = new SqliteConnection(path.join(directory, 'spool.sqlite'))
    other.exec('BEGIN IMMEDIATE')
    await expect(store.keep([entry(), entry()])).rejects.toMatchObject({
      code: 'store_unavailable',
      message: 'spool: database is locked (SQLITE_BUSY)',
    })
    other.exec('ROLLBACK')
    other.close()
    await store.keep([entry()])
    expect((await store.list({ limit: 10 })).length).toBe(1)
  })

  it('names the file and the reason when it cannot be opened', async () => {
    writeFileSync(path.join(directory, 'spool.sqlite'), 'no database at all, only text'.repeat(200))
    await expect(open()).rejects.toMatchObject({
      name: 'StoreOpenError',
      message: expect.stringMatching(/spool\.sqlite: file is not a database \(SQLITE_NOTADB\)$/),
    })
  })

  it('gives the space of what has gone on back to the disk', async () => {
    const store = await open()
    const ids: number[] = []
    for (let n = 0; n < 20; n++) {
      const kept = await store.keep(Array.from({ length: 100 }, () => entry('x'.repeat(10_000))))
      ids.push(...kept.filter((id) => id !== undefined))
    }
    await store.remove(ids)
    const untilMs = performance.now() + 10_000
    while (fileBytes() > MIB && performance.now() < untilMs) {
      await sleep(50)
      // The file itself shrinks when its log is written back.
      await store.keep(Array.from({ length: 300 }, () => entry('x'.repeat(1000))))
      await store.remove((await store.list({ limit: 1000 })).map(({ id }) => id))
    }
    expect(fileBytes()).toBeLessThan(MIB)
    await store.close()
    expect(readdirSync(directory)).toEqual(['spool.sqlite'])
  }, 30_000)

  it('refuses more than it can hold in memory while the disk stands still', async () => {
    const store = await open()
    const other = new SqliteConnection(path.join(directory, 'spool.sqlite'))
    other.exec('BEGIN IMMEDIATE')
    const body = 'x'.repeat(MIB)
    const outcomes = Array.from({ length: 40 }, () =>
      store.keep([entry(body)]).then(
        () => 'kept',
        ({ code }) => code,
      ),
    )
    await sleep(200)
    other.exec('ROLLBACK')
    other.close()
    const said = await Promise.all(outcomes)
    expect(said.slice(0, 32).every((one) => one === 'kept')).toBe(true)
    expect(said.slice(32)).toEqual(Array(8).fill('overloaded'))
    expect(store.state().entries).toBe(32)
  })

  it('loses nothing that it said it has, and keeps its order, whenever the process is killed', async () => {
    let next = 0
    const said: number[] = []
    for (const count of [3, 40, 120]) {
      said.push(...(await killAppender(directory, next, count, 'spool-until-killed.ts')))
      next = Math.max(...said) + 1000
    }
    expect(said.length).toBeGreaterThanOrEqual(163)
    const store = await open()
    const listed: number[] = []
    for (let afterId = 0; ; ) {
      const some = await store.list({ limit: 500, afterId })
      if (some.length === 0) break
      listed.push(...some.map(({ body }) => Number(body.split(' ')[0])))
      afterId = some.at(-1)?.id ?? 0
    }
    expect(listed).toEqual([...listed].sort((a, b) => a - b))
    expect(new Set(listed).size).toBe(listed.length)
    expect(said.filter((one) => !listed.includes(one))).toEqual([])
    expect(store.state().entries).toBe(listed.length)
  }, 60_000)
})
