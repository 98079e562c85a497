import { setTimeout as sleep } from 'node:timers/promises'
import type { Socket } from 'socket.io-client'
import { testImei } from './support/api.js'
import { type RunningApp, startApp } from './support/app.js'
import { ADMIN_PASSWORD } from './support/server-process.js'
import { removeTemporaryDirectories } from './support/temporary-directory.js'
import { ask, closingOf, connectSocket } from './support/unit-socket.js'

const IMEI = testImei(1)

describe('from a unit to a watching user', () => {
  let running: RunningApp
  const sockets: Socket[] = []

  beforeEach(async () => {
    running = await startApp({ DEVICE_ENROLMENT: 'open' })
  })
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.close()
    await running.close()
  })
  afterAll(removeTemporaryDirectories)

  const watch = async (token: string, filter?: unknown) => {
    const socket = await connectSocket(`${running.url}/live`, { token })
    sockets.push(socket)
    const events: Array<[event: string, payload: Record<string, unknown>]> = []
    socket.onAny((event: string, payload: Record<string, unknown>) => events.push([event, payload]))
    if (filter !== undefined) await ask(socket, 'watch', filter)
    return { socket, events }
  }
  const unit = async (imei: string) => {
    const socket = await connectSocket(running.url, { token: await running.api.loginDevice(imei) })
    sockets.push(socket)
    return socket
  }
  /** So many have come, and then no more for a while. */
  const sawAll = async (events: readonly unknown[], count: number) => {
    for (const endMs = performance.now() + 10_000; events.length < count; await sleep(10)) {
      if (performance.now() > endMs) throw new Error(`not ${count}: ${JSON.stringify(events)}`)
    }
    await sleep(100)
  }
  const position = (timeMs: number, speed: number) => ({ time: timeMs, latitude: 48.1, longitude: 11.5, speed })

  it('brings presence and the latest position, not a backlog', async () => {
    const { events } = await watch(running.admin)
    const truck = await unit(IMEI)
    const nowMs = Date.now()
    await ask(truck, 'location', [position(nowMs - 1000, 50), position(nowMs, 51), position(nowMs - 2000, 49)])
    await ask(truck, 'location', [position(nowMs - 60_000, 10), position(nowMs - 30_000, 20)])
    await sleep(1200)
    truck.close()
    await sawAll(events, 3)
    expect(events.map(([event, payload]) => [event, payload.deviceId, payload.speed ?? payload.online])).toEqual([
      ['presence', IMEI, true],
      ['position', IMEI, 51],
      ['presence', IMEI, false],
    ])
    expect(events[0]?.[1]).toEqual({
      deviceId: IMEI,
      online: true,
      transport: 'socket',
      at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    })
    expect(events[1]?.[1]).toEqual({
      deviceId: IMEI,
      time: new Date(nowMs).toISOString(),
      latitude: 48.1,
      longitude: 11.5,
      altitude: null,
      speed: 51,
      heading: null,
      accuracy: null,
      satellites: null,
      hasFix: true,
      attributes: null,
    })
    expect(events[2]?.[1].transport).toBeNull()
  })

  it('does not tell of devices that are not watched', async () => {
    const { events } = await watch(running.admin, { deviceIds: [IMEI] })
    const [mine, other] = await Promise.all([unit(IMEI), unit(testImei(2))])
    await Promise.all([ask(mine, 'location', position(Date.now(), 1)), ask(other, 'location', position(Date.now(), 2))])
    await sawAll(events, 2)
    expect(events.map(([event, { deviceId }]) => [event, deviceId])).toEqual([
      ['presence', IMEI],
      ['position', IMEI],
    ])
  })

  it('ends with words when the user logs out, is disabled or deleted, and when the server stops', async () => {
    const { api, admin } = running
    for (const username of ['anna', 'bert', 'carl']) {
      const body = { username, password: ADMIN_PASSWORD, role: 'viewer' }
      expect((await api.post('/api/v1/users', body, admin)).status).toBe(201)
    }
    const tokens = await Promise.all(['anna', 'bert', 'carl'].map((username) => api.login(username, ADMIN_PASSWORD)))
    const [anna = '', bert = '', carl = ''] = tokens
    const closings: Array<Promise<{ code: string }>> = []
    for (const token of [anna, bert, carl, admin]) closings.push(closingOf((await watch(token)).socket))
    await api.post('/api/v1/auth/logout', undefined, anna)
    await api.request('PATCH', '/api/v1/users/bert', { token: admin, body: { disabled: true } })
    await api.request('DELETE', '/api/v1/users/carl', { token: admin })
    const codeOf = async (index: number) => (await closings[index])?.code
    expect(await Promise.all([0, 1, 2].map(codeOf))).toEqual(['session_ended', 'user_disabled', 'user_disabled'])
    const stopping = running.close()
    expect(await codeOf(3)).toBe('shutting_down')
    await stopping
    running = await startApp()
  })

  it('refuses a token of a unit, and units a token of a user', async () => {
    const refusalOf = (path: string, token: string) =>
      connectSocket(`${running.url}${path}`, { token }).then(
        () => 'let in',
        (error: { code: string }) => error.code,
      )
    expect(await refusalOf('/live', await running.api.loginDevice(IMEI))).toBe('token_invalid')
    expect(await refusalOf('', running.admin)).toBe('token_invalid')
  })
})
