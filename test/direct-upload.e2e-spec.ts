import { setTimeout as sleep } from 'node:timers/promises'
import { AppError } from '../src/model/app-error.js'
import { BlobStore } from '../src/storage/blobs/blob-store.js'
import { DirectUploadRecords } from '../src/storage/sql/direct-upload-records.js'
import { VideoRecords } from '../src/storage/sql/video-records.js'
import { DirectUploads } from '../src/videos/direct-uploads.js'
import { UploadSweeper } from '../src/videos/upload-sweeper.js'
import { describeOn } from './stores/describe-on.js'
import { type Made, makeBucket } from './stores/test-servers.js'
import { type Answer, testImei } from './support/api.js'
import { type RunningApp, startApp } from './support/app.js'
import { DirectStore } from './support/direct-store.js'
import { removeTemporaryDirectories } from './support/temporary-directory.js'
import { sha256Of, videoBytes } from './support/video-bytes.js'

const VIDEOS = '/api/v1/videos'
const DEVICES = '/api/v1/devices'
const HOUR_MS = 3_600_000
const PART_BYTES = 67_108_864
const MAX_BYTES = 100_000_000

interface Request {
  readonly method: string
  readonly url: string
  readonly headers: Record<string, string>
}
interface Target extends Request {
  readonly id: string
  readonly expiresAt: string
}

interface LargeTarget extends Pick<Target, 'id' | 'expiresAt'> {
  readonly parts: ReadonlyArray<Request & { readonly number: number; readonly bytes: number }>
}

afterAll(removeTemporaryDirectories)

/** Where the bytes go. */
interface Place {
  readonly environment: Record<string, string>
  equip(running: RunningApp): Promise<void>
  close(): Promise<void>
}

/**
 * What a unit can rely on, wherever the bytes go.
 * @param isForLarge whether the place takes files in parts
 */
function directUploads(open: () => Promise<Place>, isForLarge: boolean): void {
  let place: Place
  let running: RunningApp
  let imeis = 0

  beforeAll(async () => {
    place = await open()
    running = await startApp({
      DEVICE_ENROLMENT: 'open',
      VIDEO_MAX_BYTES: String(MAX_BYTES),
      UPLOADS_PER_DEVICE: '3',
      ...place.environment,
    })
    await place.equip(running)
  }, 60_000)
  afterAll(async () => {
    await running.close()
    await place.close()
  })

  const get = <T>(type: abstract new (...parameters: never[]) => T): T => running.app.get(type, { strict: false })
  const blobs = () => get(BlobStore)
  const store = () => {
    const { direct } = blobs()
    if (direct === undefined) throw new Error('it takes no direct uploads')
    return direct
  }
  const newUnit = async () => {
    const deviceId = testImei(++imeis)
    return { deviceId, token: await running.api.loginDevice(deviceId) }
  }
  const announce = (token: string, fileName: string, bytes: Buffer, more: object = {}) =>
    running.api.post<Target>(
      `${VIDEOS}/direct`,
      { fileName, bytes: bytes.length, sha256: sha256Of(bytes), ...more },
      token,
    )
  const send = ({ method, url, headers }: Request, bytes: Buffer) => fetch(url, { method, headers, body: bytes })
  const complete = (token: string, id: string, body: object = {}): Promise<Answer> =>
    running.api.post(`${VIDEOS}/${id}/complete`, body, token)
  const sent = async (token: string, fileName: string, bytes: Buffer, more: object = {}) => {
    const { body } = await announce(token, fileName, bytes, more)
    expect((await send(body, bytes)).status).toBe(200)
    return body.id
  }
  const contentOf = async (id: unknown) => {
    const headers = { authorization: `Bearer ${running.admin}` }
    const response = await fetch(`${running.url}${VIDEOS}/${id}/content`, { headers })
    return Buffer.from(await response.arrayBuffer())
  }
  const videosOf = async (deviceId: string) =>
    (await running.api.all<{ id: string }>(`${VIDEOS}?deviceId=${deviceId}`, running.admin)).map(({ id }) => id)
  const ofDevice = (deviceId: string, method: string, body?: object, query = '') =>
    running.api.request(method, `${DEVICES}/${deviceId}${query}`, { token: running.admin, body })
  const leftOf = async (deviceId: string) => [
    await get(DirectUploadRecords).listOfDevice(deviceId),
    await get(VideoRecords).listOfDevice(deviceId, 10),
  ]

  describe('a file in one part', () => {
    it('becomes the video that its unit was told of, once it said that all is there', async () => {
      const { deviceId, token } = await newUnit()
      const bytes = videoBytes(300_000)
      const begun = await announce(token, 'clip 1 ü.mp4', bytes, { recordedAt: '2026-11-22T08:30:00+01:00' })
      expect([begun.status, Object.keys(begun.body).sort()]).toEqual([
        201,
        ['expiresAt', 'headers', 'id', 'method', 'url'],
      ])
      expect(begun.body.method).toBe('PUT')
      const hoursLeft = (Date.parse(begun.body.expiresAt) - Date.now()) / HOUR_MS
      expect([hoursLeft > 11.9, hoursLeft <= 12]).toEqual([true, true])
      expect((await send(begun.body, bytes)).status).toBe(200)
      expect(await videosOf(deviceId)).toEqual([])

      const completed = await complete(token, begun.body.id)

      expect([completed.status, completed.headers.get('location')]).toEqual([201, `${VIDEOS}/${begun.body.id}`])
      expect(completed.body).toMatchObject({
        id: begun.body.id,
        deviceId,
        fileName: 'clip 1 ü.mp4',
        bytes: 300_000,
        sha256: sha256Of(bytes),
        contentType: 'video/mp4',
        status: 'processing',
        recordedAt: '2026-11-22T07:30:00.000Z',
      })
      expect((await contentOf(begun.body.id)).equals(bytes)).toBe(true)
      expect(await videosOf(deviceId)).toEqual([begun.body.id])
    })

    it('is completed without a body too, and again with the video that is there', async () => {
      const { token } = await newUnit()
      const bytes = videoBytes(5000)
      const id = await sent(token, 'clip.mp4', bytes)
      const first = await running.api.request('POST', `${VIDEOS}/${id}/complete`, { token })
      const again = await complete(token, id)
      expect([first.status, again.status, again.body]).toEqual([201, 200, first.body])
      expect(again.headers.get('location')).toBeNull()
      const known = await announce(token, 'clip.mp4', bytes)
      expect([known.status, known.body]).toEqual([200, first.body])
    })

    it('is one video when two say at once that all is there', async () => {
      const { deviceId, token } = await newUnit()
      const id = await sent(token, 'clip.mp4', videoBytes(200_000))
      const answers = await Promise.all([complete(token, id), complete(token, id), complete(token, id)])
      expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 201])
      expect(answers.map(({ body }) => body.id)).toEqual([id, id, id])
      expect(await videosOf(deviceId)).toEqual([id])
    })

    it('joins the alarm that names it', async () => {
      const { token } = await newUnit()
      const alarm = { type: 'CRASH', time: '2026-11-22T07:30:00Z', files: ['clip.mp4'] }
      const { body } = await running.api.post<{ id: string }>('/api/v1/alarms', alarm, token)
      const id = await sent(token, 'clip.mp4', videoBytes(5000))
      expect((await complete(token, id)).body.alarmIds).toEqual([body.id])
      const filesOf = async () => (await running.api.get(`/api/v1/alarms/${body.id}`, running.admin)).body.files
      await until(async () => JSON.stringify(await filesOf()).includes(id))
      expect(await filesOf()).toEqual([{ fileName: 'clip.mp4', videoId: id }])
    })

    it('has the name in NFC and the digest in any case', async () => {
      const { token } = await newUnit()
      const bytes = videoBytes(5000)
      const begun = await announce(token, 'u\u0308.mp4', bytes, { sha256: sha256Of(bytes).toUpperCase() })
      await send(begun.body, bytes)
      expect((await complete(token, begun.body.id)).body).toMatchObject({ fileName: 'ü.mp4', sha256: sha256Of(bytes) })
    })
  })

  describe('an announcement', () => {
    it.each([
      ['a name that no file may have', { fileName: 'a/b' }, 'invalid_file_name', 'fileName'],
      ['no bytes', { bytes: 0 }, 'invalid_request', 'bytes'],
      ['a digest that is none', { sha256: 'abc' }, 'invalid_request', 'sha256'],
      ['a time that is none', { recordedAt: 'yesterday' }, 'invalid_request', 'recordedAt'],
      ['no digests of its parts', { bytes: 67_108_865 }, 'invalid_request', 'partSha256'],
      ['too few of them', { bytes: 67_108_865, partSha256: ['ab'.repeat(32)] }, 'invalid_request', 'partSha256'],
      [
        'too many of them',
        { bytes: 67_108_865, partSha256: Array(3).fill('ab'.repeat(32)) },
        'invalid_request',
        'partSha256',
      ],
    ])('is refused with %s', async (_, changes, code, path) => {
      const { token } = await newUnit()
      const { status, body } = await announce(token, 'clip.mp4', videoBytes(10), changes)
      expect([status, body]).toEqual([
        400,
        expect.objectContaining({ code, errors: [expect.objectContaining({ path })] }),
      ])
    })

    it('is refused for a file that is too large, and for other bytes under a name that exists', async () => {
      const { token } = await newUnit()
      const bytes = videoBytes(5000)
      const large = { bytes: MAX_BYTES + 1 }
      expect(await announce(token, 'clip.mp4', bytes, large)).toMatchObject({
        status: 413,
        body: { code: 'body_too_large' },
      })
      await complete(token, await sent(token, 'clip.mp4', bytes))
      expect(await announce(token, 'clip.mp4', videoBytes(5000))).toMatchObject({
        status: 409,
        body: { code: 'file_exists' },
      })
    })

    it('is refused to users and to nobody', async () => {
      expect((await announce(running.admin, 'clip.mp4', videoBytes(10))).body).toMatchObject({ code: 'token_invalid' })
      expect((await announce('', 'clip.mp4', videoBytes(10))).status).toBe(401)
    })

    it('that is made again while the file is open has the same id, and requests that are good', async () => {
      const { deviceId, token } = await newUnit()
      const bytes = videoBytes(5000)
      const first = await announce(token, 'clip.mp4', bytes)
      const recordedAt = '2026-11-22T07:30:00.000Z'
      const again = await Promise.all([1, 2].map(() => announce(token, 'clip.mp4', bytes, { recordedAt })))
      expect(again.map(({ status, body }) => [status, body.id])).toEqual([
        [201, first.body.id],
        [201, first.body.id],
      ])
      expect((await send(again[1]?.body as Target, bytes)).status).toBe(200)
      expect(await complete(token, first.body.id)).toMatchObject({ status: 201, body: { recordedAt } })
      expect(await videosOf(deviceId)).toEqual([first.body.id])
    })

    it('that is made twice at once opens one upload', async () => {
      const { deviceId, token } = await newUnit()
      const bytes = videoBytes(5000)
      const both = await Promise.all([announce(token, 'clip.mp4', bytes), announce(token, 'clip.mp4', bytes)])
      expect(both[0]?.body.id).toBe(both[1]?.body.id)
      expect(await get(DirectUploadRecords).listOfDevice(deviceId)).toHaveLength(1)
    })

    it('finds places for so many and no more, but of one name the newest', async () => {
      const { token } = await newUnit()
      const open = []
      for (const name of ['a', 'b', 'c']) open.push(await announce(token, name, videoBytes(5000)))
      const refused = await announce(token, 'd', videoBytes(5000))
      expect(refused).toMatchObject({ status: 429, body: { code: 'too_many_requests' } })
      const waitS = Number(refused.headers.get('retry-after'))
      expect([waitS > 11.9 * 3600, waitS <= 12 * 3600]).toEqual([true, true])

      const bytes = videoBytes(5000)
      const id = await sent(token, 'b', bytes)
      expect((await complete(token, open[1]?.body.id as string)).status).toBe(404)
      expect((await complete(token, id)).status).toBe(201)
      expect((await announce(token, 'd', videoBytes(5000))).status).toBe(201)
    })

    it('brings back a file that the store has lost', async () => {
      const { deviceId, token } = await newUnit()
      const bytes = videoBytes(5000)
      const id = await sent(token, 'clip.mp4', bytes)
      await complete(token, id)
      await blobs().remove(`${deviceId}/clip.mp4`)
      const again = await sent(token, 'clip.mp4', bytes)
      expect(again).not.toBe(id)
      expect(await complete(token, again)).toMatchObject({ status: 200, body: { id } })
      expect((await contentOf(id)).equals(bytes)).toBe(true)
      // Also when it is asked for by the id that it was announced with.
      expect(await complete(token, again)).toMatchObject({ status: 200, body: { id } })
    })
  })

  describe('what is not what was announced', () => {
    it('is refused by the store when the bytes are others, and may be sent right after it', async () => {
      const { token } = await newUnit()
      const bytes = videoBytes(5000)
      const { body } = await announce(token, 'clip.mp4', bytes)
      expect((await send(body, videoBytes(5000))).ok).toBe(false)
      expect((await send({ ...body, headers: {} }, bytes)).ok).toBe(false)
      expect(await complete(token, body.id)).toMatchObject({ status: 409, body: { code: 'upload_incomplete' } })
      expect((await send(body, bytes)).status).toBe(200)
      expect((await complete(token, body.id)).status).toBe(201)
    })

    it('is refused when it is no video, and nothing is kept', async () => {
      const { deviceId, token } = await newUnit()
      const id = await sent(token, 'clip.mp4', Buffer.from('this is not a video at all '.repeat(100)))
      expect(await complete(token, id)).toMatchObject({ status: 415, body: { code: 'unsupported_media' } })
      expect(await leftOf(deviceId)).toEqual([[], []])
      expect(await blobs().stat(`${deviceId}/clip.mp4`)).toBeUndefined()
      expect((await complete(token, id)).status).toBe(404)
    })

    it('is refused when the store gives out other bytes, and nothing is kept', async () => {
      const { deviceId, token } = await newUnit()
      const id = await sent(token, 'clip.mp4', videoBytes(5000))
      const read = store().read.bind(store())
      const spy = jest.spyOn(store(), 'read').mockImplementationOnce(async (upload) => {
        const stream = await read(upload)
        return stream.map((chunk: Buffer) => Buffer.concat([chunk.subarray(0, -1), Buffer.of(~Number(chunk.at(-1)))]))
      })
      expect(await complete(token, id)).toMatchObject({ status: 400, body: { code: 'digest_mismatch' } })
      spy.mockRestore()
      expect(await leftOf(deviceId)).toEqual([[], []])
      expect(await blobs().stat(`${deviceId}/clip.mp4`)).toBeUndefined()
    })

    it('is refused when another file got the name first', async () => {
      const { deviceId, token } = await newUnit()
      const id = await sent(token, 'clip.mp4', videoBytes(5000))
      const headers = { authorization: `Bearer ${token}` }
      const other = videoBytes(6000)
      await fetch(`${running.url}${VIDEOS}/clip.mp4`, { method: 'PUT', headers, body: other })
      expect(await complete(token, id)).toMatchObject({ status: 409, body: { code: 'file_exists' } })
      expect((await contentOf((await videosOf(deviceId))[0])).equals(other)).toBe(true)
      expect((await leftOf(deviceId))[0]).toEqual([])
    })
  })

  describe('an id', () => {
    it('is of use to its device alone', async () => {
      const [one, other] = [await newUnit(), await newUnit()]
      const id = await sent(one.token, 'clip.mp4', videoBytes(5000))
      expect(await complete(other.token, id)).toMatchObject({ status: 404, body: { code: 'not_found' } })
      expect((await complete(one.token, id)).status).toBe(201)
      expect(await complete(other.token, id)).toMatchObject({ status: 404, body: { code: 'not_found' } })
      expect((await complete(one.token, 'nothing-like-it')).status).toBe(404)
    })

    it('is none any more when its video was removed', async () => {
      const { token } = await newUnit()
      const id = await sent(token, 'clip.mp4', videoBytes(5000))
      await complete(token, id)
      await running.api.request('DELETE', `${VIDEOS}/${id}`, { token: running.admin })
      expect((await complete(token, id)).status).toBe(404)
    })
  })

  describe('a store that is away', () => {
    it.each(['gather', 'read', 'complete', 'begin'])('is told, and all is there for the next try: %s', async (step) => {
      const { token } = await newUnit()
      const bytes = videoBytes(5000)
      const away = () => Promise.reject(new AppError('store_unavailable', 'blobs: away', { retryAfterMs: 5000 }))
      const target = (step === 'complete' ? blobs() : store()) as unknown as Record<string, () => Promise<unknown>>
      if (step !== 'begin') {
        const id = await sent(token, 'clip.mp4', bytes)
        const spy = jest.spyOn(target, step).mockImplementationOnce(away)
        const refused = await complete(token, id)
        spy.mockRestore()
        expect([refused.status, refused.body.code, refused.headers.get('retry-after')]).toEqual([
          503,
          'store_unavailable',
          '5',
        ])
        expect([200, 201]).toContain((await complete(token, id)).status)
        return
      }
      const spy = jest.spyOn(target, step).mockImplementationOnce(away)
      expect((await announce(token, 'clip.mp4', bytes)).status).toBe(503)
      spy.mockRestore()
      expect((await complete(token, await sent(token, 'clip.mp4', bytes))).status).toBe(201)
    })

    it('loses nothing by breaking off in the middle of the bytes, nor when the unit asks anew where they go', async () => {
      const { token } = await newUnit()
      const bytes = videoBytes(300_000)
      const id = await sent(token, 'clip.mp4', bytes)
      const read = store().read.bind(store())
      const spy = jest.spyOn(store(), 'read').mockImplementationOnce(async (upload) => {
        const stream = await read(upload)
        return stream.map((chunk: Buffer) => {
          stream.destroy(new Error('connection lost'))
          return chunk
        })
      })
      expect(await complete(token, id)).toMatchObject({ status: 503, body: { code: 'store_unavailable' } })
      spy.mockRestore()
      // It was put together, so that nothing can be sent any more: what is there is taken.
      const again = await announce(token, 'clip.mp4', bytes)
      expect([again.status, again.body]).toEqual([200, expect.objectContaining({ id, sha256: sha256Of(bytes) })])
      expect(await complete(token, id)).toMatchObject({ status: 200, body: { id } })
    })

    it('has forgotten an upload: the unit begins anew', async () => {
      const { deviceId, token } = await newUnit()
      const bytes = videoBytes(5000)
      const id = await sent(token, 'clip.mp4', bytes)
      await blobs().abort((await get(DirectUploadRecords).find(id))?.blobUploadId ?? '')
      const again = await announce(token, 'clip.mp4', bytes)
      expect([again.status, again.body.id === id]).toEqual([201, false])
      await blobs().abort((await get(DirectUploadRecords).find(again.body.id))?.blobUploadId ?? '')
      expect(await complete(token, again.body.id)).toMatchObject({ status: 404, body: { code: 'not_found' } })
      expect(await leftOf(deviceId)).toEqual([[], []])
    })
  })

  describe('a unit that', () => {
    it('is shut out in the middle is told so, and has its video once it may again', async () => {
      const { deviceId, token } = await newUnit()
      const id = await sent(token, 'clip.mp4', videoBytes(5000))
      const reached = holdAt(store(), 'read')
      const answer = complete(token, id)
      const release = await reached
      await ofDevice(deviceId, 'PATCH', { status: 'disabled' })
      release()
      expect(await answer).toMatchObject({ status: 401, body: { code: 'token_invalid' } })
      expect(await videosOf(deviceId)).toEqual([])
      await ofDevice(deviceId, 'PATCH', { status: 'active' })
      expect((await complete(await running.api.loginDevice(deviceId), id)).status).toBe(201)
    })

    it.each([
      ['read', 'direct'],
      ['reserve', 'videos'],
      ['complete', 'blobs'],
      ['show', 'videos'],
    ])('is erased before %s leaves nothing', async (step, what) => {
      const { deviceId, token } = await newUnit()
      const id = await sent(token, 'clip.mp4', videoBytes(5000))
      const stores: Record<string, object> = { direct: store(), videos: get(VideoRecords), blobs: blobs() }
      const reached = holdAt(stores[what] as object, step)
      const answer = complete(token, id)
      const release = await reached
      expect((await ofDevice(deviceId, 'DELETE', undefined, '?erase=true')).status).toBe(204)
      release()
      expect([401, 404]).toContain((await answer).status)
      expect(await leftOf(deviceId)).toEqual([[], []])
      expect(await blobs().stat(`${deviceId}/clip.mp4`)).toBeUndefined()
    })

    it('is erased while it announces a file leaves nothing', async () => {
      const { deviceId, token } = await newUnit()
      const reached = holdAt(get(DirectUploadRecords), 'insert')
      const answer = announce(token, 'clip.mp4', videoBytes(5000))
      const release = await reached
      await ofDevice(deviceId, 'DELETE', undefined, '?erase=true')
      release()
      expect((await answer).status).toBe(401)
      expect(await leftOf(deviceId)).toEqual([[], []])
    })

    it('hangs up while its file is read has it all the same', async () => {
      const { deviceId, token } = await newUnit()
      const id = await sent(token, 'clip.mp4', videoBytes(5000))
      const reached = holdAt(store(), 'read')
      const leaving = new AbortController()
      const answer = fetch(`${running.url}${VIDEOS}/${id}/complete`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}` },
        signal: leaving.signal,
      })
      const release = await reached
      leaving.abort()
      await expect(answer).rejects.toThrow('aborted')
      release()
      await until(async () => (await videosOf(deviceId)).length > 0)
      expect(await complete(token, id)).toMatchObject({ status: 200, body: { id } })
    })

    it('waits for what is read already when it asks anew where the bytes go', async () => {
      const { token } = await newUnit()
      const bytes = videoBytes(5000)
      const id = await sent(token, 'clip.mp4', bytes)
      const reached = holdAt(store(), 'read')
      const answer = complete(token, id)
      const release = await reached
      const again = announce(token, 'clip.mp4', bytes)
      await sleep(50)
      release()
      expect((await answer).status).toBe(201)
      expect(await again).toMatchObject({ status: 200, body: { id } })
    })
  })

  describe('what is left', () => {
    it('by a server that could not show the video is shown, under the id that was told', async () => {
      const { deviceId, token } = await newUnit()
      const id = await sent(token, 'clip.mp4', videoBytes(5000))
      const spy = jest.spyOn(get(VideoRecords), 'show').mockRejectedValueOnce(new Error('killed'))
      expect((await complete(token, id)).status).toBe(500)
      spy.mockRestore()
      expect((await complete(token, id)).body.id).toBe(id)
      expect(await videosOf(deviceId)).toEqual([id])
    })

    it('by a server that could not note that it showed it is known', async () => {
      const { token } = await newUnit()
      const id = await sent(token, 'clip.mp4', videoBytes(5000))
      const records = get(DirectUploadRecords)
      const update = records.update.bind(records)
      const spy = jest.spyOn(records, 'update').mockImplementation((upload, changes) => {
        return changes.videoId === undefined ? update(upload, changes) : Promise.reject(new Error('killed'))
      })
      expect((await complete(token, id)).status).toBe(500)
      spy.mockRestore()
      expect(await complete(token, id)).toMatchObject({ status: 200, body: { id } })
    })

    it('is not dropped, by whichever node, while it is looked at', async () => {
      const { token } = await newUnit()
      const id = await sent(token, 'clip.mp4', videoBytes(5000))
      const records = get(DirectUploadRecords)
      await records.update(id, { updatedAtMs: Date.now() - 100 * HOUR_MS })
      const read = store().read.bind(store())
      const idle: string[] = []
      const spy = jest.spyOn(store(), 'read').mockImplementationOnce(async (upload) => {
        idle.push(...(await records.listIdle(Date.now() - HOUR_MS, 100)).map((record) => record.id))
        return read(upload)
      })
      expect((await complete(token, id)).status).toBe(201)
      spy.mockRestore()
      expect(idle).not.toContain(id)
    })

    it('of units that never came back is dropped, and kept until then', async () => {
      const { deviceId, token } = await newUnit()
      const bytes = videoBytes(5000)
      const [open, done] = [await sent(token, 'open.mp4', bytes), await sent(token, 'done.mp4', bytes)]
      await complete(token, done)
      const uploadOf = async (id: string) => (await get(DirectUploadRecords).find(id))?.blobUploadId ?? ''
      const held = await uploadOf(open)
      const limits = { reservedBeforeMs: 0, idleSinceMs: Date.now() + HOUR_MS }
      await get(UploadSweeper).sweep(limits)
      await get(DirectUploads).expire(Date.now() + 72 * HOUR_MS, 100)
      expect((await get(DirectUploadRecords).listOfDevice(deviceId)).map(({ id }) => id).sort()).toEqual(
        [open, done].sort(),
      )
      expect(await store().gather(held)).toBe(5000)

      await get(DirectUploads).expire(Date.now() + 74 * HOUR_MS, 100)

      expect(await get(DirectUploadRecords).listOfDevice(deviceId)).toEqual([])
      expect(await blobs().listIdleUploads(Date.now() + HOUR_MS)).not.toContain(held)
      expect((await complete(token, open)).status).toBe(404)
      expect(await complete(token, done)).toMatchObject({ status: 200, body: { id: done } })
    })
  })

  const describeLarge = (name: string, suite: () => void) => {
    if (isForLarge) describe(name, suite)
  }
  describeLarge('a file in parts', () => {
    const bytes = Buffer.concat([videoBytes(3000), Buffer.alloc(PART_BYTES + 2000, 7)])
    const parts = [bytes.subarray(0, PART_BYTES), bytes.subarray(PART_BYTES)]
    const partSha256 = parts.map(sha256Of)
    const announceLarge = async (token: string, fileName: string) => {
      const facts = { fileName, bytes: bytes.length, sha256: sha256Of(bytes), partSha256 }
      const { status, body } = await running.api.post<LargeTarget>(`${VIDEOS}/direct`, facts, token)
      expect(status).toBe(201)
      return body
    }
    const etagOf = async (response: Promise<Response>) => {
      const { status, headers } = await response
      return status === 200 ? (headers.get('etag') ?? '') : String(status)
    }

    /** A store that refuses may cut who is still sending. */
    const isTaken = (response: Promise<Response>) =>
      response.then(
        ({ ok }) => ok,
        () => false,
      )

    it('becomes a video, whatever failed and was lost on the way', async () => {
      const { deviceId, token } = await newUnit()
      const { id, parts: targets, ...rest } = await announceLarge(token, 'large.mp4')
      expect(Object.keys(rest)).toEqual(['expiresAt'])
      expect(targets.map(({ number, method, bytes }) => ({ number, method, bytes }))).toEqual([
        { number: 1, method: 'PUT', bytes: PART_BYTES },
        { number: 2, method: 'PUT', bytes: 5000 },
      ])
      const [first, second] = [targets[0] as Request, targets[1] as Request]
      const secondEtag = await etagOf(send(second, parts[1] as Buffer))
      for (const etags of [[], [secondEtag], [secondEtag, secondEtag, secondEtag]]) {
        const { status, body } = await complete(token, id, { etags })
        expect([status, body]).toEqual([
          400,
          expect.objectContaining({ code: 'invalid_request', errors: [expect.objectContaining({ path: 'etags' })] }),
        ])
      }
      expect(await complete(token, id, { etags: [secondEtag, secondEtag] })).toMatchObject({
        status: 409,
        body: { code: 'upload_incomplete' },
      })
      expect((await send(second, Buffer.alloc(5000))).ok).toBe(false)

      // The unit restarted, and knows of nothing but its second part's ETag.
      const again = await announceLarge(token, 'large.mp4')
      expect(again.id).toBe(id)
      const firstEtag = await etagOf(send(again.parts[0] as Request, parts[0] as Buffer))
      expect(await complete(token, id, { etags: [secondEtag, firstEtag] })).toMatchObject({ status: 409 })
      const completed = await complete(token, id, { etags: [firstEtag, secondEtag] })
      expect([completed.status, completed.body.id, completed.body.sha256]).toEqual([201, id, sha256Of(bytes)])
      expect(sha256Of(await contentOf(id))).toBe(sha256Of(bytes))
      expect(await isTaken(send(first, parts[0] as Buffer))).toBe(false)
      expect(await complete(token, id, { etags: [firstEtag, secondEtag] })).toMatchObject({ status: 200 })
      expect(await videosOf(deviceId)).toEqual([id])
    }, 60_000)

    it('is gone on with when its parts were joined and nobody could note it', async () => {
      const { token } = await newUnit()
      const { id, parts: targets } = await announceLarge(token, 'large.mp4')
      const etags: string[] = []
      for (const [index, part] of parts.entries()) etags.push(await etagOf(send(targets[index] as Request, part)))
      const { bucket } = blobs() as unknown as { readonly bucket: { put(): Promise<void> } }
      const spy = jest.spyOn(bucket, 'put').mockRejectedValueOnce(new Error('killed'))
      expect((await complete(token, id, { etags })).status).toBe(500)
      spy.mockRestore()
      const facts = { fileName: 'large.mp4', bytes: bytes.length, sha256: sha256Of(bytes), partSha256 }
      expect(await running.api.post(`${VIDEOS}/direct`, facts, token)).toMatchObject({ status: 200, body: { id } })
    }, 60_000)

    it('leaves none of its parts when nobody comes back for it', async () => {
      const { token } = await newUnit()
      const { id, parts: targets } = await announceLarge(token, 'large.mp4')
      await etagOf(send(targets[1] as Request, parts[1] as Buffer))
      const held = (await get(DirectUploadRecords).find(id))?.blobUploadId ?? ''
      expect(await blobs().listIdleUploads(Date.now() + HOUR_MS)).toContain(held)
      await get(DirectUploads).expire(Date.now() + 74 * HOUR_MS, 100)
      expect(await blobs().listIdleUploads(Date.now() + HOUR_MS)).not.toContain(held)
      expect(await isTaken(send(targets[0] as Request, parts[0] as Buffer))).toBe(false)
      expect((await complete(token, id, { etags: ['a', 'b'] })).status).toBe(404)
    }, 60_000)
  })

  it('is counted', async () => {
    const text = await (await fetch(`${running.url}/metrics`)).text()
    const countOf = (outcome: string) =>
      Number(new RegExp(`milepost_uploads_total\\{way="direct",outcome="${outcome}"\\} (\\d+)`).exec(text)?.[1])
    expect([countOf('stored') > 5, countOf('refused') > 2, countOf('failed') >= 1]).toEqual([true, true, true])
    expect(text).toContain('milepost_uploads_open{way="direct"} 0')
    expect(Number(/milepost_upload_bytes_total\{way="direct"\} (\d+)/.exec(text)?.[1])).toBeGreaterThan(300_000)
  })
}

describe('direct uploads', () => {
  let direct: DirectStore
  directUploads(
    async () => ({
      environment: {},
      equip: async ({ app }) => {
        direct = await DirectStore.on(app.get(BlobStore, { strict: false }))
      },
      close: () => direct.close(),
    }),
    false,
  )
})

describeOn('S3_ENDPOINT', 'direct uploads to S3', () => {
  directUploads(async () => {
    const made: Made = await makeBucket()
    return { environment: { ...made.variables }, equip: async () => undefined, close: () => made.remove() }
  }, true)
})

describe('a server without S3', () => {
  it('takes no direct uploads, and says which ways there are', async () => {
    const running = await startApp({ DEVICE_ENROLMENT: 'open', S3_ENDPOINT: '', S3_BUCKET: '' })
    try {
      const token = await running.api.loginDevice(testImei(1))
      const body = { fileName: 'clip.mp4', bytes: 10, sha256: 'ab'.repeat(32) }
      const refused = { status: 409, body: { code: 'direct_upload_unavailable' } }
      expect(await running.api.post(`${VIDEOS}/direct`, body, token)).toMatchObject(refused)
      expect(await running.api.post(`${VIDEOS}/some-id/complete`, {}, token)).toMatchObject(refused)
    } finally {
      await running.close()
    }
  })
})

async function until(isTrue: () => Promise<boolean>): Promise<void> {
  for (const endMs = performance.now() + 10_000; !(await isTrue()); await sleep(20)) {
    if (performance.now() > endMs) throw new Error('it does not come about')
  }
}

type Method = (...parameters: unknown[]) => Promise<unknown>

/** Holds the next call of a method before it does anything. @returns once it is reached: what lets it go on */
function holdAt(owner: object, method: string): Promise<() => void> {
  const target = owner as Record<string, Method>
  const original = target[method]?.bind(owner) as Method
  return new Promise((onReached) => {
    const spy = jest.spyOn(target, method).mockImplementationOnce(async (...parameters) => {
      await new Promise<void>((resolve) => onReached(resolve))
      spy.mockRestore()
      return original(...parameters)
    })
  })
}
