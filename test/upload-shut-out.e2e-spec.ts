import { once } from 'node:events'
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { BlobStore } from '../src/storage/blobs/blob-store.js'
import { UploadRecords } from '../src/storage/sql/upload-records.js'
import { VideoRecords } from '../src/storage/sql/video-records.js'
import { UploadSweeper } from '../src/videos/upload-sweeper.js'
import { type RunningApp, startApp } from './support/app.js'
import { DeviceCalls } from './support/device-calls.js'
import { heldObjects, heldUploads } from './support/held-uploads.js'
import { metricSum } from './support/metric-sum.js'
import { removeTemporaryDirectories, temporaryDirectory } from './support/temporary-directory.js'
import { sha256Of, videoBytes } from './support/video-bytes.js'

const VIDEOS = '/api/v1/videos'
const UPLOADS = `${VIDEOS}/uploads`
const TUS = { 'tus-resumable': '1.0.0' }
const BYTES = { 'content-type': 'application/offset+octet-stream' }
const FORM = { 'content-type': 'multipart/form-data; boundary=x' }
const FORM_HEAD = Buffer.from('--x\r\ncontent-disposition: form-data; name="file"; filename="clip.mp4"\r\n\r\n')
const FORM_END = Buffer.from('\r\n--x--\r\n')

let running: RunningApp
let devices: DeviceCalls
let data: string

beforeAll(async () => {
  data = temporaryDirectory()
  running = await startApp({ DATA_DIR: data, UPLOADS_PER_DEVICE: '20' })
  devices = new DeviceCalls(running, 720000)
})
afterEach(() => jest.restoreAllMocks())
afterAll(async () => {
  await running.close()
  await removeTemporaryDirectories()
})

const get = <T>(type: abstract new (...parameters: never[]) => T): T => running.app.get(type, { strict: false })
const uploadFiles = () => heldUploads(data)
const idleUploads = () => get(BlobStore).listIdleUploads(Date.now() + 60_000)
const metadata = `filename ${Buffer.from('clip.mp4').toString('base64')}`

interface Given {
  readonly status: number
  readonly code: unknown
  readonly headers: IncomingMessage['headers']
}

/** A request of a unit whose body the test sends piece by piece. */
class OpenRequest {
  readonly answer: Promise<Given>
  private readonly request: ClientRequest

  constructor(method: string, url: string, token: string, headers: Record<string, string> = {}) {
    this.request = httpRequest(`${running.url}${url}`, {
      method,
      headers: { authorization: `Bearer ${token}`, ...headers },
    })
    this.request.on('error', () => undefined)
    this.answer = this.read()
    this.answer.catch(() => undefined)
  }

  send(...chunks: Buffer[]): this {
    for (const chunk of chunks) this.request.write(chunk)
    return this
  }

  end(): Promise<Given> {
    this.request.end()
    return this.answer
  }

  private async read(): Promise<Given> {
    const [response] = (await once(this.request, 'response')) as [IncomingMessage]
    const chunks: Buffer[] = []
    for await (const chunk of response) chunks.push(chunk as Buffer)
    const text = Buffer.concat(chunks).toString()
    const { code } = text === '' ? { code: undefined } : (JSON.parse(text) as { code: unknown })
    return { status: response.statusCode ?? 0, code, headers: response.headers }
  }
}

async function newDevice(): Promise<{ deviceId: string; token: string }> {
  const deviceId = devices.newImei()
  await devices.call('POST', '', { deviceId })
  return { deviceId, token: await running.api.loginDevice(deviceId) }
}

const disable = (deviceId: string) => devices.call('PATCH', `/${deviceId}`, { status: 'disabled' })
const enable = (deviceId: string) => devices.call('PATCH', `/${deviceId}`, { status: 'active' })
const erase = (deviceId: string) => devices.call('DELETE', `/${deviceId}?erase=true`)

async function createTus(token: string, length: number): Promise<string> {
  const created = await new OpenRequest('POST', UPLOADS, token, {
    ...TUS,
    'upload-length': String(length),
    'upload-metadata': metadata,
    'content-length': '0',
  }).end()
  expect(created.status).toBe(201)
  return String(created.headers.location)
}

const offsetOf = async (url: string, token: string) => {
  const { status, headers } = await new OpenRequest('HEAD', url, token, TUS).end()
  return status === 200 ? Number(headers['upload-offset']) : status
}

async function until(isTrue: () => Promise<boolean>): Promise<void> {
  for (const endMs = performance.now() + 10_000; !(await isTrue()); await sleep(10)) {
    if (performance.now() > endMs) throw new Error('it does not come about')
  }
}

const bytesCame = () => metricSum(running, 'milepost_upload_bytes_total', /way="tus"/)

const REFUSED = { status: 401, code: 'token_invalid' }

/** Begins an upload that has sent a part of its bytes and then nothing. */
async function beginStuck(way: 'PUT' | 'form' | 'tus', token: string): Promise<OpenRequest> {
  const before = (await uploadFiles()).length
  const bytes = videoBytes(30_000)
  if (way === 'tus') {
    const headers = { ...TUS, ...BYTES, 'upload-offset': '0' }
    const url = await createTus(token, 100_000)
    const cameBefore = await bytesCame()
    const open = new OpenRequest('PATCH', url, token, headers).send(bytes)
    await until(async () => (await bytesCame()) >= cameBefore + bytes.length)
    return open
  }
  const open =
    way === 'PUT'
      ? new OpenRequest('PUT', `${VIDEOS}/clip.mp4`, token).send(bytes)
      : new OpenRequest('POST', VIDEOS, token, FORM).send(FORM_HEAD, bytes)
  await until(async () => (await uploadFiles()).length > before)
  return open
}

describe('a device that is shut out while it uploads', () => {
  it.each(['PUT', 'form'] as const)('is told so at once, by %s, and nothing is kept', async (way) => {
    const { deviceId, token } = await newDevice()
    const open = await beginStuck(way, token)
    await disable(deviceId)
    const startedMs = performance.now()
    expect(await open.answer).toMatchObject(REFUSED)
    expect(performance.now() - startedMs).toBeLessThan(1000)
    await until(async () => (await uploadFiles()).length === 0)
    expect(await get(VideoRecords).listOfDevice(deviceId, 10)).toEqual([])
  })

  it('is told so by tus, and goes on where it was once it may again', async () => {
    const { deviceId, token } = await newDevice()
    const bytes = videoBytes(100_000)
    const url = await createTus(token, bytes.length)
    const headers = { ...TUS, ...BYTES, 'upload-offset': '0' }
    const before = await bytesCame()
    const open = new OpenRequest('PATCH', url, token, headers).send(bytes.subarray(0, 40_000))
    await until(async () => (await bytesCame()) >= before + 40_000)
    await disable(deviceId)
    expect(await open.answer).toMatchObject(REFUSED)
    await enable(deviceId)
    const again = await running.api.loginDevice(deviceId)
    expect(await offsetOf(url, again)).toBe(40_000)
    const rest = new OpenRequest('PATCH', url, again, { ...headers, 'upload-offset': '40000' })
    const { status, headers: last } = await rest.send(bytes.subarray(40_000)).end()
    expect(status).toBe(204)
    expect((await get(VideoRecords).find(String(last['video-id'])))?.sha256).toBe(sha256Of(bytes))
  })

  it('is told so when its secret was changed, and when it was deleted', async () => {
    for (const change of [
      (deviceId: string) => devices.call('POST', `/${deviceId}/secret`),
      (deviceId: string) => devices.call('DELETE', `/${deviceId}`),
    ]) {
      const { deviceId, token } = await newDevice()
      const open = await beginStuck('PUT', token)
      await change(deviceId)
      expect(await open.answer).toMatchObject(REFUSED)
    }
  })

  it('is refused at the end, also if it is let in again by then', async () => {
    const { deviceId, token } = await newDevice()
    const reached = holdAt(get(VideoRecords), 'reserve')
    const open = new OpenRequest('PUT', `${VIDEOS}/clip.mp4`, token).send(videoBytes(5000)).end()
    const release = await reached
    await disable(deviceId)
    await enable(deviceId)
    release()
    expect(await open).toMatchObject(REFUSED)
    expect([await uploadFiles(), await get(VideoRecords).listOfDevice(deviceId, 10)]).toEqual([[], []])
  })

  it('is refused although all of its bytes came before', async () => {
    const { deviceId, token } = await newDevice()
    const reached = holdAfter(get(BlobStore), 'append')
    const open = new OpenRequest('PUT', `${VIDEOS}/clip.mp4`, token).send(videoBytes(5000)).end()
    const release = await reached
    await disable(deviceId)
    await enable(deviceId)
    release()
    expect(await open).toMatchObject(REFUSED)
    expect([await uploadFiles(), await get(VideoRecords).listOfDevice(deviceId, 10)]).toEqual([[], []])
  })

  it('is refused by tus although all of its bytes came before, and has its video once it may again', async () => {
    const { deviceId, token } = await newDevice()
    const bytes = videoBytes(5000)
    const url = await createTus(token, bytes.length)
    const reached = holdAfter(get(BlobStore), 'append')
    const open = new OpenRequest('PATCH', url, token, { ...TUS, ...BYTES, 'upload-offset': '0' }).send(bytes).end()
    const release = await reached
    await disable(deviceId)
    release()
    expect(await open).toMatchObject(REFUSED)
    expect(await get(VideoRecords).listOfDevice(deviceId, 10)).toEqual([])
    await enable(deviceId)
    expect(await offsetOf(url, await running.api.loginDevice(deviceId))).toBe(bytes.length)
    expect((await get(VideoRecords).findByName(deviceId, 'clip.mp4'))?.sha256).toBe(sha256Of(bytes))
  })

  it('is not disturbed by what else is changed of it, nor by what happens to others', async () => {
    const [one, other] = [await newDevice(), await newDevice()]
    const open = await beginStuck('PUT', one.token)
    await devices.call('PATCH', `/${one.deviceId}`, { name: 'Truck 7' })
    await disable(other.deviceId)
    await sleep(100)
    expect((await open.send(videoBytes(1000)).end()).status).toBe(201)
  })
})

describe('a reservation that goes while its object is made', () => {
  it('takes the object along', async () => {
    const { deviceId, token } = await newDevice()
    const reached = holdAt(get(VideoRecords), 'show')
    const open = new OpenRequest('PUT', `${VIDEOS}/clip.mp4`, token).send(videoBytes(5000)).end()
    const release = await reached
    const [held] = await get(VideoRecords).listOfDevice(deviceId, 10)
    await get(VideoRecords).release(held?.id ?? '')
    expect(await get(BlobStore).stat(`${deviceId}/clip.mp4`)).toEqual({ bytes: 5000 })
    release()
    expect(await open).toMatchObject({ status: 503, code: 'overloaded' })
    expect(await get(BlobStore).stat(`${deviceId}/clip.mp4`)).toBeUndefined()
  })
})

describe('what a crash left of a device that was erased', () => {
  it.each([true, false])('is dropped by the sweeper, with its object if there is one: %s', async (isComplete) => {
    const deviceId = devices.newImei()
    const blobUploadId = await get(BlobStore).beginUpload(`${deviceId}/clip.mp4`)
    const reservation = {
      id: `left-${deviceId}`,
      deviceId,
      fileName: 'clip.mp4',
      bytes: 0,
      sha256: sha256Of(Buffer.alloc(0)),
      contentType: 'video/mp4' as const,
      recordedAtMs: null,
      blobUploadId,
      reservedAtMs: Date.now(),
    }
    expect(await get(VideoRecords).reserve(reservation)).toBeUndefined()
    if (isComplete) await get(BlobStore).complete(blobUploadId, `${deviceId}/clip.mp4`)
    await get(UploadSweeper).sweep({ reservedBeforeMs: Date.now() + 1000, idleSinceMs: Date.now() + 1000 })
    expect(await get(VideoRecords).listOfDevice(deviceId, 10)).toEqual([])
    expect(await get(BlobStore).stat(`${deviceId}/clip.mp4`)).toBeUndefined()
    expect(await uploadFiles()).toEqual([])
  })
})

type Stage = readonly [store: 'blobs' | 'videos' | 'uploads', step: string]
/** Steps of an upload's end that an erasure may come before. */
const STAGES: readonly Stage[] = [
  ['videos', 'reserve'],
  ['blobs', 'complete'],
  ['videos', 'show'],
]
const CREATION: readonly Stage[] = [
  ['blobs', 'beginUpload'],
  ['uploads', 'insert'],
]

describe('a device that is erased while it uploads', () => {
  const uploaders: Record<string, (token: string) => Promise<Given>> = {
    PUT: (token) => new OpenRequest('PUT', `${VIDEOS}/clip.mp4`, token).send(videoBytes(5000)).end(),
    form: (token) => new OpenRequest('POST', VIDEOS, token, FORM).send(FORM_HEAD, videoBytes(5000), FORM_END).end(),
    tus: (token) =>
      new OpenRequest('POST', UPLOADS, token, {
        ...TUS,
        ...BYTES,
        'upload-length': '5000',
        'upload-metadata': metadata,
      })
        .send(videoBytes(5000))
        .end(),
  }
  const cases = Object.keys(uploaders).flatMap((way) =>
    [...STAGES, ...(way === 'tus' ? CREATION : CREATION.slice(0, 1))].map((stage) => [way, ...stage] as const),
  )

  const expectNothing = async (deviceId: string) => {
    await until(async () => (await uploadFiles()).length === 0)
    expect(await get(VideoRecords).listOfDevice(deviceId, 10)).toEqual([])
    expect(await get(UploadRecords).listOfDevice(deviceId)).toEqual([])
    expect((await heldObjects(data)).filter((key) => key.includes(deviceId))).toEqual([])
  }

  it.each(cases)('leaves nothing: %s, before %s.%s', async (way, store, step) => {
    const { deviceId, token } = await newDevice()
    const stores = { blobs: get(BlobStore), videos: get(VideoRecords), uploads: get(UploadRecords) }
    const reached = holdAt(stores[store], step)
    const answer = uploaders[way]?.(token)
    const release = await reached
    expect((await erase(deviceId)).status).toBe(204)
    release()
    // By tus its upload may be gone before it is known why.
    expect([401, ...(way === 'tus' ? [404] : [])]).toContain((await answer)?.status)
    await expectNothing(deviceId)
    await devices.call('POST', '', { deviceId })
    const again = await running.api.loginDevice(deviceId)
    expect(await uploaders[way]?.(again)).toMatchObject({ status: 201 })
    await erase(deviceId)
    await expectNothing(deviceId)
  })

  it('leaves no upload that was only announced', async () => {
    const { deviceId, token } = await newDevice()
    const reached = holdAt(get(UploadRecords), 'insert')
    const headers = { ...TUS, 'upload-length': '5000', 'upload-metadata': metadata, 'content-length': '0' }
    const answer = new OpenRequest('POST', UPLOADS, token, headers).end()
    const release = await reached
    await erase(deviceId)
    release()
    expect(await answer).toMatchObject(REFUSED)
    await expectNothing(deviceId)
  })

  it.each(['PUT', 'form', 'tus'] as const)('has nothing under way any more: %s', async (way) => {
    const { deviceId, token } = await newDevice()
    const open = await beginStuck(way, token)
    expect((await erase(deviceId)).status).toBe(204)
    expect([401, 404]).toContain((await open.answer).status)
    await expectNothing(deviceId)
  })

  it('has no unfinished tus uploads any more, nor their bytes', async () => {
    const [{ deviceId, token }, other] = [await newDevice(), await newDevice()]
    const url = await createTus(token, 100_000)
    const headers = { ...TUS, ...BYTES, 'upload-offset': '0' }
    await new OpenRequest('PATCH', url, token, headers).send(videoBytes(40_000)).end()
    const kept = await createTus(other.token, 5000)
    expect(await idleUploads()).toHaveLength(2)
    await erase(deviceId)
    expect(await idleUploads()).toHaveLength(1)
    await devices.call('POST', '', { deviceId })
    expect(await offsetOf(url, await running.api.loginDevice(deviceId))).toBe(404)
    expect(await offsetOf(kept, other.token)).toBe(0)
    await erase(other.deviceId)
    await expectNothing(deviceId)
  })
})

type Method = (...parameters: unknown[]) => Promise<unknown>

/** Holds the next call of a store's method before it does anything. @returns once it is reached: what lets it go on */
function holdAt(store: object, method: string): Promise<() => void> {
  return new Promise((onReached) => {
    replaceOnce(store, method, async (call) => {
      await new Promise<void>((resolve) => onReached(resolve))
      return call()
    })
  })
}

/** The same when it has done all. */
function holdAfter(store: object, method: string): Promise<() => void> {
  return new Promise((onReached) => {
    replaceOnce(store, method, async (call) => {
      const result = await call()
      await new Promise<void>((resolve) => onReached(resolve))
      return result
    })
  })
}

function replaceOnce(store: object, method: string, act: (call: () => Promise<unknown>) => Promise<unknown>): void {
  const target = store as Record<string, Method>
  const original = target[method]?.bind(store) as Method
  jest.spyOn(target, method).mockImplementationOnce((...parameters) => act(() => original(...parameters)))
}
