import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import { makePosition } from '../../test/support/positions.js'
import { removeTemporaryDirectories, temporaryDirectory } from '../../test/support/temporary-directory.js'
import { backUp, checkBackup } from './embedded-backup.js'
import { openSqlitePositions, type SqlitePositionStore } from './positions/sqlite-position-store.js'
import { openSqliteSpool } from './spool/sqlite-spool-store.js'
import { backupSqliteFile } from './sqlite-backup.js'

const refusalOf = (work: Promise<unknown>) =>
  work.then(
    () => 'done',
    (error: Error) => `${error.name}: ${error.message}`,
  )

describe('backUp', () => {
  let data: string
  let target: string
  let positions: SqlitePositionStore

  beforeEach(async () => {
    data = temporaryDirectory()
    target = path.join(temporaryDirectory(), 'nested', 'backup')
    positions = await openSqlitePositions({ directory: data })
    mkdirSync(path.join(data, 'keys'))
    writeFileSync(path.join(data, 'keys', 'one.json'), '{"kid":"one"}', { mode: 0o600 })
    writeFileSync(path.join(data, 'milepost.pid'), '1')
  })
  afterEach(() => positions.close())
  afterAll(removeTemporaryDirectories)

  const append = (from: number, count: number) =>
    positions.append(Array.from({ length: count }, (_, index) => makePosition({ timeMs: from + index })))
  const countIn = async (directory: string) => {
    const copy = await openSqlitePositions({ directory })
    const { points } = await copy.measureDistance(makePosition().deviceId, {})
    await copy.close()
    return points
  }

  it('copies stores and keys for their owner only, and says what it holds', async () => {
    await append(0, 1000)
    const before = Date.now()
    const manifest = await backUp(data, target, 0)
    expect(readdirSync(target).sort()).toEqual(['blobs', 'keys', 'manifest.json', 'positions.sqlite'])
    expect(manifest.files.map(({ name }) => name)).toEqual(['keys/one.json', 'positions.sqlite'])
    expect(manifest.files[0]).toEqual({
      name: 'keys/one.json',
      bytes: 13,
      sha256: '789acb19cb86b0449f86080233b3c9a0e081eabdc47bf0767c70257292ba43e8',
    })
    expect(Date.parse(manifest.createdAt)).toBeGreaterThanOrEqual(before)
    expect(JSON.parse(readFileSync(path.join(target, 'manifest.json'), 'utf8'))).toEqual(manifest)
    const modes = ['.', 'keys', 'keys/one.json', 'positions.sqlite', 'manifest.json'].map((name) =>
      (statSync(path.join(target, name)).mode & 0o777).toString(8),
    )
    expect(modes).toEqual(['700', '700', '600', '600', '600'])
    expect(await checkBackup(target)).toEqual(manifest)
    expect(await countIn(target)).toBe(1000)
  })

  it('takes what was stored before it began, while more is stored', async () => {
    let stored = 0
    let isWriting = true
    const writing = (async () => {
      while (isWriting) {
        await append(stored, 500)
        stored += 500
      }
    })()
    while (stored < 20_000) await new Promise((resolve) => setTimeout(resolve, 5))
    const storedBefore = stored
    await backUp(data, target, 0)
    isWriting = false
    await writing
    const copied = await countIn(target)
    expect(stored).toBeGreaterThan(storedBefore)
    expect(copied).toBeGreaterThanOrEqual(storedBefore)
    expect(copied).toBeLessThan(stored)
    // One state, not a torn one: whole batches.
    expect(copied % 500).toBe(0)
  })

  it('takes the spool first, so that what goes on from it meanwhile is in one of the two', async () => {
    const spool = await openSqliteSpool({ directory: data, maxBytes: 1_048_576 })
    const copied: string[] = []
    const [id = 0] = await spool.keep([{ deviceId: 'truck-1', key: 'key', keptAtMs: 1, body: 'body' }])
    const manifest = await backUp(data, target, 0, async (from, to) => {
      copied.push(path.basename(from))
      await backupSqliteFile(from, to)
      if (copied.length > 1) return
      await append(0, 1)
      await spool.remove([id])
    })
    await spool.close()
    expect(copied).toEqual(['spool.sqlite', 'positions.sqlite'])
    expect(manifest.files.map(({ name }) => name)).toEqual(['keys/one.json', 'spool.sqlite', 'positions.sqlite'])
    expect(await checkBackup(target)).toEqual(manifest)
    const copy = await openSqliteSpool({ directory: target, maxBytes: 1_048_576 })
    expect((await copy.list({ limit: 10 })).map(({ body }) => body)).toEqual(['body'])
    await copy.close()
    expect(await countIn(target)).toBe(1)
  })

  it('refuses to overwrite, and leaves what is there', async () => {
    mkdirSync(target, { recursive: true })
    expect(await refusalOf(backUp(data, target, 0))).toBe(
      `BackupError: ${target} exists: a backup goes into a new directory`,
    )
    expect(readdirSync(target)).toEqual([])
  })

  it('refuses when there is nothing to back up', async () => {
    const empty = temporaryDirectory()
    expect(await refusalOf(backUp(empty, target, 0))).toBe(`BackupError: there are no stores in ${empty}`)
    expect(await refusalOf(backUp(path.join(empty, 'nothing'), target, 0))).toContain('nothing cannot be read: ENOENT')
    expect(existsSync(target)).toBe(false)
  })

  it('refuses when the disk would get too full, and leaves nothing behind', async () => {
    const refusal = await refusalOf(backUp(data, target, 1e17))
    expect(refusal).toMatch(/^BackupError: 10000000000\d+ bytes must be free on the disk of .+nested, \d+ are$/)
    expect(readdirSync(path.dirname(target))).toEqual([])
  })

  it('leaves nothing behind when a store cannot be read', async () => {
    writeFileSync(path.join(data, 'broken.sqlite'), 'no database at all '.repeat(500))
    expect(await refusalOf(backUp(data, target, 0))).toMatch(/^BackupError: .*not a database/)
    expect(readdirSync(path.dirname(target))).toEqual([])
  })

  it('says when a backup is not as it was made', async () => {
    await append(0, 100)
    await backUp(data, target, 0)
    const key = path.join(target, 'keys', 'one.json')
    appendFileSync(key, ' ')
    expect(await refusalOf(checkBackup(target))).toBe('BackupError: keys/one.json is not as it was backed up')
    rmSync(key)
    expect(await refusalOf(checkBackup(target))).toContain('BackupError: keys/one.json cannot be read: ENOENT')
    expect(await refusalOf(checkBackup(data))).toContain(`BackupError: ${data} is no backup: ENOENT`)
  })
})
