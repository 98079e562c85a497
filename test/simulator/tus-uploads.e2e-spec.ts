import { createHash } from 'node:crypto'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { findPackagedFfmpeg } from '../../simulator/clips/clip-maker.js'
import { SystemClock } from '../../simulator/clock.js'
import { readGpx } from '../../simulator/drives/read-gpx.js'
import { Fleet } from '../../simulator/fleet.js'
import { readCommandLine } from '../../simulator/options.js'
import { DeviceToken } from '../../simulator/socket/device-token.js'
import { ServerApi } from '../../simulator/socket/server-api.js'
import { TusUploads } from '../../simulator/socket/tus-uploads.js'
import type { ClipFile } from '../../simulator/unit/unit-transport.js'
import { testImei } from '../support/api.js'
import { type RunningApp, startApp } from '../support/app.js'
import { removeTemporaryDirectories, temporaryDirectory } from '../support/temporary-directory.js'
import { sha256Of, videoBytes } from '../support/video-bytes.js'
import { UploadBreakingProxy } from './upload-breaking-proxy.js'

const GPX = path.join('test', 'data', 'munich-2014-1hz.gpx')
const RECORDED_AT = '2026-05-22T10:00:00.000Z'
const never = new AbortController().signal

interface Video {
  readonly fileName: string
  readonly bytes: number
  readonly sha256: string
  readonly recordedAt: string
}

let running: RunningApp
let network: UploadBreakingProxy
let deviceId: string
let imeis = 1

beforeAll(async () => {
  running = await startApp({ DEVICE_ENROLMENT: 'open', RETENTION_DAYS: '0', DEVICE_EVENTS_PER_SECOND: '0' })
})
beforeEach(async () => {
  network = await UploadBreakingProxy.start(running.url)
  deviceId = testImei(imeis++)
})
afterEach(() => network.stop())
afterAll(async () => {
  await running.close()
  await removeTemporaryDirectories()
})

/** A unit in one life of its process. */
function uploads(): TusUploads {
  const api = new ServerApi(network.origin)
  return new TusUploads(api, new DeviceToken(api, { deviceId }, new SystemClock(), () => 0.5))
}

function clipOf(bytes: Buffer, fileName = 'Fahrt ä.mp4'): ClipFile {
  const file = path.join(temporaryDirectory(), 'clip.mp4')
  writeFileSync(file, bytes)
  const sha256 = createHash('sha256').update(bytes).digest()
  return { path: file, fileName, bytes: bytes.length, sha256, recordedAtMs: Date.parse(RECORDED_AT) }
}

const videosOf = (id: string) => running.api.all<Video>(`/api/v1/videos?deviceId=${id}`, running.admin)
const isRemembered = ({ path: file }: ClipFile) => existsSync(`${file}.upload`)
const methods = () => network.seen.map(({ method }) => method)

describe('a resumable upload of a simulated unit', () => {
  it('goes on where it was cut, in another life of the process', async () => {
    const bytes = videoBytes(3_000_000)
    const clip = clipOf(bytes)
    network.cutOnce(1_000_000)
    expect(await uploads().upload(clip, never)).toMatchObject({ refusal: { code: 'unreachable' }, isLasting: false })
    expect([await videosOf(deviceId), isRemembered(clip)]).toEqual([[], true])
    const { videoId } = await uploads().upload(clip, never)
    const { body } = await running.api.get(`/api/v1/videos/${videoId}`, running.admin)
    expect(body).toMatchObject({ deviceId, fileName: 'Fahrt ä.mp4', sha256: sha256Of(bytes), recordedAt: RECORDED_AT })
    expect(methods()).toEqual(['POST', 'PATCH', 'HEAD', 'PATCH'])
    const offset = network.seen.at(-1)?.offset ?? 0
    expect(offset).toBeGreaterThan(0)
    expect(offset).toBeLessThanOrEqual(1_000_000)
    expect(isRemembered(clip)).toBe(false)
  })

  it('is not sent again when only the answer was lost', async () => {
    const clip = clipOf(videoBytes(200_000))
    network.cutOnce('answer')
    expect(await uploads().upload(clip, never)).toMatchObject({ refusal: { code: 'unreachable' } })
    expect(await uploads().upload(clip, never)).toEqual({ videoId: expect.any(String) })
    expect(methods()).toEqual(['POST', 'PATCH', 'HEAD'])
    expect(await videosOf(deviceId)).toHaveLength(1)
  })

  it('begins anew when the server has forgotten it', async () => {
    const clip = clipOf(videoBytes(200_000))
    writeFileSync(`${clip.path}.upload`, '/api/v1/videos/uploads/8f0c1f3e-6f0f-4a57-9a55-0c8b0f6b7d21')
    expect(await uploads().upload(clip, never)).toEqual({ videoId: expect.any(String) })
    expect(methods()).toEqual(['HEAD', 'POST', 'PATCH'])
  })

  it('ends with what the server says when it will never have the file', async () => {
    const clip = clipOf(Buffer.alloc(100_000, 'text'))
    const refused = { refusal: { code: 'unsupported_media' }, isLasting: true }
    expect(await uploads().upload(clip, never)).toMatchObject(refused)
    expect(isRemembered(clip)).toBe(false)
    await uploads().upload(clipOf(videoBytes(50_000), 'taken.mp4'), never)
    const taken = { refusal: { code: 'file_exists' }, isLasting: true }
    expect(await uploads().upload(clipOf(videoBytes(50_000), 'taken.mp4'), never)).toMatchObject(taken)
  })
})

describe('a fleet with --upload tus', () => {
  it('brings a clip over a network that breaks in the middle of it, and leaves nothing behind', async () => {
    const line = `--gpx ${GPX} --server ${network.origin} --speedup max --alarm-burst 1 --clips --upload tus`
    const read = readCommandLine(line.split(' '), {})
    if (read.kind !== 'run') throw new Error(read.text)
    const ffmpeg = process.env.FFMPEG_PATH || (await findPackagedFfmpeg())
    const stateDirectory = temporaryDirectory()
    network.cutOnce(10_000)
    const summary = await new Fleet({ ...read.fleet, ffmpeg, stateDirectory }, [await readGpx(GPX)]).run()
    expect(summary.isSettled).toBe(true)
    expect(summary.tally).toMatchObject({ alarmsAcked: 1, clipsUploaded: 1, uploadsRepeated: 1 })
    expect(methods()).toEqual(['POST', 'PATCH', 'HEAD', 'PATCH'])
    const [video] = await videosOf('009900000000002')
    const offset = network.seen.at(-1)?.offset ?? 0
    expect(offset).toBeGreaterThan(0)
    expect(offset).toBeLessThan(video?.bytes ?? 0)
    expect(readdirSync(stateDirectory)).toEqual([])
  })
})
