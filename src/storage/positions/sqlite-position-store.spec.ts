import { readdirSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { killAppender } from '../../../test/stores/kill-appender.js'
import { numberedPositions } from '../../../test/stores/numbered-positions.js'
import { removeTemporaryDirectories, temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { SqliteConnection } from '../sqlite-connection.js'
import { startWorkerThread } from '../worker-thread.js'
import { NOON_MS, samplePosition, sampleTrack, wholeTrack } from './position-samples.contract.js'
import { positionStoreContract } from './position-store.contract.js'
import { openSqlitePositions, type SqlitePositionStore } from './sqlite-position-store.js'

afterAll(removeTemporaryDirectories)

positionStoreContract('sqlite', async () => {
  const directory = temporaryDirectory()
  return { open: () => openSqlitePositions({ directory }), remove: async () => {} }
})

describe('SQLite position store', () => {
  let directory: string
  let opened: SqlitePositionStore[]

  beforeEach(() => {
    directory = temporaryDirectory()
    opened = []
  })

  afterEach(async () => {
    await Promise.all(opened.map((store) => store.close()))
  })

  const openStore = async (options: Partial<Parameters<typeof openSqlitePositions>[0]> = {}) => {
    const store = await openSqlitePositions({ directory, ...options })
    opened.push(store)
    return store
  }

  const openRaw = () => new SqliteConnection(path.join(directory, 'positions.sqlite'))

  it('writes through a log that is synced at every commit', async () => {
    const store = await openStore()
    expect(await store.readPragmas()).toEqual({ journalMode: 'wal', synchronous: 2 })
  })

  it('leaves one file when it is closed', async () => {
    const store = await openStore()
    await store.append(sampleTrack('truck-1', 100))
    await wholeTrack(store, 'truck-1')
    await store.close()
    const sizes = readdirSync(directory).map((name) => [name, statSync(path.join(directory, name)).size > 0])
    expect(sizes.filter(([, isFilled]) => isFilled)).toEqual([['positions.sqlite', true]])
  })

  describe('opening', () => {
    it('names the file and the reason when it is not a database', async () => {
      writeFileSync(path.join(directory, 'positions.sqlite'), 'these are not the pages you are looking for'.repeat(200))
      await expect(openStore()).rejects.toMatchObject({
        name: 'StoreOpenError',
        message: expect.stringMatching(/^cannot open .*positions\.sqlite: file is not a database \(SQLITE_NOTADB\)$/),
      })
    })

    it('refuses a file of a newer version', async () => {
      const store = await openStore()
      await store.close()
      const raw = openRaw()
      raw.exec('PRAGMA user_version=7')
      raw.close()
      await expect(openStore()).rejects.toThrow(/the file has schema 7 of a newer program, this one knows schema 1/)
    })

    it('refuses a directory that does not exist', async () => {
      await expect(openStore({ directory: path.join(directory, 'nowhere') })).rejects.toMatchObject({ exitCode: 69 })
    })
  })

  describe('when a write fails', () => {
    it('says that the disk is full, keeps nothing of that append, and goes on with what fits', async () => {
      const store = await openStore({ maxBytes: 200_000 })
      await store.append(sampleTrack('truck-1', 50))
      await expect(store.append(sampleTrack('truck-2', 10_000))).rejects.toMatchObject({
        code: 'disk_full',
        message: 'positions: database or disk is full (SQLITE_FULL)',
      })
      expect(await wholeTrack(store, 'truck-2')).toEqual([])
      const more = sampleTrack('truck-1', 52)
      expect((await store.append(more)).isNew).toEqual(more.map((_, index) => index >= 50))
      expect(await store.append([samplePosition({ deviceId: 'truck-2' })])).toEqual({ isNew: [true], isLatest: [true] })
      expect(await wholeTrack(store, 'truck-1')).toEqual(more)
      expect(await wholeTrack(store, 'truck-2')).toEqual([samplePosition({ deviceId: 'truck-2' })])
      expect(await store.findLatest('truck-1')).toEqual(more[51])
    })

    it('says why, and goes on once the reason is gone', async () => {
      const store = await openStore()
      await store.append(sampleTrack('truck-1', 1))
      const other = openRaw()
      other.exec('BEGIN IMMEDIATE')
      await expect(store.append(sampleTrack('truck-1', 2))).rejects.toMatchObject({
        code: 'store_unavailable',
        message: 'positions: database is locked (SQLITE_BUSY)',
        cause: { message: 'database is locked (SQLITE_BUSY)' },
      })
      await expect(store.checkHealth()).rejects.toMatchObject({ code: 'store_unavailable' })
      expect(await wholeTrack(store, 'truck-1')).toEqual(sampleTrack('truck-1', 1))
      other.exec('ROLLBACK')
      other.close()
      expect((await store.append(sampleTrack('truck-1', 2))).isNew).toEqual([false, true])
      await expect(store.checkHealth()).resolves.toBeUndefined()
    })
  })

  it('stays exact when another process writes to the same file', async () => {
    const [one, other] = [await openStore(), await openStore()]
    const track = sampleTrack('truck-1', 4)
    expect((await one.append(track.slice(0, 1))).isNew).toEqual([true])
    expect((await other.append(track.slice(0, 3))).isNew).toEqual([false, true, true])
    expect(await one.append(track.slice(1, 2))).toEqual({ isNew: [false], isLatest: [false] })
    await other.eraseDevice('truck-1')
    expect((await one.append(track)).isNew).toEqual([true, true, true, true])
    expect(await wholeTrack(other, 'truck-1')).toEqual(track)
    expect(await other.findLatest('truck-1')).toEqual(track[3])
  })

  it('rejects what is under way when its thread dies in a transaction, and goes on with a new one', async () => {
    const started: string[] = []
    const startThread: typeof startWorkerThread = (base, file, options) => {
      started.push(file)
      if (!file.includes('writer')) return startWorkerThread(base, file, options)
      return startWorkerThread(import.meta.url, '../../../test/stores/mortal-position-writer.js', options)
    }
    const store = await openStore({ startThread })
    await store.append(sampleTrack('truck-1', 5))
    const outcomes = await Promise.allSettled([
      store.append([...sampleTrack('truck-1', 10), samplePosition({ deviceId: 'deadly' })]),
      store.append(sampleTrack('truck-2', 10)),
    ])
    const refusal = { code: 'store_unavailable', message: 'positions: its thread ended: exit code 1' }
    expect(outcomes).toMatchObject([
      { status: 'rejected', reason: refusal },
      { status: 'rejected', reason: refusal },
    ])
    const track = sampleTrack('truck-1', 10)
    expect((await store.append(track)).isNew).toEqual(track.map((_, index) => index >= 5))
    expect(await wholeTrack(store, 'truck-1')).toEqual(track)
    expect(await store.readPragmas()).toEqual({ journalMode: 'wal', synchronous: 2 })
    expect(started.filter((file) => file.includes('writer')).length).toBe(2)
  })

  it('has every acknowledged append after its process was killed', async () => {
    let acknowledged: number[] = []
    for (let kill = 0; kill < 3; kill++) {
      const first = (kill + 1) * 10_000
      acknowledged = [...acknowledged, ...(await killAppender(directory, first, 15 + kill * 20))]
    }
    const store = await openStore()
    const tracks = await Promise.all(Array.from({ length: 40 }, (_, n) => wholeTrack(store, `numbered-${n}`)))
    const stored = new Map(tracks.flat().map((one) => [`${one.deviceId} ${one.timeMs}`, one]))
    expect(acknowledged.length).toBeGreaterThanOrEqual(3 * 15)
    for (const batch of acknowledged) {
      const positions = numberedPositions(batch)
      expect(positions.map((one) => stored.get(`${one.deviceId} ${one.timeMs}`))).toEqual(positions)
    }
    expect(stored.size % 200).toBe(0) // whole batches only
    const last = tracks[0]?.at(-1)
    expect(await store.findLatest('numbered-0')).toEqual(last)
  }, 60_000)

  describe('backup', () => {
    it('copies one state while appends go on, and the copy opens as a store', async () => {
      const store = await openStore()
      for (let start = 0; start < 5; start++)
        await store.append(sampleTrack('truck-1', 5000, NOON_MS + start * 5_000_000))
      const copyDirectory = temporaryDirectory()
      let isDone = false
      const backup = store.backupTo(path.join(copyDirectory, 'positions.sqlite')).finally(() => {
        isDone = true
      })
      let batches = 0
      while (!isDone) await store.append(numberedPositions(batches++))
      await backup
      expect(readdirSync(copyDirectory)).toEqual(['positions.sqlite'])
      const copy = await openStore({ directory: copyDirectory })
      expect((await wholeTrack(copy, 'truck-1')).length).toBe(25_000)
      const copied = (await wholeTrack(copy, 'numbered-0')).length
      expect(copied % 5).toBe(0)
      expect(copied).toBeLessThanOrEqual(batches * 5)
      expect((await copy.append(sampleTrack('truck-1', 1))).isNew).toEqual([false])
      expect(await copy.readPragmas()).toEqual({ journalMode: 'wal', synchronous: 2 })
    })

    it('replaces an older copy, and leaves it alone when it fails', async () => {
      const store = await openStore()
      const target = path.join(temporaryDirectory(), 'copy.sqlite')
      writeFileSync(target, 'an older copy')
      await store.append(sampleTrack('truck-1', 3))
      await store.backupTo(target)
      const raw = new SqliteConnection(target)
      expect(raw.queryNumber('SELECT count(*) FROM positions')).toBe(3)
      raw.close()
      await expect(store.backupTo(path.join(directory, 'nowhere', 'copy.sqlite'))).rejects.toMatchObject({
        code: 'store_unavailable',
      })
    })
  })

  it('gives disk space back after a removal', async () => {
    const store = await openStore()
    for (let start = 0; start < 5; start++)
      await store.append(sampleTrack('truck-1', 10_000, NOON_MS + start * 10_000_000))
    expect(await store.removeOlderThan(NOON_MS + 49_000_000)).toBe(49_000)
    await store.close()
    // 50,000 rows take 3.5 MB.
    expect(statSync(path.join(directory, 'positions.sqlite')).size).toBeLessThan(300_000)
  })
})
