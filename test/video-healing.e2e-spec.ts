import { setTimeout as sleep } from 'node:timers/promises'
import { testImei } from './support/api.js'
import { type RunningApp, startApp } from './support/app.js'
import { StoredVideos } from './support/stored-videos.js'
import { removeTemporaryDirectories, temporaryDirectory } from './support/temporary-directory.js'

afterAll(removeTemporaryDirectories)

const deviceId = testImei(6)

interface AlarmItem {
  readonly files: ReadonlyArray<{ readonly fileName: string; readonly videoId: string | null }>
}

async function raise({ api }: RunningApp, fileName: string): Promise<string> {
  const device = await api.loginDevice(deviceId)
  const alarm = { type: 'CRASH', time: new Date().toISOString(), files: [fileName], attributes: { eventKey: fileName } }
  return String((await api.post('/api/v1/alarms', alarm, device)).body.id)
}

async function videoOfAlarmSoon({ api, admin }: RunningApp, alarmId: string, wanted: string | null): Promise<unknown> {
  let videoId: unknown
  for (let look = 0; look < 200; look++) {
    videoId = (await api.get<AlarmItem>(`/api/v1/alarms/${alarmId}`, admin)).body.files[0]?.videoId
    if (videoId === wanted) break
    await sleep(25)
  }
  return videoId
}

describe.each([
  ['where no media workers are wanted', { MEDIA_WORKERS: '0' }],
  ['where there is no media tool', { MEDIA_WORKERS: '1', FFMPEG_PATH: '/nowhere/ffmpeg' }],
])('after a kill, %s', (_, setting) => {
  it('an alarm has the video that was shown just before, and no longer has one that was removed', async () => {
    const environment = { DATA_DIR: temporaryDirectory(), DEVICE_ENROLMENT: 'open' }
    const first = await startApp({ ...environment, MEDIA_WORKERS: '0' })
    const stored = new StoredVideos(first)
    const before = await stored.add({ deviceId, fileName: 'removed.mp4' })
    const parted = await raise(first, 'removed.mp4')
    expect(await videoOfAlarmSoon(first, parted, before.id)).toBe(before.id)
    const joined = await raise(first, 'shown.mp4')
    // What a kill leaves: the records of videos are changed, and nobody was told.
    const shown = await stored.add({ deviceId, fileName: 'shown.mp4' })
    await stored.records.hide(before.id)
    await stored.records.remove(before.id)
    expect(await videoOfAlarmSoon(first, joined, null)).toBeNull()
    await first.close()

    const second = await startApp({ ...environment, ...setting })
    try {
      expect(await videoOfAlarmSoon(second, joined, shown.id)).toBe(shown.id)
      expect(await videoOfAlarmSoon(second, parted, null)).toBeNull()
      const { items } = (
        await second.api.get<{ items: Array<{ id: string }> }>('/api/v1/alarms?hasVideo=true', second.admin)
      ).body
      expect(items.map(({ id }) => id)).toEqual([joined])
    } finally {
      await second.close()
    }
  })
})
