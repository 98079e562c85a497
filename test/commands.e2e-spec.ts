import { setTimeout as sleep } from 'node:timers/promises'
import type { Socket } from 'socket.io-client'
import { AppError } from '../src/model/app-error.js'
import { DiskGuard } from '../src/storage/disk-guard.js'
import { CommandRecords } from '../src/storage/sql/command-records.js'
import { IdempotencyRecords } from '../src/storage/sql/idempotency-records.js'
import { SqlStore } from '../src/storage/sql/sql-store.js'
import { type Answer, testImei } from './support/api.js'
import { type RunningApp, startApp } from './support/app.js'
import { ADMIN_PASSWORD } from './support/server-process.js'
import { removeTemporaryDirectories, temporaryDirectory } from './support/temporary-directory.js'
import { ask, connectSocket } from './support/unit-socket.js'

const IMEI = testImei(1)
const OTHER = testImei(2)
const PATH = `/api/v1/devices/${IMEI}/commands`

interface Item {
  readonly id: string
  readonly status: string
  readonly result: unknown
  readonly message: string | null
  readonly params: Record<string, unknown>
  readonly history: Array<{ at: string; status: string; detail: string | null }>
  readonly [field: string]: unknown
}
interface Order {
  readonly id: string
  readonly type: string
  readonly params: Record<string, unknown>
  readonly expiresAt: string
}

let running: RunningApp
let operator: string
let viewer: string
const sockets: Socket[] = []

async function start(environment: Record<string, string> = {}): Promise<void> {
  running = await startApp({ DEVICE_ENROLMENT: 'open', LOGIN_FAILURES_PER_MINUTE: '0', ...environment })
  const { api, admin } = running
  for (const role of ['operator', 'viewer']) {
    await api.post('/api/v1/users', { username: role, password: ADMIN_PASSWORD, role }, admin)
  }
  ;[operator, viewer] = (await Promise.all(
    ['operator', 'viewer'].map((username) => api.login(username, ADMIN_PASSWORD)),
  )) as [string, string]
  await api.loginDevice(IMEI)
}

/** A unit that answers every order as it is told, and keeps the orders. */
async function unit(imei = IMEI, answer?: (order: Order) => unknown) {
  const orders: Order[] = []
  const socket = await connectSocket(running.url, {
    token: await running.api.loginDevice(imei),
    prepare: (unit) =>
      unit.on('command', (order: Order, ack: (answer: unknown) => void) => {
        orders.push(order)
        const reply = answer?.(order)
        if (reply !== undefined) ack(reply)
      }),
  })
  sockets.push(socket)
  return { socket, orders }
}

const send = (
  body: unknown,
  {
    token = operator,
    headers = {},
    path = PATH,
  }: { token?: string; headers?: Record<string, string>; path?: string } = {},
): Promise<Answer<Item>> => running.api.request<Item>('POST', path, { token, body, headers })

const get = async (id: string) => (await running.api.get<Item>(`/api/v1/commands/${id}`, viewer)).body
const cancel = (id: string, token = operator) =>
  running.api.request<Item>('DELETE', `/api/v1/commands/${id}`, { token })
const stepsOf = ({ history }: Item) => history.map(({ status, detail }) => detail ?? status)

async function until<T>(look: () => Promise<T>, isRight: (found: T) => boolean): Promise<T> {
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

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.close()
  await running.close()
})
afterAll(removeTemporaryDirectories)

describe('sending a command', () => {
  beforeEach(() => start())

  it('answers 202 with the stored command and where it is', async () => {
    const { status, headers, body } = await send({ type: 'SET_INTERVAL', params: { seconds: 30 }, ttlSeconds: 60 })
    expect([status, headers.get('location'), headers.get('preference-applied')]).toEqual([
      202,
      `/api/v1/commands/${body.id}`,
      null,
    ])
    expect(body).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{32}$/),
      deviceId: IMEI,
      type: 'SET_INTERVAL',
      params: { seconds: 30 },
      status: 'queued',
      createdBy: 'operator',
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      expiresAt: new Date(Date.parse(String(body.createdAt)) + 60_000).toISOString(),
      result: null,
      message: null,
      history: [{ at: body.createdAt, status: 'queued', detail: null }],
    })
    expect(await get(body.id)).toEqual(body)
    const day = (await send({ type: 'RESET' })).body
    expect(Date.parse(String(day.expiresAt)) - Date.parse(String(day.createdAt))).toBe(86_400_000)
  })

  it('gives times in parameters as every answer has them', async () => {
    const params = { from: '2026-11-22T08:30:00+01:00', to: 1_795_332_660_000, channel: 2 }
    const { orders } = await unit()
    const { body } = await send({ type: 'REQUEST_VIDEO', params })
    const shown = { from: '2026-11-22T07:30:00.000Z', to: '2026-11-22T07:31:00.000Z', channel: 2 }
    expect(body.params).toEqual(shown)
    await until(
      async () => orders.map((order) => order.params),
      (all) => all.length === 1,
    )
    expect(orders[0]?.params).toEqual(shown)
  })

  it('refuses what is wrong with a command by the path of the field, and stores nothing', async () => {
    const { status, body } = await send({ type: 'SET_INTERVAL', params: { seconds: 0 }, ttlSeconds: 0 })
    expect([status, body.code]).toEqual([400, 'invalid_request'])
    expect((body.errors as Array<{ path: string }>).map(({ path }) => path).sort()).toEqual([
      'params.seconds',
      'ttlSeconds',
    ])
    expect((await send({ type: 'reset' })).body.errors).toMatchObject([{ path: 'type' }])
    expect((await running.api.get<{ items: Item[] }>(PATH, viewer)).body.items).toEqual([])
  })

  it('is for operators, SET_SERVER and CUSTOM for admins; viewers read', async () => {
    const server = { type: 'SET_SERVER', params: { host: 'a.example', port: 1 } }
    const custom = { type: 'CUSTOM', params: { text: 'x' } }
    const answers = [
      await send({ type: 'RESET' }, { token: viewer }),
      await send(server),
      await send(custom),
      await send(server, { token: running.admin }),
      await send(custom, { token: running.admin }),
      await send({ type: 'RESET' }),
    ]
    expect(answers.map(({ status, body }) => body.code ?? status)).toEqual([
      'forbidden',
      'forbidden',
      'forbidden',
      202,
      202,
      202,
    ])
    const id = answers[5]?.body.id ?? ''
    expect((await cancel(id, viewer)).status).toBe(403)
    expect((await get(id)).status).toBe('queued')
    const { body } = await running.api.get<{ items: Item[] }>(PATH, viewer)
    expect(body.items.map(({ type }) => type)).toEqual(['RESET', 'CUSTOM', 'SET_SERVER'])
  })

  it('refuses devices that are not there or disabled', async () => {
    const path = `/api/v1/devices/${OTHER}/commands`
    expect((await send({ type: 'RESET' }, { path })).body.code).toBe('not_found')
    expect((await running.api.get(path, viewer)).body.code).toBe('not_found')
    await running.api.request('PATCH', `/api/v1/devices/${IMEI}`, {
      token: running.admin,
      body: { status: 'disabled' },
    })
    const { status, body } = await send({ type: 'RESET' })
    expect([status, body.code]).toEqual([409, 'device_disabled'])
  })

  it('sends a repeat with the same Idempotency-Key once', async () => {
    const { orders } = await unit(IMEI, () => ({ status: 'done' }))
    const headers = { 'idempotency-key': 'one', prefer: 'wait=5' }
    const first = await send({ type: 'RESET' }, { headers })
    const again = await send({ type: 'RESET' }, { headers })
    expect([first.status, again.status, again.headers.get('idempotent-replayed')]).toEqual([200, 200, 'true'])
    expect([again.body, again.headers.get('location')]).toEqual([first.body, first.headers.get('location')])
    expect((await send({ type: 'REBOOT' }, { headers })).body.code).toBe('idempotency_key_reused')
    expect(orders).toHaveLength(1)
  })

  it('is not sent twice when the server was killed before it kept the answer to an Idempotency-Key', async () => {
    const DATA_DIR = temporaryDirectory()
    await running.close()
    await start({ DATA_DIR })
    const headers = { 'idempotency-key': 'one' }
    const loseAnswer = () =>
      jest.spyOn(running.app.get(IdempotencyRecords), 'complete').mockRejectedValueOnce(new Error('killed'))
    loseAnswer()
    const first = (await send({ type: 'SET_INTERVAL', params: { seconds: 9 } }, { headers })).body
    await running.close()
    await start({ DATA_DIR })
    loseAnswer()
    const { status, body } = await send({ type: 'SET_INTERVAL', params: { seconds: 9 } }, { headers })
    expect([status, body]).toEqual([202, first])
    const { orders } = await unit(IMEI, () => ({ status: 'done' }))
    const done = await untilStatus(first.id, 'done')
    await running.close()
    await start({ DATA_DIR })
    const other = await send({ type: 'SET_INTERVAL', params: { seconds: 8 } }, { headers })
    expect([other.status, other.body.code]).toEqual([422, 'idempotency_key_reused'])
    expect(orders.map(({ id }) => id)).toEqual([first.id])
    expect((await running.api.get<{ items: Item[] }>(PATH, viewer)).body.items).toEqual([done])
    const { text } = await running.api.get('/api/v1/audit?action=command.create', running.admin)
    expect(text.match(/command\.create/g)).toHaveLength(1)
  })

  it('is not sent twice either when the store failed after it was stored; the repeat waits for its end', async () => {
    const headers = (waitS: number) => ({ 'idempotency-key': 'one', prefer: `wait=${waitS}` })
    const store = running.app.get(SqlStore)
    const together = store.together.bind(store)
    jest.spyOn(store, 'together').mockImplementationOnce(async (work) => {
      await together(work)
      throw new AppError('store_unavailable')
    })
    expect((await send({ type: 'RESET' }, { headers: headers(0) })).body.code).toBe('store_unavailable')
    const again = send({ type: 'RESET' }, { headers: headers(20) })
    const { socket, orders } = await unit(IMEI, () => ({ status: 'accepted' }))
    await until(
      async () => orders.length,
      (count) => count === 1,
    )
    const id = orders[0]?.id ?? ''
    await untilStatus(id, 'accepted')
    expect(await ask(socket, 'command:result', { id, status: 'done' })).toEqual({ ok: true })
    const { status, body } = await again
    expect([status, body.id, body.status, orders.length]).toEqual([200, id, 'done', 1])
  })

  it('is in the audit log, and so is cancelling; not the text of CUSTOM', async () => {
    const custom = (await send({ type: 'CUSTOM', params: { text: 'password 1234' } }, { token: running.admin })).body
    const reset = (await send({ type: 'RESET' })).body
    await cancel(reset.id)
    const { body, text } = await running.api.get<{ items: Array<Record<string, unknown>> }>(
      '/api/v1/audit?action=command.create,command.cancel',
      running.admin,
    )
    expect(body.items.map(({ by, action, target, detail }) => [by, action, target, detail])).toEqual([
      ['operator', 'command.cancel', IMEI, { id: reset.id, type: 'RESET', params: {} }],
      ['operator', 'command.create', IMEI, { id: reset.id, type: 'RESET', params: {} }],
      ['admin', 'command.create', IMEI, { id: custom.id, type: 'CUSTOM' }],
    ])
    expect(text).not.toContain('1234')
  })

  it('is refused while the disk is full', async () => {
    const { id } = (await send({ type: 'RESET' })).body
    const { socket } = await unit()
    await untilStatus(id, 'sent')
    const guard = running.app.get(DiskGuard)
    jest.spyOn(guard, 'assertWritable').mockImplementation(() => {
      throw new AppError('disk_full', undefined, { retryAfterMs: 30_000 })
    })
    expect((await send({ type: 'RESET' })).body.code).toBe('disk_full')
    expect((await cancel(id)).body.code).toBe('disk_full')
    const answer = await ask<{ error?: { code: string; retryAfterMs: number } }>(socket, 'command:result', {
      id,
      status: 'done',
    })
    expect(answer.error).toMatchObject({ code: 'disk_full', retryAfterMs: 30_000 })
    jest.restoreAllMocks()
    expect(await ask(socket, 'command:result', { id, status: 'done' })).toEqual({ ok: true })
  })
})

describe('Prefer: wait', () => {
  beforeEach(() => start())

  it('answers 200 as soon as the unit is done', async () => {
    await unit(IMEI, () => ({ status: 'done', result: { version: 7 }, message: 'ok' }))
    const { status, headers, body } = await send({ type: 'REBOOT' }, { headers: { prefer: 'respond-async, wait=99' } })
    expect([status, headers.get('preference-applied'), headers.get('location')]).toEqual([
      200,
      'wait=30',
      `/api/v1/commands/${body.id}`,
    ])
    expect([body.status, body.result, body.message, stepsOf(body)]).toEqual([
      'done',
      { version: 7 },
      'ok',
      ['queued', 'sent', 'done'],
    ])
  })

  it('waits for the result of what was accepted', async () => {
    const { socket } = await unit(IMEI, () => ({ status: 'accepted' }))
    const told = new Promise((resolve) => {
      socket.on('command', ({ id }: Order) => {
        const result = { id, status: 'failed', message: 'no' }
        resolve(sleep(100).then(() => ask(socket, 'command:result', result)))
      })
    })
    const { status, body } = await send({ type: 'RESET' }, { headers: { prefer: 'wait=10' } })
    // Whoever waits may be answered first.
    expect(await told).toEqual({ ok: true })
    expect([status, body.status, body.message, stepsOf(body)]).toEqual([
      200,
      'failed',
      'no',
      ['queued', 'sent', 'accepted', 'failed'],
    ])
  })

  it('answers 202 with the state so far when the time is up', async () => {
    await unit(IMEI, () => ({ status: 'accepted' }))
    const startedMs = performance.now()
    const { status, headers, body } = await send({ type: 'RESET' }, { headers: { prefer: 'wait=5' } })
    expect([status, headers.get('preference-applied'), body.status]).toEqual([202, 'wait=5', 'accepted'])
    expect(performance.now() - startedMs).toBeGreaterThan(4950)
  })

  it('answers 202 with the state so far when the store goes away during the wait: it is stored, and sent', async () => {
    const { orders } = await unit(IMEI, () => ({ status: 'accepted' }))
    const find = jest.spyOn(running.app.get(CommandRecords), 'find')
    const request = { headers: { 'idempotency-key': 'one', prefer: 'wait=3' } }
    const sending = send({ type: 'RESET' }, request)
    const ids = await until(
      async () => orders.map(({ id }) => id),
      (found) => found.length === 1,
    )
    await untilStatus(ids[0] ?? '', 'accepted')
    find.mockRejectedValue(new AppError('store_unavailable'))
    const { status, headers, body } = await sending
    find.mockRestore()
    expect([status, headers.get('preference-applied'), body.id]).toEqual([202, 'wait=3', ids[0]])
    expect(headers.get('location')).toBe(`/api/v1/commands/${body.id}`)
    expect((await send({ type: 'RESET' }, request)).body).toEqual(body)
    expect((await running.api.get<{ items: Item[] }>(PATH, viewer)).body.items.map(({ id }) => id)).toEqual(ids)
  })

  it.each(['wait', 'wait=soon', 'wait=-1', 'return=minimal'])('ignores %j', async (prefer) => {
    const { status, headers } = await send({ type: 'RESET' }, { headers: { prefer } })
    expect([status, headers.get('preference-applied')]).toEqual([202, null])
  })

  it('ends when somebody cancels the command', async () => {
    const waiting = send({ type: 'RESET' }, { headers: { prefer: 'wait=20' } })
    const { body } = await until(
      () => running.api.get<{ items: Item[] }>(PATH, viewer),
      (page) => page.body.items.length === 1,
    )
    expect((await cancel(body.items[0]?.id ?? '')).status).toBe(200)
    expect((await waiting).body.status).toBe('cancelled')
  })

  it('does not hold the stop of the server', async () => {
    const waiting = send({ type: 'RESET' }, { headers: { prefer: 'wait=30' } })
    await until(
      () => running.api.get<{ items: Item[] }>(PATH, viewer),
      (page) => page.body.items.length === 1,
    )
    const startedMs = performance.now()
    const closing = running.close()
    const { status, body } = await waiting
    await closing
    expect([status, body.status]).toEqual([202, 'queued'])
    expect(performance.now() - startedMs).toBeLessThan(3000)
    await start()
  })
})

describe('a unit and its commands', () => {
  beforeEach(() => start())

  it('gets them in order on its next link, one at a time, as the contract says', async () => {
    const sent = []
    for (const type of ['RESET', 'REBOOT', 'RESET']) sent.push((await send({ type })).body)
    const { socket, orders } = await unit()
    await until(
      async () => orders.length,
      (count) => count === 1,
    )
    await sleep(100)
    expect(orders).toEqual([{ id: sent[0]?.id, type: 'RESET', params: {}, expiresAt: sent[0]?.expiresAt }])
    expect(await ask(socket, 'command:result', { id: sent[0]?.id, status: 'done', result: 1 })).toEqual({ ok: true })
    await until(
      async () => orders.length,
      (count) => count === 2,
    )
    expect(orders[1]?.id).toBe(sent[1]?.id)
    await cancel(String(sent[1]?.id))
    await until(
      async () => orders.length,
      (count) => count === 3,
    )
    expect(orders[2]?.id).toBe(sent[2]?.id)
  })

  it('gets the same command on every new link until it answers', async () => {
    const { id } = (await send({ type: 'RESET' })).body
    const first = await unit()
    await until(
      async () => first.orders.length,
      (count) => count === 1,
    )
    first.socket.close()
    const second = await unit()
    await until(
      async () => second.orders.length,
      (count) => count === 1,
    )
    second.socket.close()
    const third = await unit(IMEI, () => ({ status: 'done' }))
    await untilStatus(id, 'done')
    expect([...first.orders, ...second.orders, ...third.orders].map((order) => order.id)).toEqual([id, id, id])
    expect(stepsOf(await get(id))).toEqual(['queued', 'sent', 'resent', 'resent', 'done'])
  })

  it('may say the same result again and again, and something else too late', async () => {
    const { id } = (await send({ type: 'RESET' })).body
    const { socket } = await unit(IMEI, () => ({ status: 'accepted' }))
    await untilStatus(id, 'accepted')
    const result = { id, status: 'done', result: { a: [1] }, message: 'fine' }
    for (let n = 0; n < 3; n++) expect(await ask(socket, 'command:result', result)).toEqual({ ok: true })
    const done = await get(id)
    expect(stepsOf(done)).toEqual(['queued', 'sent', 'accepted', 'done'])
    for (let n = 0; n < 3; n++) {
      expect(await ask(socket, 'command:result', { id, status: 'failed', message: 'oh' })).toEqual({ ok: true })
    }
    const { history, ...rest } = await get(id)
    const { history: before, ...same } = done
    expect([rest, history.slice(0, -1)]).toEqual([same, before])
    expect(history.at(-1)).toMatchObject({ status: 'done', detail: 'late_failed' })
  })

  it('is answered {ok: true} after a cancellation too, which stays', async () => {
    const { id } = (await send({ type: 'RESET' })).body
    const { socket, orders } = await unit()
    await until(
      async () => orders.length,
      (count) => count === 1,
    )
    expect((await cancel(id)).body.status).toBe('cancelled')
    expect(await ask(socket, 'command:result', { id, status: 'done' })).toEqual({ ok: true })
    expect(stepsOf(await get(id))).toEqual(['queued', 'sent', 'cancelled', 'late_done'])
    const again = await cancel(id)
    expect([again.status, again.body.code]).toEqual([409, 'command_ended'])
  })

  it('learns nothing of commands of others, and is told what it says wrong', async () => {
    const { id } = (await send({ type: 'RESET' })).body
    const { socket } = await unit(OTHER)
    const codeOf = async (payload?: unknown) =>
      (await ask<{ error?: { code: string } }>(socket, 'command:result', payload)).error?.code
    expect(await codeOf({ id, status: 'done' })).toBe('command_not_found')
    expect(await codeOf({ id: 'x'.repeat(10_000), status: 'done' })).toBe('command_not_found')
    for (const wrong of [undefined, null, 7, {}, { id }, { id, status: 'accepted' }, { id: [id], status: 'done' }]) {
      expect(await codeOf(wrong)).toBe('invalid_request')
    }
    expect((await get(id)).status).toBe('queued')
  })

  it('is answered with an error that it can act on while the store is away', async () => {
    const { id } = (await send({ type: 'RESET' })).body
    const { socket } = await unit(IMEI, () => ({ status: 'accepted' }))
    await untilStatus(id, 'accepted')
    const records = running.app.get(CommandRecords)
    jest
      .spyOn(records, 'replace')
      .mockRejectedValueOnce(new AppError('store_unavailable', 'away', { retryAfterMs: 2000 }))
    expect(await ask(socket, 'command:result', { id, status: 'done' })).toMatchObject({
      error: { code: 'store_unavailable', retryAfterMs: 2000 },
    })
    expect(await ask(socket, 'command:result', { id, status: 'done' })).toEqual({ ok: true })
    expect((await get(id)).status).toBe('done')
  })

  it('may answer with garbage, which counts as no answer', async () => {
    const { id } = (await send({ type: 'RESET' })).body
    const { orders } = await unit(IMEI, () => ['garbage'])
    await until(
      async () => orders.length,
      (count) => count === 1,
    )
    await sleep(100)
    expect((await get(id)).status).toBe('sent')
  })

  it('loses its commands when it is removed, and gets none of them when it is added again', async () => {
    const { id } = (await send({ type: 'RESET' })).body
    await running.api.request('DELETE', `/api/v1/devices/${IMEI}`, { token: running.admin })
    expect(await untilStatus(id, 'cancelled')).toMatchObject({ message: 'device_deleted' })
    const { orders } = await unit()
    await sleep(100)
    expect(orders).toEqual([])
  })

  it('keeps its commands while it is disabled', async () => {
    const { id } = (await send({ type: 'RESET' })).body
    const patch = (status: string) =>
      running.api.request('PATCH', `/api/v1/devices/${IMEI}`, { token: running.admin, body: { status } })
    await patch('disabled')
    expect((await get(id)).status).toBe('queued')
    await patch('active')
    const { orders } = await unit()
    await until(
      async () => orders.map((order) => order.id),
      (ids) => ids[0] === id,
    )
  })
})

describe('time and restarts', () => {
  it('lets commands expire while the unit is away, also while the server is down', async () => {
    const DATA_DIR = temporaryDirectory()
    await start({ DATA_DIR })
    const short = (await send({ type: 'RESET', ttlSeconds: 1 })).body
    expect(stepsOf(await untilStatus(short.id, 'expired'))).toEqual(['queued', 'expired'])
    const overdue = (await send({ type: 'RESET', ttlSeconds: 1 })).body
    const kept = (await send({ type: 'REBOOT' })).body
    await running.close()
    await sleep(1000)
    await start({ DATA_DIR })
    expect((await get(overdue.id)).status).toBe('expired')
    const { orders } = await unit()
    await until(
      async () => orders.map(({ id }) => id),
      (ids) => ids[0] === kept.id,
    )
  })

  it('fails what was accepted and has no result in time, also across a restart', async () => {
    const DATA_DIR = temporaryDirectory()
    await start({ DATA_DIR, COMMAND_RESULT_TIMEOUT_S: '5' })
    await unit(IMEI, () => ({ status: 'accepted' }))
    const first = (await send({ type: 'RESET', ttlSeconds: 5 })).body
    expect(await untilStatus(first.id, 'failed')).toMatchObject({ message: 'no_result' })
    const second = (await send({ type: 'RESET' })).body
    await untilStatus(second.id, 'accepted')
    await running.close()
    await sleep(5000)
    await start({ DATA_DIR })
    const failed = await get(second.id)
    expect([failed.status, stepsOf(failed)]).toEqual(['failed', ['queued', 'sent', 'accepted', 'no_result']])
  })
})

describe('looking at commands', () => {
  beforeEach(() => start())

  it('lists those of a device newest first, by state, page by page', async () => {
    const ids: string[] = []
    for (let n = 0; n < 5; n++) ids.unshift((await send({ type: 'RESET' })).body.id)
    for (const id of ids.slice(0, 2)) await cancel(id)
    const idsOf = async (query: string) => (await running.api.all<Item>(`${PATH}${query}`, viewer)).map(({ id }) => id)
    expect(await idsOf('')).toEqual(ids)
    expect(await idsOf('?limit=2')).toEqual(ids)
    expect(await idsOf('?status=cancelled')).toEqual(ids.slice(0, 2))
    expect(await idsOf('?status=queued&limit=1')).toEqual(ids.slice(2))
    expect(await idsOf('?status=queued,cancelled')).toEqual(ids)
    expect(await idsOf('?status=done')).toEqual([])
    const codeOf = async (query: string) => (await running.api.get(`${PATH}${query}`, viewer)).body.code
    expect([
      await codeOf('?status=gone'),
      await codeOf('?cursor=x'),
      await codeOf('?offset=1'),
      await codeOf('?limit=0'),
    ]).toEqual(['invalid_request', 'invalid_cursor', 'unknown_parameter', 'invalid_request'])
  })

  it('finds no command that is not there', async () => {
    for (const id of ['0'.repeat(32), 'nothing', '%00']) {
      expect((await running.api.get(`/api/v1/commands/${id}`, viewer)).status).toBe(404)
      expect((await cancel(id)).status).toBe(404)
    }
  })

  it('tells watchers of every change, with the item of REST', async () => {
    const socket = await connectSocket(`${running.url}/live`, { token: viewer })
    sockets.push(socket)
    const events: Item[] = []
    socket.on('command', (item: Item) => events.push(item))
    const { socket: truck } = await unit(IMEI, () => ({ status: 'accepted' }))
    const { id } = (await send({ type: 'RESET' })).body
    await untilStatus(id, 'accepted')
    await ask(truck, 'command:result', { id, status: 'done' })
    await until(
      async () => events.at(-1),
      (item) => item?.status === 'done',
    )
    expect(events.at(-1)).toEqual(await get(id))
    const order = ['queued', 'sent', 'accepted', 'done']
    const seen = events.map(({ status }) => order.indexOf(status))
    expect(seen).toEqual([...seen].sort())
  })

  it('counts them by state', async () => {
    await unit(IMEI, () => ({ status: 'done' }))
    await send({ type: 'RESET' }, { headers: { prefer: 'wait=5' } })
    await running.api.loginDevice(OTHER)
    await send({ type: 'REBOOT' }, { path: `/api/v1/devices/${OTHER}/commands` })
    const { text } = await running.api.get('/metrics')
    for (const line of [
      'milepost_commands_total{type="RESET",status="queued"} 1',
      'milepost_commands_total{type="RESET",status="sent"} 1',
      'milepost_commands_total{type="RESET",status="done"} 1',
      'milepost_commands_open{status="queued"} 1',
      'milepost_commands_open{status="sent"} 0',
      'milepost_command_answer_seconds_count{type="RESET"} 1',
    ]) {
      expect(text).toContain(line)
    }
  })
})
