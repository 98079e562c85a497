import { randomBytes } from 'node:crypto'
import { parse as parseDisposition } from 'content-disposition'
import type { Video } from '../src/model/video.js'
import { fileKeyOf } from '../src/model/video-keys.js'
import { describeOn } from './stores/describe-on.js'
import { type Made, makeBucket } from './stores/test-servers.js'
import { type RunningApp, startApp } from './support/app.js'
import { describeEmbedded } from './support/on-embedded.js'
import { StoredVideos, VIDEOS } from './support/stored-videos.js'
import { removeTemporaryDirectories } from './support/temporary-directory.js'

const CONTENT = randomBytes(300_001)
const PICTURE = randomBytes(5000)
const FILE_NAME = 'Unfall Süd "7".mp4'

let running: RunningApp
let stored: StoredVideos
let video: Video
let content: string

afterAll(removeTemporaryDirectories)

/** Starts it with a video of {@link CONTENT} in it. */
async function open(environment: Record<string, string>): Promise<void> {
  running = await startApp(environment)
  stored = new StoredVideos(running)
  video = await stored.add({ content: CONTENT, fileName: FILE_NAME, thumbnail: PICTURE })
  content = `${VIDEOS}/${video.id}/content`
}

/** As a client that follows nothing by itself. */
async function ask(path: string, headers: Record<string, string> = {}, method = 'GET') {
  const authorization = `Bearer ${running.admin}`
  const response = await fetch(`${running.url}${path}`, {
    method,
    headers: { authorization, ...headers },
    redirect: 'manual',
  })
  return { status: response.status, headers: response.headers, bytes: Buffer.from(await response.arrayBuffer()) }
}

/** Of the store: nothing but the address is needed there. */
const follow = (location: string | null, headers: Record<string, string> = {}) => fetch(location ?? '', { headers })

describeOn('S3_ENDPOINT', 'the contents of videos with S3_PRESIGN=true', () => {
  let made: Made

  beforeAll(async () => {
    made = await makeBucket()
    await open({ ...made.variables, S3_PRESIGN: 'true' })
  }, 60_000)
  afterAll(async () => {
    await running.close()
    await made.remove()
  })

  it('are fetched from the store, at an address that is good for ten minutes and never kept', async () => {
    const { status, headers, bytes } = await ask(content)
    expect([status, bytes.length, headers.get('cache-control')]).toEqual([302, 0, 'no-store'])
    const address = new URL(headers.get('location') ?? '')
    expect([address.origin, address.searchParams.get('X-Amz-Expires')]).toEqual([made.variables.S3_ENDPOINT, '600'])
    const answer = await follow(address.href)
    expect(answer.status).toBe(200)
    expect(Buffer.from(await answer.arrayBuffer()).equals(CONTENT)).toBe(true)
    expect(answer.headers.get('content-type')).toBe('video/mp4')
    expect(parseDisposition(answer.headers.get('content-disposition') ?? '')).toMatchObject({
      type: 'inline',
      parameters: { filename: FILE_NAME },
    })
  })

  it('are fetched there in ranges', async () => {
    const { status, headers } = await ask(content, { range: 'bytes=1000-1999' })
    expect(status).toBe(302)
    const answer = await follow(headers.get('location'), { range: 'bytes=1000-1999' })
    expect([answer.status, answer.headers.get('content-range')]).toEqual([206, 'bytes 1000-1999/300001'])
    expect(Buffer.from(await answer.arrayBuffer()).equals(CONTENT.subarray(1000, 2000))).toBe(true)
    expect((await follow(headers.get('location'), { range: 'bytes=400000-' })).status).toBe(416)
  })

  it('are saved under their name', async () => {
    const { headers } = await ask(`${content}?download=1`)
    const answer = await follow(headers.get('location'))
    await answer.arrayBuffer()
    expect(parseDisposition(answer.headers.get('content-disposition') ?? '')).toMatchObject({
      type: 'attachment',
      parameters: { filename: FILE_NAME },
    })
  })

  it('come by a signed link too, and whoever follows by itself sees no difference', async () => {
    const { body } = await running.api.post<{ content: string }>(`${VIDEOS}/${video.id}/link`, {}, running.admin)
    for (const path of [body.content, `${body.content}&download=1`]) {
      const answer = await fetch(`${running.url}${path}`)
      expect([answer.status, answer.redirected]).toEqual([200, true])
      expect(Buffer.from(await answer.arrayBuffer()).equals(CONTENT)).toBe(true)
    }
    expect((await fetch(`${running.url}${body.content}x`)).status).toBe(401)
    expect((await fetch(`${running.url}${content}`, { redirect: 'manual' })).status).toBe(401)
    const followed = await fetch(`${running.url}${content}`, { headers: { authorization: `Bearer ${running.admin}` } })
    expect(Buffer.from(await followed.arrayBuffer()).equals(CONTENT)).toBe(true)
  })

  it('are described here: HEAD, and whoever has them already', async () => {
    const head = await ask(content, {}, 'HEAD')
    const etag = `"${video.sha256}"`
    expect([head.status, head.headers.get('content-length'), head.headers.get('etag')]).toEqual([200, '300001', etag])
    expect((await ask(content, { 'if-none-match': etag })).status).toBe(304)
    expect((await ask(content, { 'if-none-match': '"another"' })).status).toBe(302)
  })

  it('have their pictures here', async () => {
    const { status, bytes } = await ask(`${VIDEOS}/${video.id}/thumbnail`)
    expect([status, bytes.equals(PICTURE)]).toEqual([200, true])
  })

  it('that the store has only a part of are said to be lost', async () => {
    const cut = await stored.add({ content: CONTENT })
    await stored.blobs.put(fileKeyOf(cut), CONTENT.subarray(0, 1000))
    expect((await ask(`${VIDEOS}/${cut.id}/content`)).status).toBe(404)
    expect((await stored.records.find(cut.id))?.failureReason).toBe('object_missing')
  })

  it('that the store has lost are said to be lost, and found again when they are back', async () => {
    const lost = await stored.add({ content: CONTENT })
    const path = `${VIDEOS}/${lost.id}/content`
    await stored.blobs.remove(fileKeyOf(lost))
    const answer = await ask(path)
    expect([answer.status, JSON.parse(answer.bytes.toString()).code]).toEqual([404, 'object_missing'])
    expect((await ask(path, {}, 'HEAD')).status).toBe(404)
    expect((await stored.records.find(lost.id))?.failureReason).toBe('object_missing')
    await stored.blobs.put(fileKeyOf(lost), CONTENT)
    expect((await ask(path)).status).toBe(302)
    expect((await stored.records.find(lost.id))?.status).toBe('processing')
  })

  it('are not there for an id that is not', async () => {
    expect((await ask(`${VIDEOS}/nothing/content`)).status).toBe(404)
  })
})

/** The same for both, byte for byte. */
function streams(): void {
  it('are streamed, with their tag and in ranges', async () => {
    const whole = await ask(content)
    expect([whole.status, whole.bytes.equals(CONTENT), whole.headers.get('etag')]).toEqual([
      200,
      true,
      `"${video.sha256}"`,
    ])
    const part = await ask(content, { range: 'bytes=-1000' })
    expect([part.status, part.headers.get('content-range')]).toEqual([206, 'bytes 299001-300000/300001'])
    expect(part.bytes.equals(CONTENT.subarray(299_001))).toBe(true)
    expect((await ask(content, { range: 'bytes=300001-' })).status).toBe(416)
    expect((await ask(content, { 'if-none-match': `"${video.sha256}"` })).status).toBe(304)
    expect((await ask(content, {}, 'HEAD')).headers.get('content-length')).toBe('300001')
  })
}

describeOn('S3_ENDPOINT', 'the contents of videos on S3 with S3_PRESIGN=false', () => {
  let made: Made

  beforeAll(async () => {
    made = await makeBucket()
    await open(made.variables as Record<string, string>)
  }, 60_000)
  afterAll(async () => {
    await running.close()
    await made.remove()
  })

  streams()
})

describeEmbedded(
  'a bucket has addresses of its own',
  'the contents of videos in a directory, whatever S3_PRESIGN says',
  () => {
    beforeAll(() => open({ S3_PRESIGN: 'true' }))
    afterAll(() => running.close())

    streams()
  },
)
