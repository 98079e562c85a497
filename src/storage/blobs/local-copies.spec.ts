import { rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { removeTemporaryDirectories, temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { LocalCopies } from './local-copies.js'

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
})
