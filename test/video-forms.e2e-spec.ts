import { once } from 'node:events'
import { connect } from 'node:net'
import { testImei } from './support/api.js'
import { type RunningApp, startApp } from './support/app.js'
import { heldUploads } from './support/held-uploads.js'
import { removeTemporaryDirectories, temporaryDirectory } from './support/temporary-directory.js'
import { digestOf, sha256Of, videoBytes } from './support/video-bytes.js'

const VIDEOS = '/api/v1/videos'
const MAX_BYTES = 2_000_000

interface Answer {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

let running: RunningApp
let data: string
let token: string

beforeAll(async () => {
  data = temporaryDirectory()
  running = await startApp({
    DATA_DIR: data,
    DEVICE_ENROLMENT: 'open',
    MEDIA_WORKERS: '0',
    VIDEO_MAX_BYTES: String(MAX_BYTES),
  })
  token = await running.api.loginDevice(testImei(1))
})
afterAll(async () => {
  await running.close()
  await removeTemporaryDirectories()
})

const uploadFiles = () => heldUploads(data)
const ofName = async (fileName: string) =>
  (await running.api.all<{ fileName: string }>(VIDEOS, running.admin)).filter((video) => video.fileName === fileName)

/** The part of a form that holds a file, without the boundary that ends it. */
const part = (fileName: string, bytes: Buffer, headers: Record<string, string> = {}) =>
  Buffer.concat([
    Buffer.from(`--x\r\ncontent-disposition: form-data; name="file"; filename="${fileName}"\r\n`),
    Buffer.from(
      Object.entries(headers)
        .map(([name, value]) => `${name}: ${value}\r\n`)
        .join(''),
    ),
    Buffer.from('\r\n'),
    bytes,
  ])
const field = (name: string, value: string) =>
  Buffer.from(`--x\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`)
const END = Buffer.from('\r\n--x--\r\n')
const NEXT = Buffer.from('\r\n')

const post = async (body: Buffer, headers: Record<string, string> = {}): Promise<Answer> => {
  const answer = await fetch(`${running.url}${VIDEOS}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'multipart/form-data; boundary=x', ...headers },
    body,
  })
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
}
const put = async (name: string, body: Buffer): Promise<Answer> => {
  const answer = await fetch(`${running.url}${VIDEOS}/${name}`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${token}` },
    body,
  })
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
}
const codeOf = ({ status, body }: Answer) => [status, body.code]

describe('a form', () => {
  it.each([0, 1, 5000, 300_000])('that ends %i bytes into its file is refused, and nothing is kept', async (length) => {
    const answer = await post(part('open.mp4', videoBytes(300_000).subarray(0, length)))
    expect(codeOf(answer)).toEqual([400, 'invalid_request'])
    expect([await ofName('open.mp4'), await uploadFiles()]).toEqual([[], []])
  })

  it('may tell its time after the file', async () => {
    const bytes = videoBytes(50_000)
    const body = Buffer.concat([part('after.mp4', bytes), NEXT, field('recordedAt', '1795332600000'), END.subarray(2)])
    const answer = await post(body)
    expect([answer.status, answer.body.recordedAt, answer.body.sha256]).toEqual([
      201,
      '2026-11-22T07:30:00.000Z',
      sha256Of(bytes),
    ])
  })

  it('is refused for a time after the file that is none, and nothing is kept', async () => {
    const body = Buffer.concat([
      part('soon.mp4', videoBytes(50_000)),
      NEXT,
      field('recordedAt', 'soon'),
      END.subarray(2),
    ])
    expect(codeOf(await post(body))).toEqual([400, 'invalid_request'])
    expect([await ofName('soon.mp4'), await uploadFiles()]).toEqual([[], []])
  })

  it('has the time of its header, unless it names one itself', async () => {
    const header = { 'x-recorded-at': '2026-11-21T00:00:00Z' }
    const bare = await post(Buffer.concat([part('header.mp4', videoBytes(5000)), END]), header)
    expect([bare.status, bare.body.recordedAt]).toEqual([201, '2026-11-21T00:00:00.000Z'])
    const named = Buffer.concat([field('recordedAt', '1795332600000'), part('named.mp4', videoBytes(5000)), END])
    expect((await post(named, header)).body.recordedAt).toBe('2026-11-22T07:30:00.000Z')
    expect(codeOf(await post(named, { 'x-recorded-at': 'soon' }))).toEqual([400, 'invalid_request'])
  })

  it('is checked by the digest of its file', async () => {
    const bytes = videoBytes(50_000)
    const right = await post(Buffer.concat([part('right.mp4', bytes, { 'Content-Digest': digestOf(bytes) }), END]))
    expect([right.status, right.body.sha256]).toEqual([201, sha256Of(bytes)])
    const wrong = { 'content-digest': digestOf(videoBytes(50_000)) }
    expect(codeOf(await post(Buffer.concat([part('wrong.mp4', bytes, wrong), END])))).toEqual([400, 'digest_mismatch'])
    expect(codeOf(await post(Buffer.concat([part('right.mp4', bytes, wrong), END])))).toEqual([409, 'file_exists'])
    const malformed = part('wrong.mp4', bytes, { 'content-digest': 'sha-256=abc' })
    expect(codeOf(await post(Buffer.concat([malformed, END])))).toEqual([400, 'invalid_request'])
    expect([await ofName('wrong.mp4'), await uploadFiles()]).toEqual([[], []])
  })

  it('is checked by its own digest, which is that of the whole of it', async () => {
    const body = Buffer.concat([part('form.mp4', videoBytes(50_000)), END])
    const wrong = await post(body, { 'content-digest': digestOf(videoBytes(50_000)) })
    expect(codeOf(wrong)).toEqual([400, 'digest_mismatch'])
    expect([await ofName('form.mp4'), await uploadFiles()]).toEqual([[], []])
    expect(codeOf(await post(body, { 'content-digest': 'sha-256' }))).toEqual([400, 'invalid_request'])
    expect((await post(body, { 'content-digest': digestOf(body) })).status).toBe(201)
  })

  it('is refused by its length, before it is sent', async () => {
    const { status, code } = await announce('POST', VIDEOS, MAX_BYTES + 1_100_000)
    expect([status, code]).toEqual([413, 'body_too_large'])
  })
})

describe('a name that the device used', () => {
  it('is refused for a file of another length, before that is sent', async () => {
    expect((await put('used.mp4', videoBytes(5000))).status).toBe(201)
    expect(await announce('PUT', `${VIDEOS}/used.mp4`, 5001)).toEqual({ status: 409, code: 'file_exists' })
    expect(codeOf(await put('used.mp4', videoBytes(1_500_000)))).toEqual([409, 'file_exists'])
  })

  it('is only refused for a file of the same length once that is read', async () => {
    const bytes = videoBytes(5000)
    expect((await put('equal.mp4', bytes)).status).toBe(201)
    expect((await put('equal.mp4', bytes)).status).toBe(200)
    expect(codeOf(await put('equal.mp4', videoBytes(5000)))).toEqual([409, 'file_exists'])
  })
})

/** Sends the head of a request, and nothing after it. */
async function announce(method: string, url: string, length: number): Promise<{ status: number; code: string }> {
  const socket = connect(Number(new URL(running.url).port), '127.0.0.1')
  let answer = ''
  socket.on('data', (chunk) => {
    answer += chunk.toString()
  })
  const head = [
    `${method} ${url} HTTP/1.1`,
    'Host: x',
    `Authorization: Bearer ${token}`,
    'Content-Type: multipart/form-data; boundary=x',
    `Content-Length: ${length}`,
  ]
  socket.write(`${head.join('\r\n')}\r\n\r\n`)
  await once(socket, 'close')
  const [top, body] = answer.split('\r\n\r\n')
  return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(top ?? '')?.[1]), code: JSON.parse(body ?? '').code }
}

describe('what became of uploads', () => {
  const counted = async () => {
    const { text } = await running.api.get('/metrics')
    return (way: string, outcome: string) =>
      Number(new RegExp(`^milepost_uploads_total\\{way="${way}",outcome="${outcome}"\\} (\\d+)$`, 'm').exec(text)?.[1])
  }
  const patch = (url: string, body: Buffer) =>
    fetch(`${running.url}${url}`, {
      method: 'PATCH',
      headers: {
        authorization: `Bearer ${token}`,
        'tus-resumable': '1.0.0',
        'upload-offset': '0',
        'content-type': 'application/offset+octet-stream',
      },
      body,
    })

  it('is counted from nothing, for each way', async () => {
    const fresh = await startApp()
    const { text } = await fresh.api.get('/metrics').finally(() => fresh.close())
    const samples = text.split('\n').filter((line) => line.startsWith('milepost_uploads_'))
    expect(samples.sort()).toEqual(
      [
        ...['put', 'multipart', 'tus', 'direct'].map((way) => `milepost_uploads_open{way="${way}"} 0`),
        ...['put', 'multipart'].flatMap((way) =>
          ['stored', 'duplicate', 'cut', 'refused', 'failed'].map(
            (outcome) => `milepost_uploads_total{way="${way}",outcome="${outcome}"} 0`,
          ),
        ),
        // Its bytes do not come by way of a unit's connection, which might break.
        ...['stored', 'duplicate', 'refused', 'failed'].map(
          (outcome) => `milepost_uploads_total{way="direct",outcome="${outcome}"} 0`,
        ),
        ...['part', 'stored', 'cut', 'refused', 'failed'].map(
          (outcome) => `milepost_uploads_total{way="tus",outcome="${outcome}"} 0`,
        ),
      ].sort(),
    )
  })

  it('is counted once, also where nothing of it was read', async () => {
    const created = await fetch(`${running.url}${VIDEOS}/uploads`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        'tus-resumable': '1.0.0',
        'upload-length': '5000',
        'upload-metadata': `filename ${Buffer.from('counted.mp4').toString('base64')}`,
      },
    })
    const location = created.headers.get('location') ?? ''
    const before = await counted()
    await put('counted.txt', Buffer.from('text'.repeat(2000)))
    await put('large.mp4', Buffer.alloc(MAX_BYTES + 1))
    await post(Buffer.from('--x--\r\n'))
    const refused = [await patch(location, videoBytes(5001)), await patch(location, Buffer.alloc(5000, 'x'))]
    expect(refused.map(({ status }) => status)).toEqual([413, 415])
    const after = await counted()
    const difference = (way: string, outcome: string) => after(way, outcome) - before(way, outcome)
    expect([difference('put', 'refused'), difference('multipart', 'refused'), difference('tus', 'refused')]).toEqual([
      2, 1, 2,
    ])
    expect([difference('put', 'failed'), difference('multipart', 'failed'), difference('tus', 'failed')]).toEqual([
      0, 0, 0,
    ])
  })
})
