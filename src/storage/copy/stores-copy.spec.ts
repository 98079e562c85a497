import { createHash, randomBytes } from 'node:crypto'
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { DataSource } from 'typeorm'
import { removeTemporaryDirectories, temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { fileKeyOf, screenshotKeyOf, thumbnailKeyOf } from '../../model/video-keys.js'
import { chunksOf } from '../blobs/blob-samples.contract.js'
import type { BlobStore } from '../blobs/blob-store.js'
import { samplePosition, sampleTrack, wholeTrack } from '../positions/position-samples.contract.js'
import { ENTITIES } from '../sql/entities/entities.js'
import { type CopiedRow, type CopiedTable, listCopiedTables } from './copied-table.js'
import { type CopyProgress, isSame, type PartReport } from './copy-part.js'
import { COPY_STORES, type CopyStoreName } from './copy-side.js'
import { EmbeddedSide } from './embedded-side.js'
import { StoresCopy } from './stores-copy.js'
import { TableRows } from './table-rows.js'

const ROWS = 1201
const QUIET: CopyProgress = { begin: () => undefined, advance: () => undefined, end: () => undefined }

let source: string
let target: string
/** A directory whose tables are in use, where it is not the source. */
let inUse: string | undefined
const sides: EmbeddedSide[] = []

beforeEach(() => {
  source = temporaryDirectory()
  target = temporaryDirectory()
  inUse = undefined
})
afterEach(async () => {
  for (const side of sides.splice(0)) await side.close()
})
afterAll(removeTemporaryDirectories)

/** The stores of a directory, for the test to look at or to spoil; closed with the test. */
function sideOf(directory: string): EmbeddedSide {
  const side = new EmbeddedSide(directory)
  sides.push(side)
  return side
}

async function openCopy(stores: readonly CopyStoreName[] = COPY_STORES, progress = QUIET): Promise<StoresCopy> {
  const plan = {
    source: new EmbeddedSide(source),
    target: new EmbeddedSide(target),
    inUse: new EmbeddedSide(inUse ?? source),
    hasOwnSql: inUse !== undefined,
    stores,
  }
  return StoresCopy.open(plan, progress)
}

async function copyAll(stores?: readonly CopyStoreName[], progress?: CopyProgress): Promise<PartReport[]> {
  const copy = await openCopy(stores, progress)
  try {
    await copy.look()
    await copy.copy()
    return await copy.verify()
  } finally {
    await copy.close()
  }
}

async function look(stores?: readonly CopyStoreName[]) {
  const copy = await openCopy(stores)
  try {
    return await copy.look()
  } finally {
    await copy.close()
  }
}

const tableNamed = (tables: readonly CopiedTable[], wanted: string): CopiedTable => {
  const table = tables.find(({ name }) => name === wanted)
  if (table === undefined) throw new Error(`there is no table ${wanted}`)
  return table
}

/** A row with something in every column, the same in columns that refer to each other; each other row is as empty as it can be. */
function rowOf(dataSource: DataSource, { name, columns, keyWidth }: CopiedTable, n: number): CopiedRow {
  const { columns: all } = dataSource.entityMetadatas.find(({ tableName }) => tableName === name) ?? { columns: [] }
  return columns.map(({ name: column, kind }, index) => {
    const isNullable = all.find(({ databaseName }) => databaseName === column)?.isNullable
    if (isNullable && n % 2 === 1) return null
    if (kind === 'flag') return n % 3 === 0 ? 1 : 0
    if (kind === 'time') return Date.UTC(2026, 10, 22, 7, 30, 0, n)
    if (kind === 'number') return index < keyWidth ? n : (n - 7) * (column.endsWith('itude') ? 0.1 : 1)
    return `${n % 2 === 0 ? 'K' : 'k'}${n} ü🚚`
  })
}

async function fillTables(directory: string, rows = ROWS): Promise<CopiedTable[]> {
  const side = new EmbeddedSide(directory)
  const dataSource = await side.sql()
  const tables = await listCopiedTables(dataSource)
  for (const table of tables) {
    const made = Array.from({ length: rows }, (_, n) => rowOf(dataSource, table, n))
    await new TableRows(dataSource, table).insert(made)
  }
  await side.close()
  return tables
}

describe('tables', () => {
  it('are all copied, every row and column, also those of entities to come', async () => {
    const tables = await fillTables(source)
    expect(tables.map(({ name }) => name).sort()).toEqual(ENTITIES.map(({ options }) => options.tableName).sort())
    const reports = await copyAll(['sql'])
    expect(reports.map(({ name, source: { count }, target: { count: copied } }) => [name, count, copied])).toEqual(
      tables.map(({ name }) => [name, ROWS, ROWS]),
    )
    expect(reports.filter((report) => !isSame(report))).toEqual([])
    const dataSource = await sideOf(target).sql()
    for (const table of tables) {
      const [first, second] = await new TableRows(dataSource, table).listAfter(undefined)
      const expected = Array.from({ length: ROWS }, (_, n) => rowOf(dataSource, table, n))
      expect(expected).toContainEqual(first)
      expect(expected).toContainEqual(second)
    }
  })

  it('come after those that they refer to', async () => {
    const names = (await fillTables(source, 0)).map(({ name }) => name)
    expect(names.indexOf('users')).toBeLessThan(names.indexOf('user_sessions'))
    expect(names.indexOf('user_sessions')).toBeLessThan(names.indexOf('refresh_tokens'))
  })

  it('go on where a copy was ended, wherever that was, and nothing is doubled', async () => {
    await fillTables(source)
    let steps = 0
    const ended = new Error('ended')
    const ending = (at: number): CopyProgress => ({
      ...QUIET,
      advance: () => {
        if (++steps === at) throw ended
      },
    })
    for (const at of [3, 90, 91, 130]) {
      steps = 0
      await expect(copyAll(['sql'], ending(at))).rejects.toBe(ended)
    }
    expect((await copyAll(['sql'])).filter((report) => !isSame(report))).toEqual([])
    const again = await look(['sql'])
    expect(again.map(({ present }) => present)).toEqual(again.map(() => ROWS))
    expect((await copyAll(['sql'])).filter((report) => !isSame(report))).toEqual([])
  })

  it('are refused a target that has a row of another fleet, before anything is written', async () => {
    await fillTables(source)
    const side = new EmbeddedSide(target)
    const dataSource = await side.sql()
    const users = tableNamed(await listCopiedTables(dataSource), 'users')
    await new TableRows(dataSource, users).insert([rowOf(dataSource, users, ROWS + 1)])
    await side.close()
    const words =
      'the target has what the source does not: users, username K1202 ü🚚: not in the source. Nothing was changed; empty the target and begin again, or name another one'
    await expect(copyAll(['sql'])).rejects.toMatchObject({ message: words, exitCode: 1 })
    const devices = await (await sideOf(target).sql()).query('SELECT COUNT(*) AS n FROM devices')
    expect(devices).toEqual([{ n: 0 }])
  })

  it('are refused a target in which a row is another, and a comparison names it with what is different', async () => {
    await fillTables(source, 10)
    await copyAll(['sql'])
    const side = new EmbeddedSide(target)
    const dataSource = await side.sql()
    await dataSource.query("UPDATE devices SET plate = 'M-X 1', status = 'gone' WHERE device_id = 'K4 ü🚚'")
    await dataSource.query('DELETE FROM alarm_words WHERE block = 7')
    await side.close()
    await expect(copyAll(['sql'])).rejects.toThrow('devices, device_id K4 ü🚚: another plate, status.')
    const copy = await openCopy(['sql'])
    const reports = await copy.verify()
    await copy.close()
    expect(reports.filter((report) => !isSame(report)).map(({ name, differences }) => [name, differences])).toEqual([
      ['devices', ['devices, device_id K4 ü🚚: another plate, status']],
      ['alarm_words', ['alarm_words, block 7, word k7 ü🚚, alarm_id k7 ü🚚: not in the target']],
    ])
  })

  it('leave uploads under way where they are when their bytes stay, and nothing else', async () => {
    await fillTables(source, 3)
    const copy = await openCopy(['sql', 'objects'])
    expect(copy.left).toEqual([
      { table: 'uploads', rows: 3 },
      { table: 'direct_uploads', rows: 3 },
    ])
    const names = (await copy.look()).map(({ name }) => name)
    await copy.close()
    expect(names).toHaveLength(ENTITIES.length - 2 + 1)
    expect(names).not.toContain('uploads')
    expect(names).toContain('objects')
  })
})

describe('positions', () => {
  const lost = samplePosition({ deviceId: 'lost', hasFix: false, latitude: null, longitude: null })
  const late = samplePosition({ deviceId: 'late', timeMs: 5, discriminator: 2 ** 48 - 1, attributes: { b: 1, a: 'x' } })
  const tracks = [...sampleTrack('long', 12_000), ...sampleTrack('late', 10), late, lost]

  const append = async (directory: string, positions = tracks) => {
    const side = new EmbeddedSide(directory)
    const store = await side.positions()
    await store.append(positions)
    await side.close()
  }

  it('are copied with the moment of their arrival, also late ones and those without a fix, and the latest ones too', async () => {
    await append(source)
    const reports = await copyAll(['positions'])
    expect(
      reports.map(({ name, unit, source: { count }, target: { count: copied } }) => [name, unit, count, copied]),
    ).toEqual([
      ['positions', 'positions', 12_012, 12_012],
      ['quarantine', 'records', 0, 0],
    ])
    expect(reports.filter((report) => !isSame(report))).toEqual([])
    const store = await sideOf(target).positions()
    expect(await wholeTrack(store, 'late')).toEqual([late, ...sampleTrack('late', 10)])
    expect(await wholeTrack(store, 'lost')).toEqual([lost])
    expect(await store.findLatest('long')).toEqual(tracks[11_999])
  })

  it('go on where a copy was ended, also when some of an append came, and take what came to the source since', async () => {
    await append(source)
    await append(target, [...tracks.slice(0, 5000), ...tracks.slice(6000, 7000), late])
    expect(await look(['positions'])).toEqual([
      { name: 'positions', unit: 'devices', total: 3, present: 0 },
      { name: 'quarantine', unit: 'records', total: 0, present: 0 },
    ])
    expect((await copyAll(['positions'])).filter((report) => !isSame(report))).toEqual([])
    await append(source, [samplePosition({ deviceId: 'long', timeMs: 1 })])
    expect((await copyAll(['positions'])).filter((report) => !isSame(report))).toEqual([])
    expect((await look(['positions']))[0]).toMatchObject({ total: 3, present: 3 })
  })

  it.each([
    [
      'of a device that the source does not know',
      samplePosition({ deviceId: 'theirs' }),
      'positions of the device theirs.',
    ],
    [
      'that the source does not have',
      samplePosition({ deviceId: 'late', timeMs: 0, discriminator: 3 }),
      'device late, position of 1970-01-01T00:00:00.000Z/3: not in the source.',
    ],
    [
      'that are others',
      { ...late, speedKmh: 1 },
      `device late, position of 1970-01-01T00:00:00.005Z/${2 ** 48 - 1}: another one in the target.`,
    ],
  ])('are refused a target with positions %s', async (_, foreign, words) => {
    await append(source)
    await append(target, [foreign])
    await expect(copyAll(['positions'])).rejects.toThrow(words)
    expect(await (await sideOf(target).positions()).listDeviceIds(10)).toEqual([foreign.deviceId])
  })

  it('are compared one by one', async () => {
    await append(source)
    await append(target, [...tracks.slice(1, -1), { ...lost, receivedAtMs: 7 }])
    const copy = await openCopy(['positions'])
    const [report] = await copy.verify()
    await copy.close()
    expect(report).toMatchObject({
      differences: [
        'device long, position of 2026-05-17T12:00:00.000Z: not in the target',
        'device lost, position of 2026-05-17T12:00:00.000Z: another one in the target',
      ].sort((a, b) => (a.includes('long') && b.includes('lost') ? -1 : 1)),
      source: { count: 12_012 },
      target: { count: 12_011 },
    })
  })
})

describe('quarantine', () => {
  const record = (deviceId: string, receivedAtMs: number, raw = '{}') => ({
    deviceId,
    ingress: 'socket',
    code: 'invalid_time',
    receivedAtMs,
    raw,
  })
  const keep = async (directory: string, records: ReturnType<typeof record>[]) => {
    const side = new EmbeddedSide(directory)
    await (await side.quarantine()).keep(records)
    await side.close()
  }
  const all = [
    ...Array.from({ length: 900 }, (_, n) => record('a', n)),
    record('b', 1),
    record('b', 1),
    record('c', 2, 'ü'),
  ]

  it('is copied, equal records as often as they came, from wherever a copy was ended', async () => {
    await keep(source, all)
    await keep(target, [...all.slice(0, 300), ...all.slice(400, 410), record('b', 1)])
    expect((await look(['positions']))[1]).toMatchObject({ total: 903, present: 311 })
    const [, report] = await copyAll(['positions'])
    expect(report && isSame(report)).toBe(true)
    expect(report?.target.count).toBe(903)
    const side = sideOf(target)
    const there = await (await side.quarantine()).list({ limit: 500, deviceIds: ['b', 'c'] })
    expect(there.map(({ id: _, ...one }) => one)).toEqual([record('c', 2, 'ü'), record('b', 1), record('b', 1)])
  })

  it('is refused a target with records that the source does not have', async () => {
    await keep(source, all)
    await keep(target, [record('c', 2, 'another')])
    await expect(copyAll(['positions'])).rejects.toThrow(
      'quarantine of the device c, invalid_time received at 1970-01-01T00:00:00.002Z: not in the source.',
    )
  })
})

describe('objects', () => {
  const picture = Buffer.from('a picture')

  /** A video with its objects, as the server leaves it. */
  async function addVideo(directory: string, id: string, content: Buffer, changes: Record<string, unknown> = {}) {
    const side = new EmbeddedSide(directory)
    const sql = await side.sql()
    const video = {
      id,
      deviceId: 'truck',
      fileName: `${id}.mp4`,
      bytes: content.length,
      sha256: createHash('sha256').update(content).digest('hex'),
      contentType: 'video/mp4',
      status: 'ready',
      reservedAtMs: 1000,
      uploadedAtMs: 2000,
      listedAtMs: 2000,
      keep: false,
      hasThumbnail: true,
      screenshots: 2,
      attempts: 0,
      ...changes,
    }
    await sql.getRepository('Video').insert(video)
    const blobs = await side.blobs()
    const upload = await blobs.beginUpload(fileKeyOf(video))
    await blobs.append(upload, 0, chunksOf(content))
    await blobs.complete(upload, fileKeyOf(video))
    for (const key of [thumbnailKeyOf(id), screenshotKeyOf(id, 1), screenshotKeyOf(id, 2)])
      await blobs.put(key, picture)
    await side.close()
    return video
  }

  const bytesOf = async (blobs: BlobStore, key: string): Promise<string | undefined> => {
    const stream = await blobs.read(key)
    return stream && Buffer.concat(await stream.toArray()).toString('latin1')
  }

  it('are copied with the pictures made of them, without those that are to go', async () => {
    const contents = Array.from({ length: 9 }, () => randomBytes(300_000))
    for (const [n, content] of contents.entries()) await addVideo(source, `v${n}`, content)
    await addVideo(source, 'hidden', picture, { listedAtMs: null })
    await addVideo(source, 'reserved', picture, {
      listedAtMs: null,
      uploadedAtMs: null,
      sha256: 'of an upload',
      hasThumbnail: false,
      screenshots: 0,
    })
    const reports = await copyAll(['sql', 'objects'])
    expect(reports.filter((report) => !isSame(report))).toEqual([])
    expect(reports.at(-1)).toMatchObject({
      name: 'objects',
      source: { count: 37 },
      target: { count: 37 },
      warnings: [],
    })
    const blobs = await sideOf(target).blobs()
    for (const [n, content] of contents.entries())
      expect(await bytesOf(blobs, `truck/v${n}.mp4`)).toBe(content.toString('latin1'))
    expect(await bytesOf(blobs, screenshotKeyOf('v3', 2))).toBe('a picture')
    expect(await bytesOf(blobs, 'truck/reserved.mp4')).toBe('a picture')
    expect(await bytesOf(blobs, 'truck/hidden.mp4')).toBeUndefined()
  })

  it('go on where a copy was ended', async () => {
    for (const n of [1, 2, 3, 4, 5]) await addVideo(source, `v${n}`, randomBytes(1000))
    await copyAll(['objects'])
    const blobs = await sideOf(target).blobs()
    await blobs.remove('truck/v2.mp4')
    await blobs.remove(thumbnailKeyOf('v4'))
    expect(await look(['objects'])).toEqual([{ name: 'objects', unit: 'videos', total: 5, present: 4 }])
    const [report] = await copyAll(['objects'])
    expect(report && isSame(report)).toBe(true)
    expect(report?.target.count).toBe(20)
  })

  it('are refused a target with another object in the place of one', async () => {
    await addVideo(source, 'v1', randomBytes(1000))
    await (await sideOf(target).blobs()).put('truck/v1.mp4', picture)
    await expect(copyAll(['objects'])).rejects.toThrow('another object truck/v1.mp4 of 9 bytes.')
  })

  it('are refused when the tables in use do not have them, before anything is written', async () => {
    for (const id of ['v1', 'v2']) await addVideo(source, id, randomBytes(1000))
    inUse = temporaryDirectory()
    const refusal =
      'the tables in use do not have the video v1 (truck/v1.mp4), which is in the source: copy sql first, or both'
    await expect(copyAll(['objects'])).rejects.toMatchObject({
      exitCode: 78,
      message: expect.stringContaining(refusal),
    })
    expect(existsSync(path.join(target, 'blobs/objects/truck'))).toBe(false)
    await addVideo(inUse, 'v1', picture)
    await expect(copyAll(['objects'])).rejects.toThrow('the video v2 (truck/v2.mp4)')
  })

  it('are copied by the tables in use, whatever was removed or came anew since these were moved', async () => {
    for (const id of ['v1', 'v2', 'v3']) await addVideo(source, id, randomBytes(1000))
    inUse = temporaryDirectory()
    await addVideo(inUse, 'v1', picture)
    await addVideo(inUse, 'again', picture, { fileName: 'v2.mp4' })
    await (await sideOf(source).blobs()).remove('truck/v3.mp4')
    const [report] = await copyAll(['objects'])

    expect(report && isSame(report)).toBe(true)
    const blobs = await sideOf(target).blobs()
    expect(await Promise.all(['v1', 'v2', 'v3'].map((id) => blobs.stat(`truck/${id}.mp4`)))).toEqual([
      { bytes: 1000 },
      { bytes: 1000 },
      undefined,
    ])
  })

  it('are compared byte by byte, and what is wrong in the source already is told and copied as it is', async () => {
    for (const id of ['v1', 'v2', 'v3']) await addVideo(source, id, randomBytes(1000))
    const spoiled = path.join(source, 'blobs/objects/truck')
    expect(existsSync(spoiled)).toBe(true)
    writeFileSync(path.join(spoiled, 'v2.mp4'), 'damaged long ago')
    rmSync(path.join(spoiled, 'v3.mp4'))
    const [report] = await copyAll(['objects'])
    expect(report && isSame(report)).toBe(true)
    expect(report?.warnings).toEqual([
      'the file of the video v2 (truck/v2.mp4) is not as it was uploaded in the source either',
      'the file of the video v3 (truck/v3.mp4) is not there in the source either',
    ])
    const blobs = await sideOf(target).blobs()
    expect(await bytesOf(blobs, 'truck/v2.mp4')).toBe('damaged long ago')
    await blobs.put('truck/v1.mp4', randomBytes(1000))
    await blobs.put(screenshotKeyOf('v3', 1), Buffer.from('b picture'))
    await blobs.remove(thumbnailKeyOf('v2'))
    const [second] = await copyAll(['objects'])
    expect(second?.differences).toEqual([
      'the file of the video v1 (truck/v1.mp4): other bytes',
      'a picture of the video v3 (derived/v3/screenshot-1.jpg): other bytes',
    ])
  })
})
