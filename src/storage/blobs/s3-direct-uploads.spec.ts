import { PutObjectCommand } from '@aws-sdk/client-s3'
import { describeOn } from '../../../test/stores/describe-on.js'
import { makeS3Place, type S3Place } from '../../../test/stores/s3-place.js'
import { removeTemporaryDirectories } from '../../../test/support/temporary-directory.js'
import { bytesOf, MEBIBYTE, patternOf, sha256Of, store, textOf } from './blob-samples.contract.js'
import type { DirectUploads, SignedRequest } from './blob-store.js'
import type { S3BlobStore } from './s3-blob-store.js'
import type { S3Bucket } from './s3-bucket.js'
import { S3DirectUploads } from './s3-direct-uploads.js'
import { wholeKeyOf } from './s3-keys.js'

describeOn('S3_ENDPOINT', 'requests that others make of S3', () => {
  let place: S3Place
  let blobs: S3BlobStore
  let direct: DirectUploads

  beforeEach(async () => {
    place = await makeS3Place()
    blobs = await place.open()
    direct = blobs.direct
  })
  afterEach(async () => {
    await blobs.close()
    await place.remove()
  })
  afterAll(removeTemporaryDirectories)

  const partOf = (bytes: Buffer) => ({ bytes: bytes.length, sha256: sha256Of(bytes) })
  const send = ({ url, method }: SignedRequest, body: Buffer, headers: Record<string, string>) =>
    fetch(url, { method, body: new Uint8Array(body), headers })
  /** Without the length, which fetch says by itself. */
  const headersOf = ({ headers }: SignedRequest) =>
    Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'content-length'))
  const begin = async (bytes: Buffer, expiresInS = 60) => {
    const { id, requests } = await direct.begin('truck/clip', [partOf(bytes)], expiresInS)
    const [request] = requests
    if (request === undefined) throw new Error('no request')
    return { id, request }
  }
  const bucket = () => Reflect.get(blobs, 'bucket') as S3Bucket
  const replace = (id: string, Body: string) =>
    place.client.send(new PutObjectCommand({ Bucket: place.options.bucket, Key: wholeKeyOf(id), Body }))

  describe('an upload in one part', () => {
    const bytes = Buffer.from('a small clip')

    it('is an object only when it is completed', async () => {
      const { id, request } = await begin(bytes)
      expect(await direct.gather(id)).toBeUndefined()
      expect((await send(request, bytes, headersOf(request))).status).toBe(200)
      expect(await blobs.stat('truck/clip')).toBeUndefined()
      await expect(direct.read(id)).rejects.toThrow(RangeError)
      await expect(blobs.complete(id, 'truck/clip')).rejects.toThrow(RangeError)

      expect(await direct.gather(id)).toBe(bytes.length)
      expect(await direct.gather(id)).toBe(bytes.length)
      expect((await bytesOf(await direct.read(id)))?.toString()).toBe('a small clip')
      await blobs.complete(id, 'truck/clip')
      await blobs.complete(id, 'truck/clip')

      expect(await textOf(blobs, 'truck/clip')).toBe('a small clip')
      expect(await blobs.listIdleUploads(Date.now() + 60_000)).toEqual([])
      await expect(direct.gather(id)).rejects.toThrow(RangeError)
    })

    it('is a request whose digest and length are signed as headers', async () => {
      const { request } = await begin(bytes)
      const signed = new URL(request.url).searchParams.get('X-Amz-SignedHeaders')

      expect(request.headers).toEqual({
        'content-length': String(bytes.length),
        'x-amz-checksum-sha256': Buffer.from(sha256Of(bytes), 'hex').toString('base64'),
      })
      expect(signed?.split(';').sort()).toEqual(['content-length', 'host', 'x-amz-checksum-sha256'])
    })

    it.each([
      ['other bytes', Buffer.from('a SMALL clip'), (request: SignedRequest) => headersOf(request)],
      [
        'another digest',
        Buffer.from('a SMALL clip'),
        () => ({
          'x-amz-checksum-sha256': Buffer.from(sha256Of(Buffer.from('a SMALL clip')), 'hex').toString('base64'),
        }),
      ],
      ['no digest', bytes, () => ({})],
      ['more bytes', Buffer.from('a small clip and more'), (request: SignedRequest) => headersOf(request)],
    ])('is refused with %s', async (_, body, headers) => {
      const { id, request } = await begin(bytes)

      expect((await send(request, body, headers(request))).status).toBeGreaterThanOrEqual(400)

      expect(await direct.gather(id)).toBeUndefined()
    })

    it('is refused after its time, and signed again', async () => {
      const { id, request } = await begin(bytes, 1)
      await new Promise((resolve) => setTimeout(resolve, 2100))
      expect((await send(request, bytes, headersOf(request))).status).toBe(403)

      const [again] = (await direct.signAgain(id, [partOf(bytes)], 60)) ?? []
      expect(again && (await send(again, bytes, headersOf(again))).status).toBe(200)
      expect(await direct.gather(id)).toBe(bytes.length)
      expect(await direct.signAgain(id, [partOf(bytes)], 60)).toBeUndefined()
    })

    it('is not completed with bytes that came after it was read', async () => {
      const { id, request } = await begin(bytes)
      await send(request, bytes, headersOf(request))
      await direct.gather(id)
      await bytesOf(await direct.read(id))
      await replace(id, 'A SMALL CLIP')

      await expect(blobs.complete(id, 'truck/clip')).rejects.toThrow(RangeError)
      // Nor when another node read those instead.
      const other = await place.open()
      await bytesOf(await other.direct.read(id))
      await other.close()
      await expect(blobs.complete(id, 'truck/clip')).rejects.toThrow(RangeError)
      expect(await blobs.stat('truck/clip')).toBeUndefined()
    })

    it('is read as it is when it was sent once more after it was gathered', async () => {
      const { id, request } = await begin(bytes)
      await send(request, bytes, headersOf(request))
      await direct.gather(id)
      await replace(id, 'A SMALL CLIP')

      expect((await bytesOf(await direct.read(id)))?.toString()).toBe('A SMALL CLIP')
      await blobs.complete(id, 'truck/clip')
      expect(await textOf(blobs, 'truck/clip')).toBe('A SMALL CLIP')
    })

    it('cannot be read when it was replaced by less after it was gathered', async () => {
      const { id, request } = await begin(bytes)
      await send(request, bytes, headersOf(request))
      await direct.gather(id)
      await replace(id, 'A CLIP')

      await expect(direct.read(id)).rejects.toThrow(RangeError)
      await expect(blobs.complete(id, 'truck/clip')).rejects.toThrow(RangeError)
    })

    it('is signed by the clock of the server', async () => {
      jest.spyOn(bucket().connection, 'clockOffsetMs', 'get').mockReturnValue(-3_600_000)
      const { request } = await begin(bytes)
      const read = await blobs.signRead('truck/clip', {
        expiresInS: 60,
        contentType: 'a/b',
        contentDisposition: 'inline',
      })

      for (const url of [request.url, read]) {
        const signedAt = new URL(url).searchParams.get('X-Amz-Date') ?? ''
        const atMs = Date.parse(signedAt.replace(/^(....)(..)(..T..)(..)(..Z)$/, '$1-$2-$3:$4:$5'))
        expect(Math.abs(atMs + 3_600_000 - Date.now())).toBeLessThan(10_000)
      }
    })

    it('is listed when nobody completes it, and dropped', async () => {
      const { id, request } = await begin(bytes)
      await send(request, bytes, headersOf(request))

      expect(await blobs.listIdleUploads(Date.now() + 60_000)).toEqual([id])
      await blobs.abort(id)

      expect(await blobs.listIdleUploads(Date.now() + 60_000)).toEqual([])
      await expect(direct.gather(id)).rejects.toThrow(RangeError)
      await expect(direct.signAgain(id, [partOf(bytes)], 60)).rejects.toThrow(RangeError)
    })
  })

  describe('an upload in several parts', () => {
    const whole = patternOf(11 * MEBIBYTE)
    const parts = [0, 5, 10].map((at) => whole.subarray(at * MEBIBYTE, (at + 5) * MEBIBYTE))
    const sendAll = async (requests: readonly SignedRequest[]) => {
      const etags: string[] = []
      for (const [i, request] of requests.entries()) {
        const answer = await send(request, parts[i] ?? Buffer.alloc(0), headersOf(request))
        etags.push(answer.headers.get('etag') ?? '')
      }
      return etags
    }

    it('is an object when all of them are there as their ETags say', async () => {
      const { id, requests } = await direct.begin('truck/clip', parts.map(partOf), 60)
      expect(requests.map(({ bytes }) => bytes)).toEqual(parts.map(({ length }) => length))
      expect(await direct.gather(id, ['a', 'b', 'c'])).toBeUndefined()
      const etags = await sendAll(requests)
      expect(await direct.gather(id, [...etags.slice(0, 2), '"other"'])).toBeUndefined()

      expect(await direct.gather(id, etags)).toBe(whole.length)
      const read = await bytesOf(await direct.read(id))
      expect(read && sha256Of(read)).toBe(sha256Of(whole))
      await blobs.complete(id, 'truck/clip')

      const stored = await bytesOf(await blobs.read('truck/clip'))
      expect(stored && sha256Of(stored)).toBe(sha256Of(whole))
      expect(await blobs.listIdleUploads(Date.now() + 60_000)).toEqual([])
    })

    it('takes no other bytes in the place of a part', async () => {
      const { id, requests } = await direct.begin('truck/clip', parts.map(partOf), 60)
      const [first] = requests
      if (first === undefined) throw new Error('no request')
      const other = Buffer.alloc(5 * MEBIBYTE, 'x')

      expect((await send(first, other, headersOf(first))).status).toBeGreaterThanOrEqual(400)
      expect(await direct.gather(id, ['a', 'b', 'c'])).toBeUndefined()
    })

    it('is copied in parts when it is too large for one copy', async () => {
      const { id, requests } = await direct.begin('truck/clip', parts.map(partOf), 60)
      await direct.gather(id, await sendAll(requests))
      const small = new S3DirectUploads(bucket(), null as never, null as never, MEBIBYTE, 5 * MEBIBYTE)
      const { direct: marker } = JSON.parse(String(await bucket().getSmall(`!uploads/${id}/upload`))) as {
        direct: Parameters<S3DirectUploads['complete']>[1]['direct']
      }
      await small.complete(id, { key: 'truck/clip', direct: marker })

      const stored = await bytesOf(await blobs.read('truck/clip'))
      expect(stored && sha256Of(stored)).toBe(sha256Of(whole))
    })

    it('is no upload any more when somebody else aborted it', async () => {
      const { id, requests } = await direct.begin('truck/clip', parts.map(partOf), 60)
      const etags = await sendAll(requests)
      for (const { key, multipartId } of await bucket().listMultiparts(''))
        await bucket().abortMultipart(key, multipartId)

      await expect(direct.gather(id, etags)).rejects.toThrow(RangeError)
    })

    it('is dropped with its parts', async () => {
      const { id, requests } = await direct.begin('truck/clip', parts.map(partOf), 60)
      await sendAll(requests.slice(0, 2))

      expect(await blobs.listIdleUploads(Date.now() + 60_000)).toEqual([id])
      await blobs.abort(id)

      expect(await bucket().listMultiparts('')).toEqual([])
    })
  })

  describe('an address to read an object under', () => {
    const answer = { expiresInS: 60, contentType: 'video/mp4', contentDisposition: 'attachment; filename="clip 1.mp4"' }

    it('gives it with the answer that was asked for, and ranges', async () => {
      await store(blobs, 'truck/clip 1.mp4', '0123456789')
      const url = await blobs.signRead('truck/clip 1.mp4', answer)
      const whole = await fetch(url)
      const part = await fetch(url, { headers: { range: 'bytes=2-4' } })

      expect(await whole.text()).toBe('0123456789')
      expect(whole.headers.get('content-type')).toBe('video/mp4')
      expect(whole.headers.get('content-disposition')).toBe('attachment; filename="clip 1.mp4"')
      expect([part.status, await part.text()]).toEqual([206, '234'])
    })

    it('is of no use for another object, for writing, or after its time', async () => {
      await store(blobs, 'truck/clip', 'abc')
      await store(blobs, 'truck/other', 'secret')
      const url = await blobs.signRead('truck/clip', { ...answer, expiresInS: 1 })

      expect((await fetch(url.replace('/clip', '/other'))).status).toBe(403)
      expect((await fetch(url, { method: 'PUT', body: 'x' })).status).toBe(403)
      await new Promise((resolve) => setTimeout(resolve, 2100))
      expect((await fetch(url)).status).toBe(403)
    })

    it('is that of the public endpoint', async () => {
      const outside = await place.open({ publicEndpoint: 'https://s3.example.org' })
      const url = await outside.signRead('truck/clip', answer)
      const { requests } = await outside.direct.begin('truck/clip', [partOf(Buffer.from('abc'))], 60)
      await outside.close()

      expect(url).toMatch(/^https:\/\/s3\.example\.org\/[^/]+\/truck\/clip\?/)
      expect(requests[0]?.url).toMatch(
        /^https:\/\/s3\.example\.org\/[^/]+\/!uploads\/|^https:\/\/s3\.example\.org\/[^/]+\/%21uploads\//,
      )
    })
  })
})
