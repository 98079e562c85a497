import { rmSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { removeTemporaryDirectories, temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { COPIES_DIRECTORY, LocalCopies } from './local-copies.js'

afterAll(removeTemporaryDirectories)

describe('copies of objects on this machine', () => {
  it('are files until they are released', async () => {
    const copies = new LocalCopies(temporaryDirectory())
    await copies.sweep()
    const copy = await copies.make(async () => Readable.from([Buffer.from('abc')]))

    expect(copy && (await readFile(copy.path, 'utf8'))).toBe('abc')
    await copy?.release()
    await expect(readFile(copy?.path ?? '')).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('let go of the object when there is no place for them', async () => {
    const directory = temporaryDirectory()
    const copies = new LocalCopies(directory)
    await copies.sweep()
    rmSync(directory, { recursive: true })
    const source = new Readable({ read: () => undefined })

    await expect(copies.make(async () => source)).rejects.toMatchObject({ code: 'store_unavailable' })
    expect(source.destroyed).toBe(true)
  })

  it('are given up in the middle, and leave nothing', async () => {
    const directory = temporaryDirectory()
    const copies = new LocalCopies(directory)
    await copies.sweep()
    const stop = new AbortController()
    const endless = new Readable({ read: () => undefined })
    endless.push('abc')
    const making = copies.make(async () => endless, stop.signal)
    await untilFull(path.join(directory, COPIES_DIRECTORY))
    stop.abort()

    await expect(making).rejects.toMatchObject({ code: 'store_unavailable' })
    expect([endless.destroyed, await readdir(path.join(directory, COPIES_DIRECTORY))]).toEqual([true, []])
  })

  it('are given up while they wait for others, and take no place then', async () => {
    const copies = new LocalCopies(temporaryDirectory())
    await copies.sweep()
    const some = () => copies.make(async () => Readable.from([Buffer.from('abc')]))
    const taken = [await some(), await some()]
    const stop = new AbortController()
    const waiting = copies.make(async () => undefined, stop.signal)
    const next = some()
    stop.abort()

    await expect(waiting).rejects.toMatchObject({ code: 'store_unavailable' })
    await expect(copies.make(async () => undefined, stop.signal)).rejects.toMatchObject({ code: 'store_unavailable' })
    await taken[0]?.release()
    expect(await next).toMatchObject({ path: expect.any(String) })
  })
})

async function untilFull(directory: string): Promise<void> {
  while ((await readdir(directory)).length === 0) await sleep(5)
}
