import { readFile } from 'node:fs/promises'
import { type BlobPlace, bytesOf, MEBIBYTE, patternOf, sha256Of, store, textOf } from './blob-samples.contract.js'
import type { BlobStore } from './blob-store.js'

const LONGEST = 200
/** Segments that file systems, shells and URLs stumble over, and pairs that some of them take for one. */
const NAMES = [
  'clip.mp4',
  'Clip.mp4',
  'CLIP.MP4',
  'clip.mp4.',
  'clip.mp4 ',
  ' clip.mp4',
  '.clip.mp4',
  '.',
  '..',
  '...',
  '~',
  '-rf',
  'a%2Fb',
  'a%',
  '%',
  'a\\b',
  'con',
  'CON.mp4',
  'nul.tar.gz',
  'lpt1',
  'a:b',
  'a*?<>|"b',
  "'; DROP TABLE videos;--",
  '$(reboot)',
  'line\nbreak',
  '\u0001',
  'caf\u00e9.mp4',
  'cafe\u0301.mp4',
  'stra\u00dfe',
  'strasse',
  '\u0130stanbul',
  'i\u0307stanbul',
  '事故現場.mp4',
  'كاميرا.mp4',
  '🚚💥.mp4',
  '\ud83d',
  '\ud83e',
  'thumbs.db',
  'desktop.ini',
  'a'.repeat(LONGEST),
  'A'.repeat(LONGEST),
  '漢'.repeat(66),
  `${'漢'.repeat(65)}字`,
  '🚚'.repeat(50),
  `${'x'.repeat(LONGEST - 1)}.`,
]

/** Objects that are there, and how they are read and removed. */
export function objectsContract(makePlace: () => Promise<BlobPlace>): void {
  let place: BlobPlace
  let blobs: BlobStore

  beforeEach(async () => {
    place = await makePlace()
    blobs = await place.open()
  })
  afterEach(async () => {
    await blobs.close()
    await place.remove()
  })

  it('knows no object that was never made', async () => {
    await store(blobs, 'truck/clip', 'abc')
    for (const key of ['truck/other', 'other/clip', 'truck', 'truck/clip/more', 'clip']) {
      expect(await blobs.stat(key)).toBeUndefined()
      expect(await blobs.read(key)).toBeUndefined()
      expect(await blobs.openLocal(key)).toBeUndefined()
      await blobs.remove(key)
    }
    expect(await textOf(blobs, 'truck/clip')).toBe('abc')
  })

  it.each(['', '/', 'a//b', '/a', 'a/', 'a/nul\0'])('takes %j for no key', async (key) => {
    await expect(blobs.stat(key)).rejects.toThrow(RangeError)
    await expect(blobs.put(key, Buffer.from('x'))).rejects.toThrow(RangeError)
    await expect(blobs.remove(key)).rejects.toThrow(RangeError)
  })

  describe('whatever their names', () => {
    it('are objects of their own, as files and as directories', async () => {
      const keys = NAMES.flatMap((name) => [`truck/${name}`, `${name}/clip`, `derived/${name}/1.jpg`, name])
      for (const key of keys) await store(blobs, key, key)
      await blobs.close()
      blobs = await place.open()

      const wrong: string[] = []
      for (const key of keys) {
        // What a store writes in UTF-8 has no halves of surrogate pairs.
        if ((await textOf(blobs, key)) !== Buffer.from(key).toString()) wrong.push(key)
      }
      expect(wrong).toEqual([])
    })

    it('go one by one', async () => {
      for (const name of NAMES) await blobs.put(`truck/${name}`, Buffer.from('x'))
      const left = new Set(NAMES)
      for (const name of NAMES) {
        await blobs.remove(`truck/${name}`)
        left.delete(name)
        expect(await blobs.stat(`truck/${name}`)).toBeUndefined()
      }
      expect(left.size).toBe(0)
    })

    it('go by their beginning, and nothing else does', async () => {
      for (const name of NAMES) await blobs.put(`${name}/clip`, Buffer.from(name))
      for (const [i, name] of NAMES.entries()) {
        await blobs.removeUnder(name)
        expect(await blobs.stat(`${name}/clip`)).toBeUndefined()
        const next = NAMES[i + 1]
        if (next !== undefined) expect(await blobs.stat(`${next}/clip`)).toEqual({ bytes: Buffer.byteLength(next) })
      }
    })
  })

  it('keeps a unit that is called as the pictures are apart from them', async () => {
    await store(blobs, 'derived/019a', 'file of the unit')
    await blobs.put('derived/019a/thumbnail.jpg', Buffer.from('picture'))

    expect(await textOf(blobs, 'derived/019a')).toBe('file of the unit')
    expect(await textOf(blobs, 'derived/019a/thumbnail.jpg')).toBe('picture')
    await blobs.remove('derived/019a')
    expect(await textOf(blobs, 'derived/019a/thumbnail.jpg')).toBe('picture')
  })

  describe('put', () => {
    it('stores an object whole and takes the place of one', async () => {
      await blobs.put('derived/v/1.jpg', Buffer.from('first'))
      await blobs.put('derived/v/1.jpg', Buffer.from('2'))
      await blobs.put('derived/v/0.jpg', Buffer.alloc(0))

      expect(await textOf(blobs, 'derived/v/1.jpg')).toBe('2')
      expect(await blobs.stat('derived/v/0.jpg')).toEqual({ bytes: 0 })
      expect(await blobs.listIdleUploads(Date.now() + 60_000)).toEqual([])
    })

    it('many times at once leaves one of them, whole', async () => {
      const contents = Array.from({ length: 20 }, (_, i) => String(i).repeat(10_000))
      await Promise.all(contents.map((content) => blobs.put('derived/v/1.jpg', Buffer.from(content))))

      expect(contents).toContain(await textOf(blobs, 'derived/v/1.jpg'))
    })
  })

  describe('read', () => {
    const bytes = patternOf(MEBIBYTE + 3)

    beforeEach(() => store(blobs, 'truck/clip', bytes))

    it.each([
      ['the first byte', 0, 0],
      ['the last byte', bytes.length - 1, bytes.length - 1],
      ['all of it', 0, bytes.length - 1],
      ['across the pieces it is read in', 262_143, 524_289],
    ])('gives %s, both ends included', async (_, first, last) => {
      const part = await bytesOf(await blobs.read('truck/clip', { first, last }))

      expect(part && sha256Of(part)).toBe(sha256Of(bytes.subarray(first, last + 1)))
    })

    it.each([
      [0, bytes.length],
      [bytes.length, bytes.length],
      [-1, 5],
      [5, 4],
    ])('refuses bytes %d to %d', async (first, last) => {
      await expect(blobs.read('truck/clip', { first, last })).rejects.toThrow(RangeError)
    })

    it.each([
      ['all of it', undefined],
      ['a range', { first: 5, last: 9 }],
    ])('gives %s only of an object that has as many bytes as it must have', async (_, range) => {
      const { length } = bytes
      const given = await bytesOf(await blobs.read('truck/clip', range, length))
      expect(given && sha256Of(given)).toBe(sha256Of(range ? bytes.subarray(5, 10) : bytes))

      for (const other of [0, length - 1, length + 1])
        await expect(blobs.read('truck/clip', range, other)).rejects.toThrow(RangeError)
      expect(await blobs.read('truck/none', range, length)).toBeUndefined()
    })

    it('refuses any range of an empty object', async () => {
      await store(blobs, 'truck/empty')

      await expect(blobs.read('truck/empty', { first: 0, last: 0 })).rejects.toThrow(RangeError)
    })

    it('goes on although the object is removed', async () => {
      const reading = await blobs.read('truck/clip')
      await blobs.remove('truck/clip')

      const read = await bytesOf(reading)
      expect(read && sha256Of(read)).toBe(sha256Of(bytes))
      expect(await blobs.read('truck/clip')).toBeUndefined()
    })

    it('many at once gives each its own part', async () => {
      const parts = await Promise.all(
        Array.from({ length: 50 }, async (_, i) =>
          bytesOf(await blobs.read('truck/clip', { first: i * 1000, last: i * 1000 + 4999 })),
        ),
      )

      parts.forEach((part, i) => {
        expect(part?.equals(bytes.subarray(i * 1000, i * 1000 + 5000))).toBe(true)
      })
    })

    it('is given up when the stream is destroyed', async () => {
      for (let i = 0; i < 50; i++) {
        const stream = await blobs.read('truck/clip')
        const closed = new Promise((resolve) => stream?.once('close', resolve))
        if (i % 2 === 0) await new Promise((resolve) => stream?.once('readable', resolve))
        stream?.destroy()
        await closed
      }
      expect(await blobs.stat('truck/clip')).toEqual({ bytes: bytes.length })
    })
  })

  it('gives an object as a file of this machine', async () => {
    await store(blobs, 'truck/Clip 1.mp4', 'abc')
    const local = await blobs.openLocal('truck/Clip 1.mp4')

    expect(local && (await readFile(local.path, 'utf8'))).toBe('abc')
    await local?.release()
    await local?.release()
    expect(await textOf(blobs, 'truck/Clip 1.mp4')).toBe('abc')
  })

  describe('removeUnder', () => {
    beforeEach(async () => {
      for (const key of ['a', 'a/b', 'a/b/c', 'a/b/c/d', 'a/bb', 'ab/b', 'b/a']) await blobs.put(key, Buffer.from(key))
    })
    const there = async () => {
      const found = await Promise.all(
        ['a', 'a/b', 'a/b/c', 'a/b/c/d', 'a/bb', 'ab/b', 'b/a'].map(async (key) =>
          (await blobs.stat(key)) ? [key] : [],
        ),
      )
      return found.flat()
    }

    it('removes what begins with one segment', async () => {
      await blobs.removeUnder('a')
      expect(await there()).toEqual(['ab/b', 'b/a'])
      await blobs.removeUnder('a')
      expect(await there()).toEqual(['ab/b', 'b/a'])
    })

    it('removes what begins with two segments', async () => {
      await blobs.removeUnder('a', 'b')
      expect(await there()).toEqual(['a', 'a/bb', 'ab/b', 'b/a'])
    })

    it('removes nothing where nothing is', async () => {
      await blobs.removeUnder('c')
      await blobs.removeUnder('a', 'c', 'd')
      expect(await there()).toHaveLength(7)
    })

    it.each([[[]], [['']], [['a/b']], [['a', '']]])('takes %j for no beginning', async (segments) => {
      await expect(blobs.removeUnder(...segments)).rejects.toThrow(RangeError)
      expect(await there()).toHaveLength(7)
    })

    it('and new objects in the same place do not disturb each other', async () => {
      const putting = Promise.all(
        Array.from({ length: 30 }, async (_, i) => {
          await blobs.put(`busy/${i}/1`, Buffer.from('x'))
          return blobs.stat(`busy/${i}/1`)
        }),
      )
      await Promise.all(Array.from({ length: 10 }, () => blobs.removeUnder('busy')))
      await putting
      await blobs.removeUnder('busy')

      expect(await blobs.stat('busy/1/1')).toBeUndefined()
    })
  })

  it('says that it works', async () => {
    await blobs.probe()
    await Promise.all([blobs.probe(), blobs.probe()])
  })

  it('does nothing after it was closed', async () => {
    await store(blobs, 'truck/clip', 'abc')
    const id = await blobs.beginUpload('truck/clip')
    await blobs.close()
    await blobs.close()

    const calls = [
      () => blobs.beginUpload('truck/clip'),
      () => blobs.append(id, 0, Promise.resolve([]) as never),
      () => blobs.complete(id, 'truck/clip'),
      () => blobs.put('a', Buffer.from('x')),
      () => blobs.read('truck/clip'),
      () => blobs.stat('truck/clip'),
      () => blobs.remove('truck/clip'),
      () => blobs.probe(),
    ]
    for (const call of calls) await expect(call()).rejects.toMatchObject({ code: 'store_unavailable' })
  })
}
