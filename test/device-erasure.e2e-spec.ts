import { rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Socket } from 'socket.io-client'
import { fileKeyOf, screenshotKeyOf, thumbnailKeyOf } from '../src/model/video-keys.js'
import { RawFrameStore } from '../src/storage/frames/raw-frame-store.js'
import { PositionStore } from '../src/storage/positions/position-store.js'
import { QuarantineStore } from '../src/storage/quarantine/quarantine-store.js'
import { AlarmRecords } from '../src/storage/sql/alarm-records.js'
import { VideoLocks } from '../src/videos/video-locks.js'
import { type Api, testImei } from './support/api.js'
import { type RunningApp, startApp } from './support/app.js'
import { ADMIN_PASSWORD, ServerProcess } from './support/server-process.js'
import { spoiledBuild } from './support/spoiled-build.js'
import { StoredVideos } from './support/stored-videos.js'
import { removeTemporaryDirectories, temporaryDirectory } from './support/temporary-directory.js'
import { ask, connectSocket } from './support/unit-socket.js'

const IMEI = testImei(1)
const API = '/api/v1'
const DEVICE = `${API}/devices/${IMEI}`
const SETTINGS = { DEVICE_ENROLMENT: 'registered', LOGIN_FAILURES_PER_MINUTE: '0', RETENTION_DAYS: '0' }
const TIME = '2026-11-22T07:30:00.000Z'

async function fill(api: Api, admin: string): Promise<void> {
  await api.post(`${API}/devices`, { deviceId: IMEI }, admin)
  const unit = await api.loginDevice(IMEI)
  const answers = [
    await api.post(`${API}/locations`, { time: TIME, latitude: 48.1, longitude: 11.5 }, unit),
    await api.post(`${API}/alarms`, { type: 'SOS', time: TIME }, unit),
    await api.post(`${DEVICE}/commands`, { type: 'RESET' }, admin),
  ]
  expect(answers.map(({ status }) => status)).toEqual([200, 201, 202])
}

const erase = (api: Api, token: string) => api.request('DELETE', `${DEVICE}?erase=true`, { token })

/** What a device of this id is told to have left, when it is added again. */
async function leftOf(api: Api, token: string): Promise<unknown[]> {
  await api.post(`${API}/devices`, { deviceId: IMEI }, token)
  const lists = [`${DEVICE}/track`, `${DEVICE}/commands`, `${API}/alarms?deviceId=${IMEI}`]
  return (await Promise.all(lists.map((list) => api.all(list, token)))).flat()
}

const auditOf = async (api: Api, token: string) =>
  (await api.all<{ action: string; by: string }>(`${API}/audit?action=device.erase,device.delete`, token)).map(
    ({ action, by }) => [action, by],
  )

afterAll(removeTemporaryDirectories)

describe('erasing a device', () => {
  let running: RunningApp
  const sockets: Socket[] = []

  beforeEach(async () => {
    running = await startApp(SETTINGS)
  })
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.close()
    await running.close()
  })

  it('takes what is left of one that was deleted before, once', async () => {
    const { api, admin } = running
    await fill(api, admin)
    expect((await api.request('DELETE', DEVICE, { token: admin })).status).toBe(204)
    expect((await erase(api, admin)).status).toBe(204)
    expect((await erase(api, admin)).status).toBe(404)
    expect(await leftOf(api, admin)).toEqual([])
    expect(await auditOf(api, admin)).toEqual([
      ['device.delete', 'admin'],
      ['device.erase', 'admin'],
      ['device.delete', 'admin'],
    ])
  })

  it('takes a video when it is its turn, with the pictures that were just being put in their places', async () => {
    const { api, admin } = running
    await fill(api, admin)
    const stored = new StoredVideos(running)
    const video = await stored.add({ deviceId: IMEI, thumbnail: Buffer.from('jpg') })
    const thumbnail = thumbnailKeyOf(video.id)
    let release: () => void = () => undefined
    const wanted = new Promise<void>((resolve) => {
      void stored
        .get(VideoLocks)
        .acquire(video.id, resolve)
        .then((given) => {
          release = given
        })
    })
    const erased = erase(api, admin)
    await Promise.race([wanted, erased])
    expect([await stored.blobs.stat(fileKeyOf(video)), await stored.blobs.stat(thumbnail)]).toEqual([
      { bytes: video.bytes },
      { bytes: 3 },
    ])
    await stored.blobs.put(screenshotKeyOf(video.id, 1), Buffer.from('jpg'))
    release()
    expect((await erased).status).toBe(204)
    for (const key of [fileKeyOf(video), thumbnail, screenshotKeyOf(video.id, 1)])
      expect(await stored.blobs.stat(key)).toBeUndefined()
  })

  it('takes its raw frames, and those that are all there is of a device', async () => {
    const { api, admin, app } = running
    await fill(api, admin)
    const frames = app.get(RawFrameStore)
    const frame = { atMs: 1, direction: 'in', protocol: 'teltonika', link: 'tcp:1', bytes: Buffer.of(1) } as const
    const leftOf = async (deviceId: string) =>
      (await frames.list({ deviceId, order: 'newest', limit: 10 })).map(({ deviceId: id }) => id)
    const [other, unknown] = [testImei(2), testImei(3)]
    await frames.keep([IMEI, other, unknown, IMEI].map((deviceId) => ({ ...frame, deviceId })))
    expect(await leftOf(IMEI)).toEqual([IMEI, IMEI])
    expect((await erase(api, admin)).status).toBe(204)
    const path = `${API}/devices/${unknown}?erase=true`
    expect((await api.request('DELETE', path, { token: admin })).status).toBe(204)
    expect((await api.request('DELETE', path, { token: admin })).status).toBe(404)
    expect([await leftOf(IMEI), await leftOf(other), await leftOf(unknown)]).toEqual([[], [other], []])
  })

  it.each([
    ['a position', PositionStore, 'append', 'locations', { latitude: 48.1, longitude: 11.5 }],
    ['an alarm', AlarmRecords, 'raise', 'alarms', { type: 'SOS' }],
    ['a refused position', QuarantineStore, 'keep', 'locations', { latitude: 148.1, longitude: 11.5 }],
  ])('takes also %s that was on its way to the store', async (_, port, method, path, body) => {
    const { api, admin, app } = running
    await fill(api, admin)
    const unit = await api.loginDevice(IMEI)
    let goOn: () => void = () => undefined
    const gate = new Promise<void>((resolve) => {
      goOn = resolve
    })
    const store = app.get<Record<string, (...given: unknown[]) => Promise<unknown>>>(port)
    const write = store[method]?.bind(store)
    const writing = jest.spyOn(store, method).mockImplementationOnce((...given) => gate.then(() => write?.(...given)))
    const said = api.post(`${API}/${path}`, { time: '2026-11-22T07:31:00.000Z', ...body }, unit)
    while (writing.mock.calls.length === 0) await sleep(5)
    const erased = erase(api, admin)
    // Were it not waited for, it would be stored behind the answer.
    await Promise.race([erased, sleep(1500)])
    goOn()
    expect((await erased).status).toBe(204)
    await said
    await writing.mock.results[0]?.value
    expect(await leftOf(api, admin)).toEqual([])
    expect(await api.all(`${API}/quarantine?deviceId=${IMEI}`, admin)).toEqual([])
  })

  it('answers those who wait for its commands at once, and tells those who watch', async () => {
    const { api, admin } = running
    await fill(api, admin)
    const watching = await connectSocket(`${running.url}/live`, { token: admin })
    sockets.push(watching)
    const news: Array<Record<string, unknown>> = []
    watching.on('command', (command: Record<string, unknown>) => news.push(command))
    await ask(watching, 'watch', {})
    const startedMs = performance.now()
    const headers = { prefer: 'wait=20' }
    const waiting = api.request(`POST`, `${DEVICE}/commands`, { token: admin, headers, body: { type: 'REBOOT' } })
    while (!news.some(({ type }) => type === 'REBOOT')) await sleep(20)
    expect((await erase(api, admin)).status).toBe(204)
    const { status, body } = await waiting
    expect([status, body.status, (body.history as unknown[]).at(-1)]).toEqual([
      200,
      'cancelled',
      { at: expect.any(String), status: 'cancelled', detail: 'device_deleted' },
    ])
    expect(performance.now() - startedMs).toBeLessThan(15_000)
    const ended = () => news.filter((command) => command.status === 'cancelled').map(({ type }) => type)
    while (ended().length < 2) await sleep(20)
    expect(ended().sort()).toEqual(['REBOOT', 'RESET'])
  })
})

describe('an erasure that the server does not survive', () => {
  it.each(['positions', 'alarms', 'commands'])(
    'is finished at the next start when it died at the %s',
    async (store) => {
      const dataDirectory = temporaryDirectory()
      const mortal = path.join(dataDirectory, 'mortal')
      const step = `this.${store}.eraseDevice(deviceId)`
      const die = `if (process.getBuiltinModule('fs').existsSync(${JSON.stringify(mortal)})) process.kill(process.pid, 'SIGKILL');`
      const dist = spoiledBuild('src/devices/device-erasure.js', step, `${step}.then(() => { ${die} })`)
      const server = new ServerProcess({ ...SETTINGS, DATA_DIR: dataDirectory }, dist)
      await server.start()
      try {
        const admin = await server.api.login('admin', ADMIN_PASSWORD)
        await fill(server.api, admin)
        writeFileSync(mortal, '')
        await expect(erase(server.api, admin)).rejects.toThrow()
        await server.ended()
        rmSync(mortal)
        await server.start()
        for (let tries = 0; !server.log.includes('erasure_finished'); tries++) {
          if (tries === 200) throw new Error(server.log)
          await sleep(50)
        }
        expect((await server.api.get(DEVICE, admin)).status).toBe(404)
        expect(await leftOf(server.api, admin)).toEqual([])
        expect(await auditOf(server.api, admin)).toEqual([
          ['device.delete', 'admin'],
          ['device.erase', 'admin'],
        ])
      } finally {
        await server.kill()
      }
    },
    60_000,
  )
})
