import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import {
  type BlobPlace,
  brokenAfter,
  bytesOf,
  chunksOf,
  contentOf,
  HeldSource,
  MEBIBYTE,
  patternOf,
  sha256Of,
  textOf,
} from './blob-samples.contract.js'
import type { BlobStore } from './blob-store.js'

const NEVER_AN_UPLOAD = ['0123456789abcdef0123456789abcdef', 'unknown', '', '../objects/a', '.', 'a/b', 'nul\0']

/** How bytes come in, piece by piece, and become an object. */
export function uploadsContract(makePlace: () => Promise<BlobPlace>): void {
  let place: BlobPlace
  let blobs: BlobStore
  let told: number[]
  const tell = (bytes: number) => {
    told.push(bytes)
  }

  beforeEach(async () => {
    place = await makePlace()
    blobs = await place.open()
    told = []
  })
  afterEach(async () => {
    await blobs.close()
    await place.remove()
  })

  async function reopen(): Promise<void> {
    await blobs.close()
    blobs = await place.open()
  }

  it('makes an object of the bytes that came, and none before', async () => {
    const id = await blobs.beginUpload('truck/clip')
    expect(await blobs.append(id, 0, chunksOf('ab', '', 'cde'), tell)).toBe(5)
    expect(told).toEqual([5])
    expect(await blobs.stat('truck/clip')).toBeUndefined()

    await blobs.complete(id, 'truck/clip')

    expect(await blobs.stat('truck/clip')).toEqual({ bytes: 5 })
    expect(await textOf(blobs, 'truck/clip')).toBe('abcde')
  })

  it('makes an empty object of an upload that nothing came for', async () => {
    await blobs.complete(await blobs.beginUpload('truck/nothing'), 'truck/nothing')
    const id = await blobs.beginUpload('truck/empty')
    expect(await blobs.append(id, 0, chunksOf(), tell)).toBe(0)
    await blobs.complete(id, 'truck/empty')

    expect(told).toEqual([0])
    for (const key of ['truck/nothing', 'truck/empty']) {
      expect(await blobs.stat(key)).toEqual({ bytes: 0 })
      expect(await textOf(blobs, key)).toBe('')
    }
  })

  it('goes on where it stood, also after it was opened again', async () => {
    const id = await blobs.beginUpload('truck/clip')
    expect(await blobs.append(id, 0, chunksOf('one '))).toBe(4)
    await reopen()
    expect(await blobs.append(id, 4, chunksOf('two '), tell)).toBe(8)
    expect(await blobs.append(id, 8, chunksOf(), tell)).toBe(8)
    await reopen()
    expect(await blobs.append(id, 8, chunksOf('three'), tell)).toBe(13)

    expect(told).toEqual([8, 8, 13])
    expect(await contentOf(blobs, id)).toBe('one two three')
  })

  it('drops what is beyond the offset', async () => {
    const id = await blobs.beginUpload('truck/clip')
    await blobs.append(id, 0, chunksOf('0123'))
    const unheard = new Error('nobody wrote it down')
    await expect(blobs.append(id, 4, chunksOf('456789'), () => Promise.reject(unheard))).rejects.toBe(unheard)
    expect(await blobs.append(id, 4, chunksOf('ab'))).toBe(6)

    expect(await contentOf(blobs, id)).toBe('0123ab')
  })

  it('refuses an offset beyond what it holds, and changes nothing', async () => {
    const id = await blobs.beginUpload('truck/clip')
    await blobs.append(id, 0, chunksOf('abc'))

    await expect(blobs.append(id, 4, chunksOf('x'))).rejects.toThrow(RangeError)

    expect(await contentOf(blobs, id)).toBe('abc')
  })

  it.each(NEVER_AN_UPLOAD)('knows no upload %j', async (id) => {
    await expect(blobs.append(id, 0, chunksOf('x'))).rejects.toThrow(RangeError)
    await expect(blobs.complete(id, 'truck/clip')).rejects.toThrow(RangeError)
    await blobs.abort(id)
    expect(await blobs.stat('truck/clip')).toBeUndefined()
  })

  it('keeps what came before the source broke off, tells it, and passes the error on', async () => {
    const id = await blobs.beginUpload('truck/clip')
    const reset = Object.assign(new Error('socket hang up'), { code: 'ECONNRESET', errno: -104 })

    await expect(blobs.append(id, 0, brokenAfter(reset, 'abc', 'def'), tell)).rejects.toBe(reset)

    expect(told).toEqual([6])
    await reopen()
    expect(await blobs.append(id, 6, chunksOf('g'))).toBe(7)
    expect(await contentOf(blobs, id)).toBe('abcdefg')
  })

  it('takes a stream that is destroyed in the middle for one that broke off', async () => {
    const id = await blobs.beginUpload('truck/clip')
    let gave = () => {}
    const taken = new Promise<void>((resolve) => {
      gave = resolve
    })
    const stream = new Readable({
      highWaterMark: 1, // asked for more only when what it gave was taken
      read() {
        if (this.readableDidRead) gave()
        else this.push('abc')
      },
    })
    const appending = blobs.append(id, 0, stream, tell)
    await taken
    const gone = new Error('aborted')
    stream.destroy(gone)

    await expect(appending).rejects.toBe(gone)
    expect(told).toEqual([3])
    expect(await contentOf(blobs, id)).toBe('abc')
  })

  it('ends when the one who was told throws', async () => {
    const id = await blobs.beginUpload('truck/clip')
    const source = Readable.from([Buffer.from('abc')])
    const refusal = new Error('no')

    await expect(blobs.append(id, 0, source, () => Promise.reject(refusal))).rejects.toBe(refusal)

    expect(await blobs.append(id, 0, chunksOf('xy'))).toBe(2)
    expect(await contentOf(blobs, id)).toBe('xy')
  })

  it('tells from time to time how much is durable, in whole chunks and one telling after the other', async () => {
    const chunk = patternOf(MEBIBYTE)
    let taken = 0
    let isTelling = false
    const claims: string[] = []
    const source = (async function* () {
      for (let i = 0; i < 40; i++) {
        if (isTelling && !place.sendsParts) claims.push(`took chunk ${i} while it told`)
        taken += chunk.byteLength
        yield chunk
      }
    })()
    const id = await blobs.beginUpload('truck/clip')

    await blobs.append(id, 0, source, async (bytes) => {
      told.push(bytes)
      const isAll = place.sendsParts ? bytes <= taken && bytes % chunk.byteLength === 0 : bytes === taken
      if (!isAll) claims.push(`told ${bytes} of ${taken}`)
      if (isTelling) claims.push(`told ${bytes} while it told another`)
      isTelling = true
      await sleep(5)
      isTelling = false
    })

    expect(claims).toEqual([])
    expect(told.at(-1)).toBe(40 * MEBIBYTE)
    const steps = told.map((bytes, i) => bytes - (told[i - 1] ?? 0))
    expect(told.length).toBeGreaterThanOrEqual(3)
    expect(Math.max(...steps)).toBeLessThanOrEqual(16 * MEBIBYTE)
    expect(Math.min(...steps)).toBeGreaterThan(0)
  })

  it('keeps every byte in its place, in chunks of any size', async () => {
    const whole = patternOf(3 * MEBIBYTE + 7)
    const sizes = [1, 1023, 65_536, 17, 1_048_577, 2, 300_000]
    const pieces: Buffer[] = []
    for (let at = 0, i = 0; at < whole.length; i++) {
      const size = sizes[i % sizes.length] ?? 1
      pieces.push(whole.subarray(at, at + size))
      at += size
    }
    const many = Array.from({ length: 5000 }, (_, i) => Buffer.of(i % 256))
    const id = await blobs.beginUpload('truck/pieces')
    await blobs.append(id, 0, chunksOf(...pieces))
    await blobs.append(id, whole.length, chunksOf(...many))
    await blobs.complete(id, 'truck/pieces')

    const stored = await bytesOf(await blobs.read('truck/pieces'))
    expect(stored && sha256Of(stored)).toBe(sha256Of(Buffer.concat([whole, ...many])))
  })

  it('streams 96 MiB without holding them', async () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const held: number[] = []
    const source = (async function* () {
      for (let i = 0; i < 96 * 16; i++) {
        if (i % 128 === 0) {
          collect()
          held.push(process.memoryUsage().arrayBuffers)
        }
        yield Buffer.alloc(65_536, i)
      }
    })()
    const id = await blobs.beginUpload('truck/clip')

    expect(await blobs.append(id, 0, source)).toBe(96 * MEBIBYTE)

    // Where an adapter sends parts: those on their way and the one that is gathered, 32 in all, and what is just being taken.
    const most = place.sendsParts ? 36 : 16
    expect(Math.max(...held) - (held[0] ?? 0)).toBeLessThan(most * MEBIBYTE)
  })

  describe('completing', () => {
    it('again does nothing, also after it was opened again', async () => {
      const id = await blobs.beginUpload('truck/clip')
      await blobs.append(id, 0, chunksOf('abc'))
      await blobs.complete(id, 'truck/clip')
      await blobs.complete(id, 'truck/clip')
      await reopen()
      await blobs.complete(id, 'truck/clip')

      expect(await textOf(blobs, 'truck/clip')).toBe('abc')
      expect(await blobs.listIdleUploads(Date.now() + 60_000)).toEqual([])
    })

    it('of one upload many times at once is one object', async () => {
      const id = await blobs.beginUpload('truck/clip')
      await blobs.append(id, 0, chunksOf('abc'))

      await Promise.all(Array.from({ length: 10 }, () => blobs.complete(id, 'truck/clip')))

      expect(await textOf(blobs, 'truck/clip')).toBe('abc')
    })

    it('uses the upload up', async () => {
      const id = await blobs.beginUpload('truck/clip')
      await blobs.append(id, 0, chunksOf('abc'))
      await blobs.complete(id, 'truck/clip')

      await expect(blobs.append(id, 3, chunksOf('d'))).rejects.toThrow(RangeError)
      await expect(blobs.complete(id, 'truck/other')).rejects.toThrow(RangeError)
      await blobs.abort(id)
      expect(await textOf(blobs, 'truck/clip')).toBe('abc')
      expect(await blobs.stat('truck/other')).toBeUndefined()
    })

    it('of an upload that a crash left puts it under its key', async () => {
      const id = await blobs.beginUpload('truck/clip')
      await blobs.append(id, 0, chunksOf('abc'))
      await reopen()
      await blobs.complete(id, 'truck/clip')

      expect(await textOf(blobs, 'truck/clip')).toBe('abc')
    })

    it('puts a later upload in the place of a leftover, whole, while the old one is read to its end', async () => {
      const old = patternOf(2 * MEBIBYTE, 7)
      const first = await blobs.beginUpload('truck/clip')
      await blobs.append(first, 0, chunksOf(old))
      await blobs.complete(first, 'truck/clip')
      const second = await blobs.beginUpload('truck/clip')
      await blobs.append(second, 0, chunksOf('new'))
      const reading = await blobs.read('truck/clip')
      await blobs.complete(second, 'truck/clip')

      expect(await textOf(blobs, 'truck/clip')).toBe('new')
      const read = await bytesOf(reading)
      expect(read && sha256Of(read)).toBe(sha256Of(old))
    })

    it('of two uploads to one key at once leaves one of them, whole', async () => {
      const contents = ['a'.repeat(100_000), 'b'.repeat(200_000)]
      const ids = await Promise.all(contents.map(() => blobs.beginUpload('truck/clip')))
      await Promise.all(ids.map((id, i) => blobs.append(id, 0, chunksOf(contents[i] ?? ''))))
      await Promise.all(ids.map((id) => blobs.complete(id, 'truck/clip')))

      expect(contents).toContain(await textOf(blobs, 'truck/clip'))
    })

    it('and appending are refused while somebody appends', async () => {
      const id = await blobs.beginUpload('truck/clip')
      const source = new HeldSource()
      const appending = blobs.append(id, 0, source)
      source.give('abc')
      await source.untilTaken()

      await expect(blobs.append(id, 0, chunksOf('x'))).rejects.toThrow('somebody is appending')
      await expect(blobs.complete(id, 'truck/clip')).rejects.toThrow('somebody is appending')

      source.end()
      expect(await appending).toBe(3)
      expect(await contentOf(blobs, id)).toBe('abc')
    })
  })

  describe('aborting', () => {
    it('drops the upload, and again does nothing', async () => {
      const id = await blobs.beginUpload('truck/clip')
      await blobs.append(id, 0, chunksOf('abc'))
      await blobs.abort(id)
      await blobs.abort(id)

      await expect(blobs.append(id, 3, chunksOf('d'))).rejects.toThrow(RangeError)
      await expect(blobs.complete(id, 'truck/clip')).rejects.toThrow(RangeError)
    })

    it('ends an append at once, however long its source would wait', async () => {
      const id = await blobs.beginUpload('truck/clip')
      const source = new HeldSource()
      const appending = blobs.append(id, 0, source)
      const outcome = expect(appending).rejects.toThrow(RangeError)
      source.give('abc')
      await source.untilTaken()

      await blobs.abort(id)

      await outcome
      await expect(blobs.complete(id, 'truck/clip')).rejects.toThrow(RangeError)
    })
  })

  it('ends appends when it closes, and keeps what came', async () => {
    const id = await blobs.beginUpload('truck/clip')
    const source = new HeldSource()
    const outcome = expect(blobs.append(id, 0, source, tell)).rejects.toMatchObject({ code: 'store_unavailable' })
    source.give('abc')
    await source.untilTaken()

    await reopen()

    await outcome
    expect(told).toEqual([3])
    expect(await contentOf(blobs, id)).toBe('abc')
  })

  it('lists uploads that nothing was appended to since a moment', async () => {
    const old = await blobs.beginUpload('truck/clip')
    await blobs.append(old, 0, chunksOf('abc'))
    const done = await blobs.beginUpload('truck/clip')
    await blobs.complete(done, 'truck/clip')
    const dropped = await blobs.beginUpload('truck/clip')
    await blobs.abort(dropped)
    const busy = await blobs.beginUpload('truck/clip')
    const source = new HeldSource()
    const appending = blobs.append(busy, 0, source)
    await source.untilTaken()
    const step = place.timeStepMs ?? 0
    await sleep(2 * step + 50)
    const between = Date.now() - step - 20
    const young = await blobs.beginUpload('truck/clip')

    expect(await blobs.listIdleUploads(Date.now() - 3_600_000)).toEqual([])
    expect(await blobs.listIdleUploads(between)).toEqual([old])
    const asked: string[][] = []
    const findKnown = async (ids: readonly string[]) => {
      asked.push([...ids])
      return [old, 'another']
    }
    expect(await blobs.listIdleUploads(between, findKnown)).toEqual([])
    expect(asked).toEqual([[old]])
    expect((await blobs.listIdleUploads(Date.now() + 60_000)).sort()).toEqual([old, young].sort())
    source.end()
    await appending
  })

  it('takes many uploads at once, each with its own bytes', async () => {
    const contents = Array.from({ length: 40 }, (_, i) => patternOf(50_000 + i * 1000, i + 1))
    await Promise.all(
      contents.map(async (content, i) => {
        const id = await blobs.beginUpload(`truck-${i % 5}/clip-${i}`)
        const half = Math.floor(content.length / 2)
        await blobs.append(id, 0, chunksOf(content.subarray(0, half)))
        await blobs.append(id, half, chunksOf(content.subarray(half)))
        await blobs.complete(id, `truck-${i % 5}/clip-${i}`)
      }),
    )

    for (const [i, content] of contents.entries()) {
      const stored = await bytesOf(await blobs.read(`truck-${i % 5}/clip-${i}`))
      expect(stored && sha256Of(stored)).toBe(sha256Of(content))
    }
  })
}
