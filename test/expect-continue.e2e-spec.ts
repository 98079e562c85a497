import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { testImei } from './support/api.js'
import { type RunningApp, startApp } from './support/app.js'
import { removeTemporaryDirectories } from './support/temporary-directory.js'
import { sha256Of, videoBytes } from './support/video-bytes.js'

const VIDEOS = '/api/v1/videos'
const MAX_BYTES = 2_000_000
const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n'
const TUS = { 'tus-resumable': '1.0.0', 'content-type': 'application/offset+octet-stream' }

let running: RunningApp
let token: string
let sockets: Socket[] = []

beforeAll(async () => {
  running = await startApp({
    DEVICE_ENROLMENT: 'open',
    MEDIA_WORKERS: '0',
    VIDEO_MAX_BYTES: String(MAX_BYTES),
    UPLOADS_PER_DEVICE: '1',
  })
  token = await running.api.loginDevice(testImei(1))
})
afterEach(() => {
  for (const socket of sockets) socket.destroy()
  sockets = []
})
afterAll(async () => {
  await running.close()
  await removeTemporaryDirectories()
})

/** Sends the head of a request with a body, and gives what comes back. */
class Request {
  text = ''
  readonly socket = connect(Number(new URL(running.url).port), '127.0.0.1')
  readonly closed = once(this.socket, 'close')

  constructor(method: string, url: string, headers: Record<string, string>) {
    sockets.push(this.socket)
    this.socket.on('data', (chunk) => {
      this.text += chunk.toString()
    })
    const all = { host: 'x', authorization: `Bearer ${token}`, expect: '100-continue', ...headers }
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
    this.socket.write(`${method} ${url} HTTP/1.1\r\n${lines.join('')}\r\n`)
  }

  async until(pattern: RegExp): Promise<void> {
    for (const endMs = performance.now() + 10_000; !pattern.test(this.text); await sleep(5)) {
      if (performance.now() > endMs) throw new Error(`it does not come: ${this.text}`)
    }
  }
}

const head = (length: number, more: Record<string, string> = {}) => ({ 'content-length': String(length), ...more })

describe('Expect: 100-continue', () => {
  it('is answered when the body is wanted, and the body is taken', async () => {
    const bytes = videoBytes(200_000)
    const request = new Request('PUT', `${VIDEOS}/wanted.mp4`, head(bytes.length))
    await request.until(/\r\n\r\n$/)
    expect(request.text).toBe(CONTINUE)
    request.socket.write(bytes)
    await request.until(/"sha256":/)
    expect(request.text.slice(CONTINUE.length)).toMatch(/^HTTP\/1\.1 201 /)
    expect(request.text).toContain(sha256Of(bytes))
    request.socket.write('GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n')
    await request.until(/HTTP\/1\.1 200 OK/)
  })

  it('is answered for bodies that are read whole, forms and tus too', async () => {
    const alarm = '{"type":"SOS","time":"2026-11-22T07:29:50Z"}'
    const json = new Request('POST', '/api/v1/alarms', head(alarm.length, { 'content-type': 'application/json' }))
    await json.until(/\r\n\r\n$/)
    expect(json.text).toBe(CONTINUE)
    json.socket.write(alarm)
    await json.until(/"type":/)
    expect(json.text.slice(CONTINUE.length)).toMatch(/^HTTP\/1\.1 201 /)

    const form = Buffer.concat([
      Buffer.from('--x\r\ncontent-disposition: form-data; name="file"; filename="form.mp4"\r\n\r\n'),
      videoBytes(5000),
      Buffer.from('\r\n--x--\r\n'),
    ])
    const post = new Request('POST', VIDEOS, head(form.length, { 'content-type': 'multipart/form-data; boundary=x' }))
    await post.until(/\r\n\r\n$/)
    expect(post.text).toBe(CONTINUE)
    post.socket.write(form)
    await post.until(/"sha256":/)

    const patch = new Request('PATCH', await begin('tus.mp4', 5000), head(5000, { ...TUS, 'upload-offset': '0' }))
    await patch.until(/\r\n\r\n$/)
    expect(patch.text).toBe(CONTINUE)
    patch.socket.write(videoBytes(5000))
    await patch.until(/video-id: /)
  })

  it('needs no answer of who sends without waiting for it', async () => {
    const bytes = videoBytes(5000)
    const request = new Request('PUT', `${VIDEOS}/at-once.mp4`, head(bytes.length))
    request.socket.write(bytes)
    await request.until(/"sha256":/)
    expect(request.text.replace(CONTINUE, '')).toMatch(/^HTTP\/1\.1 201 /)
  })

  it('is not answered where no body is needed for a refusal, which ends the connection', async () => {
    await (
      await fetch(`${running.url}${VIDEOS}/there.mp4`, {
        method: 'PUT',
        headers: { authorization: `Bearer ${token}` },
        body: videoBytes(5000),
      })
    ).text()
    const location = await begin('known.mp4', 5000)
    const form = { 'content-type': 'multipart/form-data; boundary=x' }
    const json = { 'content-type': 'application/json' }
    const cases: Array<[string, string, Record<string, string>, number, string]> = [
      ['PUT', `${VIDEOS}/a.mp4`, head(5000, { authorization: 'Bearer x' }), 401, 'token_invalid'],
      ['PUT', `${VIDEOS}/a.mp4`, head(MAX_BYTES + 1), 413, 'body_too_large'],
      ['PUT', `${VIDEOS}/a%2Fb.mp4`, head(5000), 400, 'invalid_file_name'],
      ['PUT', `${VIDEOS}/a.mp4`, head(5000, { 'x-recorded-at': 'soon' }), 400, 'invalid_request'],
      ['PUT', `${VIDEOS}/there.mp4`, head(6000), 409, 'file_exists'],
      ['POST', VIDEOS, head(5000, { ...form, authorization: 'Bearer x' }), 401, 'token_invalid'],
      ['POST', VIDEOS, head(5000, { 'content-type': 'video/mp4' }), 415, 'unsupported_media_type'],
      ['POST', VIDEOS, head(MAX_BYTES * 2, form), 413, 'body_too_large'],
      ['PATCH', location, head(5001, { ...TUS, 'upload-offset': '0' }), 413, 'body_too_large'],
      ['PATCH', location, head(5000, { ...TUS, 'upload-offset': '7' }), 409, 'offset_conflict'],
      ['PATCH', `${location}0`, head(5000, { ...TUS, 'upload-offset': '0' }), 404, 'not_found'],
      ['POST', '/api/v1/alarms', head(1_048_577, json), 413, 'body_too_large'],
      ['POST', '/api/v1/alarms', head(5, { 'content-type': 'text/css' }), 415, 'unsupported_media_type'],
      ['POST', '/api/v1/nothing', head(5, json), 404, 'not_found'],
      ['PUT', '/api/v1/alarms', head(5, json), 405, 'method_not_allowed'],
    ]
    for (const [method, url, headers, status, code] of cases) {
      const request = new Request(method, url, headers)
      await request.until(/"code":"\w+".*\}$/)
      const line = /^HTTP\/1\.1 (\d+)/.exec(request.text)?.[1]
      const found = /"code":"(\w+)"/.exec(request.text)?.[1]
      expect([method, url, Number(line), found]).toEqual([method, url, status, code])
      expect(request.text).toMatch(/\r\nconnection: close\r\n/i)
      request.socket.end()
      await request.closed
    }
  })

  it('is not answered while the device has too many uploads under way', async () => {
    const first = new Request('PUT', `${VIDEOS}/first.mp4`, head(5000))
    await first.until(/\r\n\r\n$/)
    expect(first.text).toBe(CONTINUE)
    for (const [method, url, headers] of [
      ['PUT', `${VIDEOS}/second.mp4`, head(5000)],
      ['POST', VIDEOS, head(5000, { 'content-type': 'multipart/form-data; boundary=x' })],
    ] as const) {
      const second = new Request(method, url, headers)
      await second.until(/"code":"too_many_requests"/)
      expect(second.text).toMatch(/^HTTP\/1\.1 429 /)
    }
  })
})

async function begin(fileName: string, length: number): Promise<string> {
  const answer = await fetch(`${running.url}${VIDEOS}/uploads`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'tus-resumable': '1.0.0',
      'upload-length': String(length),
      'upload-metadata': `filename ${Buffer.from(fileName).toString('base64')}`,
    },
  })
  return answer.headers.get('location') ?? ''
}
