import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileKeyOf } from '../src/model/video-keys.js'
import { BlobStore } from '../src/storage/blobs/blob-store.js'
import { VideoRecords } from '../src/storage/sql/video-records.js'
import { UploadSweeper } from '../src/videos/upload-sweeper.js'
import { type Answer, testImei } from './support/api.js'
import { type RunningApp, startApp } from './support/app.js'
import { heldUploads } from './support/held-uploads.js'
import { describeEmbedded } from './support/on-embedded.js'
import { removeTemporaryDirectories, temporaryDirectory } from './support/temporary-directory.js'
import { digestOf, sha256Of, videoBytes, videoStream } from './support/video-bytes.js'

const VIDEOS = '/api/v1/videos'
const MAX_BYTES = 2_000_000

interface VideoItem extends Record<string, unknown> {
  readonly id: string
  readonly sha256: string
  readonly bytes: number
}

let running: RunningApp
let data: string
let token: string
const imei = testImei(1)

beforeAll(async () => {
  data = temporaryDirectory()
  running = await startApp({
    DATA_DIR: data,
    DEVICE_ENROLMENT: 'open',
    MEDIA_WORKERS: '0',
    VIDEO_MAX_BYTES: String(MAX_BYTES),
    UPLOADS_PER_DEVICE: '3',
  })
  token = await running.api.loginDevice(imei)
})
afterAll(async () => {
  await running.close()
  await removeTemporaryDirectories()
})

/** Sends a body and gives the answer, read while it is still being sent. */
async function send(
  method: string,
  url: string,
  body: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  headers: Record<string, string> = {},
  bearer = token,
): Promise<Answer> {
  const request = httpRequest(`${running.url}${url}`, {
    method,
    headers: { authorization: `Bearer ${bearer}`, ...headers },
  })
  const answered = once(request, 'response') as Promise<[IncomingMessage]>
  // Whoever is refused while it sends may see its connection end; the answer must be there all the same.
  request.on('error', () => undefined)
  pump(request, body).catch(() => undefined)
  const [response] = await answered
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  const text = Buffer.concat(chunks).toString()
  return {
    status: response.statusCode ?? 0,
    headers: new Headers(response.headers as Record<string, string>),
    body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>),
    text,
  }
}

async function pump(request: ClientRequest, body: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<void> {
  for await (const chunk of body) {
    if (request.destroyed) return
    if (!request.write(chunk)) await once(request, 'drain')
  }
  request.end()
}

const put = (name: string, bytes: Uint8Array, headers: Record<string, string> = {}) =>
  send('PUT', `${VIDEOS}/${name}`, [bytes], { 'content-length': String(bytes.length), ...headers })

const form = (parts: ReadonlyArray<[string, string | Blob, string?]>) => {
  const data = new FormData()
  for (const [name, value, fileName] of parts) {
    if (typeof value === 'string') data.append(name, value)
    else data.append(name, value, fileName)
  }
  return data
}

const post = async (data: FormData): Promise<Answer> => {
  const response = await fetch(`${running.url}${VIDEOS}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
    body: data,
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: JSON.parse(text), text }
}

const listed = () => running.api.all<VideoItem>(VIDEOS, running.admin)
const ofName = async (fileName: string) => (await listed()).filter((video) => video.fileName === fileName)
const uploadFiles = () => heldUploads(data)
const idleUploads = () => get(BlobStore).listIdleUploads(Date.now() + 60_000)
const get = <T>(type: abstract new (...parameters: never[]) => T): T => running.app.get(type, { strict: false })

describe('PUT /videos/{fileName}', () => {
  it('keeps the bytes as they are and answers with the video', async () => {
    const bytes = videoBytes(300_000)
    const recordedAt = '2026-11-22T08:30:00+01:00'
    const answer = await put('crash-1.mp4', bytes, { 'content-digest': digestOf(bytes), 'x-recorded-at': recordedAt })
    expect([answer.status, answer.headers.get('location')]).toEqual([201, `${VIDEOS}/${answer.body.id}`])
    expect(answer.body).toMatchObject({
      deviceId: imei,
      fileName: 'crash-1.mp4',
      bytes: 300_000,
      sha256: sha256Of(bytes),
      contentType: 'video/mp4',
      status: 'processing',
      recordedAt: '2026-11-22T07:30:00.000Z',
    })
    const content = await fetch(`${running.url}${VIDEOS}/${answer.body.id}/content`, {
      headers: { authorization: `Bearer ${running.admin}` },
    })
    expect(sha256Of(Buffer.from(await content.arrayBuffer()))).toBe(sha256Of(bytes))
  })

  it('answers the same bytes under the same name with the video that is there', async () => {
    const bytes = videoBytes(50_000)
    const first = await put('twice.mp4', bytes)
    const second = await put('twice.mp4', bytes)
    expect([first.status, second.status, second.body]).toEqual([201, 200, first.body])
    expect(second.headers.get('location')).toBeNull()
  })

  it.each(['lost', 'cut short'])('puts the same bytes in the place of a file that was %s', async (how) => {
    const bytes = videoBytes(50_000)
    const name = `${how.replace(' ', '-')}.mp4`
    const first = await put(name, bytes)
    const key = fileKeyOf({ deviceId: imei, fileName: name })
    if (how === 'lost') await get(BlobStore).remove(key)
    else await get(BlobStore).put(key, bytes.subarray(0, 20_000))
    const contentOf = async () => {
      const headers = { authorization: `Bearer ${running.admin}` }
      const response = await fetch(`${running.url}${VIDEOS}/${first.body.id}/content`, { headers })
      return [response.status, sha256Of(Buffer.from(await response.arrayBuffer()))]
    }
    if (how === 'lost') expect((await contentOf())[0]).toBe(404)

    const other = await put(name, videoBytes(49_999))
    expect([other.status, other.body.code]).toEqual([409, 'file_exists'])
    const again = await put(name, bytes)
    expect([again.status, again.body.id, again.body.status, again.body.failureReason]).toEqual([
      200,
      first.body.id,
      'processing',
      null,
    ])
    expect(await contentOf()).toEqual([200, sha256Of(bytes)])
    expect(await uploadFiles()).toEqual([])
  })

  it('puts them there by tus as well', async () => {
    const bytes = videoBytes(50_000)
    const first = await put('lost-tus.mp4', bytes)
    const key = fileKeyOf({ deviceId: imei, fileName: 'lost-tus.mp4' })
    await get(BlobStore).remove(key)
    const tus = { authorization: `Bearer ${token}`, 'tus-resumable': '1.0.0' }
    const metadata = `filename ${Buffer.from('lost-tus.mp4').toString('base64')}`
    const created = await fetch(`${running.url}${VIDEOS}/uploads`, {
      method: 'POST',
      headers: { ...tus, 'upload-length': '50000', 'upload-metadata': metadata },
    })
    const ended = await fetch(new URL(created.headers.get('location') ?? '', running.url), {
      method: 'PATCH',
      headers: { ...tus, 'content-type': 'application/offset+octet-stream', 'upload-offset': '0' },
      body: new Uint8Array(bytes),
    })
    expect([created.status, ended.status, ended.headers.get('video-id')]).toEqual([201, 204, first.body.id])
    expect(await get(BlobStore).stat(key)).toEqual({ bytes: 50_000 })
  })

  it('makes one video of the same file sent several times at once', async () => {
    const bytes = videoBytes(80_000)
    const answers = await Promise.all([1, 2, 3].map(() => put('at-once.mp4', bytes)))
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 201])
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1)
  })

  it('refuses other bytes under a name that is taken, and keeps the first', async () => {
    const bytes = videoBytes(50_000)
    await put('taken.mp4', bytes)
    const other = videoBytes(60_000)
    const answer = await put('taken.mp4', other)
    expect([answer.status, answer.body.code]).toEqual([409, 'file_exists'])
    const known = await put('taken.mp4', other, { 'content-digest': digestOf(other) })
    expect([known.status, known.body.code]).toEqual([409, 'file_exists'])
    expect((await ofName('taken.mp4')).map(({ sha256 }) => sha256)).toEqual([sha256Of(bytes)])
  })

  it('asks for another try while the file that had the name is being removed, and keeps nothing meanwhile', async () => {
    const { id } = (await put('removing.mp4', videoBytes(5000))).body
    await get(VideoRecords).hide(String(id))
    const refused = await put('removing.mp4', videoBytes(6000))
    expect([refused.status, refused.body.code, refused.headers.get('retry-after')]).toEqual([503, 'overloaded', '10'])
    expect(await uploadFiles()).toEqual([])
    await get(VideoRecords).remove(String(id))
    expect((await put('removing.mp4', videoBytes(6000))).status).toBe(201)
  })

  it('keeps nothing of bytes that are not those of the digest', async () => {
    const answer = await put('wrong.mp4', videoBytes(50_000), { 'content-digest': digestOf(videoBytes(50_000)) })
    expect([answer.status, answer.body.code]).toEqual([400, 'digest_mismatch'])
    expect(await ofName('wrong.mp4')).toEqual([])
    expect(await uploadFiles()).toEqual([])
  })

  it('looks for SHA-256 among several digests and refuses a malformed header', async () => {
    const bytes = videoBytes(50_000)
    const several = `sha-512=:AAAA:;q=1 , ${digestOf(bytes)}, unixsum=?1`
    expect((await put('digests.mp4', bytes, { 'content-digest': several })).status).toBe(201)
    for (const [n, header] of [
      'sha-256',
      'sha-256=abc',
      'sha-256=:AAAA:',
      `${digestOf(bytes)},`,
      'SHA-256=:AA==:',
    ].entries()) {
      const answer = await put(`malformed-${n}.mp4`, bytes, { 'content-digest': header })
      expect([header, answer.status, answer.body.code, (answer.body.errors as object[])[0]]).toEqual([
        header,
        400,
        'invalid_request',
        expect.objectContaining({ path: 'Content-Digest' }),
      ])
    }
    expect((await put('other-digest.mp4', bytes, { 'content-digest': 'sha-512=:AAAA:' })).status).toBe(201)
  })

  it('refuses what is recorded at no time', async () => {
    const answer = await put('when.mp4', videoBytes(1000), { 'x-recorded-at': '2026-11-22' })
    expect([answer.status, answer.body.code, answer.body.errors]).toEqual([
      400,
      'invalid_request',
      [expect.objectContaining({ path: 'X-Recorded-At', code: 'invalid_time' })],
    ])
  })

  it.each([
    'application/json',
    'application/x-www-form-urlencoded',
    'text/csv',
    'multipart/form-data; boundary=x',
    'nonsense',
  ])('takes a video whatever its client calls it: %s', async (type) => {
    const name = `${type.replace(/\W/g, '-')}.mp4`
    expect((await put(name, videoBytes(2000), { 'content-type': type })).status).toBe(201)
  })

  it('refuses a part of a file', async () => {
    const answer = await put('part.mp4', videoBytes(2000), { 'content-range': 'bytes 0-1999/4000' })
    expect([answer.status, answer.body.code]).toEqual([400, 'invalid_request'])
  })

  it('takes names in any script, in NFC, and comes back to them', async () => {
    const bytes = videoBytes(2000)
    for (const name of ['Unfall ä.mp4', '事故.mp4', 'a%b.mp4', 'uploads', 'direct', '...', 'ü'.repeat(100)]) {
      const answer = await put(encodeURIComponent(name.normalize('NFD')), bytes)
      expect([answer.status, answer.body.fileName]).toEqual([201, name])
    }
  })

  it('refuses names that are no plain name, before a byte is read', async () => {
    const refused: Record<string, string> = {
      '.': '%2E',
      '..': '%2E%2E',
      'a slash': 'a%2Fb.mp4',
      'a backslash': 'a%5Cb.mp4',
      'a fraction slash': encodeURIComponent('a\u2215b.mp4'.replace('\u2215', '\uFF0F')),
      'a control': 'a%00b.mp4',
      'a bidirectional': encodeURIComponent('a\u202Eb.mp4'),
      '201 bytes': 'x'.repeat(201),
      '9,000 bytes': 'x'.repeat(9000),
    }
    for (const [what, name] of Object.entries(refused)) {
      const answer = await rawPut(name)
      expect([what, answer.status, answer.code]).toEqual([what, 400, 'invalid_file_name'])
    }
    for (const name of ['%FF%FE.mp4', '%E0%A4%A', '%']) {
      const answer = await rawPut(name)
      expect([name, answer.status, answer.code]).toEqual([name, 400, 'invalid_request'])
    }
    const empty = await rawPut('')
    expect([empty.status, empty.code]).toEqual([400, 'invalid_file_name'])
  })

  /** Node's own client changes paths. */
  const rawPut = async (name: string): Promise<{ status: number; code: string }> => {
    const socket = connect(Number(new URL(running.url).port), '127.0.0.1')
    let answer = ''
    socket.on('data', (chunk) => {
      answer += chunk.toString()
    })
    socket.write(
      `PUT ${VIDEOS}/${name} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Length: 4\r\nConnection: close\r\n\r\nabcd`,
    )
    await once(socket, 'close')
    const [head, body] = answer.split('\r\n\r\n')
    return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(head ?? '')?.[1]), code: JSON.parse(body ?? '').code }
  }
})

describe('what is no video', () => {
  it.each([
    ['a text', Buffer.from('hello '.repeat(1000))],
    ['nothing', Buffer.alloc(0)],
    ['a PNG', Buffer.concat([Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'), Buffer.alloc(2000)])],
    ['a WAV', Buffer.concat([Buffer.from('RIFF\0\0\0\0WAVEfmt ', 'latin1'), Buffer.alloc(2000)])],
    ['a HEIC picture', Buffer.concat([Buffer.from('\0\0\0\x18ftypheic', 'latin1'), Buffer.alloc(2000)])],
    ['a text with two G', Buffer.from(`G${'o'.repeat(187)}G${'o'.repeat(2000)}`)],
    ['half a head', videoBytes(7)],
  ])('is refused: %s', async (_, bytes) => {
    const answer = await put('none.mp4', bytes)
    expect([answer.status, answer.body.code]).toEqual([415, 'unsupported_media'])
    expect(await uploadFiles()).toEqual([])
    expect(await ofName('none.mp4')).toEqual([])
  })

  it('is refused by its first bytes, while the rest is still being sent', async () => {
    let sent = 0
    async function* endless(): AsyncGenerator<Buffer> {
      for (; sent < 1_000; sent++) {
        yield Buffer.alloc(1500, 'text')
        await sleep(10)
      }
    }
    const answer = await send('PUT', `${VIDEOS}/none.mp4`, endless())
    expect([answer.status, answer.body.code]).toEqual([415, 'unsupported_media'])
    expect(sent).toBeLessThan(1000)
    expect(await uploadFiles()).toEqual([])
  })

  const tsPacket = (size: number, before: number) =>
    Buffer.concat([Buffer.alloc(before), Buffer.of(0x47, 0x40, 0, 0x10), Buffer.alloc(size - before - 4)])
  it.each([
    ['video/mp4', videoBytes(500)],
    ['video/mp4', Buffer.concat([Buffer.from('\0\0\0\x18ftypM4V ', 'latin1'), Buffer.alloc(500)])],
    ['video/quicktime', Buffer.concat([Buffer.from('\0\0\0\x14ftypqt  ', 'latin1'), Buffer.alloc(500)])],
    ['video/3gpp', Buffer.concat([Buffer.from('\0\0\0\x14ftyp3gp5', 'latin1'), Buffer.alloc(500)])],
    ['video/x-msvideo', Buffer.concat([Buffer.from('RIFF\0\0\0\0AVI LIST', 'latin1'), Buffer.alloc(500)])],
    ['video/mp2t', Buffer.concat(Array.from({ length: 9 }, () => tsPacket(188, 0)))],
    ['video/mp2t', Buffer.concat(Array.from({ length: 9 }, () => tsPacket(192, 4)))],
    ['video/mpeg', Buffer.concat([Buffer.from('000001ba44000400', 'hex'), Buffer.alloc(500)])],
    ['image/jpeg', Buffer.concat([Buffer.from('ffd8ffe000104a464946', 'hex'), Buffer.alloc(500)])],
  ])('is not %s', async (contentType, bytes) => {
    const answer = await put(`kind-${sha256Of(bytes).slice(0, 8)}.txt`, bytes, { 'content-type': 'text/plain' })
    expect([answer.status, answer.body.contentType]).toEqual([201, contentType])
  })
})

describe('a file that is too large', () => {
  it('is refused by its length, before it is sent', async () => {
    const socket = connect(Number(new URL(running.url).port), '127.0.0.1')
    socket.write(
      `PUT ${VIDEOS}/large.mp4 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Length: ${MAX_BYTES + 1}\r\n\r\n`,
    )
    let answer = ''
    socket.on('data', (chunk) => {
      answer += chunk.toString()
    })
    // It sends a little, and goes on only if nothing is said against it.
    socket.write(videoBytes(1000))
    await once(socket, 'close')
    expect(answer).toMatch(/^HTTP\/1\.1 413 /)
    expect(answer).toContain('"code":"body_too_large"')
  })

  it('is refused on the way when it does not say its length', async () => {
    expect((await send('PUT', `${VIDEOS}/exact.mp4`, videoStream(MAX_BYTES))).status).toBe(201)
    const answer = await send('PUT', `${VIDEOS}/large.mp4`, videoStream(MAX_BYTES + 1))
    expect([answer.status, answer.body.code]).toEqual([413, 'body_too_large'])
    expect(await uploadFiles()).toEqual([])
  })

  it.each([4, 64])('gets its answer although it sends %i MiB more', async (mebibytes) => {
    const bytes = MAX_BYTES + mebibytes * 1_048_576
    const withLength = await send('PUT', `${VIDEOS}/large.mp4`, videoStream(bytes), { 'content-length': String(bytes) })
    expect([withLength.status, withLength.body.code]).toEqual([413, 'body_too_large'])
    const without = await send('PUT', `${VIDEOS}/large.mp4`, videoStream(bytes))
    expect([without.status, without.body.code]).toEqual([413, 'body_too_large'])
  })
})

describe('an upload that breaks off', () => {
  it('leaves nothing', async () => {
    const request = httpRequest(`${running.url}${VIDEOS}/cut.mp4`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${token}`, 'content-length': '1000000' },
    })
    request.on('error', () => undefined)
    request.write(videoBytes(500_000))
    await until(async () => (await uploadFiles()).length === 1)
    request.destroy()
    await until(async () => (await uploadFiles()).length === 0)
    expect(await ofName('cut.mp4')).toEqual([])
    expect((await put('cut.mp4', videoBytes(1000))).status).toBe(201)
  })

  it('counts against the unit while it lasts, not longer', async () => {
    const open = ['one', 'two', 'three'].map((name) => {
      const request = httpRequest(`${running.url}${VIDEOS}/${name}.mp4`, {
        method: 'PUT',
        headers: { authorization: `Bearer ${token}` },
      })
      request.on('error', () => undefined)
      request.write(videoBytes(10_000))
      return request
    })
    await until(async () => (await uploadFiles()).length === 3)
    const refused = await put('four.mp4', videoBytes(1000))
    expect([refused.status, refused.body.code, refused.headers.get('retry-after')]).toEqual([
      429,
      'too_many_requests',
      '5',
    ])
    expect((await running.api.get('/metrics')).text).toContain('milepost_uploads_open{way="put"} 3\n')
    for (const request of open) request.destroy()
    const isOver = async () => (await running.api.get('/metrics')).text.includes('milepost_uploads_open{way="put"} 0\n')
    for (const endMs = performance.now() + 10_000; !(await isOver()) && performance.now() < endMs; ) await sleep(10)
    expect(await uploadFiles()).toEqual([])
    expect((await put('four.mp4', videoBytes(1000))).status).toBe(201)
  })
})

describe('POST /videos', () => {
  it('takes the file of a form, with its time', async () => {
    const bytes = videoBytes(300_000)
    const answer = await post(
      form([
        ['recordedAt', '1795332600000'],
        ['note', 'x'],
        ['file', new Blob([bytes]), 'Formular ä.mp4'],
      ]),
    )
    expect([answer.status, answer.headers.get('location')]).toEqual([201, `${VIDEOS}/${answer.body.id}`])
    expect(answer.body).toMatchObject({
      fileName: 'Formular ä.mp4'.normalize('NFC'),
      bytes: 300_000,
      sha256: sha256Of(bytes),
      recordedAt: '2026-11-22T07:30:00.000Z',
    })
    expect((await post(form([['file', new Blob([bytes]), 'Formular ä.mp4']]))).status).toBe(200)
    const other = await post(form([['file', new Blob([videoBytes(5000)]), 'Formular ä.mp4']]))
    expect([other.status, other.body.code]).toEqual([409, 'file_exists'])
  })

  const file = () => new Blob([videoBytes(100_000)])
  it.each<[string, () => FormData, number, string]>([
    ['another field', () => form([['clip', file(), 'a.mp4']]), 400, 'invalid_request'],
    ['no file', () => form([['recordedAt', '1795332600000']]), 400, 'invalid_request'],
    ['nothing', () => form([]), 400, 'invalid_request'],
    [
      'two files',
      () =>
        form([
          ['file', file(), 'a.mp4'],
          ['file', file(), 'b.mp4'],
        ]),
      400,
      'invalid_request',
    ],
    [
      'a second file elsewhere',
      () =>
        form([
          ['file', file(), 'a.mp4'],
          ['more', file(), 'b.mp4'],
        ]),
      400,
      'invalid_request',
    ],
    ['a text for a file', () => form([['file', 'a.mp4']]), 400, 'invalid_request'],
    [
      'no time after the file',
      () =>
        form([
          ['file', file(), 'a.mp4'],
          ['recordedAt', 'soon'],
        ]),
      400,
      'invalid_request',
    ],
    [
      'no time',
      () =>
        form([
          ['recordedAt', 'soon'],
          ['file', file(), 'a.mp4'],
        ]),
      400,
      'invalid_request',
    ],
    ['a path', () => form([['file', file(), 'a/b.mp4']]), 400, 'invalid_file_name'],
    ['a name of dots', () => form([['file', file(), '..']]), 400, 'invalid_file_name'],
    ['no video', () => form([['file', new Blob(['text'.repeat(100_000)]), 'a.mp4']]), 415, 'unsupported_media'],
    ['too many bytes', () => form([['file', new Blob([videoBytes(MAX_BYTES + 1)]), 'a.mp4']]), 413, 'body_too_large'],
  ])('refuses %s, and keeps nothing', async (_, data, status, code) => {
    const answer = await post(data())
    expect([answer.status, answer.body.code]).toEqual([status, code])
    expect(await ofName('a.mp4')).toEqual([])
    expect(await uploadFiles()).toEqual([])
  })

  it('knows a name by filename* as well', async () => {
    const bytes = videoBytes(5000)
    const head = `--x\r\ncontent-disposition: form-data; name="file"; filename*=utf-8''%e6%98%a0%e5%83%8f.mp4\r\n\r\n`
    const body = Buffer.concat([Buffer.from(head), bytes, Buffer.from('\r\n--x--\r\n')])
    const answer = await send('POST', VIDEOS, [body], { 'content-type': 'multipart/form-data; boundary=x' })
    expect([answer.status, answer.body.fileName, answer.body.sha256]).toEqual([201, '映像.mp4', sha256Of(bytes)])
  })

  it('refuses what is no form, and one that does not come to its end', async () => {
    for (const type of ['application/json', 'multipart/form-data', 'video/mp4']) {
      const answer = await send('POST', VIDEOS, [videoBytes(1000)], { 'content-type': type })
      expect([type, answer.status, answer.body.code]).toEqual([type, 415, 'unsupported_media_type'])
    }
    const head = Buffer.from('--x\r\ncontent-disposition: form-data; name="file"; filename="open.mp4"\r\n\r\n')
    const open = await send('POST', VIDEOS, [head, videoBytes(5000)], {
      'content-type': 'multipart/form-data; boundary=x',
    })
    expect([open.status, open.body.code]).toEqual([400, 'invalid_request'])
    expect(await ofName('open.mp4')).toEqual([])
    expect(await uploadFiles()).toEqual([])
  })

  it('leaves nothing of a form that breaks off', async () => {
    const request = httpRequest(`${running.url}${VIDEOS}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'multipart/form-data; boundary=x' },
    })
    request.on('error', () => undefined)
    request.write('--x\r\ncontent-disposition: form-data; name="file"; filename="cut.mp4"\r\n\r\n')
    request.write(videoBytes(200_000))
    await until(async () => (await uploadFiles()).length === 1)
    request.destroy()
    await until(async () => (await uploadFiles()).length === 0)
    expect(await uploadFiles()).toEqual([])
  })
})

describe('who may upload', () => {
  it('is told so while it sends, and nothing is kept', async () => {
    const stream = () => videoStream(1_500_000)
    for (const [bearer, code] of [
      ['', 'token_missing'],
      [running.admin, 'token_invalid'],
    ] as const) {
      const answer = await send('PUT', `${VIDEOS}/mine.mp4`, stream(), {}, bearer)
      expect([answer.status, answer.body.code]).toEqual([401, code])
    }
    expect(await ofName('mine.mp4')).toEqual([])
  })

  it('has a space of its own for names', async () => {
    const other = await running.api.loginDevice(testImei(2))
    const [mine, theirs] = [videoBytes(3000), videoBytes(4000)]
    expect((await put('shared.mp4', mine)).status).toBe(201)
    expect((await send('PUT', `${VIDEOS}/shared.mp4`, [theirs], {}, other)).status).toBe(201)
    expect((await ofName('shared.mp4')).map(({ sha256 }) => sha256).sort()).toEqual([mine, theirs].map(sha256Of).sort())
  })
})

describeEmbedded('an S3 store takes them, which test/direct-upload.e2e-spec.ts shows', 'direct uploads', () => {
  const direct = (body: unknown) => running.api.post(`${VIDEOS}/direct`, body, token)
  const valid = { fileName: 'a.mp4', bytes: 1000, sha256: 'ab'.repeat(32) }

  it('are for other stores', async () => {
    const answer = await direct(valid)
    expect([answer.status, answer.body.code]).toEqual([409, 'direct_upload_unavailable'])
    const complete = await running.api.post(`${VIDEOS}/8f0c1f3e/complete`, {}, token)
    expect([complete.status, complete.body.code]).toEqual([409, 'direct_upload_unavailable'])
  })

  it('are asked for in the right form', async () => {
    for (const [changes, code] of [
      [{ fileName: '..' }, 'invalid_file_name'],
      [{ bytes: 0 }, 'invalid_request'],
      [{ sha256: 'ab' }, 'invalid_request'],
    ] as const) {
      const answer = await direct({ ...valid, ...changes })
      expect([changes, answer.status, answer.body.code]).toEqual([changes, 400, code])
    }
    // In which parts a file would go is asked where there is somewhere to send them.
    const large = await direct({ ...valid, bytes: 70_000_000 })
    expect([large.status, large.body.code]).toEqual([409, 'direct_upload_unavailable'])
  })
})

/** Beyond the whole seconds in which some stores keep their times. */
const inAMinuteMs = () => Date.now() + 60_000

describe('what a crash left', () => {
  const begun = async (fileName: string, bytes: Buffer) => {
    const blobUploadId = await get(BlobStore).beginUpload(`${imei}/${fileName}`)
    await get(BlobStore).append(
      blobUploadId,
      0,
      (async function* () {
        yield bytes
      })(),
    )
    const reservation = {
      id: `left-${fileName}`,
      deviceId: imei,
      fileName,
      bytes: bytes.length,
      sha256: sha256Of(bytes),
      contentType: 'video/mp4' as const,
      recordedAtMs: null,
      blobUploadId,
      reservedAtMs: Date.now(),
    }
    expect(await get(VideoRecords).reserve(reservation)).toBeUndefined()
    return reservation
  }

  it('between the name and the object is shown when the file comes again', async () => {
    const bytes = videoBytes(5000)
    const { id } = await begun('left-1.mp4', bytes)
    expect(await ofName('left-1.mp4')).toEqual([])
    const answer = await put('left-1.mp4', bytes)
    expect([answer.status, answer.body.id]).toEqual([200, id])
    expect(await uploadFiles()).toEqual([])
  })

  it('between the object and the video is shown by the sweeper', async () => {
    const bytes = videoBytes(5000)
    const { id, blobUploadId } = await begun('left-2.mp4', bytes)
    await get(BlobStore).complete(blobUploadId, `${imei}/left-2.mp4`)
    await get(UploadSweeper).sweep({ reservedBeforeMs: Date.now() + 1000, idleSinceMs: 0 })
    expect((await ofName('left-2.mp4')).map((video) => [video.id, video.sha256])).toEqual([[id, sha256Of(bytes)]])
  })

  it('without its bytes gives the name free', async () => {
    const { blobUploadId } = await begun('left-3.mp4', videoBytes(5000))
    await get(BlobStore).abort(blobUploadId)
    expect((await put('left-3.mp4', videoBytes(6000))).status).toBe(201)
  })

  it('is not taken for another file that an older video of the name left behind', async () => {
    const { blobUploadId } = await begun('left-4.mp4', videoBytes(5000))
    await get(BlobStore).put(`${imei}/left-4.mp4`, videoBytes(77))
    await get(BlobStore).abort(blobUploadId)
    const bytes = videoBytes(6000)
    expect((await put('left-4.mp4', bytes)).body.sha256).toBe(sha256Of(bytes))
  })

  it('with its name still taken keeps its bytes, however idle, until it is mended', async () => {
    const { id, blobUploadId } = await begun('left-5.mp4', videoBytes(5000))
    await get(UploadSweeper).sweep({ reservedBeforeMs: 0, idleSinceMs: inAMinuteMs() })
    expect([await idleUploads(), await ofName('left-5.mp4')]).toEqual([[blobUploadId], []])
    await get(UploadSweeper).sweep({ reservedBeforeMs: Date.now() + 1000, idleSinceMs: 0 })
    expect((await ofName('left-5.mp4')).map((video) => video.id)).toEqual([id])
  })

  it('in the blob store alone is dropped when nothing came for it any more', async () => {
    const blobUploadId = await get(BlobStore).beginUpload('truck/clip')
    await get(UploadSweeper).sweep({ reservedBeforeMs: 0, idleSinceMs: Date.now() - 60_000 })
    expect(await idleUploads()).toEqual([blobUploadId])
    await get(UploadSweeper).sweep({ reservedBeforeMs: 0, idleSinceMs: inAMinuteMs() })
    expect(await uploadFiles()).toEqual([])
  })

  it('in the blob store is dropped although one of it cannot be', async () => {
    const blobs = get(BlobStore)
    const ids = [await blobs.beginUpload('truck/1'), await blobs.beginUpload('truck/2')]
    const abort = blobs.abort.bind(blobs)
    const failing = jest
      .spyOn(blobs, 'abort')
      .mockRejectedValueOnce(new Error('the store says no'))
      .mockImplementation(abort)
    await get(UploadSweeper).sweep({ reservedBeforeMs: 0, idleSinceMs: inAMinuteMs() })
    failing.mockRestore()
    const [left, ...others] = await idleUploads()
    expect([ids.includes(left ?? ''), others]).toEqual([true, []])
    await get(UploadSweeper).sweep({ reservedBeforeMs: 0, idleSinceMs: inAMinuteMs() })
    expect(await idleUploads()).toEqual([])
  })
})

describe('an object that the store made of a part of the bytes', () => {
  const sent = (way: string, bytes: Buffer) =>
    way === 'put' ? put('short.mp4', bytes) : post(form([['file', new Blob([new Uint8Array(bytes)]), 'short.mp4']]))
  afterEach(async () => {
    for (const { id } of await ofName('short.mp4'))
      await running.api.request('DELETE', `${VIDEOS}/${id}`, { token: running.admin })
  })

  it.each(['put', 'form'])(
    'is no video, its name is free, and its unit is asked to send it again (%s)',
    async (way) => {
      const bytes = videoBytes(5000)
      const blobs = get(BlobStore)
      const completing = jest.spyOn(blobs, 'complete').mockImplementationOnce(async (id, key) => {
        await blobs.abort(id)
        await blobs.put(key, bytes.subarray(0, 4000))
      })
      const answer = await sent(way, bytes)
      completing.mockRestore()

      expect([answer.status, answer.body.code, answer.headers.get('retry-after')]).toEqual([
        503,
        'store_unavailable',
        '5',
      ])
      expect(await ofName('short.mp4')).toEqual([])
      expect(await blobs.stat(`${imei}/short.mp4`)).toBeUndefined()
      expect((await sent(way, bytes)).status).toBe(201)
    },
  )

  it.each(['put', 'form'])(
    'does not take the place of a lost file, and its unit is asked to send it again (%s)',
    async (way) => {
      const bytes = videoBytes(5000)
      const blobs = get(BlobStore)
      const first = await sent(way, bytes)
      await blobs.remove(`${imei}/short.mp4`)
      const completing = jest.spyOn(blobs, 'complete').mockImplementationOnce((id) => {
        return blobs.abort(id).then(() => {
          throw new RangeError('there is no such upload')
        })
      })
      const answer = await sent(way, bytes)
      completing.mockRestore()

      expect([answer.status, answer.body.code, answer.headers.get('retry-after')]).toEqual([
        503,
        'store_unavailable',
        '5',
      ])
      const again = await sent(way, bytes)
      expect([again.status, again.body.id, await blobs.stat(`${imei}/short.mp4`)]).toEqual([
        200,
        first.body.id,
        { bytes: 5000 },
      ])
    },
  )
})

describe('a server that stops', () => {
  it.each(['put', 'multipart'])(
    'refuses uploads (%s) within its grace, tells when to come again and keeps nothing of them',
    async (way) => {
      const directory = temporaryDirectory()
      mkdirSync(directory, { recursive: true })
      const stopping = await startApp({ DATA_DIR: directory, DEVICE_ENROLMENT: 'open', MEDIA_WORKERS: '0' })
      const own = await stopping.api.loginDevice(imei)
      const isForm = way === 'multipart'
      const request = httpRequest(`${stopping.url}${VIDEOS}${isForm ? '' : '/stop.mp4'}`, {
        method: isForm ? 'POST' : 'PUT',
        headers: {
          authorization: `Bearer ${own}`,
          ...(isForm ? { 'content-type': 'multipart/form-data; boundary=x' } : {}),
        },
      })
      request.on('error', () => undefined)
      const answered = once(request, 'response') as Promise<[IncomingMessage]>
      if (isForm) request.write('--x\r\ncontent-disposition: form-data; name="file"; filename="stop.mp4"\r\n\r\n')
      request.write(videoBytes(100_000))
      await until(async () => (await heldUploads(directory)).length === 1)
      const startedMs = performance.now()
      await stopping.close()
      expect(performance.now() - startedMs).toBeLessThan(8000)
      const [{ statusCode, headers }] = await answered
      expect([statusCode, headers.connection, headers['retry-after'], headers['content-type']]).toEqual([
        503,
        'close',
        '5',
        'application/problem+json; charset=utf-8',
      ])
      expect(await heldUploads(directory)).toEqual([])
    },
  )

  it('does not wait for a store that works on a file by itself, and shows its video at the next start', async () => {
    const directory = temporaryDirectory()
    mkdirSync(directory, { recursive: true })
    const environment = { DATA_DIR: directory, DEVICE_ENROLMENT: 'open', MEDIA_WORKERS: '0' }
    const stopping = await startApp(environment)
    const bearer = await stopping.api.loginDevice(imei)
    const blobs = stopping.app.get(BlobStore, { strict: false })
    const copying = jest.spyOn(blobs, 'complete').mockImplementation(() => new Promise(() => undefined))
    const request = httpRequest(`${stopping.url}${VIDEOS}/slow.mp4`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${bearer}` },
    })
    request.on('error', () => undefined)
    request.end(videoBytes(100_000))
    await until(async () => copying.mock.calls.length === 1)
    const startedMs = performance.now()
    await stopping.close()
    expect(performance.now() - startedMs).toBeLessThan(8000)

    const next = await startApp(environment)
    const { body } = await next.api.get<{ items: VideoItem[] }>(VIDEOS, next.admin)
    expect(body.items.map(({ fileName }) => fileName)).toEqual(['slow.mp4'])
    await next.close()
  })
})

async function until(isTrue: () => Promise<boolean>): Promise<void> {
  for (const endMs = performance.now() + 10_000; !(await isTrue()); await sleep(10)) {
    if (performance.now() > endMs) throw new Error('it does not come about')
  }
}
