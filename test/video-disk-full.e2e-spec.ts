import { type FileHandle, open } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { BlobStore } from '../src/storage/blobs/blob-store.js'
import { VideoRecords } from '../src/storage/sql/video-records.js'
import { VideoEvents } from '../src/videos/video-events.js'
import { testImei } from './support/api.js'
import { type RunningApp, startApp } from './support/app.js'
import { heldUploads } from './support/held-uploads.js'
import { describeEmbedded } from './support/on-embedded.js'
import { removeTemporaryDirectories, temporaryDirectory } from './support/temporary-directory.js'
import { sha256Of, videoBytes } from './support/video-bytes.js'

const VIDEOS = '/api/v1/videos'
const MIB = 1_048_576

let running: RunningApp
let data: string
let token: string
let files: FileHandle
const imei = testImei(5)

beforeAll(async () => {
  data = temporaryDirectory()
  running = await startApp({ DATA_DIR: data, DEVICE_ENROLMENT: 'open' })
  token = await running.api.loginDevice(imei)
  const handle = await open(__filename)
  files = Object.getPrototypeOf(handle) as FileHandle
  await handle.close()
})
afterEach(() => jest.restoreAllMocks())
afterAll(async () => {
  await running.close()
  await removeTemporaryDirectories()
})

const get = <T>(type: abstract new (...parameters: never[]) => T): T => running.app.get(type, { strict: false })
const uploadFiles = () => heldUploads(data)
const held = async () => (await get(VideoRecords).listOfDevice(imei, 100)).map(({ fileName }) => fileName)

const noSpace = () => Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC', errno: -28 })

/** What the operating system does when the disk has room for so many bytes more. */
function leaveRoomFor(bytes: number): void {
  const write = files.writev
  let left = bytes
  jest.spyOn(files, 'writev').mockImplementation(async function (this: FileHandle, chunks, position) {
    const length = chunks.reduce((sum, { byteLength }) => sum + byteLength, 0)
    if (length > left) throw noSpace()
    left -= length
    return write.call(this, chunks, position ?? undefined)
  } as FileHandle['writev'])
}

interface Given {
  readonly status: number
  readonly code: unknown
  readonly retryAfter: string | null
  readonly headers: Headers
}

async function call(
  method: string,
  url: string,
  headers: Record<string, string>,
  body?: Buffer | FormData,
): Promise<Given> {
  const answer = await fetch(`${running.url}${url}`, {
    method,
    headers: { authorization: `Bearer ${token}`, ...headers },
    body,
  })
  const text = await answer.text()
  const { code } = text === '' ? { code: undefined } : (JSON.parse(text) as { code: unknown })
  return { status: answer.status, code, retryAfter: answer.headers.get('retry-after'), headers: answer.headers }
}

const put = (name: string, bytes: Buffer) => call('PUT', `${VIDEOS}/${name}`, {}, bytes)
const post = (name: string, bytes: Buffer) => {
  const form = new FormData()
  form.append('file', new Blob([bytes]), name)
  return call('POST', VIDEOS, {}, form)
}
const FULL = { status: 503, code: 'disk_full', retryAfter: '30' }

describeEmbedded('spoils the writes of files', 'a disk that gets full in the middle of an upload', () => {
  it.each([
    ['PUT', put],
    ['a form', post],
  ])('is said to the unit by %s, and what came gives its room back', async (way, send) => {
    const [name, bytes] = [`${way.at(-1)}.mp4`, videoBytes(5 * MIB)]
    leaveRoomFor(2 * MIB)
    expect(await send(name, bytes)).toMatchObject(FULL)
    expect([await uploadFiles(), await held()]).toEqual([[], expect.not.arrayContaining([name])])
    expect((await running.api.get('/health/live')).status).toBe(200)
    jest.restoreAllMocks()
    expect((await send(name, bytes)).status).toBe(201)
  })

  it('is noticed also when it shows only as the bytes are made durable', async () => {
    const bytes = videoBytes(3 * MIB)
    jest.spyOn(files, 'datasync').mockRejectedValue(noSpace())
    expect(await put('sync.mp4', bytes)).toMatchObject(FULL)
    expect([await uploadFiles(), await held()]).toEqual([[], expect.not.arrayContaining(['sync.mp4'])])
    jest.restoreAllMocks()
    expect((await put('sync.mp4', bytes)).status).toBe(201)
  })

  it('is noticed at the very end: nothing is shown, and the repeat is', async () => {
    const bytes = videoBytes(100_000)
    const complete = get(BlobStore).complete.bind(get(BlobStore))
    jest.spyOn(get(BlobStore), 'complete').mockImplementationOnce((...parameters) => {
      jest.spyOn(files, 'sync').mockRejectedValue(noSpace())
      return complete(...parameters)
    })
    expect((await put('end.mp4', bytes)).code).toBe('disk_full')
    expect(await get(VideoRecords).findByName(imei, 'end.mp4')).toBeUndefined()
    jest.restoreAllMocks()
    expect((await put('end.mp4', bytes)).status).toBeLessThan(300)
    expect((await get(VideoRecords).findByName(imei, 'end.mp4'))?.sha256).toBe(sha256Of(bytes))
    expect(await uploadFiles()).toEqual([])
  })

  it('is noticed at the very beginning, and takes no more room by each try', async () => {
    jest.spyOn(files, 'sync').mockRejectedValue(noSpace())
    for (let n = 0; n < 3; n++) expect(await put('begin.mp4', videoBytes(1000))).toMatchObject(FULL)
    expect(await uploadFiles()).toEqual([])
  })

  it('leaves of a tus upload what is durable, and it goes on from there', async () => {
    const bytes = videoBytes(12 * MIB)
    const created = await call('POST', `${VIDEOS}/uploads`, {
      'tus-resumable': '1.0.0',
      'upload-length': String(bytes.length),
      'upload-metadata': `filename ${Buffer.from('tus.mp4').toString('base64')}`,
    })
    const url = created.headers.get('location') ?? ''
    const patch = (offset: number) =>
      call(
        'PATCH',
        url,
        {
          'tus-resumable': '1.0.0',
          'content-type': 'application/offset+octet-stream',
          'upload-offset': String(offset),
        },
        bytes.subarray(offset),
      )
    leaveRoomFor(10 * MIB)
    expect(await patch(0)).toMatchObject(FULL)
    const head = await call('HEAD', url, { 'tus-resumable': '1.0.0' })
    const offset = Number(head.headers.get('upload-offset'))
    expect(offset).toBeGreaterThan(7 * MIB)
    expect(offset).toBeLessThanOrEqual(10 * MIB)
    jest.restoreAllMocks()
    const last = await patch(offset)
    expect(last.status).toBe(204)
    const video = await get(VideoRecords).find(last.headers.get('video-id') ?? '')
    expect([video?.bytes, video?.sha256]).toEqual([bytes.length, sha256Of(bytes)])
  })
})

describe('uploads of one name that end at the same time, while it is removed again and again', () => {
  it('leave one video or none, and no bytes of another', async () => {
    const names = ['race-1.mp4', 'race-2.mp4']
    const contents = Array.from({ length: 4 }, (_, n) => videoBytes(3000 + n))
    const tus = (name: string, bytes: Buffer) =>
      call(
        'POST',
        `${VIDEOS}/uploads`,
        {
          'tus-resumable': '1.0.0',
          'content-type': 'application/offset+octet-stream',
          'upload-length': String(bytes.length),
          'upload-metadata': `filename ${Buffer.from(name).toString('base64')}`,
        },
        bytes,
      )
    const ways = [put, post, tus]
    const statuses = new Set<number>()
    const shown: string[] = []
    get(VideoEvents).onVideo(({ id, fileName }, event) => {
      if (event === 'shown' && names.includes(fileName)) shown.push(id)
    })
    let isOver = false
    const remover = (async () => {
      while (!isOver) {
        for (const { id } of await get(VideoRecords).list({ fileNames: names, limit: 10 })) {
          await running.api.request('DELETE', `${VIDEOS}/${id}`, { token: running.admin })
        }
        await sleep(5)
      }
    })()
    for (let round = 0; round < 10; round++) {
      const sent = Array.from({ length: 9 }, (_, n) => {
        const send = ways[n % ways.length] as typeof put
        return send(names[(n + round) % 2] as string, contents[(n * 7 + round) % contents.length] as Buffer)
      })
      for (const { status } of await Promise.all(sent)) statuses.add(status)
    }
    isOver = true
    await remover
    expect([...statuses].filter((status) => ![200, 201, 409, 422, 429, 503].includes(status))).toEqual([])
    expect(statuses.has(201)).toBe(true)
    expect(shown.length).toBe(new Set(shown).size)
    expect(await uploadFiles()).toEqual([])
    for (const name of names) {
      const video = await get(VideoRecords).findByName(imei, name)
      const stream = await get(BlobStore).read(`${imei}/${name}`)
      const bytes = stream && Buffer.concat(await stream.toArray())
      expect(bytes && sha256Of(bytes)).toBe(video?.sha256)
    }
    expect((await held()).filter((name) => names.includes(name)).length).toBe(
      (await get(VideoRecords).list({ fileNames: names, limit: 10 })).length,
    )
  })

  it('are stored, as far as their unit is concerned, when somebody removes them in the moment they are shown', async () => {
    const records = get(VideoRecords)
    const [show, find] = [records.show.bind(records), records.find.bind(records)]
    const events: string[] = []
    get(VideoEvents).onVideo(({ fileName }, event) => {
      if (fileName === 'seen.mp4') events.push(event)
    })
    jest.spyOn(records, 'show').mockImplementationOnce((id, uploadedAtMs) => {
      jest.spyOn(records, 'find').mockImplementationOnce(async () => {
        await running.api.request('DELETE', `${VIDEOS}/${id}`, { token: running.admin })
        return find(id)
      })
      return show(id, uploadedAtMs)
    })

    const bytes = videoBytes(3000)
    expect((await put('seen.mp4', bytes)).status).toBe(201)
    expect(events).toEqual(['removed'])
    expect([await held(), await uploadFiles()]).toEqual([expect.not.arrayContaining(['seen.mp4']), []])
    expect(await get(BlobStore).read(`${imei}/seen.mp4`)).toBeUndefined()
  })
})
