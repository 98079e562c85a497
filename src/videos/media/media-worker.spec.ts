import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Logger } from '@nestjs/common'
import { FFMPEG, fakeTool, jpegSize, makeSample } from '../../../test/support/media-samples.js'
import { makeDevice } from '../../../test/support/memory-device-records.js'
import { removeTemporaryDirectories, temporaryDirectory } from '../../../test/support/temporary-directory.js'
import { Metrics } from '../../metrics/metrics.js'
import type { MediaType, Video } from '../../model/video.js'
import { fileKeyOf, screenshotKeyOf, thumbnailKeyOf } from '../../model/video-keys.js'
import type { BlobStore } from '../../storage/blobs/blob-store.js'
import { openDirectoryBlobs } from '../../storage/blobs/directory-blob-store.js'
import { openSqliteRecords } from '../../storage/sql/open-sqlite-records.js'
import type { SqlRecords } from '../../storage/sql/records-of.js'
import { VideoEvents } from '../video-events.js'
import { VideoLocks } from '../video-locks.js'
import { VideoRemoval } from '../video-removal.js'
import { MEDIA_LIMITS, type MediaLimits } from './media-limits.js'
import { MediaTool } from './media-tool.js'
import { MediaWork } from './media-work.js'
import { MediaWorker } from './media-worker.js'

const DEVICE = 'truck-1'
const samples = temporaryDirectory()
const clip = makeSample(samples, 'clip.mp4')
beforeAll(() => Logger.overrideLogger(false))
afterAll(removeTemporaryDirectories)

let records: SqlRecords
let blobs: BlobStore
let events: VideoEvents
let metrics: Metrics
let locks: VideoLocks
const disk = { isFull: false }
const workers: MediaWorker[] = []
let numbered = 0

beforeEach(async () => {
  const directory = temporaryDirectory()
  records = await openSqliteRecords({ directory })
  blobs = await openDirectoryBlobs({ directory })
  await records.devices.insert(makeDevice({ deviceId: DEVICE }))
  events = new VideoEvents()
  metrics = new Metrics()
  locks = new VideoLocks()
  disk.isFull = false
})

afterEach(async () => {
  for (const worker of workers.splice(0)) await worker.onModuleDestroy()
  await blobs.close()
  await records.store.close()
})

interface Setting {
  readonly tool?: string
  readonly workers?: number
  readonly limits?: Partial<MediaLimits>
  readonly pollMs?: number
  readonly againAfterMs?: number
  readonly stopAfterMs?: number
}

/** Starts a worker, as the start of the server does. */
function startWorker(setting: Setting = {}): MediaWorker {
  const limits = { ...MEDIA_LIMITS, ...setting.limits }
  const tool = new MediaTool(setting.tool ?? FFMPEG, limits)
  const work = new MediaWork(records.videos, blobs, events, tool, metrics, limits, locks)
  const { pollMs, againAfterMs, stopAfterMs } = setting
  const times = [pollMs, againAfterMs, stopAfterMs] as const
  const worker = new MediaWorker(setting.workers ?? 1, records.videos, work, tool, disk, metrics, ...times)
  worker.watch(events)
  worker.onApplicationBootstrap()
  workers.push(worker)
  return worker
}

/** A video that was uploaded. */
async function upload(file = clip, contentType: MediaType = 'video/mp4'): Promise<Video> {
  numbered += 1
  const bytes = readFileSync(file)
  const id = `video-${numbered}`
  const blobUploadId = await blobs.beginUpload('truck/clip')
  await blobs.append(
    blobUploadId,
    0,
    (async function* () {
      yield bytes
    })(),
  )
  const video = {
    id,
    deviceId: DEVICE,
    fileName: `-i %d ${numbered}.mp4`,
    bytes: bytes.length,
    sha256: '0'.repeat(64),
    contentType,
    recordedAtMs: null,
    blobUploadId,
    reservedAtMs: numbered,
  }
  await records.videos.reserve(video)
  await blobs.complete(blobUploadId, fileKeyOf(video))
  const shown = await records.videos.show(id, 1_700_000_000_000 + numbered)
  if (shown === undefined || shown === 'removed') throw new Error('not shown')
  return shown
}

/** Waits until the video is no longer worked on. */
async function settled({ id }: Video, isSettled = (video: Video) => video.status !== 'processing'): Promise<Video> {
  for (let look = 0; look < 1000; look++) {
    const video = await records.videos.find(id)
    // The last thing that is done is to count it out.
    if (video !== undefined && isSettled(video) && (await running()) === 0) return video
    await sleep(20)
  }
  throw new Error(`not settled: ${JSON.stringify(await records.videos.find(id))}`)
}

const running = async () => (await metrics.mediaRunning.get()).values[0]?.value ?? 0

async function bytesOf(key: string): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  const stream = await blobs.read(key)
  if (stream === undefined) return undefined
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

const outcomes = async () =>
  Object.fromEntries((await metrics.mediaOutcomes.get()).values.map(({ labels, value }) => [labels.outcome, value]))

describe('MediaWorker', () => {
  it('works on a video once it can be seen, stores its pictures and tells of it', async () => {
    const told: string[] = []
    startWorker()
    await sleep(300)
    events.onVideo(({ id, status }, event) => told.push(`${id} ${event} ${status}`))
    const video = await upload()
    events.tell(video, 'shown')
    const ready = await settled(video)
    expect(ready).toEqual({
      ...video,
      status: 'ready',
      failureReason: null,
      durationS: 2,
      width: 320,
      height: 180,
      codec: 'h264',
      hasThumbnail: true,
      screenshots: 3,
    })
    expect(jpegSize((await bytesOf(thumbnailKeyOf(video.id))) ?? Buffer.alloc(0))).toEqual({ width: 320, height: 180 })
    for (const number of [1, 2, 3]) {
      const screenshot = await bytesOf(screenshotKeyOf(video.id, number))
      expect(jpegSize(screenshot ?? Buffer.alloc(0))).toEqual({ width: 320, height: 180 })
    }
    expect(told).toEqual([`${video.id} shown processing`, `${video.id} changed ready`])
    expect(await outcomes()).toEqual({ ready: 1 })
  })

  it('works on what waited before the start, oldest first', async () => {
    const order: string[] = []
    events.onVideo(({ id }) => order.push(id))
    const videos = [await upload(), await upload(), await upload()]
    startWorker()
    for (const video of videos) expect((await settled(video)).status).toBe('ready')
    expect(order).toEqual(videos.map(({ id }) => id))
  })

  it('makes only the thumbnail of a photo', async () => {
    const photo = makeSample(samples, 'photo.jpg', { options: ['-frames:v', '1'] })
    const video = await upload(photo, 'image/jpeg')
    startWorker()
    expect(await settled(video)).toMatchObject({
      status: 'ready',
      durationS: null,
      codec: 'mjpeg',
      hasThumbnail: true,
      screenshots: 0,
    })
  })

  it('says why a file gives no pictures, and leaves the file alone', async () => {
    const noise = path.join(samples, 'noise.mp4')
    writeFileSync(noise, 'no video at all')
    const video = await upload(noise)
    startWorker()
    expect(await settled(video)).toMatchObject({
      status: 'failed',
      failureReason: 'not_decodable',
      hasThumbnail: false,
    })
    expect(await bytesOf(fileKeyOf(video))).toEqual(readFileSync(noise))
    expect(await outcomes()).toEqual({ not_decodable: 1 })
  })

  it('fails videos while there is no tool, and works on them once there is', async () => {
    const place = path.join(temporaryDirectory(), 'ffmpeg')
    const worker = startWorker({ tool: place, pollMs: 50 })
    const video = await upload()
    events.tell(video, 'shown')
    expect(await settled(video)).toMatchObject({ status: 'failed', failureReason: 'media_tool_missing' })
    fakeTool(`exec '${FFMPEG}' "$@"`, place)
    expect(await settled(video, ({ status }) => status === 'ready')).toMatchObject({
      failureReason: null,
      screenshots: 3,
    })
    await worker.onModuleDestroy()
  })

  it('notices that the tool went away, and that it came back', async () => {
    const place = fakeTool(`exec '${FFMPEG}' "$@"`)
    startWorker({ tool: place, pollMs: 50 })
    expect((await settled(await uploadAndTell())).status).toBe('ready')
    rmSync(place)
    const video = await uploadAndTell()
    expect(await settled(video)).toMatchObject({ status: 'failed', failureReason: 'media_tool_missing' })
    fakeTool(`exec '${FFMPEG}' "$@"`, place)
    expect(await settled(video, ({ status }) => status === 'ready')).toMatchObject({ screenshots: 3 })
  })

  it('says when the file is gone', async () => {
    const video = await upload()
    await blobs.remove(fileKeyOf(video))
    startWorker()
    expect(await settled(video)).toMatchObject({ status: 'failed', failureReason: 'object_missing' })
  })

  it('gives a file up whose tool crashed three times', async () => {
    const video = await upload()
    startWorker({ tool: fakeTool('kill -SEGV $$'), pollMs: 20, againAfterMs: 20 })
    expect(await settled(video)).toMatchObject({ status: 'failed', failureReason: 'media_tool_failed' })
    expect(await records.videos.countAttempt(video.id)).toBe(4)
  })

  it('gives a file up that was begun three times and never ended', async () => {
    const video = await upload()
    for (let begun = 0; begun < 3; begun++) await records.videos.countAttempt(video.id)
    startWorker()
    expect(await settled(video)).toMatchObject({ status: 'failed', failureReason: 'media_tool_failed' })
  })

  it('ends a tool that hangs, goes on with the next video, and gives the file up after three times', async () => {
    const [first, second] = [await upload(), await upload()]
    const hangs = `case "$*" in *"${first.fileName.replace('-i %d', '')}"*) exec sleep 60;; esac; exec '${FFMPEG}' "$@"`
    startWorker({ tool: fakeTool(hangs), limits: { callMs: 3000, videoMs: 15_000 }, pollMs: 50, againAfterMs: 50 })
    expect((await settled(second)).status).toBe('ready')
    expect(await settled(first)).toMatchObject({ status: 'failed', failureReason: 'too_slow' })
    expect(await records.videos.countAttempt(first.id)).toBe(4)
  })

  it('ends a tool that floods', async () => {
    const video = await upload()
    startWorker({ tool: fakeTool('exec cat /dev/zero >&2') })
    expect(await settled(video)).toMatchObject({ status: 'failed', failureReason: 'media_tool_failed' })
  })

  it('stops at once, leaves what it worked on as it was, and does it after the next start', async () => {
    const video = await upload()
    const worker = startWorker({ tool: fakeTool('exec sleep 60') })
    while ((await running()) === 0) await sleep(20)
    await sleep(200)
    const startedMs = performance.now()
    await worker.onModuleDestroy()
    expect(performance.now() - startedMs).toBeLessThan(1000)
    expect(await records.videos.find(video.id)).toEqual(video)
    startWorker()
    expect((await settled(video)).status).toBe('ready')
  })

  it('gives up what it waits for when it stops', async () => {
    await upload()
    let given: AbortSignal | undefined
    const opening = jest.spyOn(blobs, 'openLocal').mockImplementation(
      (_, giveUp) =>
        new Promise((_resolve, reject) => {
          given = giveUp
          giveUp?.addEventListener('abort', () => reject(new Error('given up')))
        }),
    )
    const worker = startWorker()
    while (opening.mock.calls.length === 0) await sleep(10)
    await worker.onModuleDestroy()
    expect([given?.aborted, await running()]).toEqual([true, 0])
  })

  it('stops also while a store never answers', async () => {
    await upload()
    const opening = jest.spyOn(blobs, 'openLocal').mockImplementation(() => new Promise(() => undefined))
    const worker = startWorker({ stopAfterMs: 10 })
    while (opening.mock.calls.length === 0) await sleep(10)
    await worker.onModuleDestroy()
    expect(await running()).toBe(1)
  })

  it('leaves no pictures of a video that was removed meanwhile', async () => {
    const video = await upload()
    startWorker({ tool: fakeTool(`sleep 0.3; exec '${FFMPEG}' "$@"`) })
    while ((await running()) === 0) await sleep(10)
    await sleep(100)
    await records.videos.hide(video.id)
    while ((await running()) === 1) await sleep(10)
    expect(await bytesOf(thumbnailKeyOf(video.id))).toBeUndefined()
    expect(await bytesOf(screenshotKeyOf(video.id, 1))).toBeUndefined()
  })

  describe('when the store is away after the pictures were stored', () => {
    const picturesOf = ({ id }: Video) =>
      Promise.all([thumbnailKeyOf(id), ...[1, 2, 3].map((n) => screenshotKeyOf(id, n))].map((key) => blobs.stat(key)))
    const none = [undefined, undefined, undefined, undefined]
    let removal: VideoRemoval

    beforeEach(() => {
      removal = new VideoRemoval(records.videos, blobs, events, locks)
      jest.spyOn(records.videos, 'setOutcome').mockRejectedValue(new Error('the store is away'))
    })

    it('leaves none of a video that is removed while they are stored', async () => {
      const video = await upload()
      const put = blobs.put.bind(blobs)
      let go: () => void = () => undefined
      const held = new Promise<void>((resolve) => {
        go = resolve
      })
      const putting = jest.spyOn(blobs, 'put').mockImplementationOnce(async (key, bytes) => {
        await held
        await put(key, bytes)
      })
      const acquired = jest.spyOn(locks, 'acquire')
      startWorker()
      while (putting.mock.calls.length === 0) await sleep(10)
      let isRemoved = false
      const removed = removal.remove(video.id).finally(() => {
        isRemoved = true
      })
      // It waits for its turn; else it is over before.
      while (acquired.mock.calls.length < 2 && !isRemoved) await sleep(10)
      go()
      await removed
      while ((await running()) > 0) await sleep(10)
      expect(await picturesOf(video)).toEqual(none)
    })

    it('stores none of a video that was removed before', async () => {
      const video = await upload()
      const acquire = locks.acquire.bind(locks)
      jest.spyOn(locks, 'acquire').mockImplementationOnce(async (id) => {
        await removal.remove(id)
        return acquire(id)
      })
      startWorker()
      while (await records.videos.find(video.id)) await sleep(10)
      while ((await running()) > 0) await sleep(10)
      expect(await picturesOf(video)).toEqual(none)
    })
  })

  it('does not blame a video for a store that is away', async () => {
    const video = await upload()
    const away = jest.spyOn(blobs, 'openLocal').mockRejectedValue(new Error('the store is away'))
    startWorker({ pollMs: 20, againAfterMs: 20 })
    while (away.mock.calls.length < 5) await sleep(10)
    expect(await records.videos.find(video.id)).toEqual(video)
    away.mockRestore()
    expect((await settled(video)).status).toBe('ready')
  })

  it('does not let one file that cannot be read hold others back', async () => {
    const [first, second] = [await upload(), await upload()]
    const openLocal = blobs.openLocal.bind(blobs)
    jest.spyOn(blobs, 'openLocal').mockImplementation(async (key) => {
      if (key === fileKeyOf(first)) throw new Error('this file cannot be read')
      return openLocal(key)
    })
    startWorker()
    expect((await settled(second)).status).toBe('ready')
    expect((await records.videos.find(first.id))?.status).toBe('processing')
  })

  it('asks a database again that was away', async () => {
    const video = await upload()
    jest.spyOn(records.videos, 'listToProcess').mockRejectedValueOnce(new Error('the database is away'))
    startWorker({ pollMs: 20 })
    expect((await settled(video)).status).toBe('ready')
  })

  it('works on as many at a time as it may, and on none twice', async () => {
    let begunNow = 0
    let most = 0
    const countAttempt = records.videos.countAttempt.bind(records.videos)
    const setOutcome = records.videos.setOutcome.bind(records.videos)
    const begun: string[] = []
    jest.spyOn(records.videos, 'countAttempt').mockImplementation((id) => {
      begunNow += 1
      most = Math.max(most, begunNow)
      begun.push(id)
      return countAttempt(id)
    })
    jest.spyOn(records.videos, 'setOutcome').mockImplementation((id, outcome) => {
      begunNow -= 1
      return setOutcome(id, outcome)
    })
    const videos: Video[] = []
    for (let count = 0; count < 6; count++) videos.push(await upload())
    startWorker({ workers: 2 })
    for (const video of videos) expect((await settled(video)).status).toBe('ready')
    expect(most).toBe(2)
    expect(begun.sort()).toEqual(videos.map(({ id }) => id).sort())
  })

  it('does not begin again with one that was done while the records were asked', async () => {
    const videos = [await upload(), await upload()]
    const begun: string[] = []
    const countAttempt = records.videos.countAttempt.bind(records.videos)
    jest.spyOn(records.videos, 'countAttempt').mockImplementation((id) => {
      begun.push(id)
      return countAttempt(id)
    })
    const listToProcess = records.videos.listToProcess.bind(records.videos)
    let asked = 0
    jest.spyOn(records.videos, 'listToProcess').mockImplementation(async (limit, hasTool) => {
      asked += 1
      const page = await listToProcess(limit, hasTool)
      if (asked === 2) {
        await settled(videos[0] as Video)
        await sleep(50) // until the other worker has put it down
      }
      return page
    })
    startWorker({ workers: 2 })
    for (const video of videos) expect((await settled(video)).status).toBe('ready')
    expect(begun).toEqual(videos.map(({ id }) => id))
  })

  it('waits while the disk is full', async () => {
    disk.isFull = true
    const video = await upload()
    startWorker({ pollMs: 20 })
    await sleep(500)
    expect(await records.videos.find(video.id)).toEqual(video)
    disk.isFull = false
    expect((await settled(video)).status).toBe('ready')
  })

  it('does nothing where no workers are wanted', async () => {
    const video = await upload()
    startWorker({ workers: 0 })
    events.tell(video, 'shown')
    await sleep(300)
    expect(await records.videos.find(video.id)).toEqual(video)
  })
})

async function uploadAndTell(): Promise<Video> {
  const video = await upload()
  events.tell(video, 'shown')
  return video
}
