import { existsSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { AppError } from '../src/model/app-error.js'
import { TypeormAuditRecords } from '../src/storage/sql/typeorm-audit-records.js'
import { VideoRecords } from '../src/storage/sql/video-records.js'
import type { Api } from './support/api.js'
import { testImei } from './support/api.js'
import { type RunningApp, startApp } from './support/app.js'
import { ADMIN_PASSWORD, ServerProcess } from './support/server-process.js'
import { spoiledBuild } from './support/spoiled-build.js'
import { StoredVideos } from './support/stored-videos.js'
import { removeTemporaryDirectories, temporaryDirectory } from './support/temporary-directory.js'

const IMEI = testImei(1)
const API = '/api/v1'
const SETTINGS = { DEVICE_ENROLMENT: 'open', LOGIN_FAILURES_PER_MINUTE: '0' }
const APPEND = 'async append(entry) {'

/** A change, and where it is seen. Those that need an id get it from what {@link prepare} made. */
interface Change {
  readonly action: string
  readonly method: string
  readonly path: string
  readonly body?: unknown
  readonly seenAt: string
  readonly headers?: Record<string, string>
  readonly text?: string
}

interface Made {
  readonly alarm: string
  readonly command: string
}

const changesOf = ({ alarm, command }: Made): Change[] => [
  { action: 'user.create', method: 'POST', path: '/users', body: newUser('ben'), seenAt: '/users' },
  { action: 'user.update', method: 'PATCH', path: '/users/anna', body: { role: 'operator' }, seenAt: '/users' },
  { action: 'user.delete', method: 'DELETE', path: '/users/anna', seenAt: '/users' },
  { action: 'device.create', method: 'POST', path: '/devices', body: { deviceId: 'gate-1' }, seenAt: '/devices' },
  { action: 'device.update', method: 'PATCH', path: `/devices/${IMEI}`, body: { name: 'Truck' }, seenAt: '/devices' },
  {
    action: 'device.import',
    method: 'POST',
    path: '/devices/import',
    text: `deviceId,plate\n${IMEI},M-MP 7\n`,
    headers: { 'content-type': 'text/csv' },
    seenAt: '/devices',
  },
  {
    action: 'alarm.update',
    method: 'PATCH',
    path: `/alarms/${alarm}`,
    body: { status: 'acknowledged' },
    seenAt: '/alarms',
  },
  {
    action: 'command.create',
    method: 'POST',
    path: `/devices/${IMEI}/commands`,
    body: { type: 'REBOOT' },
    seenAt: `/devices/${IMEI}/commands`,
  },
  {
    action: 'command.cancel',
    method: 'DELETE',
    path: `/commands/${command}`,
    seenAt: `/devices/${IMEI}/commands`,
  },
  { action: 'device.delete', method: 'DELETE', path: `/devices/${IMEI}`, seenAt: '/devices' },
]

const newUser = (username: string) => ({ username, password: ADMIN_PASSWORD, role: 'viewer' })

/** A user, a device, an alarm and a command. */
async function prepare(api: Api, admin: string): Promise<Made> {
  const unit = await api.loginDevice(IMEI)
  const alarm = await api.post<{ id: string }>(`${API}/alarms`, { type: 'SOS', time: Date.now() }, unit)
  const command = await api.post<{ id: string }>(`${API}/devices/${IMEI}/commands`, { type: 'RESET' }, admin)
  const user = await api.post(`${API}/users`, newUser('anna'), admin)
  expect([alarm.status, command.status, user.status]).toEqual([201, 202, 201])
  return { alarm: alarm.body.id, command: command.body.id }
}

function make(api: Api, token: string, { method, path, body, headers, text }: Change) {
  return api.request(method, `${API}${path}`, { token, body, headers, text })
}

const seen = async (api: Api, token: string, { seenAt }: Change) => (await api.get(`${API}${seenAt}`, token)).text

async function entriesOf(api: Api, token: string, action: string): Promise<number> {
  return (await api.all(`${API}/audit?action=${action}`, token)).length
}

afterEach(() => jest.restoreAllMocks())
afterAll(removeTemporaryDirectories)

describe('a change whose entry in the audit log cannot be written', () => {
  let running: RunningApp

  beforeEach(async () => {
    running = await startApp(SETTINGS)
  })
  afterEach(() => running.close())

  const failOnce = () =>
    jest.spyOn(TypeormAuditRecords.prototype, 'append').mockRejectedValueOnce(new AppError('store_unavailable'))

  it('is refused and not made, and is made once when it is asked for again', async () => {
    const { api, admin } = running
    for (const change of changesOf(await prepare(api, admin))) {
      const before = [await seen(api, admin, change), await entriesOf(api, admin, change.action)] as const
      failOnce()
      const refused = await make(api, admin, change)
      expect([change.action, refused.status, refused.body.code]).toEqual([change.action, 503, 'store_unavailable'])
      expect([await seen(api, admin, change), await entriesOf(api, admin, change.action)]).toEqual(before)
      const made = await make(api, admin, change)
      expect([change.action, Math.floor(made.status / 100)]).toEqual([change.action, 2])
      expect(await seen(api, admin, change)).not.toBe(before[0])
      expect([change.action, await entriesOf(api, admin, change.action)]).toEqual([change.action, before[1] + 1])
    }
  }, 60_000)

  it('leaves a video as it is, in its row and on the disk', async () => {
    const { api, admin } = running
    const { id } = await new StoredVideos(running).add()
    const videos = running.app.get(VideoRecords)
    const before = await videos.find(id)
    failOnce()
    expect((await api.request('PATCH', `${API}/videos/${id}`, { token: admin, body: { keep: true } })).status).toBe(503)
    failOnce()
    expect((await api.request('DELETE', `${API}/videos/${id}`, { token: admin })).status).toBe(503)
    expect(await videos.find(id)).toEqual(before)
    expect((await api.get(`${API}/videos/${id}/content`, admin)).status).toBe(200)
    expect((await api.request('DELETE', `${API}/videos/${id}`, { token: admin })).status).toBe(204)
    expect(await entriesOf(api, admin, 'video.delete')).toBe(1)
  })

  it('leaves a session, a password and the sessions of others as they are', async () => {
    const { api, admin } = running
    await api.post(`${API}/users`, newUser('anna'), admin)
    const anna = await api.login('anna', ADMIN_PASSWORD)
    const other = await api.login('anna', ADMIN_PASSWORD)
    const passwords = { current: ADMIN_PASSWORD, new: 'another password of hers' }
    failOnce()
    expect((await api.post(`${API}/auth/password`, passwords, anna)).status).toBe(503)
    failOnce()
    expect((await api.post(`${API}/auth/logout`, undefined, anna)).status).toBe(503)
    expect([(await api.get(`${API}/auth/me`, anna)).status, (await api.get(`${API}/auth/me`, other)).status]).toEqual([
      200, 200,
    ])
    await api.login('anna', ADMIN_PASSWORD)
    expect((await api.post(`${API}/auth/password`, passwords, anna)).status).toBe(204)
    expect((await api.get(`${API}/auth/me`, other)).status).toBe(401)
  })
})

describe('a server that is killed between a change and its entry in the audit log', () => {
  it('has made neither, whatever was changed', async () => {
    const dataDirectory = temporaryDirectory()
    const mortal = path.join(dataDirectory, 'mortal')
    const die = `if (process.getBuiltinModule('fs').existsSync(${JSON.stringify(mortal)})) process.kill(process.pid, 'SIGKILL');`
    const dist = spoiledBuild('src/storage/sql/typeorm-audit-records.js', APPEND, `${APPEND} ${die}`)
    const server = new ServerProcess({ ...SETTINGS, DATA_DIR: dataDirectory }, dist)
    await server.start()
    try {
      const admin = await server.api.login('admin', ADMIN_PASSWORD)
      for (const change of changesOf(await prepare(server.api, admin))) {
        const before = [await seen(server.api, admin, change), await entriesOf(server.api, admin, change.action)]
        writeFileSync(mortal, '')
        await expect(make(server.api, admin, change)).rejects.toThrow()
        await server.ended()
        rmSync(mortal)
        await server.start()
        const after = [await seen(server.api, admin, change), await entriesOf(server.api, admin, change.action)]
        expect([change.action, ...after]).toEqual([change.action, ...before])
      }
      expect(existsSync(mortal)).toBe(false)
    } finally {
      await server.kill()
    }
  }, 180_000)
})
