import { connect } from 'node:net'
import fc from 'fast-check'
import { testImei } from './support/api.js'
import { type RunningApp, startApp } from './support/app.js'
import { removeTemporaryDirectories } from './support/temporary-directory.js'
import { ask, connectSocket } from './support/unit-socket.js'

const OWN = testImei(1)
const OTHER = testImei(2)
const LEAK = /node_modules|\.ts:\d|\.js:\d|\bat \w+ \(|SQLITE|Error:/
let running: RunningApp
let token: string

beforeAll(async () => {
  running = await startApp({ DEVICE_ENROLMENT: 'open', DEVICE_EVENTS_PER_SECOND: '0', LOGIN_FAILURES_PER_MINUTE: '0' })
  token = await running.api.loginDevice(OWN)
  await running.api.post(
    '/api/v1/locations',
    { time: Date.now(), latitude: 1, longitude: 2, attributes: { secret: 'of the other' } },
    await running.api.loginDevice(OTHER),
  )
})
afterAll(async () => {
  await running.close()
  await removeTemporaryDirectories()
})

/** Values near to a position, and far from one. */
const almostPosition = fc.record(
  {
    time: fc.oneof(
      fc.constant(Date.now()),
      fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
      fc.anything(),
    ),
    latitude: fc.oneof(fc.double(), fc.anything()),
    longitude: fc.oneof(fc.double(), fc.anything()),
    speed: fc.anything(),
    heading: fc.anything(),
    hasFix: fc.anything(),
    attributes: fc.oneof(fc.dictionary(fc.string(), fc.anything()), fc.anything()),
  },
  { requiredKeys: [] },
)
const payload = fc.oneof(
  almostPosition,
  fc.array(fc.oneof(almostPosition, fc.anything()), { maxLength: 20 }),
  fc.anything(),
)

/** What survives the way over JSON. */
const overJson = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (_, inner) => (typeof inner === 'bigint' ? String(inner) : inner)) ?? 'null')

/** Whether an answer settles every record that was sent, or refuses the whole with a code. */
function isWhole(sent: unknown, answer: Record<string, unknown>): boolean {
  const { accepted, duplicates, rejected, error, code } = answer as {
    accepted: number
    duplicates: number
    rejected: unknown[]
    error?: { code: string }
    code?: string
  }
  if (error !== undefined || code !== undefined) return (error?.code ?? code) !== 'internal'
  return accepted + duplicates + rejected.length === (Array.isArray(sent) ? sent.length : 1)
}

describe('garbage', () => {
  it('as positions over HTTP is settled record by record or refused with a code', async () => {
    await fc.assert(
      fc.asyncProperty(payload.map(overJson), async (sent) => {
        const answer = await running.api.post('/api/v1/locations', sent, token)
        expect([200, 400]).toContain(answer.status)
        expect(answer.text).not.toMatch(LEAK)
        expect(isWhole(sent, answer.body)).toBe(true)
      }),
      { numRuns: 400 },
    )
  })

  it('as positions over the socket is answered alike', async () => {
    const socket = await connectSocket(running.url, { token })
    try {
      await fc.assert(
        fc.asyncProperty(payload.map(overJson), async (sent) => {
          expect(isWhole(sent, await ask(socket, 'location', sent))).toBe(true)
        }),
        { numRuns: 400 },
      )
    } finally {
      socket.close()
    }
  })

  it('as a body of any route for people is refused without a server error or a word of the inside', async () => {
    const routes = [
      '/auth/login',
      '/auth/device',
      '/auth/refresh',
      '/auth/password',
      '/devices',
      '/users',
      `/devices/${OWN}/secret`,
    ]
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...routes), fc.oneof(fc.json(), fc.string()), async (route, text) => {
        const headers = { 'content-type': 'application/json' }
        const answer = await running.api.request('POST', `/api/v1${route}`, { token: running.admin, text, headers })
        expect(answer.status).toBeLessThan(500)
        expect(answer.text).not.toMatch(LEAK)
      }),
      { numRuns: 300 },
    )
  })

  it('as path and query is refused without a server error', async () => {
    const word = fc.string({ unit: 'binary' }).map((text) => encodeURIComponent(text))
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('/devices', '/audit', '/quarantine', `/devices/${OWN}/track`),
        word,
        word,
        async (path, name, value) => {
          const query = await running.api.get(`/api/v1${path}?${name}=${value}`, running.admin)
          const below = await running.api.get(`/api/v1/devices/${value}`, running.admin)
          for (const answer of [query, below]) {
            expect(answer.status).toBeLessThan(500)
            expect(answer.text).not.toMatch(LEAK)
          }
        },
      ),
      { numRuns: 200 },
    )
  })

  it('as bytes on the port ends that connection and nothing else', async () => {
    let connected = 0
    const send = (bytes: Uint8Array) =>
      new Promise<void>((resolve) => {
        const socket = connect(Number(new URL(running.url).port), '127.0.0.1', () => {
          connected += 1
          socket.end(bytes)
        })
        socket.on('error', () => resolve())
        socket.on('close', () => resolve())
        socket.resume()
        setTimeout(() => socket.destroy(), 300)
      })
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 2000 }), (bytes) => send(bytes)),
      { numRuns: 60 },
    )
    expect(connected).toBe(60)
    expect((await running.api.get('/health/live')).status).toBe(200)
  })

  it('never shows a device what another one sent', async () => {
    const answer = await running.api.get(`/api/v1/devices/${OTHER}/track`, token)
    expect([answer.status, answer.body.code]).toEqual([401, 'token_invalid'])
    expect(answer.text).not.toContain('of the other')
  })

  it('left a server that works', async () => {
    const fix = { time: Date.now() - 5000, latitude: 48, longitude: 11 }
    expect(
      (await running.api.post('/api/v1/locations', fix, await running.api.loginDevice(testImei(3)))).body,
    ).toMatchObject({ accepted: 1 })
    expect((await running.api.get('/health/ready')).status).toBe(200)
  })
})
