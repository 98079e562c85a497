import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Api, testImei } from './support/api.js'
import { startApp } from './support/app.js'
import { FFMPEG, fakeTool, jpegSize, makeSample } from './support/media-samples.js'
import { ADMIN_PASSWORD, ServerProcess } from './support/server-process.js'
import { removeTemporaryDirectories, temporaryDirectory } from './support/temporary-directory.js'

const VIDEOS = '/api/v1/videos'
const clip = readFileSync(makeSample(temporaryDirectory(), 'clip.mp4', { size: '640x360', seconds: 3 }))

interface VideoItem {
  readonly id: string
  readonly status: string
  readonly failureReason: string | null
  readonly links: { readonly content: string; readonly thumbnail: string | null; readonly screenshots: string[] }
}

interface Health {
  readonly status: string
  readonly details: Record<string, { readonly status: string; readonly message: string | null }>
}

/** What a unit and a user do with videos. */
class Client {
  private constructor(
    private readonly api: Api,
    private readonly admin: string,
    private readonly unit: string,
  ) {}

  static async of(api: Api): Promise<Client> {
    const admin = await api.login('admin', ADMIN_PASSWORD)
    return new Client(api, admin, await api.loginDevice(testImei(4242)))
  }

  async upload(fileName: string, bytes = clip): Promise<VideoItem> {
    const response = await fetch(`${this.api.url}${VIDEOS}/${encodeURIComponent(fileName)}`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${this.unit}`, 'content-type': 'application/octet-stream' },
      body: new Uint8Array(bytes),
    })
    expect(response.status).toBe(201)
    return (await response.json()) as VideoItem
  }

  async settled(id: string, isSettled = ({ status }: VideoItem) => status !== 'processing'): Promise<VideoItem> {
    for (let look = 0; look < 800; look++) {
      const { body } = await this.api.get<VideoItem & Record<string, unknown>>(`${VIDEOS}/${id}`, this.admin)
      if (isSettled(body)) return body
      await sleep(50)
    }
    throw new Error('it is still worked on')
  }

  async bytesOf(link: string): Promise<{ type: string | null; bytes: Buffer }> {
    const response = await fetch(`${this.api.url}${link}`, { headers: { authorization: `Bearer ${this.admin}` } })
    expect(response.status).toBe(200)
    return { type: response.headers.get('content-type'), bytes: Buffer.from(await response.arrayBuffer()) }
  }

  async health(): Promise<{ status: number; body: Health }> {
    const { status, body } = await this.api.get<Health & Record<string, unknown>>('/health/ready')
    return { status, body }
  }
}

jest.setTimeout(90_000)
afterAll(removeTemporaryDirectories)

describe('work on videos in the background', () => {
  it('gives a video its facts and pictures after the upload', async () => {
    const running = await startApp({ DEVICE_ENROLMENT: 'open', MEDIA_WORKERS: '1', FFMPEG_PATH: FFMPEG })
    try {
      const client = await Client.of(running.api)
      expect((await client.health()).body.details.media).toEqual({ status: 'ok', message: null })
      const { id, status } = await client.upload('crash 1.mp4')
      expect(status).toBe('processing')
      const video = await client.settled(id)
      expect(video).toMatchObject({
        status: 'ready',
        failureReason: null,
        durationS: 3,
        width: 640,
        height: 360,
        codec: 'h264',
        links: { screenshots: [1, 2, 3].map((number) => `${VIDEOS}/${id}/screenshots/${number}`) },
      })
      const thumbnail = await client.bytesOf(video.links.thumbnail ?? '')
      expect([thumbnail.type, jpegSize(thumbnail.bytes)]).toEqual(['image/jpeg', { width: 320, height: 180 }])
      for (const link of video.links.screenshots) {
        expect(jpegSize((await client.bytesOf(link)).bytes)).toEqual({ width: 640, height: 360 })
      }
      const metrics = (await running.api.get('/metrics')).text
      expect(metrics).toContain('milepost_media_outcomes_total{outcome="ready"} 1')
      expect(metrics).toContain('milepost_media_seconds_count 1')
    } finally {
      await running.close()
    }
  })

  it('goes on without a tool, says so, and leaves the file fetchable', async () => {
    const running = await startApp({ DEVICE_ENROLMENT: 'open', MEDIA_WORKERS: '1', FFMPEG_PATH: '/nowhere/ffmpeg' })
    try {
      const client = await Client.of(running.api)
      const { id, links } = await client.upload('crash.mp4')
      expect(await client.settled(id)).toMatchObject({ status: 'failed', failureReason: 'media_tool_missing' })
      expect((await client.bytesOf(links.content)).bytes.equals(clip)).toBe(true)
      const { status, body } = await client.health()
      expect([status, body.status]).toEqual([200, 'ok'])
      expect(body.details.media).toEqual({
        status: 'error',
        message: 'Videos get no pictures: it is not there, cannot be run, or is no ffmpeg',
      })
    } finally {
      await running.close()
    }
  })

  it('says nothing of a tool where no workers are wanted', async () => {
    const running = await startApp({ MEDIA_WORKERS: '0' })
    try {
      const { body } = await running.api.get<Health & Record<string, unknown>>('/health/ready')
      expect(Object.keys(body.details)).not.toContain('media')
    } finally {
      await running.close()
    }
  })

  it('picks up after a kill what was worked on', async () => {
    const marks = temporaryDirectory()
    const hanging = fakeTool(`: > '${marks}'/$$; exec sleep 60`)
    const environment = { DATA_DIR: temporaryDirectory(), DEVICE_ENROLMENT: 'open' }
    const first = new ServerProcess({ ...environment, FFMPEG_PATH: hanging })
    await first.start()
    const { id } = await (await Client.of(first.api)).upload('crash.mp4')
    await marked(marks)
    await first.kill()
    // Nobody could take the tool along; it would go by itself when its time is over.
    for (const pid of readdirSync(marks)) process.kill(Number(pid), 'SIGKILL')

    const second = new ServerProcess({ ...environment, FFMPEG_PATH: FFMPEG })
    await second.start()
    try {
      expect(await (await Client.of(second.api)).settled(id)).toMatchObject({ status: 'ready', durationS: 3 })
    } finally {
      await second.stop()
    }
  })

  it('stops fast and takes the tool along', async () => {
    const marks = temporaryDirectory()
    const server = new ServerProcess({
      DATA_DIR: temporaryDirectory(),
      DEVICE_ENROLMENT: 'open',
      FFMPEG_PATH: fakeTool(`: > '${marks}'/$$; exec sleep 60`),
    })
    await server.start()
    await (await Client.of(server.api)).upload('crash.mp4')
    const pid = await marked(marks)
    const startedMs = performance.now()
    expect(await server.stop()).toBe(0)
    expect(performance.now() - startedMs).toBeLessThan(5000)
    expect(isSleeping(pid)).toBe(false)
  })
})

/** @returns the process of the tool, once it runs */
async function marked(directory: string): Promise<number> {
  for (let look = 0; look < 500; look++) {
    const [pid] = readdirSync(directory)
    if (pid !== undefined) return Number(pid)
    await sleep(20)
  }
  throw new Error('the tool was not started')
}

/** One that has ended and that nobody has asked about yet does not count. */
function isSleeping(pid: number): boolean {
  try {
    return /^\d+ \(sleep\) [^Z]/.test(readFileSync(path.join('/proc', String(pid), 'stat'), 'utf8'))
  } catch {
    return false
  }
}
