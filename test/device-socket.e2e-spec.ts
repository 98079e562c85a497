import type { EventEmitter } from 'node:events'
import { io, type Socket } from 'socket.io-client'
import WebSocket from 'ws'
import { DeviceDirectory } from '../src/identity/device-directory.js'
import { DeviceRecords } from '../src/storage/sql/device-records.js'
import { SocketServer } from '../src/web/socket-server.js'
import { testImei } from './support/api.js'
import { type RunningApp, startApp } from './support/app.js'
import { removeTemporaryDirectories } from './support/temporary-directory.js'
import { ask, closingOf, connectSocket, Refused } from './support/unit-socket.js'

const IMEI = testImei(1)
const OTHER = testImei(2)
let running: RunningApp
let sockets: Socket[] = []

async function start(environment: Record<string, string> = {}): Promise<RunningApp> {
  running = await startApp({ DEVICE_ENROLMENT: 'open', LOGIN_FAILURES_PER_MINUTE: '0', ...environment })
  return running
}

async function connect(token: string, options: Parameters<typeof connectSocket>[1] = {}): Promise<Socket> {
  const socket = await connectSocket(running.url, { token, ...options })
  sockets.push(socket)
  return socket
}

async function refusalOf(options: Parameters<typeof connectSocket>[1]): Promise<string> {
  try {
    sockets.push(await connectSocket(running.url, options))
    return 'let in'
  } catch (error) {
    return (error as Refused).code
  }
}

const fix = (secondsAgo = 0, more: Record<string, unknown> = {}) => ({
  time: new Date(Date.now() - secondsAgo * 1000).toISOString(),
  latitude: 48.1,
  longitude: 11.5,
  ...more,
})

afterEach(async () => {
  for (const socket of sockets) socket.close()
  sockets = []
  await running.close()
})
afterAll(removeTemporaryDirectories)

describe('the device socket', () => {
  it('acknowledges a position after the commit, and a resend as a duplicate', async () => {
    await start()
    const socket = await connect(await running.api.loginDevice(IMEI))
    const position = fix(1, { speed: 50, attributes: { ignition: true } })
    expect(await ask(socket, 'location', position)).toEqual({ accepted: 1, duplicates: 0, rejected: [] })
    expect(await ask(socket, 'location', position)).toEqual({ accepted: 0, duplicates: 1, rejected: [] })
    const { body } = await running.api.get<{ items: unknown[] }>(`/api/v1/devices/${IMEI}/track`, running.admin)
    expect(body.items).toEqual([
      {
        time: position.time,
        latitude: 48.1,
        longitude: 11.5,
        altitude: null,
        speed: 50,
        heading: null,
        accuracy: null,
        satellites: null,
        hasFix: true,
        attributes: { ignition: true },
      },
    ])
  })

  it('works over long polling as well, and takes the token from a header', async () => {
    await start()
    const token = await running.api.loginDevice(IMEI)
    const socket = await connectSocket(running.url, {
      headers: { authorization: `Bearer ${token}` },
      transports: ['polling'],
    })
    sockets.push(socket)
    expect(await ask(socket, 'location', [fix(2), fix(1)])).toEqual({ accepted: 2, duplicates: 0, rejected: [] })
  })

  it('answers for each record, and for a whole event that it cannot take', async () => {
    await start()
    const socket = await connect(await running.api.loginDevice(IMEI))
    const repeated = fix(1)
    const mixed = [fix(3), fix(2, { latitude: 91 }), repeated, fix(-3600), { ...fix(), time: 'never' }, repeated]
    expect(await ask(socket, 'location', mixed)).toEqual({
      accepted: 2,
      duplicates: 1,
      rejected: [
        { index: 1, code: 'invalid_latitude', message: expect.any(String) },
        { index: 3, code: 'time_in_future', message: expect.any(String) },
        { index: 4, code: 'invalid_time', message: expect.any(String) },
      ],
    })
    const codeOf = async (event: string, ...payload: unknown[]) =>
      (await ask<{ error?: { code: string } }>(socket, event, ...payload)).error?.code
    expect(await codeOf('location', [])).toBe('empty_batch')
    expect(await codeOf('location', Array(1001).fill(fix()))).toBe('batch_too_large')
    expect(await codeOf('location', 'text')).toBe('invalid_request')
    expect(await codeOf('location')).toBe('invalid_request')
    expect(await codeOf('position', fix())).toBe('unknown_event')
    expect(await codeOf('location', fix(0, { attributes: { text: 'x'.repeat(1_100_000) } }))).toBe('message_too_large')
    expect(await ask(socket, 'location', fix(9))).toMatchObject({ accepted: 1 })
  })

  it('cuts the link without words over 4 MiB', async () => {
    await start()
    const socket = await connect(await running.api.loginDevice(IMEI))
    let wasTold = false
    socket.on('closing', () => {
      wasTold = true
    })
    const cut = new Promise((resolve) => socket.once('disconnect', resolve))
    socket.emit('location', 'x'.repeat(4_300_000))
    await cut
    expect(wasTold).toBe(false)
  })

  it('survives hostile frames', async () => {
    await start()
    const socket = await connect(await running.api.loginDevice(IMEI))
    socket.emit('location', Buffer.from([1, 2, 3]))
    socket.emit('location', { __proto__: null, time: {} }, fix(), fix())
    socket.emit('constructor', fix())
    socket.emit(7 as unknown as string, fix())
    socket.emit('x'.repeat(5000), fix())
    const raw = socket.io.engine
    raw.write('2[[[[')
    await new Promise((resolve) => socket.once('disconnect', resolve))
    const again = await connect(await running.api.loginDevice(IMEI))
    expect(await ask(again, 'location', fix(1))).toMatchObject({ accepted: 1 })
  })

  it('refuses handshakes with a code', async () => {
    await start({ DEVICE_TOKEN_TTL_S: '60' })
    const token = await running.api.loginDevice(IMEI)
    expect(await refusalOf({})).toBe('token_missing')
    expect(await refusalOf({ token: 'x.y.z' })).toBe('token_invalid')
    expect(await refusalOf({ token: running.admin })).toBe('token_invalid')
    expect(await refusalOf({ query: { token } })).toBe('token_missing')
    await running.api.request('PATCH', `/api/v1/devices/${IMEI}`, {
      token: running.admin,
      body: { status: 'disabled' },
    })
    expect(await refusalOf({ token })).toBe('login_refused')
  })

  it('takes a token from the query where that is allowed', async () => {
    await start({ SOCKET_QUERY_TOKEN: 'true' })
    const token = await running.api.loginDevice(IMEI)
    expect(await refusalOf({ query: { token } })).toBe('let in')
  })

  it('lets the newest link win and refuses the newcomer after five replacements in a minute', async () => {
    await start()
    const token = await running.api.loginDevice(IMEI)
    const first = await connect(token)
    const told = closingOf(first)
    for (let n = 0; n < 5; n++) await connect(token)
    expect((await told).code).toBe('replaced')
    expect(await refusalOf({ token })).toBe('too_many_requests')
    const { body } = await running.api.get(`/api/v1/devices/${IMEI}`, running.admin)
    expect(body).toMatchObject({ contested: true, online: true, transport: 'socket' })
  })

  it('ends the older of two links that were let in at the same moment', async () => {
    await start()
    const token = await running.api.loginDevice(IMEI)
    const records = running.app.get(DeviceRecords)
    const find = records.find.bind(records)
    jest.spyOn(records, 'find').mockImplementation(async (deviceId) => {
      await new Promise((resolve) => setTimeout(resolve, 500))
      return find(deviceId)
    })
    running.app.get(DeviceDirectory).invalidate(IMEI)
    const both = [1, 2].map(() =>
      io(running.url, { auth: { token }, transports: ['websocket'], reconnection: false, forceNew: true }),
    )
    sockets.push(...both)
    expect(await Promise.race(both.map((socket) => closingOf(socket)))).toMatchObject({ code: 'replaced' })
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(both.filter(({ connected }) => connected)).toHaveLength(1)
    const stays = both.find(({ connected }) => connected) as Socket
    expect(await ask(stays, 'location', fix(1))).toMatchObject({ accepted: 1 })
  })

  it('keeps nothing of a unit that joins again and again over one connection', async () => {
    await start()
    const token = await running.api.loginDevice(IMEI)
    const socket = new WebSocket(`${running.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`)
    const heard = (start: string) =>
      new Promise<void>((resolve) => {
        const listen = (data: unknown) => {
          if (!String(data).startsWith(start)) return
          socket.off('message', listen)
          resolve()
        }
        socket.on('message', listen)
      })
    await heard('0')
    const listeners: number[] = []
    for (let n = 0; n < 20; n++) {
      const joined = heard('40')
      socket.send(`40${JSON.stringify({ token })}`)
      await joined
      const { clients } = running.app.get(SocketServer).io.engine as unknown as {
        clients: Record<string, EventEmitter>
      }
      listeners.push(...Object.values(clients).map((connection) => connection.listenerCount('close')))
      socket.send('41')
      // socket.io takes a goodbye in a later turn, and a join before that for a mistake.
      do await new Promise((resolve) => setTimeout(resolve, 20))
      while (running.app.get(SocketServer).io.of('/').sockets.size > 0)
    }
    socket.close()
    expect(listeners).toEqual(Array(20).fill(listeners[0]))
  })

  it('cuts a unit that sends and never reads, before much waits for it', async () => {
    await start({ DEVICE_EVENTS_PER_SECOND: '0' })
    const token = await running.api.loginDevice(IMEI)
    const socket = new WebSocket(`${running.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`)
    const isJoined = new Promise((resolve) => {
      socket.on('message', (data: unknown) => {
        if (String(data).startsWith('0')) socket.send(`40${JSON.stringify({ token })}`)
        else resolve(undefined)
      })
    })
    await isJoined
    socket.pause()
    const nothingGood = JSON.stringify(['location', Array(1000).fill(0)])
    const { clients } = running.app.get(SocketServer).io.engine as unknown as { clients: Record<string, unknown> }
    let sent = 0
    while (Object.keys(clients).length > 0 && sent < 1000) {
      socket.send(`42${++sent}${nothingGood}`)
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    socket.terminate()
    // 8 MiB of answers, and what the operating system holds on both sides.
    expect(sent).toBeLessThan(500)
  })

  it('renews a token on the open link, refuses one of another device, and ends the link when the token does', async () => {
    await start({ DEVICE_TOKEN_TTL_S: '60' })
    const socket = await connect(await running.api.loginDevice(IMEI))
    const other = await running.api.loginDevice(OTHER)
    expect(await ask(socket, 'auth', { token: other })).toMatchObject({ error: { code: 'token_invalid' } })
    expect(await ask(socket, 'auth', { token: 7 })).toMatchObject({ error: { code: 'token_invalid' } })
    expect(await ask(socket, 'auth', null)).toMatchObject({ error: { code: 'token_invalid' } })
    const answer = await ask<{ expiresIn: number }>(socket, 'auth', { token: await running.api.loginDevice(IMEI) })
    expect(answer.expiresIn).toBeGreaterThan(55)
    expect(answer.expiresIn).toBeLessThanOrEqual(60)
  })

  it('ends links within a second when the device is disabled, and its tokens at once', async () => {
    await start()
    const token = await running.api.loginDevice(IMEI)
    const socket = await connect(token)
    const told = closingOf(socket)
    await running.api.request('PATCH', `/api/v1/devices/${IMEI}`, {
      token: running.admin,
      body: { status: 'disabled' },
    })
    const startedMs = Date.now()
    expect((await told).code).toBe('device_disabled')
    expect(Date.now() - startedMs).toBeLessThan(1000)
    expect((await running.api.post('/api/v1/locations', fix(), token)).body).toMatchObject({ code: 'token_invalid' })
  })

  it('limits events of a device, not positions, and ends a flood', async () => {
    await start({ DEVICE_EVENTS_PER_SECOND: '1' })
    const socket = await connect(await running.api.loginDevice(IMEI))
    const batch = Array.from({ length: 500 }, (_, n) => fix(n + 1))
    const answers = await Promise.all(
      Array.from({ length: 6 }, () =>
        ask<{ error?: { code: string; retryAfterMs: number } }>(socket, 'location', batch),
      ),
    )
    expect(answers.map(({ error }) => error?.code ?? 'taken')).toEqual([
      'taken',
      'taken',
      'taken',
      'taken',
      'taken',
      'too_many_requests',
    ])
    expect(answers[5]?.error?.retryAfterMs).toBeGreaterThan(0)
    const told = closingOf(socket)
    for (let n = 0; n < 1200; n++) socket.emit('location', fix())
    expect((await told).code).toBe('too_many_requests')
  })

  it('says why when the server stops, after everything was acknowledged', async () => {
    await start()
    const socket = await connect(await running.api.loginDevice(IMEI))
    const told = closingOf(socket)
    const answers = Array.from({ length: 50 }, (_, n) => ask<{ accepted?: number }>(socket, 'location', fix(n + 1)))
    await answers[0]
    await running.app.close()
    expect((await told).code).toBe('shutting_down')
    const all = await Promise.all(answers)
    expect(all.every((answer) => answer.accepted === 1 || 'error' in answer)).toBe(true)
  })
})

describe('POST /locations', () => {
  it('gives the same answers as the socket', async () => {
    await start()
    const token = await running.api.loginDevice(IMEI)
    const post = async (body: unknown) => running.api.post('/api/v1/locations', body, token)
    expect(await post(fix(1))).toMatchObject({ status: 200, body: { accepted: 1, duplicates: 0, rejected: [] } })
    const mixed = await post([fix(3), fix(2, { heading: 400 })])
    expect(mixed).toMatchObject({ status: 200, body: { accepted: 1, rejected: [{ index: 1, code: 'invalid_field' }] } })
    expect(await post([])).toMatchObject({ status: 400, body: { code: 'empty_batch' } })
    expect(await post(Array(1001).fill(fix()))).toMatchObject({ status: 400, body: { code: 'batch_too_large' } })
    expect(await post('text')).toMatchObject({ status: 400, body: { code: 'invalid_request' } })
    expect(await post(fix(0, { attributes: { text: 'x'.repeat(1_100_000) } }))).toMatchObject({
      status: 413,
      body: { code: 'body_too_large' },
    })
    const { body } = await running.api.get(`/api/v1/devices/${IMEI}`, running.admin)
    expect(body).toMatchObject({ online: true, transport: 'http', authenticated: false })
  })

  it('takes the neighbours of a record that is nested too deep to be written down again', async () => {
    await start()
    const token = await running.api.loginDevice(IMEI)
    const response = await fetch(`${running.url}/api/v1/locations`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: `[${JSON.stringify(fix(1))},${'['.repeat(100_000)}${']'.repeat(100_000)}]`,
    })
    expect([response.status, await response.json()]).toEqual([
      200,
      { accepted: 1, duplicates: 0, rejected: [{ index: 1, code: 'invalid_field', message: expect.any(String) }] },
    ])
  })

  it('limits events per device and says so in headers', async () => {
    await start({ DEVICE_EVENTS_PER_SECOND: '1' })
    const token = await running.api.loginDevice(IMEI)
    // At once: within a second the first one is forgiven.
    const answers = await Promise.all(
      Array.from({ length: 6 }, (_, n) => running.api.post('/api/v1/locations', fix(n), token)),
    )
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 200, 200, 200, 429])
    const refused = answers.find(({ status }) => status === 429)
    expect(refused?.body).toMatchObject({ code: 'too_many_requests' })
    expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(answers.map(({ headers }) => headers.get('ratelimit-limit'))).toEqual(Array(6).fill('5'))
    const remaining = answers.map(({ headers }) => headers.get('ratelimit-remaining'))
    expect(remaining.sort()).toEqual(['0', '0', '1', '2', '3', '4'])
  })

  it('keeps refused records for an admin to see, with the reason', async () => {
    await start()
    const token = await running.api.loginDevice(IMEI)
    await running.api.post('/api/v1/locations', [fix(1, { latitude: 'north' }), fix(2)], token)
    const quarantined = () =>
      running.api.all<Record<string, unknown>>(`/api/v1/quarantine?deviceId=${IMEI}`, running.admin)
    // An answer does not wait for it.
    await waitFor(async () => (await quarantined()).length > 0)
    const kept = await quarantined()
    expect(kept).toMatchObject([{ deviceId: IMEI, ingress: 'http', code: 'invalid_latitude' }])
    expect(String(kept[0]?.raw)).toContain('"latitude":"north"')
  })
})

async function waitFor(isTrue: () => Promise<boolean>): Promise<void> {
  for (const endMs = performance.now() + 10_000; !(await isTrue()); ) {
    if (performance.now() > endMs) throw new Error('waited in vain')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
