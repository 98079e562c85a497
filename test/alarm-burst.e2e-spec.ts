import { setTimeout as sleep } from 'node:timers/promises'
import type { Socket } from 'socket.io-client'
import type { AlarmJson } from '../src/web/alarm-json.js'
import { ALARMS, AlarmCalls } from './support/alarm-calls.js'
import { testImei } from './support/api.js'
import { type RunningApp, startApp } from './support/app.js'
import { removeTemporaryDirectories } from './support/temporary-directory.js'
import { ask, connectSocket } from './support/unit-socket.js'

const UNITS = 100
const ALARMS_OF_EACH = 100
const START_MS = Date.parse('2026-11-22T07:30:00.000Z')
/** A unit that has no socket has this many requests open. */
const HTTP_IN_FLIGHT = 4

interface Burst {
  readonly imei: string
  readonly ids: string[]
  refused: number
}

let running: RunningApp
let calls: AlarmCalls
const sockets: Socket[] = []

beforeAll(async () => {
  const settings = { DEVICE_ENROLMENT: 'open', LOGIN_FAILURES_PER_MINUTE: '0', DEVICE_EVENTS_PER_SECOND: '0' }
  running = await startApp({ ...settings, RETENTION_DAYS: '0' })
  calls = new AlarmCalls(running)
})
afterAll(async () => {
  for (const socket of sockets) socket.close()
  await running.close()
  await removeTemporaryDirectories()
})

const bodyOf = (n: number) => ({
  type: n % 2 === 0 ? 'CRASH' : 'VIBRATION',
  time: START_MS + Math.floor(n / 4) * 1000,
  latitude: 48 + n / 1000,
  longitude: 11.5,
  attributes: { eventKey: n },
})

/** Everything at once on one link; what is refused is sent again, as firmware does. */
async function burstBySocket(burst: Burst): Promise<void> {
  const socket = await connectSocket(running.url, { token: await running.api.loginDevice(burst.imei) })
  sockets.push(socket)
  const send = async (n: number): Promise<void> => {
    const answer = await ask<{ id?: string; error?: { retryAfterMs?: number } }>(socket, 'alarm', bodyOf(n))
    if (answer.id !== undefined) {
      burst.ids.push(answer.id)
      return
    }
    burst.refused += 1
    await sleep(answer.error?.retryAfterMs ?? 1000)
    await send(n)
  }
  await Promise.all(Array.from({ length: ALARMS_OF_EACH }, (_, n) => send(n)))
}

async function burstByPost(burst: Burst): Promise<void> {
  const token = await running.api.loginDevice(burst.imei)
  let next = 0
  const sendInTurn = async (): Promise<void> => {
    for (let n = next++; n < ALARMS_OF_EACH; n = next++) {
      const { status, body, text } = await calls.raise(token, bodyOf(n))
      if (status !== 201 && status !== 200) throw new Error(text)
      burst.ids.push(String(body.id))
    }
  }
  await Promise.all(Array.from({ length: HTTP_IN_FLIGHT }, sendInTurn))
}

it('stores 10,000 alarms of 100 units that come at once, by socket and by POST, once each', async () => {
  const bursts = Array.from({ length: UNITS }, (_, n): Burst => ({ imei: testImei(n), ids: [], refused: 0 }))
  const startedMs = performance.now()
  await Promise.all(bursts.map((burst, n) => (n % 4 === 0 ? burstByPost(burst) : burstBySocket(burst))))
  const seconds = (performance.now() - startedMs) / 1000
  const refused = bursts.reduce((sum, burst) => sum + burst.refused, 0)
  process.stdout.write(`10,000 alarms in ${seconds.toFixed(1)} s, ${refused} sent again\n`)

  const acknowledged = bursts.flatMap(({ ids }) => ids)
  const stored = await running.api.all<AlarmJson>(`${ALARMS}?limit=500`, running.admin)
  expect(acknowledged).toHaveLength(UNITS * ALARMS_OF_EACH)
  expect(stored.map(({ id }) => id).sort()).toEqual(acknowledged.sort())
  const keysOf = (imei: string) =>
    stored.filter(({ deviceId }) => deviceId === imei).map(({ attributes }) => Number(attributes?.eventKey))
  for (const { imei } of bursts) expect(new Set(keysOf(imei)).size).toBe(ALARMS_OF_EACH)
  expect(await calls.summary('by=type')).toEqual([
    { key: 'CRASH', count: 5000 },
    { key: 'VIBRATION', count: 5000 },
  ])

  const csv = await running.api.request('GET', `${ALARMS}?sort=time`, {
    token: running.admin,
    headers: { accept: 'text/csv' },
  })
  const rows = csv.text.trimEnd().split('\r\n').slice(1)
  expect(rows.map((row) => row.split(',')[0])).toEqual(stored.map(({ id }) => id).reverse())
}, 120_000)
