import type { Socket } from 'socket.io-client'
import { AppError } from '../src/model/app-error.js'
import { FaultyPositionStore } from './stores/faulty-position-store.js'
import { testImei } from './support/api.js'
import { type RunningApp, startApp } from './support/app.js'
import { removeTemporaryDirectories } from './support/temporary-directory.js'
import { ask, connectSocket } from './support/unit-socket.js'

interface Answer {
  readonly accepted?: number
  readonly duplicates?: number
  readonly error?: { readonly code: string; readonly retryAfterMs?: number }
}

const IMEI = testImei(1)
const START_MS = Date.now() - 3_600_000
let running: RunningApp
let store: FaultyPositionStore
let socket: Socket
let token: string

const fix = (n: number) => ({ time: START_MS + n * 1000, latitude: 48.1, longitude: 11.5 })
const batch = (n: number) => Array.from({ length: 1000 }, (_, index) => fix(n * 1000 + index))
const send = (payload: unknown) => ask<Answer>(socket, 'location', payload)
const trackTimes = async () =>
  (await running.api.all<{ time: string }>(`/api/v1/devices/${IMEI}/track?limit=500`, running.admin)).map(({ time }) =>
    Date.parse(time),
  )
const metric = async (line: RegExp) => Number(line.exec((await running.api.get('/metrics')).text)?.[1])

async function start(environment: Record<string, string> = {}): Promise<void> {
  const settings = { DEVICE_ENROLMENT: 'open', DEVICE_EVENTS_PER_SECOND: '0', RETENTION_DAYS: '0', ...environment }
  running = await startApp(settings, (inner) => {
    store = new FaultyPositionStore(inner)
    return store
  })
  token = await running.api.loginDevice(IMEI)
  socket = await connectSocket(running.url, { token })
}

afterEach(async () => {
  store.recover()
  socket.close()
  await running.close()
})
afterAll(removeTemporaryDirectories)

describe('a store that stalls', () => {
  it('answers within 10 s without acknowledging, then stores what was under way once', async () => {
    await start()
    expect(await send(fix(0))).toMatchObject({ accepted: 1 })
    store.stall()
    const startedMs = Date.now()
    const answers = await Promise.all([
      send(fix(1)),
      send(fix(2)),
      running.api.post('/api/v1/locations', fix(3), token),
    ])
    expect(Date.now() - startedMs).toBeLessThan(10_000)
    expect(answers[0]).toMatchObject({ error: { code: 'store_unavailable', retryAfterMs: expect.any(Number) } })
    expect(answers[1]).toMatchObject({ error: { code: 'store_unavailable' } })
    expect(answers[2]).toMatchObject({ status: 503, body: { code: 'store_unavailable' } })
    expect(Number(answers[2].headers.get('retry-after'))).toBeGreaterThan(0)
    const ready = await running.api.get('/health/ready')
    expect(ready.status).toBe(503)
    expect(ready.body).toMatchObject({
      status: 'error',
      details: { positions: { status: 'error', message: expect.any(String) } },
    })
    store.recover()
    const resent = await Promise.all([send(fix(1)), send(fix(2)), send(fix(3))])
    for (const answer of resent) expect((answer.accepted ?? 0) + (answer.duplicates ?? 0)).toBe(1)
    expect(await trackTimes()).toEqual([0, 1, 2, 3].map((n) => fix(n).time))
  }, 40_000)

  it('bounds what waits, refuses the rest at once, and stores everything after the recovery', async () => {
    await start({ INGEST_MAX_WAITING: '3000' })
    store.stall()
    const waiting = [send(batch(0)), send(batch(1)), send(batch(2))]
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(await send(batch(3))).toMatchObject({ error: { code: 'overloaded', retryAfterMs: expect.any(Number) } })
    expect(await metric(/^milepost_ingest_waiting_positions (\d+)$/m)).toBe(3000)
    store.recover()
    expect(await Promise.all(waiting)).toMatchObject([{ accepted: 1000 }, { accepted: 1000 }, { accepted: 1000 }])
    expect(await send(batch(3))).toMatchObject({ accepted: 1000 })
    expect(await trackTimes()).toHaveLength(4000)
    expect(await metric(/^milepost_ingest_waiting_positions (\d+)$/m)).toBe(0)
    expect(await metric(/^milepost_refusals_total\{ingress="socket",code="overloaded"\} (\d+)$/m)).toBe(1)
  })
})

describe('a store that fails', () => {
  it('acknowledges nothing, says so, counts it, and works again after the recovery without a restart', async () => {
    await start()
    store.fail(new AppError('store_unavailable', 'the disk is gone'))
    expect(await send(fix(1))).toMatchObject({ error: { code: 'store_unavailable' } })
    expect(await send([fix(1), { ...fix(2), latitude: 91 }])).toMatchObject({ error: { code: 'store_unavailable' } })
    expect(await metric(/^milepost_refusals_total\{ingress="socket",code="store_unavailable"\} (\d+)$/m)).toBe(2)
    expect(
      await metric(/^milepost_store_seconds_count\{store="positions",operation="append",outcome="error"\} (\d+)$/m),
    ).toBe(2)
    store.recover()
    expect(await send(fix(1))).toMatchObject({ accepted: 1 })
    expect(await trackTimes()).toEqual([fix(1).time])
  })

  it('still answers what can never be stored', async () => {
    await start()
    store.fail(new AppError('store_unavailable'))
    expect(await send({ ...fix(1), latitude: 91 })).toMatchObject({
      accepted: 0,
      rejected: [{ index: 0, code: 'invalid_latitude' }],
    })
  })
})

describe('a store that is full', () => {
  it('passes the word on', async () => {
    await start()
    store.fail(new AppError('disk_full'))
    expect(await send(fix(1))).toMatchObject({ error: { code: 'disk_full', retryAfterMs: expect.any(Number) } })
    expect((await running.api.post('/api/v1/locations', fix(1), token)).body).toMatchObject({ code: 'disk_full' })
    store.recover()
    expect(await send(fix(1))).toMatchObject({ accepted: 1 })
  })

  it('is not let come to that: under DISK_MIN_FREE every write is refused, and reads go on', async () => {
    await start()
    expect(await send(fix(1))).toMatchObject({ accepted: 1 })
    await running.close()
    running = await startApp({ DEVICE_ENROLMENT: 'open', DISK_MIN_FREE: String(Number.MAX_SAFE_INTEGER) })
    const refused = await running.api.post('/api/v1/devices', { deviceId: testImei(9) }, running.admin)
    expect([refused.status, refused.body.code]).toEqual([503, 'disk_full'])
    expect((await running.api.get('/api/v1/devices', running.admin)).status).toBe(200)
    expect((await running.api.get('/health/ready')).body).toMatchObject({
      status: 'error',
      details: { disk: { status: 'error' } },
    })
  })
})
