import { readdirSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expectKeptThroughKills } from '../../../test/stores/frames-through-kills.js'
import { removeTemporaryDirectories, temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { SqliteConnection } from '../sqlite-connection.js'
import { listAll, NOON_MS, numberBytes, numberedFrames, numberOf, sampleFrame } from './raw-frame-samples.contract.js'
import { rawFrameStoreContract } from './raw-frame-store.contract.js'
import { frameListSql, SqliteFrameQueries } from './sqlite-frame-queries.js'
import { openSqliteRawFrames, type SqliteRawFrameStore } from './sqlite-raw-frame-store.js'

const MUCH = 2 ** 40
const DAY_MS = 86_400_000

afterAll(removeTemporaryDirectories)

rawFrameStoreContract('sqlite', async () => {
  const directory = temporaryDirectory()
  return { open: (bound) => openSqliteRawFrames({ directory, ...bound }), remove: async () => {} }
})

describe('SQLite raw frame store', () => {
  let directory: string
  const opened: SqliteRawFrameStore[] = []

  beforeEach(() => {
    directory = temporaryDirectory()
  })
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((store) => store.close()))
  })

  const open = async (options: Partial<Parameters<typeof openSqliteRawFrames>[0]> = {}) => {
    const store = await openSqliteRawFrames({ directory, mostBytes: MUCH, ...options })
    opened.push(store)
    return store
  }
  const openRaw = () => new SqliteConnection(path.join(directory, 'frames.sqlite'))
  const sizeOf = () => statSync(path.join(directory, 'frames.sqlite')).size
  const oldest = { deviceId: 'truck-1', order: 'oldest' } as const

  it('writes through a log that is synced at every commit', async () => {
    expect(await (await open()).readPragmas()).toEqual({ journalMode: 'wal', synchronous: 2 })
  })

  it.each(['newest', 'oldest'] as const)('serves every list of the %s from one range of the index', async (order) => {
    await open()
    const raw = openRaw()
    for (const direction of [undefined, 'in', 'out'] as const) {
      const plan = raw
        .prepareQuery(`EXPLAIN QUERY PLAN ${frameListSql({ order, direction })}`)
        .all([1, 0, 0, 1, 1, 10])
        .map((row) => row[3])
      // No sort, and of the rows only those of the page: the direction is in the id, which the index has.
      expect(plan).toEqual(['SEARCH frames USING INDEX frames_device (device=? AND time>? AND time<?)'])
    }
    raw.close()
  })

  it('lists a whole page, with its links, also when it is removed meanwhile', async () => {
    const store = await open()
    await store.keep(numberedFrames(5, (index) => ({ link: `link ${index}` })))
    const [raw, other] = [openRaw(), openRaw()]
    // Between the rows and their links.
    const removeAll = () => other.exec('DELETE FROM links; DELETE FROM frames; DELETE FROM devices')
    const connection: Pick<SqliteConnection, 'exec' | 'rollBack' | 'prepareQuery'> = {
      exec: (sql) => raw.exec(sql),
      rollBack: () => raw.rollBack(),
      prepareQuery: (sql) => {
        const query = raw.prepareQuery(sql)
        if (!sql.includes('FROM links')) return query
        return {
          ...query,
          get: (values) => {
            removeAll()
            return query.get(values)
          },
        }
      },
    }
    const queries = new SqliteFrameQueries(connection as SqliteConnection)
    const listed = queries.list({ ...oldest, limit: 5 })
    expect(listed.map(({ link }) => link)).toEqual(['link 0', 'link 1', 'link 2', 'link 3', 'link 4'])
    expect(queries.list({ ...oldest, limit: 5 })).toEqual([])
    raw.close()
    other.close()
  })

  it('rejects what it cannot keep, keeps none of it, and goes on once the reason is gone', async () => {
    const store = await open()
    const other = openRaw()
    other.exec('BEGIN IMMEDIATE')
    await expect(store.keep([sampleFrame(), sampleFrame()])).rejects.toMatchObject({
      code: 'store_unavailable',
      message: 'frames: database is locked (SQLITE_BUSY)',
    })
    await expect(store.checkHealth()).rejects.toMatchObject({ code: 'store_unavailable' })
    other.exec('ROLLBACK')
    other.close()
    await store.keep([sampleFrame()])
    expect((await listAll(store, oldest)).length).toBe(1)
    await expect(store.checkHealth()).resolves.toBeUndefined()
  })

  it('stays exact when another process writes to the same file', async () => {
    const [one, other] = [await open(), await open()]
    for (let number = 0; number < 6; number++) {
      const store = number % 2 === 0 ? one : other
      await store.keep([sampleFrame({ bytes: Uint8Array.of(0, 0, 0, number), link: `link ${number % 3}` })])
      if (number === 1) await other.eraseDevice('truck-1')
    }
    expect((await listAll(one, oldest)).map((frame) => [numberOf(frame), frame.link])).toEqual([
      [2, 'link 2'],
      [3, 'link 0'],
      [4, 'link 1'],
      [5, 'link 2'],
    ])
  })

  it('names the file and the reason when it cannot be opened', async () => {
    writeFileSync(path.join(directory, 'frames.sqlite'), 'no database at all, only text'.repeat(200))
    await expect(open()).rejects.toMatchObject({
      name: 'StoreOpenError',
      message: expect.stringMatching(/frames\.sqlite: file is not a database \(SQLITE_NOTADB\)$/),
    })
  })

  it('has everything that was kept after its process was killed', async () => {
    await expectKeptThroughKills(directory, open)
  }, 60_000)

  it('forgets links and devices with their last frames, and gives the disk its space back', async () => {
    const store = await open()
    for (let day = 0; day < 4; day++) {
      await store.keep(
        numberedFrames(5000, (index) => ({
          deviceId: `truck-${day}-${index % 10}`,
          atMs: NOON_MS + day * DAY_MS + index,
          link: `link ${index % 40}`,
        })),
      )
    }
    await store.keep([sampleFrame({ deviceId: 'truck-3-0', atMs: NOON_MS })])
    expect(await store.removeOlderThan(NOON_MS + 3 * DAY_MS + 4000)).toBe(15_001 + 4000)
    const raw = openRaw()
    const count = (table: string) => raw.queryNumber(`SELECT count(*) FROM ${table}`)
    expect(['frames', 'devices'].map(count)).toEqual([1000, 10])
    // Those of the day that still has frames stay.
    expect(raw.prepareQuery('SELECT count(*), count(DISTINCT day) FROM links').get()).toEqual([40, 1])
    raw.close()
    for (let device = 0; device < 10; device++) await store.eraseDevice(`truck-3-${device}`)
    await store.close()
    const closed = openRaw()
    expect(['frames', 'devices', 'links'].map((table) => closed.queryNumber(`SELECT count(*) FROM ${table}`))).toEqual([
      0, 0, 0,
    ])
    closed.close()
    expect(sizeOf()).toBeLessThan(300_000)
  })

  it('never grows beyond its bound by more than a batch, however long it is written to', async () => {
    let givenWay = 0
    const mostBytes = 4_194_304
    const store = await open({
      mostBytes,
      onGivenWay: (frames) => {
        givenWay += frames
      },
    })
    const batch = (number: number) =>
      numberedFrames(1000, (index) => ({
        deviceId: `truck-${index % 100}`,
        atMs: NOON_MS + number * 1000 + index,
        bytes: new Uint8Array(60),
      }))
    for (let number = 0; number < 100; number++) await store.keep(batch(number))
    let left = 0
    for (let device = 0; device < 100; device++) {
      left += (await listAll(store, { deviceId: `truck-${device}`, order: 'newest' })).length
    }
    expect(givenWay + left).toBe(100_000)
    expect(left).toBeGreaterThan(20_000)
    await store.close()
    expect(sizeOf()).toBeLessThan(mostBytes + 300_000)
  })

  it('gives the disk what it is asked for, of the oldest frames and no more than it takes, while it runs', async () => {
    let givenWay = 0
    const onGivenWay = (frames: number) => {
      givenWay += frames
    }
    const filling = await open()
    for (let batch = 0; batch < 20; batch++) {
      await filling.keep(
        numberedFrames(1000, (index) => ({
          atMs: NOON_MS + batch * 1000 + index,
          bytes: Buffer.concat([numberBytes(batch * 1000 + index), Buffer.alloc(600)]),
        })),
      )
    }
    await filling.close()
    const before = sizeOf()
    const store = await open({ onGivenWay })
    await store.giveWay(4_194_304)
    expect(before - sizeOf()).toBeGreaterThanOrEqual(4_194_304)
    expect(before - sizeOf()).toBeLessThan(8_388_608)
    const left = (await listAll(store, oldest)).map(numberOf)
    expect(left).toEqual(Array.from({ length: 20_000 - givenWay }, (_, index) => givenWay + index))
    await store.giveWay(2 ** 40)
    expect([await listAll(store, oldest), givenWay]).toEqual([[], 20_000])
    expect(sizeOf()).toBeLessThan(300_000)
  })

  it('is copied while it runs', async () => {
    const store = await open()
    await store.keep([sampleFrame()])
    const copy = temporaryDirectory()
    await store.backupTo(path.join(copy, 'frames.sqlite'))
    expect(readdirSync(copy)).toEqual(['frames.sqlite'])
    const second = await open({ directory: copy })
    expect((await listAll(second, oldest)).length).toBe(1)
  })
})
