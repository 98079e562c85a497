import type { Socket } from 'socket.io-client'
import type { Video } from '../src/model/video.js'
import { derivedSegmentsOf, fileKeyOf, screenshotKeyOf, thumbnailKeyOf } from '../src/model/video-keys.js'
import { VideoRemoval } from '../src/videos/video-removal.js'
import { VideoRetention } from '../src/videos/video-retention.js'
import { testImei } from './support/api.js'
import { type RunningApp, startApp } from './support/app.js'
import { ADMIN_PASSWORD } from './support/server-process.js'
import { StoredVideos, VIDEOS } from './support/stored-videos.js'
import { removeTemporaryDirectories } from './support/temporary-directory.js'
import { connectSocket } from './support/unit-socket.js'

const DAY_MS = 86_400_000
const NOON_MS = Date.UTC(2026, 10, 22, 12)
const PICTURE = Buffer.from('a picture')

let running: RunningApp
let stored: StoredVideos
let operator: string
let viewer: string

async function addUser(username: string, role: string): Promise<string> {
  await running.api.post('/api/v1/users', { username, password: ADMIN_PASSWORD, role }, running.admin)
  return running.api.login(username, ADMIN_PASSWORD)
}

beforeAll(async () => {
  running = await startApp({ DEVICE_ENROLMENT: 'open' })
  stored = new StoredVideos(running)
  operator = await addUser('olga', 'operator')
  viewer = await addUser('vera', 'viewer')
})
afterAll(async () => {
  await running.close()
  await removeTemporaryDirectories()
})

const call = (method: string, path: string, body?: unknown, token = running.admin) =>
  running.api.request(method, `${VIDEOS}${path}`, { token, body })

const outcome = async (method: string, path: string, body?: unknown, token?: string) => {
  const answer = await call(method, path, body, token)
  return [answer.status, answer.body.code]
}

interface Item {
  readonly id: string
  readonly [field: string]: unknown
}

const list = (query: string) => running.api.all<Item>(`${VIDEOS}?${query}`, viewer)

describe('GET /videos/{id}', () => {
  it('shows what is known of the file and where it is', async () => {
    const { id, sha256 } = await stored.add({
      deviceId: testImei(7),
      fileName: 'crash.mp4',
      content: Buffer.from('hello'),
      recordedAtMs: NOON_MS - 1,
      uploadedAtMs: NOON_MS,
      thumbnail: PICTURE,
      screenshots: [PICTURE, PICTURE],
    })
    const path = `${VIDEOS}/${id}`
    const { status, body } = await call('GET', `/${id}`, undefined, viewer)
    expect([status, body]).toEqual([
      200,
      {
        id,
        deviceId: testImei(7),
        fileName: 'crash.mp4',
        bytes: 5,
        sha256,
        contentType: 'video/mp4',
        status: 'ready',
        failureReason: null,
        recordedAt: '2026-11-22T11:59:59.999Z',
        uploadedAt: '2026-11-22T12:00:00.000Z',
        durationS: 20.04,
        width: 1280,
        height: 720,
        codec: 'h264',
        keep: false,
        alarmIds: [],
        links: {
          content: `${path}/content`,
          thumbnail: `${path}/thumbnail`,
          screenshots: [`${path}/screenshots/1`, `${path}/screenshots/2`],
        },
      },
    ])
    const bare = await stored.add()
    expect((await call('GET', `/${bare.id}`)).body).toMatchObject({
      recordedAt: null,
      links: { content: `${VIDEOS}/${bare.id}/content`, thumbnail: null, screenshots: [] },
    })
  })

  it('finds nothing under an id that there is not, or that cannot be one', async () => {
    for (const id of ['nothing', 'a.b', '%20', 'x'.repeat(65), '%F0%9F%9A%9A']) {
      expect([id, ...(await outcome('GET', `/${id}`))]).toEqual([id, 404, 'not_found'])
    }
  })
})

describe('GET /videos', () => {
  const [one, two] = [testImei(21), testImei(22)]
  let videos: Video[]

  beforeAll(async () => {
    videos = []
    for (let index = 0; index < 6; index++) {
      const deviceId = index % 2 === 0 ? one : two
      const time = NOON_MS + DAY_MS + Math.floor(index / 2) * 1000
      const times = index === 3 ? { uploadedAtMs: time } : { recordedAtMs: time, uploadedAtMs: time + 500_000 }
      videos.push(await stored.add({ deviceId, fileName: `list-${index}.mp4`, ...times }))
    }
    await stored.records.setOutcome((videos[5] as Video).id, { status: 'failed', failureReason: 'not_decodable' })
  })

  const both = `deviceId=${testImei(21)},${testImei(22)}`
  const named = async (query: string) => (await list(query)).map(({ fileName }) => fileName)
  /** Newest first; of one time the greater id first. */
  const newestFirst = () =>
    [...videos]
      .map((video) => ({ ...video, atMs: video.recordedAtMs ?? video.uploadedAtMs }))
      .sort((a, b) => b.atMs - a.atMs || (a.id < b.id ? 1 : -1))
      .map(({ fileName }) => fileName)

  it('lists newest first by the time of recording, else of upload, whatever the size of the pages', async () => {
    for (const limit of [1, 2, 5, 50]) expect(await named(`${both}&limit=${limit}`)).toEqual(newestFirst())
  })

  it('filters by device, name, time and status, all at once', async () => {
    expect((await named(`deviceId=${one}`)).sort()).toEqual(['list-0.mp4', 'list-2.mp4', 'list-4.mp4'])
    expect((await named('fileName=list-1.mp4,list-4.mp4&fileName=list-5.mp4')).sort()).toEqual([
      'list-1.mp4',
      'list-4.mp4',
      'list-5.mp4',
    ])
    const [from, to] = [new Date(NOON_MS + DAY_MS + 1000), new Date(NOON_MS + DAY_MS + 2000)].map((date) =>
      date.toISOString(),
    )
    expect((await named(`${both}&from=${from}&to=${to}`)).sort()).toEqual(['list-2.mp4', 'list-3.mp4'])
    expect(await named(`${both}&status=failed`)).toEqual(['list-5.mp4'])
    expect(await named(`${both}&status=failed,processing&deviceId=${one}`)).toEqual(['list-5.mp4'])
    expect(await named(`deviceId=${one}&status=failed`)).toEqual([])
    expect(await named('alarmId=nothing')).toEqual([])
  })

  it('finds names in any script and form, commas and all', async () => {
    const names = ['a,b.mp4', 'Überfahrt.mp4', '証拠.mp4', '100% "x".mp4']
    for (const fileName of names) await stored.add({ deviceId: testImei(23), fileName })
    for (const name of [...names, 'Überfahrt.mp4'.normalize('NFD')]) {
      expect(await named(`fileName=${encodeURIComponent(name)}`)).toEqual([name.normalize('NFC')])
    }
  })

  it('refuses what it does not know', async () => {
    const codeOf = async (query: string) => (await call('GET', `?${query}`)).body.code
    expect(await codeOf('status=broken')).toBe('invalid_request')
    expect(await codeOf('from=2026-11-22')).toBe('invalid_request')
    expect(await codeOf('from=2&to=1')).toBe('invalid_request')
    expect(await codeOf('device=1')).toBe('unknown_parameter')
    expect(await codeOf('cursor=abc')).toBe('invalid_cursor')
  })
})

describe('PATCH /videos/{id}', () => {
  let live: Socket
  const news: Item[] = []

  beforeAll(async () => {
    live = await connectSocket(`${running.url}/live`, { token: viewer })
    live.on('video', (item: Item) => news.push(item))
  })
  afterAll(() => {
    live.close()
  })

  const auditOf = async (id: string) => {
    const entries = await running.api.all<Item>('/api/v1/audit?action=video.update,video.delete', running.admin)
    return entries.filter(({ target }) => target === id).map(({ by, action, detail }) => ({ by, action, detail }))
  }

  it('keeps a video, writes down who did it, and tells those who watch', async () => {
    const { id, deviceId, fileName } = await stored.add()
    const kept = await call('PATCH', `/${id}`, { keep: true }, operator)
    expect([kept.status, kept.body.keep]).toEqual([200, true])
    expect((await call('GET', `/${id}`)).body).toEqual(kept.body)
    expect((await call('PATCH', `/${id}`, { keep: true }, operator)).body).toEqual(kept.body)
    const released = await call('PATCH', `/${id}`, { keep: false }, running.admin)
    expect(released.body.keep).toBe(false)
    expect(await auditOf(id)).toEqual([
      { by: 'admin', action: 'video.update', detail: { deviceId, fileName, keep: false } },
      { by: 'olga', action: 'video.update', detail: { deviceId, fileName, keep: true } },
    ])
    await waitFor(() => news.filter((item) => item.id === id).at(-1)?.keep === false)
    expect(news.at(-1)).toEqual(released.body)
  })

  it('asks for an operator and a body that says what', async () => {
    const { id } = await stored.add()
    expect(await outcome('PATCH', `/${id}`, { keep: true }, viewer)).toEqual([403, 'forbidden'])
    for (const body of [{}, { keep: 'yes' }, { keep: null }, { keep: true, fileName: 'x' }, []]) {
      expect(await outcome('PATCH', `/${id}`, body, operator)).toEqual([400, 'invalid_request'])
    }
    expect(await outcome('PATCH', '/nothing', { keep: true }, operator)).toEqual([404, 'not_found'])
  })

  it('tells those who watch of a video that can be seen now', async () => {
    const video = await stored.add()
    stored.events.tell(video, 'shown')
    await waitFor(() => news.some(({ id }) => id === video.id))
    expect(news.at(-1)).toEqual((await call('GET', `/${video.id}`)).body)
  })

  it('is written down when a video is removed, and told to nobody as if it were still there', async () => {
    const { id, deviceId, fileName, bytes, sha256 } = await stored.add()
    expect((await call('DELETE', `/${id}`)).status).toBe(204)
    expect(await auditOf(id)).toEqual([
      { by: 'admin', action: 'video.delete', detail: { deviceId, fileName, bytes, sha256 } },
    ])
    const next = await stored.add()
    stored.events.tell(next, 'shown')
    await waitFor(() => news.some((item) => item.id === next.id))
    expect(news.filter((item) => item.id === id)).toEqual([])
  })
})

describe('DELETE /videos/{id}', () => {
  const withPictures = () => stored.add({ thumbnail: PICTURE, screenshots: [PICTURE, PICTURE, PICTURE] })
  const objectsOf = async (video: Video) => {
    const keys = [fileKeyOf(video), thumbnailKeyOf(video.id), ...[1, 2, 3].map((n) => screenshotKeyOf(video.id, n))]
    const found = await Promise.all(keys.map((key) => stored.blobs.stat(key)))
    return found.filter((one) => one !== undefined).length
  }

  it('removes the video, its file and its pictures, and leaves its name free', async () => {
    const video = await withPictures()
    expect(await objectsOf(video)).toBe(5)
    expect(await outcome('DELETE', `/${video.id}`, undefined, operator)).toEqual([403, 'forbidden'])
    expect(await outcome('DELETE', `/${video.id}`)).toEqual([204, undefined])
    expect(await objectsOf(video)).toBe(0)
    for (const path of ['', '/content', '/thumbnail', '/screenshots/1']) {
      expect(await outcome('GET', `/${video.id}${path}`)).toEqual([404, 'not_found'])
    }
    expect(await list(`fileName=${video.fileName}`)).toEqual([])
    expect(await outcome('DELETE', `/${video.id}`)).toEqual([404, 'not_found'])
    const again = await stored.add({ fileName: video.fileName })
    expect((await list(`fileName=${video.fileName}`)).map(({ id }) => id)).toEqual([again.id])
  })

  it('removes a video that is kept, and tells those whom it concerns', async () => {
    const video = await stored.add()
    await call('PATCH', `/${video.id}`, { keep: true }, operator)
    const told: string[] = []
    stored.events.onVideo(({ id }, event) => told.push(`${id} ${event}`))
    expect((await call('DELETE', `/${video.id}`)).status).toBe(204)
    expect(told).toEqual([`${video.id} removed`])
  })

  it.each<['row' | 'pictures' | 'file']>([['row'], ['pictures'], ['file']])(
    'is finished after a crash that came when the %s had gone',
    async (last) => {
      const video = await withPictures()
      await stored.records.hide(video.id)
      if (last !== 'row') await stored.blobs.removeUnder(...derivedSegmentsOf(video.id))
      if (last === 'file') await stored.blobs.remove(fileKeyOf(video))
      expect(await list(`fileName=${video.fileName}`)).toEqual([])
      expect(await outcome('GET', `/${video.id}/content`)).toEqual([404, 'not_found'])
      await stored.get(VideoRemoval).sweep()
      expect([await objectsOf(video), await stored.records.listHidden(10)]).toEqual([0, []])
    },
  )

  it('goes on when it is asked again after the store failed', async () => {
    const video = await withPictures()
    const remove = jest.spyOn(stored.blobs, 'remove').mockRejectedValue(new Error('the disk is gone'))
    expect((await outcome('DELETE', `/${video.id}`))[0]).toBe(500)
    expect(await outcome('GET', `/${video.id}`)).toEqual([404, 'not_found'])
    remove.mockRestore()
    expect(await outcome('DELETE', `/${video.id}`)).toEqual([204, undefined])
    expect(await objectsOf(video)).toBe(0)
  })

  it('removes a video once, however many ask at the same time', async () => {
    const video = await withPictures()
    const answers = await Promise.all(Array.from({ length: 8 }, () => call('DELETE', `/${video.id}`)))
    expect(answers.map(({ status }) => status).filter((status) => status !== 204 && status !== 404)).toEqual([])
    expect(answers.some(({ status }) => status === 204)).toBe(true)
    expect(await stored.records.listHidden(10)).toEqual([])
  }, 120_000)
})

describe('a video that an alarm names', () => {
  const filesOf = async (alarmId: unknown) =>
    (await running.api.get<{ files: unknown }>(`/api/v1/alarms/${alarmId}`, running.admin)).body.files

  it('is found by the alarm, and parted from it when it is removed', async () => {
    const deviceId = testImei(41)
    const device = await running.api.loginDevice(deviceId)
    const alarm = { type: 'CRASH', time: new Date(NOON_MS).toISOString(), files: ['named.mp4'] }
    const { id: alarmId } = (await running.api.post('/api/v1/alarms', alarm, device)).body
    const video = await stored.add({ deviceId, fileName: 'named.mp4' })
    stored.events.tell(video, 'shown')
    await waitFor(async () => JSON.stringify(await filesOf(alarmId)).includes(video.id))
    expect(await list(`alarmId=nothing,${alarmId}&deviceId=${deviceId}`)).toMatchObject([
      { id: video.id, alarmIds: [alarmId] },
    ])
    expect(await filesOf(alarmId)).toEqual([{ fileName: 'named.mp4', videoId: video.id }])
    expect((await call('DELETE', `/${video.id}`)).status).toBe(204)
    await waitFor(async () => JSON.stringify(await filesOf(alarmId)).includes('"videoId":null'))
    expect(await list(`alarmId=${alarmId}`)).toEqual([])
  })
})

describe('VIDEO_RETENTION_DAYS', () => {
  const OLD_MS = Date.UTC(2020, 0, 1)

  it('removes what is older by the unit’s clock, else by the upload, and leaves what is kept', async () => {
    const deviceId = testImei(31)
    const add = (fileName: string, recordedAtMs: number | null, uploadedAtMs: number) =>
      stored.add({ deviceId, fileName, recordedAtMs, uploadedAtMs, thumbnail: PICTURE })
    await add('recorded before', OLD_MS - 1, NOON_MS)
    await add('recorded then', OLD_MS, OLD_MS - DAY_MS)
    await add('uploaded before', null, OLD_MS - 1)
    await add('uploaded then', null, OLD_MS)
    const kept = await add('kept', OLD_MS - DAY_MS, OLD_MS)
    await stored.records.setKeep(kept.id, true)
    expect(await stored.get(VideoRetention).removeOlderThan(OLD_MS)).toBe(2)
    expect((await list(`deviceId=${deviceId}`)).map(({ fileName }) => fileName).sort()).toEqual([
      'kept',
      'recorded then',
      'uploaded then',
    ])
    expect(await stored.get(VideoRetention).removeOlderThan(OLD_MS)).toBe(0)
  })

  it('leaves a video alone that somebody keeps while it is about to go', async () => {
    const video = await stored.add({ deviceId: testImei(33), recordedAtMs: OLD_MS - DAY_MS })
    const listOlderThan = stored.records.listOlderThan.bind(stored.records)
    const spy = jest.spyOn(stored.records, 'listOlderThan').mockImplementation(async (atMs, limit) => {
      const old = await listOlderThan(atMs, limit)
      await call('PATCH', `/${video.id}`, { keep: true }, operator)
      return old
    })
    expect(await stored.get(VideoRetention).removeOlderThan(OLD_MS)).toBe(0)
    spy.mockRestore()
    expect((await call('GET', `/${video.id}/content`)).status).toBe(200)
  })

  it('goes through very many, and past those that cannot be removed', async () => {
    const deviceId = testImei(32)
    for (let index = 0; index < 120; index++) await stored.add({ deviceId, recordedAtMs: OLD_MS - DAY_MS + index })
    const remove = stored.blobs.remove.bind(stored.blobs)
    let calls = 0
    const spy = jest.spyOn(stored.blobs, 'remove').mockImplementation(async (key) => {
      if (++calls % 40 === 1) throw new Error('not now')
      await remove(key)
    })
    await expect(stored.get(VideoRetention).removeOlderThan(OLD_MS)).rejects.toThrow('not now')
    spy.mockRestore()
    expect(await list(`deviceId=${deviceId}`)).toEqual([])
    expect(await stored.records.listHidden(10)).toHaveLength(3)
    await stored.get(VideoRemoval).sweep()
    expect(await stored.records.listHidden(10)).toEqual([])
  })
})

async function waitFor(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 5000
  while (!(await isTrue())) {
    if (Date.now() > deadline) throw new Error('it did not come about')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
