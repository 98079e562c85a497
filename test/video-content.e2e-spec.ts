import { createHash, randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { parse as parseDisposition } from 'content-disposition'
import type { Video } from '../src/model/video.js'
import { fileKeyOf } from '../src/model/video-keys.js'
import type { Answer } from './support/api.js'
import { type RunningApp, startApp } from './support/app.js'
import { StoredVideos, VIDEOS } from './support/stored-videos.js'
import { removeTemporaryDirectories } from './support/temporary-directory.js'

const CONTENT = randomBytes(700_001)
const PICTURE = randomBytes(5000)
const etagOf = (bytes: Buffer) => `"${createHash('sha256').update(bytes).digest('hex')}"`
const ETAG = etagOf(CONTENT)

let running: RunningApp
let stored: StoredVideos
let video: Video
let content: string

beforeAll(async () => {
  running = await startApp({ CORS_ORIGINS: 'https://console.example' })
  stored = new StoredVideos(running)
  video = await stored.add({ content: CONTENT, thumbnail: PICTURE, screenshots: [PICTURE, PICTURE.subarray(1)] })
  content = `${VIDEOS}/${video.id}/content`
})
afterAll(async () => {
  await running.close()
  await removeTemporaryDirectories()
})

interface FileAnswer {
  readonly status: number
  readonly headers: Headers
  readonly bytes: Buffer
}

async function fetchFile(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<FileAnswer> {
  const authorization = `Bearer ${running.admin}`
  const response = await fetch(`${running.url}${path}`, { method, headers: { authorization, ...headers } })
  return {
    status: response.status,
    headers: response.headers,
    bytes: Buffer.from(await response.arrayBuffer()),
  }
}

const shown = ({ headers }: { headers: Headers }, ...names: string[]) => names.map((name) => headers.get(name))

describe('GET /videos/{id}/content', () => {
  it('answers the whole file, byte for byte, with what a client needs to ask for less', async () => {
    const answer = await fetchFile(content)
    expect([answer.status, answer.bytes.equals(CONTENT)]).toEqual([200, true])
    expect(shown(answer, 'content-type', 'content-length', 'etag', 'accept-ranges', 'content-range')).toEqual([
      'video/mp4',
      '700001',
      ETAG,
      'bytes',
      null,
    ])
    expect(shown(answer, 'content-disposition')).toEqual([`inline; filename=${video.fileName}`])
  })

  it.each<[string, number, number]>([
    ['bytes=0-0', 0, 0],
    ['bytes=1000-1999', 1000, 1999],
    ['bytes=700000-', 700_000, 700_000],
    ['bytes=0-', 0, 700_000],
    ['bytes=-10', 699_991, 700_000],
    ['bytes=-9999999', 0, 700_000],
    ['bytes=699000-9999999', 699_000, 700_000],
  ])('answers %s with these bytes', async (range, first, last) => {
    const answer = await fetchFile(content, { range })
    expect([answer.status, answer.bytes.equals(CONTENT.subarray(first, last + 1))]).toEqual([206, true])
    expect(shown(answer, 'content-range', 'content-length', 'etag', 'content-type')).toEqual([
      `bytes ${first}-${last}/700001`,
      String(last - first + 1),
      ETAG,
      'video/mp4',
    ])
  })

  it.each(['bytes=700001-', 'bytes=9999999-99999999', 'bytes=-0'])(
    'refuses %s, saying how long it is',
    async (range) => {
      const answer = await running.api.request('GET', content, { token: running.admin, headers: { range } })
      expect([answer.status, answer.body.code]).toEqual([416, 'range_not_satisfiable'])
      expect(shown(answer, 'content-range', 'content-type', 'etag')).toEqual([
        'bytes */700001',
        'application/problem+json; charset=utf-8',
        null,
      ])
    },
  )

  it.each(['bytes=5-2', 'bytes=a-b', 'lines=1-2', 'bytes=0-1,5-6', 'bytes'])('ignores %s', async (range) => {
    const answer = await fetchFile(content, { range })
    expect([answer.status, answer.bytes.length, answer.headers.get('content-range')]).toEqual([200, 700_001, null])
  })

  it('gives a range only of the bytes that the client has begun with', async () => {
    const statusFor = async (ifRange: string) =>
      (await fetchFile(content, { range: 'bytes=0-9', 'if-range': ifRange })).status
    expect(await statusFor(ETAG)).toBe(206)
    expect(await statusFor('"other"')).toBe(200)
    expect(await statusFor(`W/${ETAG}`)).toBe(200)
    expect(await statusFor('Sun, 22 Nov 2026 07:31:00 GMT')).toBe(200)
  })

  it('answers 304 to who has it, a range or not', async () => {
    for (const tag of [ETAG, `W/${ETAG}`, `"other", ${ETAG}`, '*']) {
      const answer = await fetchFile(content, { 'if-none-match': tag, range: 'bytes=0-9' })
      expect([tag, answer.status, answer.bytes.length]).toEqual([tag, 304, 0])
      expect(shown(answer, 'etag', 'content-type', 'content-range')).toEqual([ETAG, null, null])
    }
    expect((await fetchFile(content, { 'if-none-match': '"other"' })).status).toBe(200)
  })

  it('answers HEAD as GET without the bytes, and knows no ranges there', async () => {
    const answer = await fetchFile(content, { range: 'bytes=0-9' }, 'HEAD')
    expect([answer.status, answer.bytes.length]).toEqual([200, 0])
    expect(shown(answer, 'content-length', 'etag', 'accept-ranges', 'content-type', 'content-range')).toEqual([
      '700001',
      ETAG,
      'bytes',
      'video/mp4',
      null,
    ])
    const known = await Promise.all(
      ['GET', 'HEAD'].map((method) => fetchFile(content, { 'if-none-match': ETAG }, method)),
    )
    expect(known.map((one) => [one.status, ...shown(one, 'etag', 'content-length')])).toEqual([
      [304, ETAG, null],
      [304, ETAG, null],
    ])
    expect((await fetchFile(`${VIDEOS}/nothing/content`, {}, 'HEAD')).status).toBe(404)
  })

  it('lets a browser show it and run nothing of it, on whatever page', async () => {
    const answer = await fetchFile(content, { origin: 'https://console.example' })
    expect(
      shown(
        answer,
        'content-security-policy',
        'x-content-type-options',
        'cache-control',
        'cross-origin-resource-policy',
        'access-control-allow-origin',
      ),
    ).toEqual([
      "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; sandbox allow-same-origin; frame-ancestors 'none'",
      'nosniff',
      'private, no-cache',
      'cross-origin',
      'https://console.example',
    ])
    expect(answer.headers.get('access-control-expose-headers')).toMatch(/Accept-Ranges.*Content-Range.*ETag/)
    expect(
      (await fetchFile(content, { origin: 'https://other.example' })).headers.get('access-control-allow-origin'),
    ).toBe(null)
  })

  it.each([
    'Überfahrt – 7 Uhr.mp4',
    '証拠ビデオ.mp4',
    'доказательство.mp4',
    'say "cheese" \\o/'.replace('\\o/', '%41.mp4'),
    'a;b=c, d.mp4',
    "it's 100%.mp4",
    '🚚.mp4',
    'فيديو.mp4',
  ])('names the download %p', async (fileName) => {
    const { id } = await stored.add({ fileName })
    const header = (await fetchFile(`${VIDEOS}/${id}/content?download=1`)).headers.get('content-disposition') ?? ''
    expect(header).toMatch(/^attachment; filename=[\x20-\x7e]*$/)
    expect(parseDisposition(header)).toMatchObject({ type: 'attachment', parameters: { filename: fileName } })
    const inline = (await fetchFile(`${VIDEOS}/${id}/content?download=0`)).headers.get('content-disposition') ?? ''
    expect(parseDisposition(inline).type).toBe('inline')
  })

  it('knows no other parameters', async () => {
    const codeOf = async (query: string) =>
      (await running.api.get(`${content}?${query}`, running.admin)).body.code ?? 'answered'
    expect(await codeOf('download=yes')).toBe('invalid_request')
    expect(await codeOf('surprise=1')).toBe('unknown_parameter')
  })

  it('says of a file that was lost that it is missing, and not that there is none, and shows it in the video', async () => {
    const lost = await stored.add()
    await stored.blobs.remove(fileKeyOf(lost))
    for (const method of ['GET', 'GET', 'HEAD']) {
      const answer = await running.api.request(method, `${VIDEOS}/${lost.id}/content`, { token: running.admin })
      expect([method, answer.status]).toEqual([method, 404])
      if (method === 'GET') expect(answer.body.code).toBe('object_missing')
      expect(shown(answer, 'content-type', 'etag', 'content-disposition')).toEqual([
        'application/problem+json; charset=utf-8',
        null,
        null,
      ])
    }
    const { body } = await running.api.get(`${VIDEOS}/${lost.id}`, running.admin)
    expect([body.status, body.failureReason, body.sha256]).toEqual(['failed', 'object_missing', lost.sha256])
  })

  it('does not call a file missing that its unit puts back just while somebody looks', async () => {
    const healed = await stored.add({ content: CONTENT })
    jest.spyOn(stored.blobs, 'read').mockResolvedValueOnce(undefined)
    const { status, body } = await running.api.get(`${VIDEOS}/${healed.id}/content`, running.admin)
    expect([status, body.code]).toEqual([503, 'store_unavailable'])
    expect((await stored.records.find(healed.id))?.failureReason).toBeNull()
  })

  it('shows a file that was away again as soon as it is back, and works on it anew', async () => {
    const back = await stored.add({ content: CONTENT })
    await stored.blobs.remove(fileKeyOf(back))
    await running.api.get(`${VIDEOS}/${back.id}/content`, running.admin)
    await stored.blobs.put(fileKeyOf(back), CONTENT)
    const answer = await fetchFile(`${VIDEOS}/${back.id}/content`)
    expect([answer.status, answer.bytes.equals(CONTENT)]).toEqual([200, true])
    expect(await stored.records.find(back.id)).toMatchObject({ status: 'processing', failureReason: null })
  })
})

describe.each([
  ['shorter', CONTENT.subarray(0, 500_000)],
  ['longer', Buffer.concat([CONTENT, CONTENT])],
])('a file that became %s in the store', (_, other) => {
  it.each([
    ['all of it', {}],
    ['what is there of it', { range: 'bytes=0-99' }],
    ['its end', { range: 'bytes=-100' }],
  ])(
    'is missing for who asks for %s, and for everybody from then on, until it is whole again',
    async (_asked, headers) => {
      const cut = await stored.add({ content: CONTENT })
      const path = `${VIDEOS}/${cut.id}/content`
      const key = fileKeyOf(cut)
      await stored.blobs.put(key, other)
      const answer = await fetchFile(path, headers)
      expect([answer.status, JSON.parse(answer.bytes.toString()).code]).toEqual([404, 'object_missing'])
      expect(await stored.records.find(cut.id)).toMatchObject({ status: 'failed', failureReason: 'object_missing' })
      expect((await fetchFile(path, {}, 'HEAD')).status).toBe(404)
      expect(await stored.records.find(cut.id)).toMatchObject({ status: 'failed' })

      await stored.blobs.put(key, CONTENT)
      expect((await fetchFile(path)).bytes.equals(CONTENT)).toBe(true)
      expect((await stored.records.find(cut.id))?.failureReason).not.toBe('object_missing')
    },
  )
})

describe('the pictures of a video', () => {
  it('are refused as the store refuses while its disk fails', async () => {
    const failing = new Readable({
      read() {
        this.destroy(Object.assign(new Error('EIO: i/o error, read'), { errno: -5, code: 'EIO', syscall: 'read' }))
      },
    })
    const reading = jest.spyOn(stored.blobs, 'read').mockResolvedValueOnce(failing)
    const answer = await running.api.get(`${VIDEOS}/${video.id}/thumbnail`, running.admin)
    reading.mockRestore()
    expect([answer.status, answer.body.code, answer.headers.get('retry-after')]).toEqual([
      503,
      'store_unavailable',
      '5',
    ])
    expect((await fetchFile(`${VIDEOS}/${video.id}/thumbnail`)).status).toBe(200)
  })

  it('are JPEGs with a tag of their own', async () => {
    for (const [path, bytes] of [
      ['thumbnail', PICTURE],
      ['screenshots/1', PICTURE],
      ['screenshots/2', PICTURE.subarray(1)],
    ] as const) {
      const answer = await fetchFile(`${VIDEOS}/${video.id}/${path}`)
      expect([path, answer.status, answer.bytes.equals(bytes)]).toEqual([path, 200, true])
      expect(shown(answer, 'content-type', 'etag', 'content-length')).toEqual([
        'image/jpeg',
        etagOf(bytes),
        String(bytes.length),
      ])
      const again = await fetchFile(`${VIDEOS}/${video.id}/${path}`, { 'if-none-match': etagOf(bytes) })
      expect([again.status, again.bytes.length]).toEqual([304, 0])
    }
    expect((await fetchFile(`${VIDEOS}/${video.id}/thumbnail`, { range: 'bytes=0-9' })).bytes).toEqual(
      PICTURE.subarray(0, 10),
    )
  })

  it('are not found until they are made', async () => {
    const bare = await stored.add()
    const refused = async (path: string): Promise<Answer> => running.api.get(`${VIDEOS}/${path}`, running.admin)
    for (const path of [`${bare.id}/thumbnail`, `${bare.id}/screenshots/1`, `${video.id}/screenshots/3`]) {
      const { status, body } = await refused(path)
      expect([path, status, body.code]).toEqual([path, 404, 'not_found'])
    }
    for (const number of ['0', '4', '-1', '01', 'x', '1.0']) {
      expect([number, (await refused(`${video.id}/screenshots/${number}`)).status]).toEqual([number, 404])
    }
  })
})
