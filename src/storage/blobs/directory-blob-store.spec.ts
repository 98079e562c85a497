import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Readable } from 'node:stream'
import { removeTemporaryDirectories, temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { Metrics } from '../../metrics/metrics.js'
import { AppError } from '../../model/app-error.js'
import { chunksOf, store, textOf } from './blob-samples.contract.js'
import { blobStoreContract } from './blob-store.contract.js'
import { type DirectoryBlobStore, openDirectoryBlobs } from './directory-blob-store.js'

blobStoreContract('directory', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'milepost-blobs-'))
  return {
    open: () => openDirectoryBlobs({ directory }),
    remove: () => rm(directory, { recursive: true, force: true }),
  }
})

describe('objects in a directory', () => {
  let directory: string
  let root: string
  let blobs: DirectoryBlobStore
  let refusal: Error | undefined
  let metrics: Metrics

  beforeEach(async () => {
    directory = temporaryDirectory()
    root = path.join(directory, 'blobs')
    refusal = undefined
    metrics = new Metrics()
    blobs = await open()
  })
  afterEach(() => blobs.close())
  afterAll(removeTemporaryDirectories)

  const open = () =>
    openDirectoryBlobs({
      directory,
      metrics,
      assertWritable: () => {
        if (refusal) throw refusal
      },
    })
  const modeOf = (...names: string[]) => (statSync(path.join(root, ...names)).mode & 0o777).toString(8)
  const uploads = () => readdirSync(path.join(root, 'uploads'))
  const openFiles = () =>
    readdirSync('/proc/self/fd').filter((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`).startsWith(root)
      } catch {
        return false
      }
    }).length

  it('are files that a person finds, for their owner only whatever the mask', async () => {
    const mask = process.umask(0)
    try {
      await store(blobs, '860000000000001/clip.mp4', 'abc')
      await blobs.put('derived/019a/thumbnail.jpg', Buffer.from('jpg'))
      await blobs.beginUpload('truck/clip')
    } finally {
      process.umask(mask)
    }

    expect(readFileSync(path.join(root, 'objects/860000000000001/clip.mp4'), 'utf8')).toBe('abc')
    expect(readFileSync(path.join(root, 'objects/derived/019a%/thumbnail.jpg'), 'utf8')).toBe('jpg')
    expect(
      ['objects', 'uploads', 'objects/860000000000001', 'objects/derived/019a%'].map((name) => modeOf(name)),
    ).toEqual(['700', '700', '700', '700'])
    expect(modeOf('objects/860000000000001/clip.mp4')).toBe('600')
    expect(modeOf('objects/derived/019a%/thumbnail.jpg')).toBe('600')
    expect(modeOf('uploads', uploads()[0] ?? '')).toBe('600')
  })

  it('leave no file open', async () => {
    await store(blobs, 'truck/clip', 'x'.repeat(1_000_000))
    await expect(blobs.read('truck/clip', { first: 5, last: 2_000_000 })).rejects.toThrow(RangeError)
    for (let i = 0; i < 5; i++) {
      const stream = await blobs.read('truck/clip')
      const closed = new Promise((resolve) => stream?.once('close', resolve))
      stream?.destroy()
      await closed
    }
    const id = await blobs.beginUpload('truck/clip')
    await expect(blobs.append(id, 1, chunksOf('x'))).rejects.toThrow(RangeError)
    await blobs.abort(id)

    expect(openFiles()).toBe(0)
    expect(uploads()).toEqual([])
  })

  describe('after a crash', () => {
    it('between the rename and its answer, complete finds the object', async () => {
      const id = await blobs.beginUpload('truck/clip')
      await blobs.append(id, 0, chunksOf('abc'))
      mkdirSync(path.join(root, 'objects/truck'))
      renameSync(path.join(root, 'uploads', id), path.join(root, 'objects/truck/clip'))

      await blobs.complete(id, 'truck/clip')

      expect(await textOf(blobs, 'truck/clip')).toBe('abc')
    })

    it('after the directory was made, complete goes on', async () => {
      const id = await blobs.beginUpload('truck/clip')
      await blobs.append(id, 0, chunksOf('abc'))
      mkdirSync(path.join(root, 'objects/truck'))

      await blobs.complete(id, 'truck/clip')

      expect(await textOf(blobs, 'truck/clip')).toBe('abc')
    })

    it('in the middle of an append, what was not told is dropped', async () => {
      const id = await blobs.beginUpload('truck/clip')
      await blobs.append(id, 0, chunksOf('abc'))
      writeFileSync(path.join(root, 'uploads', id), 'abc and half of the next')

      await blobs.append(id, 3, chunksOf('def'))
      await blobs.complete(id, 'truck/clip')

      expect(await textOf(blobs, 'truck/clip')).toBe('abcdef')
    })

    it('in the middle of a put, only a leftover upload is there', async () => {
      const leftover = 'f'.repeat(32)
      writeFileSync(path.join(root, 'uploads', leftover), 'half of a picture')

      expect(await blobs.listIdleUploads(Date.now() + 60_000)).toEqual([leftover])
      await blobs.abort(leftover)
      expect(uploads()).toEqual([])
    })

    it('what is no upload among the uploads is left alone', async () => {
      writeFileSync(path.join(root, 'uploads', 'README'), 'mine')
      mkdirSync(path.join(root, 'uploads', 'lost+found'))

      expect(await blobs.listIdleUploads(Date.now() + 60_000)).toEqual([])
      await blobs.abort('README')
      expect(uploads().sort()).toEqual(['README', 'lost+found'])
    })
  })

  describe('that cannot be reached are an error and never missing', () => {
    const unavailable = (words: string) => ({
      code: 'store_unavailable',
      message: `blobs: ${words}`,
      retryAfterMs: 5000,
    })

    it('when a file is in the place of a directory', async () => {
      const wrong = unavailable('something else is in the place of a directory')
      writeFileSync(path.join(root, 'objects/truck'), 'not a directory')

      await expect(blobs.stat('truck/clip')).rejects.toMatchObject(wrong)
      await expect(blobs.read('truck/clip')).rejects.toMatchObject(wrong)
      await expect(blobs.openLocal('truck/clip')).rejects.toMatchObject(wrong)
      await expect(blobs.remove('truck/clip')).rejects.toMatchObject(wrong)
      await expect(blobs.put('truck/clip', Buffer.from('x'))).rejects.toMatchObject(wrong)
      expect(uploads()).toEqual([])
      const id = await blobs.beginUpload('truck/clip')
      await expect(blobs.complete(id, 'truck/clip')).rejects.toMatchObject(wrong)
      expect(uploads()).toEqual([id])
    })

    it('when a directory is in the place of a file', async () => {
      const wrong = unavailable('something else is in the place of an object')
      mkdirSync(path.join(root, 'objects/truck/clip'), { recursive: true })

      await expect(blobs.stat('truck/clip')).rejects.toMatchObject(wrong)
      await expect(blobs.read('truck/clip')).rejects.toMatchObject(wrong)
      await expect(blobs.put('truck/clip', Buffer.from('x'))).rejects.toMatchObject({ code: 'store_unavailable' })
      expect(uploads()).toEqual([])
    })

    it('when the disk of all objects is away', async () => {
      await store(blobs, 'truck/clip', 'abc')
      renameSync(path.join(root, 'objects'), path.join(root, 'away'))
      const away = unavailable('no such file or directory (ENOENT)')

      await expect(blobs.stat('truck/clip')).rejects.toMatchObject(away)
      await expect(blobs.read('truck/clip')).rejects.toMatchObject(away)
      await expect(blobs.probe()).rejects.toMatchObject(away)
      renameSync(path.join(root, 'away'), path.join(root, 'objects'))
      expect(await textOf(blobs, 'truck/clip')).toBe('abc')
      await blobs.probe()
    })

    it('when the uploads are away', async () => {
      rmSync(path.join(root, 'uploads'), { recursive: true })
      writeFileSync(path.join(root, 'uploads'), '')

      await expect(blobs.beginUpload('truck/clip')).rejects.toMatchObject(unavailable('not a directory (ENOTDIR)'))
      await expect(blobs.put('truck/clip', Buffer.from('x'))).rejects.toMatchObject({ code: 'store_unavailable' })
      await expect(blobs.listIdleUploads(0)).rejects.toMatchObject({ code: 'store_unavailable' })
      await expect(blobs.append('0'.repeat(32), 0, chunksOf('x'))).rejects.toMatchObject({ code: 'store_unavailable' })
      await expect(blobs.probe()).rejects.toMatchObject({ code: 'store_unavailable' })
    })
  })

  describe('are never reached by a link', () => {
    let outside: string

    beforeEach(() => {
      outside = temporaryDirectory()
      writeFileSync(path.join(outside, 'secret'), 'secret')
    })

    it('in the place of a directory', async () => {
      symlinkSync(outside, path.join(root, 'objects/truck'))

      await expect(blobs.read('truck/secret')).rejects.toMatchObject({ code: 'store_unavailable' })
      await expect(blobs.put('truck/new', Buffer.from('x'))).rejects.toMatchObject({ code: 'store_unavailable' })
      await blobs.removeUnder('truck')
      expect(readdirSync(outside)).toEqual(['secret'])
      expect(existsSync(path.join(root, 'objects/truck'))).toBe(false)
    })

    it('in the place of a file', async () => {
      mkdirSync(path.join(root, 'objects/truck'))
      symlinkSync(path.join(outside, 'secret'), path.join(root, 'objects/truck/clip'))

      await expect(blobs.read('truck/clip')).rejects.toMatchObject({ code: 'store_unavailable' })
      await expect(blobs.stat('truck/clip')).rejects.toMatchObject({ code: 'store_unavailable' })
      await blobs.removeUnder('truck')
      expect(readdirSync(outside)).toEqual(['secret'])
    })

    it('in the place of an upload', async () => {
      const id = 'a'.repeat(32)
      symlinkSync(path.join(outside, 'secret'), path.join(root, 'uploads', id))

      await expect(blobs.append(id, 0, chunksOf('x'))).rejects.toMatchObject({ code: 'store_unavailable' })
      await expect(blobs.complete(id, 'truck/clip')).rejects.toMatchObject({ code: 'store_unavailable' })
      expect(readFileSync(path.join(outside, 'secret'), 'utf8')).toBe('secret')
    })

    it('but the whole directory may be one, to another disk', async () => {
      await blobs.close()
      renameSync(root, path.join(outside, 'blobs'))
      symlinkSync(path.join(outside, 'blobs'), root)
      blobs = await open()
      await store(blobs, 'truck/clip', 'abc')

      expect(readFileSync(path.join(outside, 'blobs/objects/truck/clip'), 'utf8')).toBe('abc')
    })
  })

  describe('while the disk is full', () => {
    const full = new AppError('disk_full', 'Less than 5 bytes are free')

    it('are not begun, while others are completed, read and removed', async () => {
      await store(blobs, 'truck/old', 'old')
      const id = await blobs.beginUpload('truck/clip')
      await blobs.append(id, 0, chunksOf('abc'))
      refusal = full

      await expect(blobs.beginUpload('truck/clip')).rejects.toBe(full)
      await expect(blobs.put('truck/new', Buffer.from('x'))).rejects.toBe(full)
      await expect(blobs.append(id, 3, chunksOf('d'))).rejects.toBe(full)
      await blobs.complete(id, 'truck/clip')
      expect(await textOf(blobs, 'truck/clip')).toBe('abc')
      await blobs.remove('truck/old')
      expect(uploads()).toEqual([])
    })

    it('keep what came before it was', async () => {
      const id = await blobs.beginUpload('truck/clip')
      const told: number[] = []
      const source = (async function* () {
        yield Buffer.from('abc')
        refusal = full
        yield Buffer.from('def')
        yield Buffer.from('ghi')
      })()

      await expect(blobs.append(id, 0, source, (bytes) => void told.push(bytes))).rejects.toBe(full)

      expect(told).toEqual([6])
      refusal = undefined
      expect(await blobs.append(id, 6, chunksOf('!'))).toBe(7)
    })

    it('let go of the source', async () => {
      const id = await blobs.beginUpload('truck/clip')
      const source = Readable.from(
        (async function* () {
          for (;;) {
            yield Buffer.from('abc')
            refusal = full
          }
        })(),
      )

      await expect(blobs.append(id, 0, source)).rejects.toBe(full)
      expect(source.destroyed).toBe(true)
    })
  })

  it('are timed', async () => {
    await store(blobs, 'truck/clip', 'abc')
    await expect(blobs.complete('a'.repeat(32), 'truck/none')).rejects.toThrow(RangeError)
    const { values } = await metrics.storeSeconds.get()

    expect(
      values
        .filter(({ metricName, labels }) => metricName?.endsWith('_count') && labels.store === 'blobs')
        .map(({ labels, value }) => [labels.operation, labels.outcome, value]),
    ).toEqual([
      ['complete', 'ok', 1],
      ['complete', 'error', 1],
    ])
  })

  describe('opening', () => {
    it('says why it cannot', async () => {
      await blobs.close()
      rmSync(root, { recursive: true })
      writeFileSync(root, 'a file')

      await expect(open()).rejects.toMatchObject({
        exitCode: 69,
        message: `cannot open ${root}: not a directory (ENOTDIR)`,
      })
    })

    it('works in a directory that was there, whatever its mode', async () => {
      await blobs.close()
      chmodSync(root, 0o750)
      blobs = await open()
      await store(blobs, 'truck/clip', 'abc')
      expect(await textOf(blobs, 'truck/clip')).toBe('abc')
    })
  })
})
