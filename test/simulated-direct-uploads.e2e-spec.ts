import { writeFileSync } from 'node:fs'
import path from 'node:path'
import type { DeviceToken } from '../simulator/socket/device-token.js'
import { DirectUploads } from '../simulator/socket/direct-uploads.js'
import { PutUploads } from '../simulator/socket/put-uploads.js'
import { ServerApi } from '../simulator/socket/server-api.js'
import { describeOn } from './stores/describe-on.js'
import { type Made, makeBucket } from './stores/test-servers.js'
import { testImei } from './support/api.js'
import { type RunningApp, startApp } from './support/app.js'
import { VIDEOS } from './support/stored-videos.js'
import { removeTemporaryDirectories, temporaryDirectory } from './support/temporary-directory.js'
import { sha256Of, videoBytes } from './support/video-bytes.js'

afterAll(removeTemporaryDirectories)

describeOn('S3_ENDPOINT', 'a simulated unit that sends its clips to the store', () => {
  let made: Made
  let running: RunningApp

  beforeAll(async () => {
    made = await makeBucket()
    running = await startApp({ ...made.variables, DEVICE_ENROLMENT: 'open', MEDIA_WORKERS: '0' })
  }, 60_000)
  afterAll(async () => {
    await running.close()
    await made.remove()
  })

  it('has them shown, once', async () => {
    const value = await running.api.loginDevice(testImei(1))
    const tokens = {
      get: async () => ({ token: { value }, isFresh: true }),
      forget: () => undefined,
    } as unknown as DeviceToken
    const api = new ServerApi(running.url)
    const uploads = new DirectUploads(api, tokens, new PutUploads(api, tokens))
    const content = videoBytes(70_000)
    const file = path.join(temporaryDirectory(), 'clip.mp4')
    writeFileSync(file, content)
    const sha256 = Buffer.from(sha256Of(content), 'hex')
    const clip = { path: file, fileName: 'clip 1.mp4', bytes: content.length, sha256, recordedAtMs: 1_700_000_000_000 }
    const first = await uploads.upload(clip, new AbortController().signal)
    const again = await uploads.upload(clip, new AbortController().signal)

    const shown = await running.api.all<{ id: string; sha256: string; recordedAt: string }>(VIDEOS, running.admin)
    expect(shown).toMatchObject([{ sha256: sha256Of(content), recordedAt: '2023-11-14T22:13:20.000Z' }])
    expect([first, again]).toEqual([{ videoId: shown[0]?.id }, { videoId: shown[0]?.id }])
  })
})
