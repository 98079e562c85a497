import { setTimeout as sleep } from 'node:timers/promises'
import type { Socket } from 'socket.io-client'
import { CommandWaits } from '../src/commands/command-waits.js'
import { DeviceDirectory } from '../src/identity/device-directory.js'
import { type Answer, testImei } from './support/api.js'
import { type RunningApp, startApp } from './support/app.js'
import { ADMIN_PASSWORD } from './support/server-process.js'
import { removeTemporaryDirectories, temporaryDirectory } from './support/temporary-directory.js'
import { ask, closingOf, connectSocket } from './support/unit-socket.js'

interface Item {
  readonly id: string
  readonly status: string
  readonly code?: string
  readonly type: string
  readonly result: unknown
  readonly message: string | null
  readonly createdAt: string
  readonly history: ReadonlyArray<{ readonly at: string; readonly status: string; readonly detail: string | null }>
}

interface Described {
  readonly $ref?: string
  readonly example?: unknown
}
interface OpenApi {
  readonly paths: Record<
    string,
    {
      readonly post: {
        readonly requestBody: {
          readonly content: Record<
            string,
            {
              readonly schema: Described
              readonly example?: unknown
              readonly examples?: Record<string, { readonly value: unknown }>
            }
          >
        }
      }
    }
  >
  readonly components: { readonly schemas: Record<string, Described> }
}

const OPEN = { DEVICE_ENROLMENT: 'open', LOGIN_FAILURES_PER_MINUTE: '0' }
const WISHES = {
  RESET: undefined,
  REBOOT: {},
  SET_INTERVAL: { seconds: 30 },
  SET_SERVER: { host: 'fleet.example.com', port: 443 },
  REQUEST_VIDEO: { from: '2026-11-22T07:30:00Z', to: '2026-11-22T07:31:00Z', channel: 1 },
  CUSTOM: { text: 'getinfo' },
}

let running: RunningApp
let imei: string
let devices = 0
const tokens: Record<string, string> = {}
const sockets: Socket[] = []

beforeAll(async () => {
  running = await startApp(OPEN)
  const { api, admin } = running
  tokens.admin = admin
  for (const role of ['viewer', 'operator']) {
    await api.post('/api/v1/users', { username: role, password: ADMIN_PASSWORD, role }, admin)
    tokens[role] = await api.login(role, ADMIN_PASSWORD)
  }
})
/** Each test has a device of its own. */
beforeEach(async () => {
  imei = testImei(++devices)
  await running.api.loginDevice(imei)
})
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.close()
})
afterAll(async () => {
  await running.close()
  await removeTemporaryDirectories()
})

/** A unit that answers every order as it is told, and keeps the ids of the orders. */
async function unit(answer?: (order: { id: string }) => unknown) {
  const orders: string[] = []
  const socket = await connectSocket(running.url, {
    token: await running.api.loginDevice(imei),
    prepare: (unit) =>
      unit.on('command', (order: { id: string }, ack: (answer: unknown) => void) => {
        orders.push(order.id)
        const reply = answer?.(order)
        if (reply !== undefined) ack(reply)
      }),
  })
  sockets.push(socket)
  return { socket, orders }
}

const pathOf = (deviceId: string) => `/api/v1/devices/${deviceId}/commands`
const send = (
  body: Record<string, unknown> = { type: 'RESET' },
  headers: Record<string, string> = {},
  role = 'operator',
): Promise<Answer<Item>> => running.api.request('POST', pathOf(imei), { token: tokens[role], body, headers })
const get = async (id: string) => (await running.api.get<Item>(`/api/v1/commands/${id}`, tokens.viewer)).body
const cancel = (id: string): Promise<Answer<Item>> =>
  running.api.request('DELETE', `/api/v1/commands/${id}`, { token: tokens.operator })
const stepsOf = ({ history }: Item) => history.map(({ status, detail }) => detail ?? status)

async function until<T>(look: () => T | Promise<T>, isRight: (found: T) => boolean): Promise<T> {
  for (const endMs = performance.now() + 15_000; ; await sleep(20)) {
    const found = await look()
    if (isRight(found)) return found
    if (performance.now() > endMs) throw new Error(`still ${JSON.stringify(found)}`)
  }
}
const untilStatus = (id: string, status: string) =>
  until(
    () => get(id),
    (item) => item.status === status,
  )

/** That what is shown of a command could have happened. */
function expectConsistent({ status, createdAt, history }: Item): void {
  const allowed: Record<string, string[]> = {
    queued: ['sent', 'done', 'failed', 'expired', 'cancelled'],
    sent: ['sent', 'accepted', 'done', 'failed', 'expired', 'cancelled'],
    accepted: ['done', 'failed', 'cancelled'],
  }
  expect([history[0]?.at, history[0]?.status, history.at(-1)?.status]).toEqual([createdAt, 'queued', status])
  history.slice(1).forEach((step, index) => {
    const before = history[index]
    expect(step.at >= (before?.at ?? '')).toBe(true)
    const next = allowed[before?.status ?? '']
    if (next === undefined) expect([step.status, step.detail?.slice(0, 5)]).toEqual([before?.status, 'late_'])
    else expect(next).toContain(step.status)
  })
}

describe('who may send what', () => {
  it.each([
    ['viewer', []],
    ['operator', ['RESET', 'REBOOT', 'SET_INTERVAL', 'REQUEST_VIDEO']],
    ['admin', Object.keys(WISHES)],
  ])('%s: %j', async (role, allowed) => {
    const answers: Record<string, number> = {}
    for (const [type, params] of Object.entries(WISHES)) {
      answers[type] = (await send({ type, params }, {}, role)).status
    }
    const expected = Object.keys(WISHES).map((type) => [type, allowed.includes(type) ? 202 : 403])
    expect(answers).toEqual(Object.fromEntries(expected))
    const { body } = await running.api.get<{ items: Item[] }>(pathOf(imei), tokens.viewer)
    expect(body.items.map(({ type }) => type).reverse()).toEqual(allowed)
  })
})

describe('two things that happen to a command at the same time', () => {
  it('end it once: a cancellation and a result', async () => {
    const { socket } = await unit(() => ({ status: 'accepted' }))
    for (let n = 0; n < 12; n++) {
      const { id } = (await send()).body
      await untilStatus(id, 'accepted')
      const result = () => ask(socket, 'command:result', { id, status: 'done' })
      const [cancelled, told] = await Promise.all(
        n % 2 === 0 ? [cancel(id), sleep(n % 3).then(result)] : [sleep(n % 3).then(() => cancel(id)), result()],
      )
      const item = await get(id)
      expectConsistent(item)
      expect(told).toEqual({ ok: true })
      if (cancelled.status === 200) {
        expect(stepsOf(item)).toEqual(['queued', 'sent', 'accepted', 'cancelled', 'late_done'])
        expect([item.result, cancelled.body.status]).toEqual([null, 'cancelled'])
      } else {
        expect([cancelled.status, cancelled.body.code]).toEqual([409, 'command_ended'])
        expect(stepsOf(item)).toEqual(['queued', 'sent', 'accepted', 'done'])
      }
    }
  })

  it('end it once: two results that contradict each other', async () => {
    const { socket } = await unit(() => ({ status: 'accepted' }))
    for (let n = 0; n < 5; n++) {
      const { id } = (await send()).body
      await untilStatus(id, 'accepted')
      const results = [
        { id, status: 'done', result: { n } },
        { id, status: 'failed', message: 'no' },
      ]
      const told = await Promise.all(results.map((result) => ask(socket, 'command:result', result)))
      expect(told).toEqual([{ ok: true }, { ok: true }])
      const item = await get(id)
      expectConsistent(item)
      expect(['done late_failed', 'failed late_done']).toContain(stepsOf(item).slice(3).join(' '))
      expect([item.result, item.message]).toEqual(item.status === 'done' ? [{ n }, null] : [null, 'no'])
    }
  })

  it('is cancelled by one of many who cancel', async () => {
    const { id } = (await send()).body
    const answers = await Promise.all(Array.from({ length: 8 }, () => cancel(id)))
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(7).fill(409)])
    expect(stepsOf(await get(id))).toEqual(['queued', 'cancelled'])
  })
})

describe('a command that was cancelled', () => {
  it.each([
    ['queued', ['queued', 'cancelled']],
    ['sent', ['queued', 'sent', 'cancelled']],
    ['accepted', ['queued', 'sent', 'accepted', 'cancelled']],
  ])('while it was %s makes place for the next one', async (status, steps) => {
    const answers = [status === 'accepted' ? { status: 'accepted' } : undefined, { status: 'done' }]
    const connect = () => unit(() => answers.shift())
    if (status !== 'queued') await connect()
    const { id } = (await send()).body
    const next = (await send()).body.id
    await untilStatus(id, status)
    expect((await cancel(id)).status).toBe(200)
    if (status === 'queued') {
      answers.shift()
      expect((await connect()).orders).not.toContain(id)
    }
    expect(stepsOf(await untilStatus(next, 'done')).at(-1)).toBe('done')
    expect(stepsOf(await get(id))).toEqual(steps)
  })
})

describe('a result after the end', () => {
  it('of a command that expired while it was sent is noted and changes nothing else', async () => {
    const { socket, orders } = await unit()
    const { id } = (await send({ type: 'REBOOT', ttlSeconds: 5 })).body
    const expired = await untilStatus(id, 'expired')
    expect([orders, stepsOf(expired)]).toEqual([[id], ['queued', 'sent', 'expired']])
    for (let n = 0; n < 2; n++) {
      expect(await ask(socket, 'command:result', { id, status: 'done', result: 7, message: 'ok' })).toEqual({
        ok: true,
      })
    }
    const noted = await get(id)
    expectConsistent(noted)
    expect(stepsOf(noted)).toEqual(['queued', 'sent', 'expired', 'late_done'])
    expect({ ...noted, history: expired.history }).toEqual(expired)
  })
})

describe('a unit that answers with more than it may', () => {
  it('keeps its link and ends its command, without the result', async () => {
    const { socket, orders } = await unit(() => ({ status: 'done', result: 'x'.repeat(1_500_000), message: 'much' }))
    const { status, body } = await send(undefined, { prefer: 'wait=10' })
    expect([status, body.status, body.result, body.message]).toEqual([200, 'done', null, 'much'])
    expect(stepsOf(body)).toEqual(['queued', 'sent', 'result_left_out'])
    expect([socket.connected, orders.length]).toEqual([true, 1])
  })
})

describe('a unit with two links', () => {
  it('gets its commands on the newer one, from which it answers what the older one got', async () => {
    const older = await unit()
    const { id } = (await send()).body
    await until(
      () => older.orders.length,
      (count) => count === 1,
    )
    const closing = closingOf(older.socket)
    const newer = await unit(() => ({ status: 'accepted' }))
    expect((await closing).code).toBe('replaced')
    expect(stepsOf(await untilStatus(id, 'accepted'))).toEqual(['queued', 'sent', 'resent', 'accepted'])
    expect(await ask(newer.socket, 'command:result', { id, status: 'done' })).toEqual({ ok: true })
    const next = (await send()).body
    await untilStatus(next.id, 'accepted')
    expect([older.orders, newer.orders]).toEqual([[id], [id, next.id]])
  })
})

describe('a device that is shut out', () => {
  const patch = (status: string) =>
    running.api.request('PATCH', `/api/v1/devices/${imei}`, { token: tokens.admin, body: { status } })

  it('gets what was sent again once it is let in again', async () => {
    const { socket, orders } = await unit()
    const { id } = (await send()).body
    await until(
      () => orders.length,
      (count) => count === 1,
    )
    const closing = closingOf(socket)
    await patch('disabled')
    expect([(await closing).code, (await get(id)).status]).toEqual(['device_disabled', 'sent'])
    expect((await send()).body.code).toBe('device_disabled')
    await patch('active')
    const back = await unit(() => ({ status: 'done' }))
    expect(stepsOf(await untilStatus(id, 'done'))).toEqual(['queued', 'sent', 'resent', 'done'])
    expect(back.orders).toEqual([id])
  })

  it('loses its commands with its data when it is erased, and whoever waits is told at once that they were cancelled', async () => {
    const { id } = (await send()).body
    const waiting = send(undefined, { prefer: 'wait=20' })
    await until(
      () => running.api.get<{ items: Item[] }>(pathOf(imei), tokens.viewer),
      ({ body }) => body.items.length === 2,
    )
    const { status } = await running.api.request('DELETE', `/api/v1/devices/${imei}?erase=true`, {
      token: tokens.admin,
    })
    expect(status).toBe(204)
    const answer = await waiting
    expect([answer.status, answer.body.status, answer.body.message]).toEqual([200, 'cancelled', 'device_deleted'])
    expect((await running.api.get(`/api/v1/commands/${id}`, tokens.viewer)).status).toBe(404)
    const { orders } = await unit()
    await sleep(100)
    expect(orders).toEqual([])
  })
})

describe('a device that is removed while a command for it is stored', () => {
  it('leaves no command open', async () => {
    const directory = running.app.get(DeviceDirectory)
    const find = directory.find.bind(directory)
    let asked = 0
    const spy = jest.spyOn(directory, 'find').mockImplementation(async (deviceId) => {
      if (deviceId === imei) asked += 1
      return asked > 1 ? undefined : find(deviceId)
    })
    const { id } = (await send()).body
    spy.mockRestore()
    expect(await get(id)).toMatchObject({ status: 'cancelled', message: 'device_deleted' })
  })
})

describe('the examples of the document', () => {
  it('are commands that an admin may send', async () => {
    const { body: document } = await running.api.get<OpenApi>('/openapi.json')
    const content = document.paths['/api/v1/devices/{deviceId}/commands']?.post.requestBody.content['application/json']
    const name = content?.schema.$ref?.split('/').at(-1) ?? ''
    const schema = document.components.schemas[name] ?? content?.schema
    const examples = [
      content?.example,
      schema?.example,
      ...Object.values(content?.examples ?? {}).map(({ value }) => value),
    ].filter((example) => example !== undefined)
    expect(examples.length).toBeGreaterThan(0)
    for (const example of examples) {
      const { status, body } = await send(example as Record<string, unknown>, {}, 'admin')
      expect([status, body.type]).toEqual([202, (example as Item).type])
    }
  })
})

describe('a client that waits and hangs up', () => {
  it('holds no place, and finds the same command when it asks again with its key', async () => {
    const wait = jest.spyOn(running.app.get(CommandWaits), 'waitForEnd')
    const gone = new AbortController()
    const headers = {
      authorization: `Bearer ${tokens.operator}`,
      'content-type': 'application/json',
      'idempotency-key': `hang up ${imei}`,
      prefer: 'wait=30',
    }
    const request = fetch(`${running.url}${pathOf(imei)}`, {
      method: 'POST',
      headers,
      body: '{"type":"RESET"}',
      signal: gone.signal,
    })
    await until(
      () => wait.mock.results.length,
      (count) => count === 1,
    )
    const startedMs = performance.now()
    gone.abort()
    await expect(request).rejects.toThrow('aborted')
    await wait.mock.results[0]?.value
    expect(performance.now() - startedMs).toBeLessThan(5000)
    wait.mockRestore()
    const again = await until(
      () => send(undefined, { 'idempotency-key': `hang up ${imei}`, prefer: 'wait=30' }),
      ({ status }) => status !== 409,
    )
    expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([202, 'true'])
    const { body } = await running.api.get<{ items: Item[] }>(pathOf(imei), tokens.viewer)
    expect(body.items.map(({ id, status }) => [id, status])).toEqual([[again.body.id, 'queued']])
  })
})

describe('the live feed', () => {
  it('tells each step once and in order, with the item as it then was', async () => {
    const socket = await connectSocket(`${running.url}/live`, { token: String(tokens.viewer) })
    sockets.push(socket)
    const seen: Item[] = []
    socket.on('command', (item: Item & { deviceId: string }) => {
      if (item.deviceId === imei) seen.push(item)
    })
    const sawSteps = (count: number) =>
      until(
        () => seen.length,
        (length) => length >= count,
      )
    const { id } = (await send()).body
    await sawSteps(1)
    const { socket: truck } = await unit()
    await sawSteps(2)
    truck.close()
    const { socket: again } = await unit(() => ({ status: 'accepted' }))
    await untilStatus(id, 'accepted')
    await sawSteps(3)
    await until(
      () => seen.at(-1)?.status,
      (status) => status === 'accepted',
    )
    await ask(again, 'command:result', { id, status: 'done', message: 'x' })
    const all = await until(
      () => seen,
      (items) => items.at(-1)?.status === 'done',
    )
    await ask(again, 'command:result', { id, status: 'done', message: 'x' })
    await sleep(100)
    expect(all.at(-1)).toEqual(await get(id))
    const lengths = all.map(({ history }) => history.length)
    expect(lengths).toEqual([...new Set(lengths)].sort())
    expect([all[0]?.status, all[1]?.status, lengths.slice(0, 2), lengths.at(-1)]).toEqual(['queued', 'sent', [1, 2], 5])
    for (const item of all) expectConsistent(item)
  })
})

describe('a server that starts again', () => {
  it('counts at once what is open, and knows the expired from the open', async () => {
    const DATA_DIR = temporaryDirectory()
    let server = await startApp({ ...OPEN, DATA_DIR })
    try {
      const device = testImei(900)
      await server.api.loginDevice(device)
      const order = (ttlSeconds?: number) =>
        server.api.post(pathOf(device), { type: 'RESET', ttlSeconds }, server.admin)
      for (const ttlSeconds of [1, undefined, undefined]) await order(ttlSeconds)
      await server.close()
      await sleep(1000)
      server = await startApp({ ...OPEN, DATA_DIR })
      const { text } = await server.api.get('/metrics')
      for (const line of [
        'milepost_commands_open{status="queued"} 2',
        'milepost_commands_open{status="sent"} 0',
        'milepost_commands_open{status="accepted"} 0',
        'milepost_commands_total{type="RESET",status="expired"} 1',
      ]) {
        expect(text).toContain(line)
      }
    } finally {
      await server.close()
    }
  })
})
