import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Logger } from '@nestjs/common'
import { KeyDirectory } from './key-directory.js'
import { KeyDirectoryError } from './key-file.js'

const HOUR_MS = 3_600_000
const TOKEN_LIFE_MS = 10 * 24 * HOUR_MS
const LATE_MS = 60_000

describe('KeyDirectory', () => {
  beforeAll(() => Logger.overrideLogger(false))

  let root: string
  let directory: string
  let nowMs: number
  const open = () => new KeyDirectory(directory, TOKEN_LIFE_MS, () => nowMs)

  beforeEach(async () => {
    root = await mkdtemp(path.join(tmpdir(), 'milepost-keys-'))
    directory = path.join(root, 'data', 'keys')
    nowMs = Date.parse('2026-11-22T07:30:00.000Z')
  })

  afterEach(() => rm(root, { recursive: true, force: true }))

  it('makes one key on first use, readable by its owner only', async () => {
    const keys = await open().load()
    expect(keys).toHaveLength(1)
    expect(await readdir(directory)).toEqual([`${keys[0]?.kid}.jwk.json`])
    expect((await stat(directory)).mode & 0o777).toBe(0o700)
    expect((await stat(path.join(directory, `${keys[0]?.kid}.jwk.json`))).mode & 0o777).toBe(0o600)
  })

  it('keeps the key over a restart', async () => {
    const [first] = await open().load()
    const again = await open().load()
    expect(again.map(({ kid }) => kid)).toEqual([first?.kid])
    expect(again[0]?.createdAtMs).toBe(nowMs)
  })

  it('shows only the public half', async () => {
    const [key] = await open().load()
    expect(Object.keys(key?.publicJwk ?? {}).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'])
  })

  it('signs with the newest after a rotation, and lets the old one verify', async () => {
    const keys = open()
    const [first] = await keys.load()
    nowMs += HOUR_MS
    const rotated = await keys.rotate()
    expect(rotated).toHaveLength(2)
    expect(rotated[0]?.kid).not.toBe(first?.kid)
    expect(rotated[1]?.kid).toBe(first?.kid)
  })

  it('sees what another process rotated', async () => {
    const server = open()
    await server.load()
    nowMs += HOUR_MS
    const rotated = await open().rotate()
    expect((await server.load()).map(({ kid }) => kid)).toEqual(rotated.map(({ kid }) => kid))
  })

  it('puts a rotated key first although the clock was set back', async () => {
    const keys = open()
    const [first] = await keys.load()
    nowMs -= HOUR_MS
    const rotated = await keys.rotate()
    expect(rotated.map(({ createdAtMs }) => createdAtMs)).toEqual([(first?.createdAtMs ?? 0) + 1, first?.createdAtMs])
  })

  it('drops an old key once the last token signed with it has ended, and not before', async () => {
    const keys = open()
    const [first] = await keys.load()
    nowMs += HOUR_MS
    const [second] = await keys.rotate()
    nowMs += TOKEN_LIFE_MS + LATE_MS
    expect((await keys.load()).map(({ kid }) => kid)).toEqual([second?.kid, first?.kid])
    nowMs += 1
    expect((await keys.load()).map(({ kid }) => kid)).toEqual([second?.kid])
    expect(await readdir(directory)).toEqual([`${second?.kid}.jwk.json`])
  })

  it('never drops the key that signs, however old', async () => {
    const keys = open()
    const [first] = await keys.load()
    nowMs += 100 * TOKEN_LIFE_MS
    expect((await keys.load()).map(({ kid }) => kid)).toEqual([first?.kid])
  })

  it('keeps both keys when two processes rotate at the same time', async () => {
    await open().load()
    nowMs += HOUR_MS
    await Promise.all([open().rotate(), open().rotate()])
    expect(await open().load()).toHaveLength(3)
  })

  it('refuses to start with a file that is no key, naming it', async () => {
    const [first] = await open().load()
    const file = path.join(directory, `${first?.kid}.jwk.json`)
    await writeFile(file, '{"kty":"EC"')
    await expect(open().load()).rejects.toThrow(KeyDirectoryError)
    await expect(open().load()).rejects.toThrow(`${file} is no usable signing key`)
  })

  it('refuses a key whose halves do not belong together', async () => {
    const [first] = await open().load()
    const file = path.join(directory, `${first?.kid}.jwk.json`)
    const jwk = JSON.parse(await readFile(file, 'utf8'))
    const other = await new KeyDirectory(path.join(root, 'other'), TOKEN_LIFE_MS).load()
    await writeFile(file, JSON.stringify({ ...jwk, x: other[0]?.publicJwk.x, y: other[0]?.publicJwk.y }))
    await expect(open().load()).rejects.toThrow(KeyDirectoryError)
  })

  it('goes on with the good keys when a broken one appears while it runs, and takes it once it is whole', async () => {
    const keys = open()
    const [first] = await keys.load()
    nowMs += HOUR_MS
    const [second] = await open().rotate()
    const file = path.join(directory, `${second?.kid}.jwk.json`)
    const whole = await readFile(file)
    await writeFile(file, whole.subarray(0, 40))
    expect((await keys.load()).map(({ kid }) => kid)).toEqual([first?.kid])
    await writeFile(file, whole)
    expect((await keys.load()).map(({ kid }) => kid)).toEqual([second?.kid, first?.kid])
  })

  it('fails when its directory is gone while it runs, instead of making new keys', async () => {
    const keys = open()
    await keys.load()
    await rm(directory, { recursive: true })
    await expect(keys.load()).rejects.toThrow(KeyDirectoryError)
  })

  it('ends a key whose file the operator deletes', async () => {
    const keys = open()
    const [first] = await keys.load()
    nowMs += HOUR_MS
    const [second] = await keys.rotate()
    await rm(path.join(directory, `${first?.kid}.jwk.json`))
    expect((await keys.load()).map(({ kid }) => kid)).toEqual([second?.kid])
  })

  it('says that the directory cannot be made', async () => {
    await writeFile(path.join(root, 'data'), 'a file in the way')
    await expect(open().load()).rejects.toMatchObject({ name: 'KeyDirectoryError', exitCode: 73 })
    await chmod(root, 0o700)
  })
})
