import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Socket } from 'socket.io-client'
import { WebSocket } from 'ws'
import { LiveServer, type TestSession } from '../../test/support/live-server.js'
import { makePosition } from '../../test/support/positions.js'
import { ask, closingOf, connectSocket } from '../../test/support/unit-socket.js'
import { MAX_WAITING_BYTES } from './watcher.js'

const DEVICES = 700
const ROUNDS = 6

describe('the live feed', () => {
  let server: LiveServer
  let session: TestSession
  const sockets: Socket[] = []
  const stuck: Array<{ resume(): void }> = []

  const start = async (environment: Record<string, string> = {}) => {
    server = await LiveServer.start(environment)
    session = await server.login()
  }
  const connect = async (token = session.token, options: Parameters<typeof connectSocket>[1] = {}) => {
    const socket = await connectSocket(`${server.url}/live`, { token, ...options })
    sockets.push(socket)
    return socket
  }
  const refusalOf = (options: Parameters<typeof connectSocket>[1]) =>
    connectSocket(`${server.url}/live`, options).then(
      () => 'let in',
      (error: { code: string }) => error.code,
    )
  const received = (socket: Socket, event = 'position') => {
    const items: Array<Record<string, unknown>> = []
    socket.on(event, (item) => items.push(item))
    return items
  }
  const publish = (...deviceIds: string[]) =>
    server.feed.publishPositions(deviceIds.map((deviceId) => makePosition({ deviceId })))
  const until = async (isTrue: () => boolean) => {
    for (const endMs = Date.now() + 5000; !isTrue(); await sleep(5)) if (Date.now() > endMs) throw new Error('too late')
  }

  afterEach(async () => {
    for (const network of stuck.splice(0)) network.resume()
    for (const socket of sockets.splice(0)) socket.close()
    await server.close()
  })

  describe('handshake', () => {
    it('refuses with a code', async () => {
      await start()
      expect(await refusalOf({})).toBe('token_missing')
      expect(await refusalOf({ token: 'nonsense' })).toBe('token_invalid')
      expect(await refusalOf({ token: await server.deviceToken() })).toBe('token_invalid')
      expect(await refusalOf({ token: await server.tokenOf(session, -5) })).toBe('token_expired')
      server.end(session)
      expect(await refusalOf({ token: session.token })).toBe('login_refused')
      expect(await refusalOf({ query: { token: session.token } })).toBe('token_missing')
    })

    it('takes the token from auth, from a header, and from the query where that is allowed', async () => {
      await start({ SOCKET_QUERY_TOKEN: 'true' })
      const { token } = session
      for (const options of [{ token }, { headers: { authorization: `Bearer ${token}` } }, { query: { token } }]) {
        const socket = await connectSocket(`${server.url}/live`, options)
        sockets.push(socket)
        expect(await ask(socket, 'watch', {})).toEqual({ ok: true })
      }
      const gauge = await server.metrics.watchers.get()
      expect(gauge.values[0]?.value).toBe(3)
    })

    it('makes one watcher of a connection, however often it joins', async () => {
      await start()
      const client = new WebSocket(`${server.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`)
      const answers: string[] = []
      client.on('message', (data) => answers.push(String(data).replace(/\{.*/, '')))
      await once(client, 'open')
      // In one piece: a join that comes when the first is done is against the protocol, and ends the connection.
      const { _socket: stream } = client as unknown as { readonly _socket: Duplex }
      stream.cork()
      for (let join = 0; join < 20; join++) client.send(`40/live,${JSON.stringify({ token: session.token })}`)
      stream.uncork()
      await until(() => answers.length === 21)
      expect(answers.filter((answer) => answer === '40/live,')).toHaveLength(1)
      expect(answers.filter((answer) => answer === '44/live,')).toHaveLength(19)
      expect((await server.metrics.watchers.get()).values[0]?.value).toBe(1)
      client.send('41/live,')
      await until(() => server.links === 0)
      client.send(`40/live,${JSON.stringify({ token: session.token })}`)
      await until(() => server.links === 1)
      client.close()
      await until(() => server.links === 0)
    })

    it('refuses newcomers while the server stops', async () => {
      await start()
      server.stop()
      expect(await refusalOf({ token: session.token })).toBe('overloaded')
    })
  })

  describe('filters', () => {
    it.each(['websocket', 'polling'])('sends everything without watch, by %s', async (transport) => {
      await start()
      const socket = await connect(session.token, { transports: [transport] })
      const positions = received(socket)
      const presences = received(socket, 'presence')
      publish('truck-ä', 'b')
      server.feed.publishPresence({ deviceId: 'b', online: true, transport: 'socket', atMs: 0 })
      await until(() => positions.length === 2 && presences.length === 1)
      expect(positions.map(({ deviceId, time }) => [deviceId, time])).toEqual([
        ['truck-ä', '2026-11-22T07:30:00.000Z'],
        ['b', '2026-11-22T07:30:00.000Z'],
      ])
      expect(presences).toEqual([{ deviceId: 'b', online: true, transport: 'socket', at: '1970-01-01T00:00:00.000Z' }])
    })

    /** Resolves when all that was published has come to the socket, as far as it is for it. */
    const arrived = async (socket: Socket, everything: readonly unknown[], published: number) => {
      await until(() => everything.length === published)
      // An answer comes after what was sent before it.
      await ask(socket, 'nothing')
    }

    it('narrows by devices and box, each watch replacing the last, {} resetting', async () => {
      await start()
      const socket = await connect()
      const positions = received(socket)
      const everything = received(await connect())
      let round = 0
      const seen = async (filter: unknown) => {
        expect(await ask(socket, 'watch', filter)).toEqual({ ok: true })
        positions.length = 0
        round += 1
        server.feed.publishPositions([
          makePosition({ deviceId: `munich-${round}`, latitude: 48, longitude: 11 }),
          makePosition({ deviceId: `fiji-${round}`, latitude: -17, longitude: 178 }),
          makePosition({ deviceId: `tonga-${round}`, latitude: -20, longitude: -175 }),
        ])
        await arrived(socket, everything, 3 * round)
        return positions.map(({ deviceId }) => deviceId)
      }
      expect(await seen({ deviceIds: ['munich-1', 'fiji-2'] })).toEqual(['munich-1'])
      expect(await seen({ bbox: [170, -30, -170, 0] })).toEqual(['fiji-2', 'tonga-2'])
      expect(await seen({ bbox: [170, -30, -170, 0], deviceIds: ['munich-3', 'tonga-3'] })).toEqual(['tonga-3'])
      expect(await seen({ bbox: '10,40,12,50' })).toEqual(['munich-4'])
      expect(await seen({ deviceIds: [] })).toEqual([])
      expect(await seen({})).toEqual(['munich-6', 'fiji-6', 'tonga-6'])
    })

    it('keeps the filter when a watch is refused', async () => {
      await start()
      const socket = await connect()
      const positions = received(socket)
      const everything = received(await connect())
      await ask(socket, 'watch', { deviceIds: ['a'] })
      expect(await ask(socket, 'watch', { bbox: [0, 10, 1, 9] })).toEqual({
        error: { code: 'invalid_request', message: 'bbox: must be [minLon, minLat, maxLon, maxLat] in degrees' },
      })
      publish('a', 'b')
      await arrived(socket, everything, 2)
      expect(positions.map(({ deviceId }) => deviceId)).toEqual(['a'])
    })
  })

  it('sends a device once a second, the newest last', async () => {
    await start()
    const socket = await connect()
    const got = received(socket)
    const sentAtMs: number[] = []
    jest.spyOn(server.metrics.liveSent, 'inc').mockImplementation(() => void sentAtMs.push(performance.now()))
    // A busy machine makes fewer such pauses in a second, never more.
    const pauses = Math.ceil(1200 / 50)
    let step = 0
    for (; sentAtMs.length < 2 && step <= pauses; step++) {
      server.feed.publishPositions([makePosition({ speedKmh: step })])
      await sleep(50)
    }
    // Whatever was published before is out; this one waits for its turn.
    server.feed.publishPositions([makePosition({ speedKmh: step })])
    for (let pause = 0; sentAtMs.length < 3 && pause <= pauses; pause++) await sleep(50)
    expect(sentAtMs).toHaveLength(3)
    await until(() => got.length === 3)
    expect(got.map(({ speed }) => speed)).toEqual([0, step - 1, step])
    const gaps = sentAtMs.slice(1).map((atMs, index) => atMs - (sentAtMs[index] ?? 0))
    for (const gap of gaps) expect(gap).toBeGreaterThan(950)
  })

  it('answers every event that has an ack, whatever it is', async () => {
    await start()
    const socket = await connect()
    const codeOf = async (event: string, ...payload: unknown[]) =>
      (await ask<{ error?: { code: string } }>(socket, event, ...payload)).error?.code
    expect(await codeOf('watch')).toBe('invalid_request')
    expect(await codeOf('watch', null)).toBe('invalid_request')
    expect(await codeOf('watch', Buffer.from('abc'))).toBe('invalid_request')
    expect(await codeOf('location', {})).toBe('unknown_event')
    expect(await codeOf('__proto__', {})).toBe('unknown_event')
    expect(await codeOf('x'.repeat(5000))).toBe('unknown_event')
    expect(await codeOf('watch', { deviceIds: ['x'.repeat(1_048_576)] })).toBe('message_too_large')
    expect(await codeOf('auth')).toBe('token_invalid')
    expect(await codeOf('auth', { token: 7 })).toBe('token_invalid')
    socket.emit('watch', { bad: true })
    socket.emit('nonsense')
    expect(await ask(socket, 'watch', {})).toEqual({ ok: true })
  })

  it('limits the events of one connection', async () => {
    await start()
    const socket = await connect()
    const answers = await Promise.all(
      Array.from({ length: 150 }, () =>
        ask<{ ok?: true; error?: { code: string; retryAfterMs: number } }>(socket, 'watch', {}),
      ),
    )
    const refused = answers.filter(({ error }) => error !== undefined)
    expect(refused.length).toBeGreaterThan(20)
    expect(refused.length).toBeLessThanOrEqual(50)
    expect(refused[0]?.error?.code).toBe('too_many_requests')
    await sleep((refused.at(-1)?.error?.retryAfterMs ?? 0) + 1)
    expect(await ask(socket, 'watch', {})).toEqual({ ok: true })
  })

  describe('the end of a connection', () => {
    it('comes with words when the token expires, and not when it was renewed', async () => {
      await start()
      const token = await server.tokenOf(session, 2)
      const [renewed, left] = await Promise.all([connect(token), connect(token)])
      const closing = closingOf(left)
      const answer = await ask<{ expiresIn: number }>(renewed, 'auth', { token: await server.tokenOf(session, 100) })
      // Seconds pass on a busy machine.
      expect(answer.expiresIn).toBeGreaterThan(90)
      expect(answer.expiresIn).toBeLessThanOrEqual(100)
      expect(await closing).toEqual({
        code: 'token_expired',
        message: 'The token has expired; connect again with a fresh one',
      })
      await sleep(100)
      expect([renewed.connected, left.connected]).toEqual([true, false])
    })

    it('does not renew with a token that is bad or of somebody else', async () => {
      await start()
      const socket = await connect()
      const bert = await server.login('bert')
      for (const token of ['nonsense', bert.token, await server.deviceToken(), await server.tokenOf(session, -5)]) {
        const answer = await ask<{ error?: { code: string } }>(socket, 'auth', { token })
        expect(answer.error?.code).toBe('token_invalid')
      }
      expect(socket.connected).toBe(true)
    })

    it('comes when the user logs out, is disabled, or the server stops, and only then', async () => {
      await start()
      const bert = await server.login('bert')
      const carl = await server.login('carl')
      const [anna, disabled, other] = await Promise.all([connect(), connect(bert.token), connect(carl.token)])
      const loggedOut = closingOf(anna)
      server.end(session)
      expect((await loggedOut).code).toBe('session_ended')
      expect([disabled.connected, other.connected]).toEqual([true, true])
      const disabling = closingOf(disabled)
      server.sessions.userChanged({ username: 'bert', role: 'viewer', disabled: true })
      expect((await disabling).code).toBe('user_disabled')
      const stopping = closingOf(other)
      server.stop()
      expect((await stopping).code).toBe('shutting_down')
    })

    it('after a renewal follows the session of the new token', async () => {
      await start()
      const socket = await connect()
      const second = await server.login()
      await ask(socket, 'auth', { token: second.token })
      server.end(session)
      await sleep(50)
      expect(socket.connected).toBe(true)
      const closing = closingOf(socket)
      server.end(second)
      expect((await closing).code).toBe('session_ended')
    })
  })

  it('skips a client that does not read, holding little for it, and the others get theirs', async () => {
    await start()
    const [slow, fast] = await Promise.all([connect(), connect()])
    const slowest = new Map<unknown, unknown>()
    const fastest = new Map<unknown, unknown>()
    let slowGot = 0
    slow.on('position', ({ deviceId, speed }) => {
      slowGot += 1
      slowest.set(deviceId, speed)
    })
    fast.on('position', ({ deviceId, speed }) => fastest.set(deviceId, speed))
    const network = networkOf(slow)
    stuck.push(network)
    network.pause()
    const attributes = { text: 'x'.repeat(3000) }
    let mostWaiting = 0
    for (let round = 1; round <= ROUNDS; round++) {
      for (let index = 0; index < DEVICES; index++) {
        server.feed.publishPositions([makePosition({ deviceId: `truck-${index}`, speedKmh: round, attributes })])
      }
      await until(() => {
        mostWaiting = Math.max(mostWaiting, server.waitingBytesFor(slow.id as string))
        return fastest.size === DEVICES && [...fastest.values()].every((speed) => speed === round)
      })
    }
    network.resume()
    // 20 MB were due to it; the operating system takes a few before it is stuck.
    expect(mostWaiting).toBeGreaterThan(10_000)
    expect(mostWaiting).toBeLessThan(MAX_WAITING_BYTES + 10_000)
    await until(() => slowest.size === DEVICES && [...slowest.values()].every((speed) => speed === ROUNDS))
    expect(slowGot).toBeLessThan(ROUNDS * DEVICES)
    const skipped = (await server.metrics.liveSkipped.get()).values[0]?.value ?? 0
    expect(skipped).toBeGreaterThan(DEVICES)
  })
})

/** The TCP socket under a client. */
function networkOf(socket: Socket): { pause(): void; resume(): void } {
  const transport = socket.io.engine.transport as unknown as { ws: { _socket: { pause(): void; resume(): void } } }
  return transport.ws._socket
}
