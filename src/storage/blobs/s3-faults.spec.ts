import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describeOn } from '../../../test/stores/describe-on.js'
import { FaultProxy } from '../../../test/stores/fault-proxy.js'
import { makeS3Place, type S3Place } from '../../../test/stores/s3-place.js'
import { removeTemporaryDirectories, temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { bytesOf, chunksOf, MEBIBYTE, patternOf, sha256Of, store, textOf } from './blob-samples.contract.js'
import { openS3Blobs, type S3BlobStore } from './s3-blob-store.js'

afterAll(removeTemporaryDirectories)

/** What a server answers to everything but the questions at the start. */
interface Answer {
  readonly status: number
  readonly code?: string
  /** Only so often; then as if all were well. */
  times?: number
}

describe('what an S3 server says', () => {
  let server: Server
  let blobs: S3BlobStore
  let answer: Answer
  let asked: number

  const options = () => ({
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: 'us-east-1',
    bucket: 'milepost',
    accessKeyId: 'key',
    secretAccessKey: 'secret',
    forcePathStyle: true,
    directory: temporaryDirectory(),
  })

  beforeEach(async () => {
    answer = { status: 200 }
    asked = 0
    server = createServer((request, response) => {
      request.resume()
      request.once('end', () => {
        asked++
        const { status, code } = answer.times === 0 ? { status: 200, code: undefined } : answer
        if (answer.times) answer.times--
        response.writeHead(status, { 'content-type': 'application/xml', etag: '"e"' })
        const words = code && `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`
        response.end(request.method === 'HEAD' ? undefined : (words ?? listing))
      })
    })
    const listing = '<?xml version="1.0"?><ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>'
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    blobs = await openS3Blobs(options())
  })
  afterEach(async () => {
    await blobs.close()
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })

  it('is "not found" only for an object that is not there', async () => {
    answer = { status: 404, code: 'NoSuchKey' }

    expect(await blobs.stat('truck/clip')).toBeUndefined()
    expect(await blobs.read('truck/clip')).toBeUndefined()
    expect(await blobs.openLocal('truck/clip')).toBeUndefined()
  })

  it('is not asked for what is not wanted as a file any more', async () => {
    asked = 0

    await expect(blobs.openLocal('truck/clip', AbortSignal.abort())).rejects.toMatchObject({
      code: 'store_unavailable',
    })
    expect(asked).toBe(0)
  })

  it.each([
    [403, 'AccessDenied', 'store_unavailable'],
    [403, 'SignatureDoesNotMatch', 'store_unavailable'],
    [404, 'NoSuchBucket', 'store_unavailable'],
    [404, 'NotFound', 'store_unavailable'],
    [500, 'InternalError', 'store_unavailable'],
    [503, 'SlowDown', 'store_unavailable'],
    [507, 'InsufficientStorage', 'disk_full'],
    [403, 'QuotaExceeded', 'disk_full'],
  ])('is an error for %d %s: %s', async (status, code, ours) => {
    answer = { status, code }
    const begunAtMs = performance.now()

    for (const call of [
      () => blobs.read('truck/clip'),
      () => blobs.openLocal('truck/clip'),
      () => blobs.put('truck/clip', Buffer.from('x')),
      () => blobs.beginUpload('truck/clip'),
      () => blobs.complete('a'.repeat(32), 'truck/clip'),
      () => blobs.append('a'.repeat(32), 0, chunksOf('x')),
      () => blobs.listIdleUploads(Date.now()),
      () => blobs.removeUnder('truck'),
    ]) {
      await expect(call()).rejects.toMatchObject({ code: ours })
    }
    // The answer to HEAD has no words: a status alone does not say that something is full.
    const told = status === 507 ? ours : 'store_unavailable'
    await expect(blobs.stat('truck/clip')).rejects.toMatchObject({ code: told })
    expect(performance.now() - begunAtMs).toBeLessThan(20_000)
  })

  it('is asked again when it may pass', async () => {
    answer = { status: 503, code: 'SlowDown', times: 2 }
    asked = 0

    await blobs.put('truck/clip', Buffer.from('x'))

    expect(asked).toBe(3)
  })

  it.each([
    [403, 'InvalidAccessKeyId', 'the server does not know S3_ACCESS_KEY_ID'],
    [403, 'SignatureDoesNotMatch', 'S3_SECRET_ACCESS_KEY is not that of the key'],
    [403, 'AccessDenied', 'the key has no permission for the bucket, or it is of somebody else'],
    [400, 'AuthorizationHeaderMalformed', 'it is not in the region us-east-1: set S3_REGION'],
    [500, 'InternalError', 'S3 answered InternalError (500)'],
  ])('at the start, %d %s, is told in a line', async (status, code, reason) => {
    answer = { status, code }
    const { port } = server.address() as AddressInfo

    await expect(openS3Blobs(options())).rejects.toMatchObject({
      exitCode: 69,
      message: `cannot open the S3 bucket milepost at 127.0.0.1:${port}: ${reason}`,
    })
  })
})

describeOn('S3_ENDPOINT', 'S3 over a network that fails', () => {
  let place: S3Place
  let proxy: FaultProxy
  let blobs: S3BlobStore

  beforeEach(async () => {
    place = await makeS3Place()
    const { hostname, port } = new URL(place.options.endpoint ?? '')
    proxy = await FaultProxy.open({ host: hostname, port: Number(port) })
    blobs = await place.open({ endpoint: `http://127.0.0.1:${proxy.port}` })
  })
  afterEach(async () => {
    await blobs.close()
    await proxy.close()
    await place.remove()
  })

  it('sends a part again that was cut in its middle', async () => {
    const whole = patternOf(20 * MEBIBYTE)
    proxy.cutAfterBytes = 3 * MEBIBYTE
    proxy.cuts = 3

    await store(
      blobs,
      'truck/clip',
      ...Array.from({ length: 20 }, (_, i) => whole.subarray(i * MEBIBYTE, (i + 1) * MEBIBYTE)),
    )

    expect(proxy.cuts).toBe(0)
    const stored = await bytesOf(await blobs.read('truck/clip'))
    expect(stored && sha256Of(stored)).toBe(sha256Of(whole))
  })

  it('says within ten seconds that nothing answers, and works as soon as something does', async () => {
    await store(blobs, 'truck/clip', 'abc')
    proxy.isBlackhole = true
    const begunAtMs = performance.now()
    const calls = [blobs.stat('truck/clip'), blobs.read('truck/clip'), blobs.beginUpload('a/b'), blobs.probe()]
    const outcomes = await Promise.allSettled([...calls, blobs.put('truck/new', Buffer.from('x'))])

    expect(performance.now() - begunAtMs).toBeLessThan(9500)
    for (const outcome of outcomes)
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'store_unavailable' } })
    proxy.isBlackhole = false
    for (const socket of proxy.sockets) socket.destroy()
    expect(await textOf(blobs, 'truck/clip')).toBe('abc')
  })

  it('keeps nobody waiting who reads when the server stops sending, and says so', async () => {
    await store(blobs, 'truck/clip', patternOf(8 * MEBIBYTE))
    const stream = await blobs.read('truck/clip')
    stream?.once('data', () => {
      for (const socket of proxy.sockets) socket.destroy()
    })

    await expect(bytesOf(stream)).rejects.toMatchObject({ code: 'store_unavailable' })
  })

  it('is slow where the server is slow, and no more than that', async () => {
    proxy.latencyMs = 300
    const begunAtMs = performance.now()
    await store(blobs, 'truck/clip', 'abc')

    expect(await textOf(blobs, 'truck/clip')).toBe('abc')
    expect(performance.now() - begunAtMs).toBeLessThan(15_000)
  })

  it('frees its connections when who reads goes away', async () => {
    await store(blobs, 'truck/clip', patternOf(8 * MEBIBYTE))
    for (let i = 0; i < 5; i++) {
      const stream = await blobs.read('truck/clip')
      stream?.destroy()
    }
    const open = proxy.sockets.size
    await blobs.close()
    await new Promise((resolve) => setTimeout(resolve, 200))

    expect(open).toBeLessThan(20)
    expect(proxy.sockets.size).toBe(0)
  })
})

describeOn('S3_ENDPOINT', 'opening S3', () => {
  let place: S3Place

  beforeEach(async () => {
    place = await makeS3Place()
  })
  afterEach(() => place.remove())

  it.each([
    [
      'a key that the server does not know',
      { accessKeyId: 'nobody' },
      /the server does not know S3_ACCESS_KEY_ID|no permission/,
    ],
    ['a wrong secret', { secretAccessKey: 'wrong' }, /S3_SECRET_ACCESS_KEY is not that of the key/],
    ['a port where nothing listens', { endpoint: 'http://127.0.0.1:9' }, /S3 cannot be reached.*ECONNREFUSED/],
  ])('says what is wrong: %s', async (_, wrong, reason) => {
    await expect(place.open(wrong)).rejects.toMatchObject({ exitCode: 69, message: expect.stringMatching(reason) })
  })

  it('makes the bucket', async () => {
    const bucket = `${place.options.bucket}-made`
    const blobs = await place.open({ bucket })
    await store(blobs, 'truck/clip', 'abc')

    expect(await textOf(blobs, 'truck/clip')).toBe('abc')
    await blobs.remove('truck/clip')
    await (Reflect.get(blobs, 'bucket') as { delete(key: string): Promise<void> }).delete('!uploads/probe')
    await blobs.close()
    const { DeleteBucketCommand } = await import('@aws-sdk/client-s3')
    await place.client.send(new DeleteBucketCommand({ Bucket: bucket }))
  })
})
