import {
  AbortMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { describeOn } from '../../../test/stores/describe-on.js'
import { makeS3Place, type S3Place } from '../../../test/stores/s3-place.js'
import { removeTemporaryDirectories } from '../../../test/support/temporary-directory.js'
import {
  bytesOf,
  chunksOf,
  contentOf,
  HeldSource,
  MEBIBYTE,
  patternOf,
  sha256Of,
  textOf,
} from './blob-samples.contract.js'
import { MemoryShare } from './memory-share.js'
import type { S3BlobStore } from './s3-blob-store.js'
import { S3Bucket } from './s3-bucket.js'
import { S3Connection } from './s3-connection.js'
import { multipartKeyOf } from './s3-keys.js'
import { S3Uploads } from './s3-uploads.js'

const SOON = () => Date.now() + 60_000
const CHUNK = 65_536

describeOn('S3_ENDPOINT', 'uploads on S3', () => {
  let place: S3Place
  let blobs: S3BlobStore
  let told: number[]
  const tell = (bytes: number) => void told.push(bytes)

  beforeEach(async () => {
    place = await makeS3Place()
    blobs = await place.open()
    told = []
  })
  afterEach(async () => {
    await blobs.close()
    await place.remove()
  })
  afterAll(removeTemporaryDirectories)

  function* piecesOf(bytes: Buffer, from = 0): Generator<Buffer> {
    for (let at = from; at < bytes.length; at += CHUNK) yield bytes.subarray(at, at + CHUNK)
  }
  async function* sourceOf(bytes: Buffer, from = 0): AsyncGenerator<Uint8Array> {
    yield* piecesOf(bytes, from)
  }
  const keysUnder = async (prefix: string) => {
    const { Contents } = await place.client.send(
      new ListObjectsV2Command({ Bucket: place.options.bucket, Prefix: prefix }),
    )
    return (Contents ?? []).map(({ Key = '' }) => Key)
  }
  const multiparts = async () =>
    (await place.client.send(new ListMultipartUploadsCommand({ Bucket: place.options.bucket }))).Uploads ?? []
  const hashOf = async (key: string) => sha256Of((await bytesOf(await blobs.read(key))) ?? Buffer.alloc(0))
  /** Ends a store as a kill does: nothing that it holds is brought to the server. */
  const kill = (store: S3BlobStore) =>
    (Reflect.get(store, 'bucket') as { connection: { close(): void } }).connection.close()

  it('go on after the process was killed in the middle of the fourth part, and leave nothing behind', async () => {
    const whole = patternOf(40 * MEBIBYTE + 12_345)
    const first = await place.open()
    const id = await first.beginUpload('truck/clip.mp4')
    const source = new HeldSource()
    const appending = first.append(id, 0, source, tell).catch((error: unknown) => error)
    for (const piece of piecesOf(whole.subarray(0, 27 * MEBIBYTE))) source.give(piece)
    await source.untilTaken()
    while ((told.at(-1) ?? 0) < 16 * MEBIBYTE) await new Promise((resolve) => setTimeout(resolve, 20))
    kill(first)
    source.end()
    expect(await appending).toMatchObject({ code: 'store_unavailable' })
    const offset = told.at(-1) ?? 0
    await first.close()

    expect(await blobs.append(id, offset, sourceOf(whole, offset))).toBe(whole.length)
    await blobs.complete(id, 'truck/clip.mp4')

    expect(await hashOf('truck/clip.mp4')).toBe(sha256Of(whole))
    expect(await multiparts()).toEqual([])
    expect(await keysUnder('!uploads/')).toEqual(['!uploads/probe'])
    expect(await keysUnder('truck/')).toEqual(['truck/clip.mp4'])
  }, 60_000)

  it('are not spoiled by a part of a killed process that arrives late', async () => {
    const whole = patternOf(20 * MEBIBYTE, 3)
    const first = await place.open()
    const id = await first.beginUpload('truck/clip')
    await first.append(id, 0, sourceOf(whole.subarray(0, 9 * MEBIBYTE)))
    kill(first)
    await blobs.append(id, 9 * MEBIBYTE, sourceOf(whole, 9 * MEBIBYTE))
    const [multipart] = await multiparts()
    const late = { Bucket: place.options.bucket, Key: 'truck/clip', UploadId: multipart?.UploadId }
    for (const PartNumber of [2, 3])
      await place.client.send(new UploadPartCommand({ ...late, PartNumber, Body: Buffer.alloc(6 * MEBIBYTE, 'late') }))

    await blobs.complete(id, 'truck/clip')

    expect(await hashOf('truck/clip')).toBe(sha256Of(whole))
    await first.close()
  })

  it('are put together from many small appends', async () => {
    const whole = patternOf(13 * MEBIBYTE)
    const id = await blobs.beginUpload('truck/clip')
    const step = 3 * MEBIBYTE
    for (let at = 0; at < whole.length; at += step)
      await blobs.append(id, at, sourceOf(whole.subarray(at, at + step)), tell)
    await blobs.complete(id, 'truck/clip')

    expect(told.slice(0, 2)).toEqual([step, 2 * step])
    expect(told.at(-1)).toBe(whole.length)
    expect(await hashOf('truck/clip')).toBe(sha256Of(whole))
  })

  it('go on from before a part that was stored and not written down', async () => {
    const whole = patternOf(20 * MEBIBYTE)
    const id = await blobs.beginUpload('truck/clip')
    await blobs.append(id, 0, sourceOf(whole.subarray(0, 5 * MEBIBYTE)))
    const away = new Error('the records are away')
    await expect(
      blobs.append(id, 5 * MEBIBYTE, sourceOf(whole, 5 * MEBIBYTE), () => Promise.reject(away)),
    ).rejects.toBe(away)

    await blobs.append(id, 5 * MEBIBYTE, sourceOf(whole, 5 * MEBIBYTE))
    await blobs.complete(id, 'truck/clip')

    expect(await hashOf('truck/clip')).toBe(sha256Of(whole))
  })

  it('hold little where many share the memory, and are whole all the same', async () => {
    const whole = patternOf(11 * MEBIBYTE)
    const connection = new S3Connection(place.options)
    const uploads = new S3Uploads(new S3Bucket(connection, place.options.bucket), null as never, new MemoryShare(CHUNK))
    const id = await uploads.begin('truck/clip')
    expect(await uploads.append(id, 0, sourceOf(whole), tell)).toBe(whole.length)
    await uploads.complete(id, 'truck/clip')
    connection.close()

    expect(told.length).toBeGreaterThan(100)
    expect(await hashOf('truck/clip')).toBe(sha256Of(whole))
  })

  describe('that were completed, and a crash left their marker', () => {
    it.each([
      ['of one piece', 1000],
      ['of parts', 9 * MEBIBYTE],
    ])('are complete: %s', async (_, bytes) => {
      const whole = patternOf(bytes)
      const id = await blobs.beginUpload('truck/clip')
      await blobs.append(id, 0, sourceOf(whole))
      const at = { Bucket: place.options.bucket }
      const left = await Promise.all(
        (await keysUnder(`!uploads/${id}/`)).map(async (Key) => {
          const { Body } = await place.client.send(new GetObjectCommand({ ...at, Key }))
          return { ...at, Key, Body: await Body?.transformToByteArray() }
        }),
      )
      await blobs.complete(id, 'truck/clip')
      for (const one of left) await place.client.send(new PutObjectCommand(one))

      await blobs.complete(id, 'truck/clip')

      expect(await hashOf('truck/clip')).toBe(sha256Of(whole))
      expect(await blobs.listIdleUploads(SOON())).toEqual([])
    })
  })

  describe('in two multipart uploads, since the word of a killed process on one came late', () => {
    /** One that sorts before the upload's own. */
    const addMultipart = async (id: string) => {
      const [own = ''] = await keysUnder(`!uploads/${id}/multipart.`)
      const at = { Bucket: place.options.bucket, Key: 'truck/clip' }
      for (;;) {
        const { UploadId = '' } = await place.client.send(new CreateMultipartUploadCommand(at))
        const Key = multipartKeyOf(id, UploadId)
        const Body = JSON.stringify({ key: 'truck/clip', multipartId: UploadId, skipped: [] })
        if (own === '' || Key < own) return place.client.send(new PutObjectCommand({ ...at, Key, Body }))
        await place.client.send(new AbortMultipartUploadCommand({ ...at, UploadId }))
      }
    }
    const whole = patternOf(20 * MEBIBYTE)

    it('are made of the one that has parts, and leave nothing of the other', async () => {
      const id = await blobs.beginUpload('truck/clip')
      await blobs.append(id, 0, sourceOf(whole.subarray(0, 9 * MEBIBYTE)))
      await addMultipart(id)
      await blobs.append(id, 9 * MEBIBYTE, sourceOf(whole, 9 * MEBIBYTE))
      await addMultipart(id)
      await blobs.complete(id, 'truck/clip')

      expect(await hashOf('truck/clip')).toBe(sha256Of(whole))
      expect(await multiparts()).toEqual([])
      expect(await keysUnder('!uploads/')).toEqual(['!uploads/probe'])
    })

    it('are dropped with both', async () => {
      const id = await blobs.beginUpload('truck/clip')
      await blobs.append(id, 0, sourceOf(whole.subarray(0, 9 * MEBIBYTE)))
      await addMultipart(id)
      await blobs.abort(id)

      expect(await multiparts()).toEqual([])
      expect(await keysUnder('!uploads/')).toEqual(['!uploads/probe'])
    })
  })

  it.each([
    ['of one piece', 100_000],
    ['of parts and a piece', 9 * MEBIBYTE],
  ])('are completed by two nodes at once: %s', async (_, bytes) => {
    const other = await place.open()
    const whole = patternOf(bytes)
    for (let i = 0; i < 3; i++) {
      const id = await blobs.beginUpload(`truck/${i}`)
      await blobs.append(id, 0, sourceOf(whole))
      // Late enough to find it half-way.
      const late = new Promise((resolve) => setTimeout(resolve, i * 15))
      await Promise.all([blobs.complete(id, `truck/${i}`), late.then(() => other.complete(id, `truck/${i}`))])

      expect(await hashOf(`truck/${i}`)).toBe(sha256Of(whole))
    }
    await other.close()
  })

  it('are for the key that they were begun for', async () => {
    const id = await blobs.beginUpload('truck/clip')
    await blobs.append(id, 0, chunksOf('abc'))

    await expect(blobs.complete(id, 'truck/other')).rejects.toThrow(RangeError)

    expect(await contentOf(blobs, id)).toBe('abc')
  })

  it('that the server dropped are no uploads any more', async () => {
    const id = await blobs.beginUpload('truck/clip')
    await blobs.append(id, 0, sourceOf(patternOf(9 * MEBIBYTE)))
    const [multipart] = await multiparts()
    const dropped = { Bucket: place.options.bucket, Key: 'truck/clip', UploadId: multipart?.UploadId }
    await place.client.send(new AbortMultipartUploadCommand(dropped))

    await expect(blobs.append(id, 9 * MEBIBYTE, chunksOf('x'))).rejects.toThrow(RangeError)
    await expect(blobs.complete(id, 'truck/clip')).rejects.toThrow(RangeError)
    expect(await textOf(blobs, 'truck/clip')).toBeUndefined()
  })

  describe('that nobody knows', () => {
    it('are listed and dropped: a multipart upload that a kill left before it was written down', async () => {
      const at = { Bucket: place.options.bucket, Key: 'truck/clip' }
      await place.client.send(new CreateMultipartUploadCommand(at))

      expect(await blobs.listIdleUploads(Date.now() - 3_600_000)).toEqual([])
      const idle = await blobs.listIdleUploads(SOON())
      expect(idle).toHaveLength(1)
      for (const id of idle) await blobs.abort(id)

      expect(await multiparts()).toEqual([])
      expect(await blobs.listIdleUploads(SOON())).toEqual([])
    })

    it('are listed and dropped: what a kill left after the marker went', async () => {
      const id = await blobs.beginUpload('truck/clip')
      await blobs.append(id, 0, sourceOf(patternOf(9 * MEBIBYTE)))
      await (Reflect.get(blobs, 'bucket') as S3Bucket).delete(`!uploads/${id}/upload`)

      await expect(blobs.append(id, 0, chunksOf('x'))).rejects.toThrow(RangeError)
      expect(await blobs.listIdleUploads(SOON())).toEqual([id])
      await blobs.abort(id)

      expect(await multiparts()).toEqual([])
      expect(await keysUnder('!uploads/')).toEqual(['!uploads/probe'])
    })
  })

  it('and objects are removed page by page', async () => {
    const numbers = Array.from({ length: 1010 }, (_, number) => number)
    for (let at = 0; at < numbers.length; at += 50)
      await Promise.all(numbers.slice(at, at + 50).map((number) => blobs.put(`truck/${number}`, Buffer.from('x'))))

    await blobs.removeUnder('truck')

    expect(await keysUnder('truck/')).toEqual([])
  }, 60_000)
})
