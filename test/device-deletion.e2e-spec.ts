import type { Socket } from 'socket.io-client'
import { PositionStore } from '../src/storage/positions/position-store.js'
import { QuarantineStore } from '../src/storage/quarantine/quarantine-store.js'
import { type RunningApp, startApp } from './support/app.js'
import { DeviceCalls } from './support/device-calls.js'
import { removeTemporaryDirectories } from './support/temporary-directory.js'
import { ask, connectSocket } from './support/unit-socket.js'

const MUNICH = 'bbox=11.3,48.0,11.8,48.3'

describe('deleting devices', () => {
  let running: RunningApp
  let devices: DeviceCalls
  const sockets: Socket[] = []

  beforeAll(async () => {
    running = await startApp({ RETENTION_DAYS: '0' })
    devices = new DeviceCalls(running, 710000)
  })

  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.close()
  })

  afterAll(async () => {
    await running.close()
    await removeTemporaryDirectories()
  })

  async function connect(token: string): Promise<Socket> {
    const socket = await connectSocket(running.url, { token })
    sockets.push(socket)
    return socket
  }

  async function fill(deviceId: string): Promise<void> {
    await devices.call('POST', '', { deviceId })
    const socket = await connect(await running.api.loginDevice(deviceId))
    const position = { time: '2026-11-22T07:30:00Z', latitude: 48.1, longitude: 11.5 }
    const outcome = await ask(socket, 'location', [position, { ...position, latitude: 98 }])
    expect(outcome).toMatchObject({ accepted: 1, rejected: [{ index: 1, code: 'invalid_latitude' }] })
    await waitFor(async () => (await quarantined(deviceId)).length === 1)
  }

  const quarantined = (deviceId: string) => devices.get(QuarantineStore).list({ deviceIds: [deviceId], limit: 10 })
  const positions = (deviceId: string) =>
    devices.get(PositionStore).listTrack(deviceId, { limit: 10, includeWithoutFix: true })

  it('hides what a deleted device sent, and shows it when the device is added again', async () => {
    const deviceId = devices.newImei()
    await fill(deviceId)
    await devices.call('DELETE', `/${deviceId}`)
    expect((await devices.call('GET', `/${deviceId}/track`)).status).toBe(404)
    expect((await devices.call('GET', `/${deviceId}/odometer`)).status).toBe(404)
    await devices.call('POST', '', { deviceId })
    expect((await devices.call<{ items: unknown[] }>('GET', `/${deviceId}/track`)).body.items).toHaveLength(1)
    expect((await devices.call('GET', `/${deviceId}`)).body.position).toMatchObject({ latitude: 48.1 })
  })

  it('removes positions, latest position and refused records with erase=true', async () => {
    const deviceId = devices.newImei()
    await fill(deviceId)
    expect((await devices.call('DELETE', `/${deviceId}?erase=true`)).status).toBe(204)
    expect([await positions(deviceId), await quarantined(deviceId)]).toEqual([[], []])
    await devices.call('POST', '', { deviceId })
    expect((await devices.call('GET', `/${deviceId}`)).body).toMatchObject({ position: null, lastSeenAt: null })
    expect((await devices.call<{ items: unknown[] }>('GET', `/${deviceId}/track?include=all`)).body.items).toEqual([])
    expect(await devices.idsOf(`${MUNICH}&text=${deviceId}`)).toEqual([])
  })

  it('refuses erase that is neither true nor false', async () => {
    const answer = await devices.call('DELETE', '/gate-1?erase=yes')
    expect([answer.status, answer.body.code]).toEqual([400, 'invalid_request'])
  })

  it('lists refused records newest first, by device, code and time, page after page', async () => {
    const [one, other] = [devices.newImei(), devices.newImei()]
    await devices.get(QuarantineStore).keep(
      [1000, 2000, 2000, 3000].map((receivedAtMs, n) => ({
        deviceId: n === 3 ? other : one,
        ingress: 'socket',
        code: n === 0 ? 'invalid_time' : 'invalid_latitude',
        receivedAtMs,
        raw: `{"n":${n}}`,
      })),
    )
    const list = async (query: string) =>
      (await running.api.all<{ raw: string }>(`/api/v1/quarantine?limit=1&${query}`, running.admin)).map(({ raw }) =>
        Number(JSON.parse(raw).n),
      )
    expect(await list(`deviceId=${one},${other}`)).toEqual([3, 2, 1, 0])
    expect(await list(`deviceId=${one}&deviceId=${other}&code=invalid_time`)).toEqual([0])
    expect(await list(`deviceId=${one}&from=2000&to=3000`)).toEqual([2, 1])
    const { body } = await running.api.get<{ items: unknown[] }>(`/api/v1/quarantine?deviceId=${other}`, running.admin)
    expect(body).toEqual({
      items: [
        {
          id: expect.any(String),
          deviceId: other,
          ingress: 'socket',
          code: 'invalid_latitude',
          receivedAt: '1970-01-01T00:00:03.000Z',
          raw: '{"n":3}',
        },
      ],
      nextCursor: null,
    })
    const refused = await running.api.get('/api/v1/quarantine?colour=red', running.admin)
    expect(refused.body.code).toBe('unknown_parameter')
  })
})

async function waitFor(isTrue: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await isTrue()); tries++) {
    if (tries === 100) throw new Error('waited in vain')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
