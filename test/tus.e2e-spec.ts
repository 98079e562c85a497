import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { Upload } from 'tus-js-client'
import { BlobStore } from '../src/storage/blobs/blob-store.js'
import { UploadRecords } from '../src/storage/sql/upload-records.js'
import { ResumableUploads } from '../src/videos/resumable-uploads.js'
import { UploadSweeper } from '../src/videos/upload-sweeper.js'
import { testImei } from './support/api.js'
import { type RunningApp, startApp } from './support/app.js'
import { heldUploads } from './support/held-uploads.js'
import { removeTemporaryDirectories, temporaryDirectory } from './support/temporary-directory.js'
import { sha256Of, videoBytes } from './support/video-bytes.js'

const UPLOADS = '/api/v1/videos/uploads'
const MAX_BYTES = 9_000_000
const BYTES = 'application/offset+octet-stream'
const HOUR_MS = 3_600_000

interface TusAnswer {
  readonly status: number
  readonly headers: Headers
  readonly code: unknown
  readonly location: string
}

let running: RunningApp
let data: string
let token: string
let imeis = 1

beforeAll(async () => {
  data = temporaryDirectory()
  running = await startApp({
    DATA_DIR: data,
    DEVICE_ENROLMENT: 'open',
    MEDIA_WORKERS: '0',
    VIDEO_MAX_BYTES: String(MAX_BYTES),
    UPLOADS_PER_DEVICE: '3',
  })
})
beforeEach(async () => {
  token = await running.api.loginDevice(testImei(imeis++))
})
afterAll(async () => {
  await running.close()
  await removeTemporaryDirectories()
})

const tus = async (
  method: string,
  url: string,
  headers: Record<string, string> = {},
  body?: Buffer,
  bearer = token,
): Promise<TusAnswer> => {
  const answer = await fetch(`${running.url}${url}`, {
    method,
    headers: { authorization: `Bearer ${bearer}`, 'tus-resumable': '1.0.0', ...headers },
    body,
  })
  const text = await answer.text()
  const { code } = text === '' ? { code: undefined } : (JSON.parse(text) as { code: unknown })
  return { status: answer.status, headers: answer.headers, code, location: answer.headers.get('location') ?? '' }
}
const metadata = (fields: Record<string, string>) =>
  Object.entries(fields)
    .map(([key, value]) => `${key} ${Buffer.from(value).toString('base64')}`)
    .join(',')
const create = (length: number, filename = 'clip.mp4', more: Record<string, string> = {}, body?: Buffer) =>
  tus(
    'POST',
    UPLOADS,
    {
      'upload-length': String(length),
      'upload-metadata': metadata({ filename }),
      ...more,
      ...(body ? { 'content-type': BYTES } : {}),
    },
    body,
  )
const patch = (url: string, offset: number, body: Buffer, more: Record<string, string> = {}) =>
  tus('PATCH', url, { 'upload-offset': String(offset), 'content-type': BYTES, ...more }, body)
/** A PATCH from the beginning whose bytes the test writes itself. */
const openPatch = (location: string, more: Record<string, string> = {}) =>
  httpRequest(`${running.url}${location}`, {
    method: 'PATCH',
    headers: {
      authorization: `Bearer ${token}`,
      'tus-resumable': '1.0.0',
      'upload-offset': '0',
      'content-type': BYTES,
      ...more,
    },
  })
const head = (url: string, bearer = token) => tus('HEAD', url, {}, undefined, bearer)
const offsetOf = ({ headers }: TusAnswer) => Number(headers.get('upload-offset'))
const videoIdOf = ({ headers }: TusAnswer) => headers.get('video-id')
const uploadFiles = () => heldUploads(data)
const bytesCame = async () =>
  Number(/^milepost_upload_bytes_total\{way="tus"\} (\d+)$/m.exec((await running.api.get('/metrics')).text)?.[1] ?? 0)
const untilBytesCame = async (count: number) => {
  while ((await bytesCame()) < count) await sleep(20)
}
const idleUploads = () => get(BlobStore).listIdleUploads(Date.now() + 60_000)
const videoOf = (id: string | null) => running.api.get(`/api/v1/videos/${id}`, running.admin)
const get = <T>(type: abstract new (...parameters: never[]) => T): T => running.app.get(type, { strict: false })

describe('a tus upload', () => {
  it('goes from creation over pieces of any size to the video', async () => {
    const bytes = videoBytes(100_000)
    const created = await create(bytes.length, 'Fahrt ä.mp4', {
      'upload-metadata': metadata({ filename: 'Fahrt a\u0308.mp4', recordedAt: '2026-11-22T08:30:00+01:00' }),
    })
    expect([created.status, created.headers.get('tus-resumable'), videoIdOf(created)]).toEqual([201, '1.0.0', null])
    expect(created.location).toMatch(new RegExp(`^${UPLOADS}/[0-9a-f-]{36}$`))
    expect(Date.parse(created.headers.get('upload-expires') ?? '')).toBeGreaterThan(Date.now() + 71 * HOUR_MS)
    let at = 0
    for (const piece of [1, 2, 60, 900, 4000, 50_000]) {
      const answer = await patch(created.location, at, bytes.subarray(at, at + piece))
      at += piece
      expect([answer.status, offsetOf(answer), videoIdOf(answer)]).toEqual([204, at, null])
    }
    const before = await head(created.location)
    expect([before.status, offsetOf(before), before.headers.get('upload-length'), videoIdOf(before)]).toEqual([
      200,
      at,
      '100000',
      null,
    ])
    expect(before.headers.get('cache-control')).toBe('no-store')
    const last = await patch(created.location, at, bytes.subarray(at))
    expect([last.status, offsetOf(last)]).toEqual([204, bytes.length])
    expect((await videoOf(videoIdOf(last))).body).toMatchObject({
      fileName: 'Fahrt ä.mp4'.normalize('NFC'),
      bytes: bytes.length,
      sha256: sha256Of(bytes),
      contentType: 'video/mp4',
      recordedAt: '2026-11-22T07:30:00.000Z',
    })
    expect(await uploadFiles()).toEqual([])
  })

  it('tells its video again when the last answer was lost', async () => {
    const bytes = videoBytes(5000)
    const { location } = await create(bytes.length)
    const last = await patch(location, 0, bytes)
    const id = videoIdOf(last)
    expect(id).toMatch(/./)
    const again = await patch(location, 0, bytes)
    expect([again.status, again.code, videoIdOf(again)]).toEqual([409, 'offset_conflict', id])
    const asked = await head(location)
    expect([asked.status, offsetOf(asked), videoIdOf(asked)]).toEqual([200, 5000, id])
    const empty = await patch(location, 5000, Buffer.alloc(0))
    expect([empty.status, videoIdOf(empty)]).toEqual([204, id])
  })

  it('becomes the video that is there when the bytes are the same', async () => {
    const bytes = videoBytes(5000)
    const first = await patch((await create(bytes.length)).location, 0, bytes)
    const second = await patch((await create(bytes.length)).location, 0, bytes)
    expect([second.status, videoIdOf(second)]).toEqual([204, videoIdOf(first)])
  })

  it('may be whole with its creation', async () => {
    const bytes = videoBytes(5000)
    const answer = await create(bytes.length, 'whole.mp4', {}, bytes)
    expect([answer.status, offsetOf(answer)]).toEqual([201, 5000])
    expect((await videoOf(videoIdOf(answer))).body.sha256).toBe(sha256Of(bytes))
    const part = await create(bytes.length, 'part.mp4', {}, bytes.subarray(0, 3000))
    expect([part.status, offsetOf(part), videoIdOf(part)]).toEqual([201, 3000, null])
    expect(videoIdOf(await patch(part.location, 3000, bytes.subarray(3000)))).toMatch(/./)
  })

  it('may say its length later', async () => {
    const bytes = videoBytes(5000)
    const { location } = await tus('POST', UPLOADS, {
      'upload-defer-length': '1',
      'upload-metadata': metadata({ filename: 'later.mp4' }),
    })
    await patch(location, 0, bytes.subarray(0, 4000))
    expect((await head(location)).headers.get('upload-defer-length')).toBe('1')
    const last = await patch(location, 4000, bytes.subarray(4000), { 'upload-length': '5000' })
    expect((await videoOf(videoIdOf(last))).body.sha256).toBe(sha256Of(bytes))
  })

  it('is whole at its end also where the store syncs by itself', async () => {
    const bytes = videoBytes(8_388_608)
    const { location } = await create(bytes.length, 'synced.mp4')
    const answer = await patch(location, 0, bytes)
    expect([answer.status, offsetOf(answer)]).toEqual([204, bytes.length])
    expect((await videoOf(videoIdOf(answer))).body.sha256).toBe(sha256Of(bytes))
  })

  it('can be given up', async () => {
    const { location } = await create(5000)
    await patch(location, 0, videoBytes(3000))
    expect((await tus('DELETE', location)).status).toBe(204)
    expect([(await head(location)).status, await uploadFiles()]).toEqual([404, []])
    expect((await tus('DELETE', location)).status).toBe(404)
  })

  it('keeps what came when it is cut, and goes on from there', async () => {
    const bytes = videoBytes(2_000_000)
    const { location } = await create(bytes.length)
    const request = openPatch(location, { 'content-length': String(bytes.length) })
    request.on('error', () => undefined)
    const before = await bytesCame()
    request.write(bytes.subarray(0, 1_234_567))
    await untilBytesCame(before + 1_234_567)
    request.destroy()
    const asked = await head(location)
    expect(offsetOf(asked)).toBe(1_234_567)
    const last = await patch(location, 1_234_567, bytes.subarray(1_234_567))
    expect((await videoOf(videoIdOf(last))).body.sha256).toBe(sha256Of(bytes))
  })

  it('is taken over by whoever comes later, while an older connection still seems to send', async () => {
    const bytes = videoBytes(50_000)
    const { location } = await create(bytes.length)
    const stuck = openPatch(location)
    const cut = once(stuck, 'error')
    const before = await bytesCame()
    stuck.write(bytes.subarray(0, 20_000))
    await untilBytesCame(before + 20_000)
    const asked = await head(location)
    expect([asked.status, offsetOf(asked)]).toEqual([200, 20_000])
    await cut
    expect(videoIdOf(await patch(location, 20_000, bytes.subarray(20_000)))).toMatch(/./)
  })

  it('is not told to have bytes when another server has dropped it meanwhile', async () => {
    const bytes = videoBytes(8000)
    const { location } = await create(bytes.length + 1, 'dropped-elsewhere.mp4')
    const came = await bytesCame()
    const request = openPatch(location)
    const answered = once(request, 'response') as Promise<[IncomingMessage]>
    request.write(bytes.subarray(0, 5000))
    await untilBytesCame(came + 5000)
    await get(UploadRecords).remove(location.split('/').pop() ?? '')
    request.end(bytes.subarray(5000))
    const [answer] = await answered
    answer.resume()
    expect([answer.statusCode, answer.headers['upload-offset'], await uploadFiles()]).toEqual([404, undefined, []])
  })

  it('does not read the file again, and begins anew when its state cannot be read', async () => {
    const bytes = videoBytes(50_000)
    const { location } = await create(bytes.length)
    await patch(location, 0, bytes.subarray(0, 30_000))
    const id = location.split('/').pop() ?? ''
    await get(UploadRecords).update(id, {
      hashState: Buffer.concat([Buffer.of(1), randomBytes(116)]).toString('base64'),
    })
    expect(offsetOf(await head(location))).toBe(0)
    const last = await patch(location, 0, bytes)
    expect((await videoOf(videoIdOf(last))).body.sha256).toBe(sha256Of(bytes))
  })
})

describe('a tus upload that a crash left', () => {
  it('whole becomes a video as soon as somebody asks', async () => {
    const bytes = videoBytes(5000)
    const { location } = await create(bytes.length + 1, 'crash.mp4')
    await patch(location, 0, bytes)
    const id = location.split('/').pop() ?? ''
    await get(UploadRecords).update(id, { length: bytes.length })
    const asked = await head(location)
    expect([asked.status, offsetOf(asked)]).toEqual([200, bytes.length])
    expect((await videoOf(videoIdOf(asked))).body.sha256).toBe(sha256Of(bytes))
  })

  it('with bytes that the record does not know goes on without them', async () => {
    const bytes = videoBytes(8000)
    const { location } = await create(bytes.length, 'beyond.mp4')
    await patch(location, 0, bytes.subarray(0, 3000))
    const record = await get(UploadRecords).find(location.split('/').pop() ?? '')
    await get(BlobStore).append(
      record?.blobUploadId ?? '',
      3000,
      (async function* () {
        yield randomBytes(2000)
      })(),
    )
    expect(offsetOf(await head(location))).toBe(3000)
    const last = await patch(location, 3000, bytes.subarray(3000))
    expect((await videoOf(videoIdOf(last))).body.sha256).toBe(sha256Of(bytes))
  })

  it('without its bytes is gone, and its name is free', async () => {
    for (const length of [5000, 8000]) {
      const { location } = await create(8001, 'bare.mp4')
      await patch(location, 0, videoBytes(5000))
      const id = location.split('/').pop() ?? ''
      await get(BlobStore).abort((await get(UploadRecords).find(id))?.blobUploadId ?? '')
      await get(UploadRecords).update(id, { length })
      const answer = length === 5000 ? await head(location) : await patch(location, 5000, videoBytes(3000))
      expect([answer.status, (await head(location)).status]).toEqual([404, 404])
    }
    expect(videoIdOf(await create(5000, 'bare.mp4', {}, videoBytes(5000)))).toMatch(/./)
  })

  it('is left alone by the sweeper as long as somebody may come for it, however idle', async () => {
    const bytes = videoBytes(5000)
    const { location } = await create(bytes.length, 'idle.mp4')
    await patch(location, 0, bytes.subarray(0, 3000))
    const unknown = await get(BlobStore).beginUpload('truck/clip')
    expect(await idleUploads()).toEqual([expect.any(String), expect.any(String)])
    await get(UploadSweeper).sweep({ reservedBeforeMs: 0, idleSinceMs: Date.now() + HOUR_MS })
    expect(await idleUploads()).not.toContain(unknown)
    expect(offsetOf(await head(location))).toBe(3000)
    expect(videoIdOf(await patch(location, 3000, bytes.subarray(3000)))).toMatch(/./)
  })

  it('is dropped when nothing comes for it; a whole one becomes a video instead', async () => {
    const bytes = videoBytes(5000)
    const whole = await create(bytes.length + 1, 'kept.mp4')
    await patch(whole.location, 0, bytes)
    await get(UploadRecords).update(whole.location.split('/').pop() ?? '', { length: bytes.length })
    const part = await create(6000, 'dropped.mp4')
    await patch(part.location, 0, bytes)
    await get(ResumableUploads).expire(Date.now() + 71 * HOUR_MS, 100)
    expect((await head(part.location)).status).toBe(200)
    await get(ResumableUploads).expire(Date.now() + 73 * HOUR_MS, 100)
    expect([(await head(part.location)).status, await uploadFiles()]).toEqual([404, []])
    const { items } = (
      await running.api.get<{ items: Array<{ sha256: string }> }>('/api/v1/videos?fileName=kept.mp4', running.admin)
    ).body
    expect(items.map(({ sha256 }) => sha256)).toEqual([sha256Of(bytes)])
  })
})

describe('refusals of tus', () => {
  it('come at creation where the facts are known', async () => {
    await create(5000, 'there.mp4', {}, videoBytes(5000))
    const meta = (fields: Record<string, string>) => ({ 'upload-metadata': metadata(fields) })
    const cases: Array<[string, Promise<TusAnswer>, number, string]> = [
      ['too large', create(MAX_BYTES + 1), 413, 'body_too_large'],
      ['empty', create(0), 415, 'unsupported_media'],
      ['other bytes of another length', create(5001, 'there.mp4'), 422, 'file_exists'],
      ['no name', create(5000, '', meta({ title: 'a.mp4' })), 400, 'invalid_file_name'],
      ['an empty name', create(5000, ''), 400, 'invalid_file_name'],
      ['a path', create(5000, '../a.mp4'), 400, 'invalid_file_name'],
      [
        'no UTF-8',
        create(5000, '', { 'upload-metadata': `filename ${Buffer.of(0xff, 0xfe).toString('base64')}` }),
        400,
        'invalid_file_name',
      ],
      ['no time', create(5000, '', meta({ filename: 'a.mp4', recordedAt: 'soon' })), 400, 'invalid_request'],
      ['broken metadata', create(5000, '', { 'upload-metadata': 'filename ***' }), 400, 'invalid_request'],
      ['a broken length', create(5000, 'a.mp4', { 'upload-length': 'x' }), 400, 'invalid_request'],
      ['a part of several', create(5000, 'a.mp4', { 'upload-concat': 'partial' }), 400, 'invalid_request'],
      ['another version', create(5000, 'a.mp4', { 'tus-resumable': '0.2.2' }), 412, 'unsupported_version'],
    ]
    for (const [what, asked, status, code] of cases) {
      const answer = await asked
      expect([
        what,
        answer.status,
        answer.code,
        answer.headers.get('content-type'),
        answer.headers.get('tus-resumable'),
      ]).toEqual([what, status, code, 'application/problem+json; charset=utf-8', '1.0.0'])
    }
    expect(await uploadFiles()).toEqual([])
  })

  it('ask for a token, and hide what another device uploads', async () => {
    const { location } = await create(5000)
    const other = await running.api.loginDevice(testImei(imeis++))
    expect((await head(location, other)).status).toBe(404)
    expect((await tus('DELETE', location, {}, undefined, other)).code).toBe('not_found')
    const foreign = { 'upload-offset': '0', 'content-type': BYTES }
    expect((await tus('PATCH', location, foreign, videoBytes(5000), other)).code).toBe('not_found')
    for (const [method, url] of [
      ['POST', UPLOADS],
      ['PATCH', location],
      ['DELETE', location],
    ] as const) {
      const missing = await fetch(`${running.url}${url}`, { method })
      expect([method, missing.status, ((await missing.json()) as { code: string }).code]).toEqual([
        method,
        401,
        'token_missing',
      ])
      expect((await tus(method, url, {}, undefined, running.admin)).code).toBe('token_invalid')
    }
    expect(offsetOf(await head(location))).toBe(0)
    await tus('DELETE', location)
  })

  it('come as soon as it is clear that the bytes are no video, and the upload is gone', async () => {
    const { location } = await create(500_000)
    const short = await patch(location, 0, Buffer.alloc(500, 'x'))
    expect([short.status, offsetOf(short)]).toEqual([204, 500])
    const answer = await patch(location, 500, Buffer.alloc(1000, 'x'))
    expect([answer.status, answer.code, await uploadFiles()]).toEqual([415, 'unsupported_media', []])
    expect((await head(location)).status).toBe(404)
  })

  it('come with the last bytes when another file has the name, and the upload is gone', async () => {
    const { location } = await create(5000, 'race.mp4')
    await create(5000, 'race.mp4', {}, videoBytes(5000))
    const answer = await patch(location, 0, videoBytes(5000))
    expect([answer.status, answer.code, await uploadFiles()]).toEqual([422, 'file_exists', []])
    expect((await head(location)).status).toBe(404)
  })

  it('come to all but one of several uploads of one name at once', async () => {
    const race = async (name: string, files: readonly Buffer[]) => {
      const answers = await Promise.all(
        files.map(async (bytes) => patch((await create(bytes.length, name)).location, 0, bytes)),
      )
      return answers.map(({ status, code }) => `${status} ${code}`).sort()
    }
    const bytes = videoBytes(5000)
    expect(await race('equal.mp4', [bytes, bytes, bytes])).toEqual(Array(3).fill('204 undefined'))
    expect(await race('other.mp4', [bytes, videoBytes(5000), videoBytes(5000)])).toEqual([
      '204 undefined',
      '422 file_exists',
      '422 file_exists',
    ])
    expect(await uploadFiles()).toEqual([])
  })

  it('keep an upload that is only asked for wrongly', async () => {
    const bytes = videoBytes(5000)
    const { location } = await create(bytes.length)
    const cases: Array<[() => Promise<TusAnswer>, number, string]> = [
      [() => patch(location, 1, bytes), 409, 'offset_conflict'],
      [() => patch(location, 0, videoBytes(5001)), 413, 'body_too_large'],
      [() => patch(location, 0, bytes, { 'content-type': 'video/mp4' }), 415, 'unsupported_media_type'],
      [() => tus('PATCH', location, { 'content-type': BYTES }, bytes), 400, 'invalid_request'],
      [() => patch(location, 0, bytes, { 'upload-length': '6000' }), 400, 'invalid_request'],
    ]
    for (const [asked, status, code] of cases) {
      const answer = await asked()
      expect([answer.status, answer.code]).toEqual([status, code])
    }
    expect(videoIdOf(await patch(location, 0, bytes))).toMatch(/./)
  })

  it('limit the uploads of a device, but not by those that it begins again', async () => {
    const same: TusAnswer[] = []
    for (let n = 0; n < 8; n++) {
      same.push(await create(5000, 'same.mp4'))
      await patch(same[n]?.location ?? '', 0, videoBytes(3000))
    }
    expect(same.map(({ status }) => status)).toEqual(Array(8).fill(201))
    const stand = await Promise.all(same.map(({ location }) => head(location)))
    expect(stand.map(({ status }) => status)).toEqual([404, 404, 404, 404, 404, 200, 200, 200])
    for (const name of ['second.mp4', 'third.mp4']) expect((await create(5000, name)).status).toBe(201)
    expect((await create(5000, 'fourth.mp4')).status).toBe(429)
    expect((await head(same.at(-1)?.location ?? '')).status).toBe(200)
  })

  it('say when an upload that nothing comes for gives its place up', async () => {
    const open = [await create(5000, 'one.mp4'), await create(5000, 'two.mp4'), await create(5000, 'three.mp4')]
    const answer = await create(5000, 'four.mp4')
    expect([answer.status, answer.code]).toEqual([429, 'too_many_requests'])
    const retryAfterS = Number(answer.headers.get('retry-after'))
    expect(retryAfterS > 880 && retryAfterS <= 900).toBe(true)
    await get(UploadRecords).update(open[1]?.location.split('/').pop() ?? '', {
      updatedAtMs: Date.now() - 16 * 60_000,
    })
    expect((await create(5000, 'four.mp4')).status).toBe(201)
    const stand = await Promise.all(open.map(({ location }) => head(location)))
    expect(stand.map(({ status }) => status)).toEqual([200, 404, 200])
  })

  it('do not displace what bytes are coming for', async () => {
    const open = [await create(5000, 'busy.mp4'), await create(5000, 'busy.mp4'), await create(5000, 'busy.mp4')]
    const before = await bytesCame()
    const sending = open.map(({ location }) => {
      const request = openPatch(location)
      request.on('error', () => undefined)
      request.write(videoBytes(2000))
      return request
    })
    await untilBytesCame(before + 6000)
    const answer = await create(5000, 'busy.mp4')
    expect([answer.status, answer.code, answer.headers.get('retry-after')]).toEqual([429, 'too_many_requests', '60'])
    for (const request of sending) request.destroy()
  })
})

describe('the words of refusals of tus', () => {
  const detailOf = async (method: string, url: string, headers: Record<string, string>, body?: Buffer) => {
    const answer = await fetch(`${running.url}${url}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'tus-resumable': '1.0.0', ...headers },
      body,
    })
    const { code, detail } = (await answer.json()) as Record<string, unknown>
    return [answer.status, code, detail]
  }
  const named = { 'upload-metadata': metadata({ filename: 'words.mp4' }) }
  const bytes = { 'content-type': BYTES, 'upload-offset': '1000' }

  it('are true of lengths', async () => {
    const { location } = await tus('POST', UPLOADS, { 'upload-defer-length': '1', ...named })
    await patch(location, 0, videoBytes(1000))
    expect(await detailOf('POST', UPLOADS, named)).toEqual([
      400,
      'invalid_request',
      'Send either Upload-Length or Upload-Defer-Length',
    ])
    expect(await detailOf('PATCH', location, { ...bytes, 'upload-length': '999' }, Buffer.of(1))).toEqual([
      400,
      'invalid_request',
      'Upload-Length: the upload has 1000 bytes already',
    ])
    const known = (await create(5000)).location
    expect(
      await detailOf('PATCH', known, { ...bytes, 'upload-offset': '0', 'upload-length': '6000' }, Buffer.of(1)),
    ).toEqual([400, 'invalid_request', 'Upload-Length: the upload was announced with 5000 bytes'])
  })

  it('are our own', async () => {
    const { location } = await create(5000)
    expect(await detailOf('PATCH', location, { 'content-type': BYTES }, Buffer.of(1))).toEqual([
      400,
      'invalid_request',
      'Send Upload-Offset: where these bytes begin',
    ])
    expect(await detailOf('PATCH', location, bytes, Buffer.of(1))).toEqual([
      409,
      'offset_conflict',
      'The upload does not stand at this offset: ask with HEAD',
    ])
    expect(await detailOf('PATCH', location, { ...bytes, 'upload-offset': '0' }, Buffer.alloc(5001))).toEqual([
      413,
      'body_too_large',
      'There are more bytes than the upload has left',
    ])
  })
})

describe('every answer of tus', () => {
  it('names the version', async () => {
    const { location } = await create(5000)
    const answers: Array<[string, Promise<Response>, number]> = [
      ['no token', fetch(`${running.url}${UPLOADS}`, { method: 'POST' }), 401],
      ['no token for one', fetch(`${running.url}${location}`, { method: 'HEAD' }), 401],
      ['another method', fetch(`${running.url}${location}?x=1`, { method: 'PUT' }), 405],
      ['nothing there', fetch(`${running.url}${location}/more`), 404],
      [
        'another type',
        fetch(`${running.url}${location}`, {
          method: 'PATCH',
          headers: { authorization: `Bearer ${token}`, 'tus-resumable': '1.0.0', 'content-type': 'video/mp4' },
          body: 'x',
        }),
        415,
      ],
      [
        'an unknown upload',
        fetch(`${running.url}${UPLOADS}/none`, {
          method: 'HEAD',
          headers: { authorization: `Bearer ${token}`, 'tus-resumable': '1.0.0' },
        }),
        404,
      ],
    ]
    for (const [what, asked, status] of answers) {
      const answer = await asked
      expect([what, answer.status, answer.headers.get('tus-resumable')]).toEqual([what, status, '1.0.0'])
    }
    expect((await fetch(`${running.url}/api/v1/videos`)).headers.get('tus-resumable')).toBeNull()
  })
})

describe('X-HTTP-Method-Override', () => {
  const post = (url: string, method: string, headers: Record<string, string> = {}, body?: Buffer) =>
    tus('POST', url, { 'x-http-method-override': method, ...headers }, body)

  it('lets a POST be what is meant', async () => {
    const bytes = videoBytes(5000)
    const { location } = await create(bytes.length, 'meant.mp4')
    const first = await post(
      location,
      'PATCH',
      { 'upload-offset': '0', 'content-type': BYTES },
      bytes.subarray(0, 3000),
    )
    expect([first.status, offsetOf(first)]).toEqual([204, 3000])
    const asked = await post(location, 'HEAD')
    expect([asked.status, offsetOf(asked), asked.headers.get('upload-length')]).toEqual([200, 3000, '5000'])
    const last = await post(location, 'patch', { 'upload-offset': '3000', 'content-type': BYTES }, bytes.subarray(3000))
    expect((await videoOf(videoIdOf(last))).body.sha256).toBe(sha256Of(bytes))
    const other = await create(5000, 'given-up.mp4')
    expect((await post(other.location, 'DELETE')).status).toBe(204)
    expect((await head(other.location)).status).toBe(404)
  })

  it('is refused as the method is', async () => {
    const { location } = await create(5000, 'meant.mp4')
    const cases: Array<[Promise<TusAnswer>, number, string]> = [
      [post(location, 'PATCH', { 'upload-offset': '1', 'content-type': BYTES }, videoBytes(9)), 409, 'offset_conflict'],
      [post(location, 'PATCH', { 'upload-offset': '0' }, videoBytes(9)), 415, 'unsupported_media_type'],
      [post(`${UPLOADS}/none`, 'HEAD'), 404, 'not_found'],
      [post(location, 'HEAD', { 'tus-resumable': '0.1' }), 412, 'unsupported_version'],
    ]
    for (const [asked, status, code] of cases) {
      const answer = await asked
      expect([answer.status, answer.code]).toEqual([status, code])
    }
  })

  it('must name a method that there is', async () => {
    const { location } = await create(5000, 'none.mp4')
    for (const answer of [await tus('POST', location), await post(location, 'PUT'), await post(location, 'POST')]) {
      expect([answer.status, answer.code, answer.headers.get('allow')]).toEqual([
        405,
        'method_not_allowed',
        'DELETE, HEAD, PATCH, POST',
      ])
    }
  })
})

describe('OPTIONS', () => {
  it('says what can be done, without a token', async () => {
    const answer = await fetch(`${running.url}${UPLOADS}`, { method: 'OPTIONS' })
    expect([answer.status, answer.headers.get('tus-version'), answer.headers.get('tus-max-size')]).toEqual([
      204,
      '1.0.0',
      String(MAX_BYTES),
    ])
    expect(answer.headers.get('tus-extension')).toBe(
      'creation,creation-with-upload,creation-defer-length,expiration,termination',
    )
    expect(answer.headers.get('access-control-allow-origin')).toBeNull()
  })

  it('says so to pages of other origins, whose browsers get an answer of their own before', async () => {
    const other = await startApp({ CORS_ORIGINS: 'https://console.example', VIDEO_MAX_BYTES: String(MAX_BYTES) })
    const ask = async (headers: Record<string, string>) => {
      const answer = await fetch(`${other.url}${UPLOADS}`, { method: 'OPTIONS', headers })
      return ['access-control-allow-origin', 'access-control-allow-methods', 'tus-version', 'tus-max-size'].map(
        (name) => answer.headers.get(name),
      )
    }
    const origin = 'https://console.example'
    const preflight = { origin, 'access-control-request-method': 'PATCH' }
    expect(await ask({ origin })).toEqual([origin, null, '1.0.0', String(MAX_BYTES)])
    expect(await ask({})).toEqual([null, null, '1.0.0', String(MAX_BYTES)])
    expect(await ask(preflight)).toEqual([origin, 'GET, HEAD, POST, PUT, PATCH, DELETE', null, null])
    const asked = 'x-http-method-override,tus-resumable,upload-offset,content-type,authorization'
    const allowed = await fetch(`${other.url}${UPLOADS}/8f0c1f3e`, {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': asked },
    })
    expect([allowed.status, allowed.headers.get('access-control-allow-headers')]).toEqual([204, asked])
    await other.close()
  })
})

describe('tus-js-client', () => {
  it('uploads a file in chunks and learns its video', async () => {
    const bytes = videoBytes(1_000_000)
    let videoId: string | undefined
    await new Promise<void>((resolve, reject) => {
      new Upload(bytes, {
        endpoint: `${running.url}${UPLOADS}`,
        headers: { authorization: `Bearer ${token}` },
        metadata: { filename: 'client.mp4' },
        chunkSize: 300_000,
        onAfterResponse: (_, response) => {
          videoId = response.getHeader('Video-Id')
        },
        onError: reject,
        onSuccess: () => resolve(),
      }).start()
    })
    expect((await videoOf(videoId ?? null)).body.sha256).toBe(sha256Of(bytes))
  })

  it('uploads where only POST gets through', async () => {
    const bytes = videoBytes(500_000)
    const seen: string[] = []
    let videoId: string | undefined
    await new Promise<void>((resolve, reject) => {
      new Upload(bytes, {
        endpoint: `${running.url}${UPLOADS}`,
        headers: { authorization: `Bearer ${token}` },
        metadata: { filename: 'only-post.mp4' },
        chunkSize: 300_000,
        overridePatchMethod: true,
        onAfterResponse: (request, response) => {
          seen.push(`${request.getMethod()} ${response.getStatus()}`)
          videoId = response.getHeader('Video-Id')
        },
        onError: reject,
        onSuccess: () => resolve(),
      }).start()
    })
    expect(seen).toEqual(['POST 201', 'POST 204', 'POST 204'])
    expect((await videoOf(videoId ?? null)).body.sha256).toBe(sha256Of(bytes))
  })

  it('gives up at once on what will never be a video', async () => {
    const failure = await new Promise<Error>((resolve, reject) => {
      new Upload(Buffer.alloc(100_000, 'x'), {
        endpoint: `${running.url}${UPLOADS}`,
        headers: { authorization: `Bearer ${token}` },
        metadata: { filename: 'text.mp4' },
        onError: resolve,
        onSuccess: () => reject(new Error('taken')),
      }).start()
    })
    expect(failure.message).toContain('"code":"unsupported_media"')
  })
})
