import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Socket } from 'socket.io-client'
import { AlarmRecords } from '../src/storage/sql/alarm-records.js'
import type { AlarmJson } from '../src/web/alarm-json.js'
import { AlarmCalls } from './support/alarm-calls.js'
import { testImei } from './support/api.js'
import { type RunningApp, startApp } from './support/app.js'
import { makeSample } from './support/media-samples.js'
import { removeTemporaryDirectories, temporaryDirectory } from './support/temporary-directory.js'
import { ask, connectSocket } from './support/unit-socket.js'

const IMEI = testImei(1)
const START_MS = Date.parse('2025-11-22T07:30:00.000Z')
const NO_LIMITS = { DEVICE_ENROLMENT: 'open', LOGIN_FAILURES_PER_MINUTE: '0', DEVICE_EVENTS_PER_SECOND: '0' }

const crash = (given: object = {}) => ({ type: 'CRASH', time: START_MS, ...given })
const names = (count: number, from = 0) => Array.from({ length: count }, (_, n) => `clip-${from + n}.mp4`)

let running: RunningApp
let calls: AlarmCalls
let token: string
const sockets: Socket[] = []

async function start(environment: Record<string, string> = {}): Promise<void> {
  running = await startApp({ ...NO_LIMITS, RETENTION_DAYS: '0', ...environment })
  calls = new AlarmCalls(running)
  token = await running.api.loginDevice(IMEI)
}

async function unit(imei = IMEI): Promise<Socket> {
  const socket = await connectSocket(running.url, { token: await running.api.loginDevice(imei) })
  sockets.push(socket)
  return socket
}

async function watch(filter: object = {}): Promise<Array<Record<string, unknown>>> {
  const socket = await connectSocket(`${running.url}/live`, { token: running.admin })
  sockets.push(socket)
  const alarms: Array<Record<string, unknown>> = []
  socket.on('alarm', (alarm: Record<string, unknown>) => alarms.push(alarm))
  await ask(socket, 'watch', filter)
  return alarms
}

const refusalOf = async (body: unknown) => {
  const { status, body: problem } = await calls.raise(token, body)
  return [status, problem.code, problem.errors?.map(({ path }) => path)]
}

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.close()
  await running.close()
})
afterAll(removeTemporaryDirectories)

describe('POST /alarms', () => {
  it('answers 201 with the alarm, and 200 with the same one when it comes again', async () => {
    await start()
    const report = {
      type: 'hard_brake',
      time: '2025-11-22T08:30:00.000+01:00',
      latitude: 48.1635066,
      longitude: 11.5643883,
      speed: 42.5,
      files: ['Mu\u0308nchen.mp4'],
      attributes: { eventKey: 7, peak: 0.61 },
      firmware: 'ignored',
    }
    const first = await calls.raise(token, report)
    expect([first.status, first.headers.get('location')]).toEqual([201, `/api/v1/alarms/${first.body.id}`])
    const receivedAt = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3}Z$/)
    expect(first.body).toEqual({
      id: expect.any(String),
      deviceId: IMEI,
      type: 'HARD_BRAKE',
      time: '2025-11-22T07:30:00.000Z',
      receivedAt,
      timeSuspect: false,
      latitude: 48.1635066,
      longitude: 11.5643883,
      speed: 42.5,
      status: 'open',
      note: null,
      assignee: null,
      attributes: { eventKey: 7, peak: 0.61 },
      files: [{ fileName: 'M\u00fcnchen.mp4', videoId: null }],
      history: [{ at: receivedAt, by: null, status: 'open', note: null, assignee: null }],
    })
    const again = await calls.raise(token, { ...report, speed: 99, attributes: { eventKey: '7' } })
    expect([again.status, again.headers.get('location')]).toEqual([200, null])
    expect(again.body).toEqual(first.body)
    expect((await calls.get(String(first.body.id))).body).toEqual(first.body)
  })

  it('adds names of files in the order they came, up to 20 in all', async () => {
    await start()
    const { body: first } = await calls.raise(token, crash({ files: names(15) }))
    const { status, body: second } = await calls.raise(token, crash({ files: ['clip-3.mp4', ...names(10, 15)] }))
    expect([status, second.id]).toEqual([200, first.id])
    expect(second.files?.map(({ fileName }) => fileName)).toEqual(names(20))
    expect(second.history).toEqual(first.history)
    expect((await calls.raise(token, crash({ files: ['one-more.mp4'] }))).body).toEqual(second)
  })

  it('tells equal events of one moment apart by their key, types and devices too', async () => {
    await start()
    const other = await running.api.loginDevice(testImei(2))
    const bodies = [
      crash(),
      crash({ attributes: { eventKey: 'a' } }),
      crash({ attributes: { eventKey: 'A' } }),
      crash({ attributes: { eventKey: 'a '.repeat(500) } }),
      crash({ attributes: { eventKey: 'a\u0000' } }),
      crash({ attributes: { eventKey: '\ud800' } }),
      crash({ type: 'SOS' }),
      crash({ time: START_MS + 1 }),
    ]
    const answers = [
      ...(await Promise.all(bodies.map((body) => calls.raise(token, body)))),
      await calls.raise(other, crash()),
    ]
    expect(answers.map(({ status }) => status)).toEqual(Array(9).fill(201))
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(9)
    const repeats = await Promise.all(bodies.map((body) => calls.raise(token, body)))
    expect(repeats.map(({ status, body }) => [status, body.id])).toEqual(
      answers.slice(0, 8).map(({ body }) => [200, body.id]),
    )
  })

  it('never refuses an alarm for its time, and says which ones are hard to believe', async () => {
    await start({ RETENTION_DAYS: '90' })
    const nowMs = Math.floor(Date.now() / 1000) * 1000
    const times: ReadonlyArray<[time: string | number, moment: string, isSuspect: boolean]> = [
      [nowMs, new Date(nowMs).toISOString(), false],
      [nowMs - 86_400_000, new Date(nowMs - 86_400_000).toISOString(), false],
      [nowMs + 660_000, new Date(nowMs + 660_000).toISOString(), true],
      ['2016-11-22T24:00:00Z', '2016-11-23T00:00:00.000Z', true],
      ['2016-12-31T23:59:60Z', '2016-12-31T23:59:59.999Z', true],
      ['2016-10-30T02:30:00+02:00', '2016-10-30T00:30:00.000Z', true],
      ['2016-10-30T02:30:00+01:00', '2016-10-30T01:30:00.000Z', true],
      [0, '1970-01-01T00:00:00.000Z', true],
      [-1, '1969-12-31T23:59:59.999Z', true],
      ['9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999Z', true],
      [1_795_332_600_000_000, '+058861-10-28T12:00:00.000Z', true],
      [8.64e15, '+275760-09-13T00:00:00.000Z', true],
      [-8.64e15, '-271821-04-20T00:00:00.000Z', true],
    ]
    const ids: unknown[] = []
    for (const [time, moment, isSuspect] of times) {
      const { status, body } = await calls.raise(token, crash({ time }))
      expect([time, status, body.time, body.timeSuspect]).toEqual([time, 201, moment, isSuspect])
      expect((await calls.raise(token, crash({ time }))).body.id).toBe(body.id)
      // As it was answered it is taken again, also where a client leaves the plus of a query as it is.
      expect((await calls.raise(token, crash({ time: body.time }))).body.id).toBe(body.id)
      expect((await calls.list(`sort=time&limit=1&from=${body.time}`)).at(0)?.id).toBe(body.id)
      ids.push(body.id)
    }
    const inOrder = [...times.keys()].sort((a, b) => Date.parse(times[a]?.[1] ?? '') - Date.parse(times[b]?.[1] ?? ''))
    expect((await calls.list('sort=time&limit=3')).map(({ id }) => id)).toEqual(inOrder.map((n) => ids[n]))
    const days = [...new Set(inOrder.map((n) => times[n]?.[1].replace(/T.*/, '')))]
    expect((await calls.summary('by=day')).map(({ key }) => key)).toEqual(days)
  })

  it('says of a body what is wrong with it', async () => {
    await start()
    expect(await refusalOf(crash({ type: 'UFO' }))).toEqual([400, 'unknown_alarm_type', ['type']])
    expect(await refusalOf(crash({ time: '2025-11-22' }))).toEqual([400, 'invalid_request', ['time']])
    expect(await refusalOf(crash({ latitude: 48 }))).toEqual([400, 'invalid_request', ['longitude']])
    expect(await refusalOf(crash({ files: names(21) }))).toEqual([400, 'invalid_request', ['files']])
    expect(await refusalOf(crash({ files: ['a.mp4', '..\uff0fb.mp4'] }))).toEqual([
      400,
      'invalid_file_name',
      ['files.1'],
    ])
    expect(await refusalOf([crash()])).toEqual([400, 'invalid_request', ['']])
    expect(await refusalOf(crash({ attributes: { a: 'x'.repeat(4096) } }))).toEqual([
      400,
      'invalid_request',
      ['attributes'],
    ])
    expect(await calls.list()).toEqual([])
    expect(await calls.metric('milepost_refusals_total{ingress="http",code="unknown_alarm_type"}')).toBe(1)
  })

  it('takes 100 units at once, several times the same', async () => {
    await start()
    const answers = await Promise.all(
      Array.from({ length: 100 }, () => calls.raise(token, crash({ files: ['a.mp4'] }))),
    )
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1)
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1)
    expect(await calls.metric('milepost_alarms_total{ingress="http",outcome="new"}')).toBe(1)
    expect(await calls.metric('milepost_alarms_total{ingress="http",outcome="repeat"}')).toBe(99)
  })

  it('counts against the limit of events, in headers too', async () => {
    await start({ DEVICE_EVENTS_PER_SECOND: '1' })
    // At once: within a second the first one is forgiven.
    const answers = await Promise.all(Array.from({ length: 6 }, () => calls.raise(token, crash())))
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 200, 200, 201, 429])
    const remaining = answers.map(({ headers }) => headers.get('ratelimit-remaining'))
    expect(remaining.sort()).toEqual(['0', '0', '1', '2', '3', '4'])
    const refused = answers.find(({ status }) => status === 429)
    expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThan(0)
  })
})

describe('the event alarm', () => {
  it('is acknowledged with the id after the commit, and as a duplicate when it comes again', async () => {
    await start()
    const socket = await unit()
    const answer = await ask<{ id: string }>(socket, 'alarm', crash({ files: ['a.mp4'] }))
    expect(answer).toEqual({ id: expect.any(String), duplicate: false })
    expect(await ask(socket, 'alarm', crash())).toEqual({ id: answer.id, duplicate: true })
    expect((await calls.raise(token, crash())).body).toMatchObject({ id: answer.id, files: [{ fileName: 'a.mp4' }] })
    expect(await calls.metric('milepost_alarms_total{ingress="socket",outcome="new"}')).toBe(1)
  })

  it('is answered with an error for what cannot be taken', async () => {
    await start()
    const socket = await unit()
    const refused: ReadonlyArray<[payload: unknown, code: string]> = [
      [crash({ type: 'UFO' }), 'unknown_alarm_type'],
      [crash({ time: 'yesterday' }), 'invalid_request'],
      [undefined, 'invalid_request'],
      [[crash()], 'invalid_request'],
      [crash({ files: [''] }), 'invalid_file_name'],
    ]
    for (const [payload, code] of refused) {
      expect(await ask(socket, 'alarm', payload)).toEqual({ error: { code, message: expect.stringMatching(/must/) } })
    }
    expect(await calls.metric('milepost_refusals_total{ingress="socket",code="invalid_request"}')).toBe(3)
    expect(await calls.list()).toEqual([])
  })

  it('counts against the limit of events', async () => {
    await start({ DEVICE_EVENTS_PER_SECOND: '1' })
    const socket = await unit()
    // At once: within a second the first one is forgiven.
    const answers = await Promise.all(
      Array.from({ length: 6 }, () => ask<{ error?: { code: string } }>(socket, 'alarm', crash())),
    )
    expect(answers.map(({ error }) => error?.code)).toEqual([...Array(5).fill(undefined), 'too_many_requests'])
    expect(answers[5]?.error).toMatchObject({ retryAfterMs: expect.any(Number) })
  })
})

describe('a store of alarms that is away', () => {
  it('is answered within 10 s on every way in, and what it took at last is there once', async () => {
    await start()
    const records = running.app.get(AlarmRecords)
    const raise = records.raise.bind(records)
    let recover = () => {}
    const over = new Promise<void>((resolve) => {
      recover = resolve
    })
    records.raise = async (...given) => {
      await over
      return raise(...given)
    }
    const news = await watch()
    const socket = await unit()
    const startedMs = Date.now()
    const [event, post] = await Promise.all([
      ask(socket, 'alarm', crash()),
      sleep(50).then(() => calls.raise(token, crash({ type: 'SOS' }))),
    ])
    expect(Date.now() - startedMs).toBeLessThan(10_000)
    expect(event).toMatchObject({ error: { code: 'store_unavailable', retryAfterMs: expect.any(Number) } })
    expect([post.status, post.body.code]).toEqual([503, 'store_unavailable'])
    expect(Number(post.headers.get('retry-after'))).toBeGreaterThan(0)
    recover()
    expect(await ask(socket, 'alarm', crash())).toMatchObject({ id: expect.any(String) })
    expect((await calls.list()).map(({ type }) => type)).toEqual(['CRASH'])
    await sleep(100)
    expect(news.map(({ type }) => type)).toEqual(['CRASH'])
  })

  it('acknowledges nothing while it fails, and works again without a restart', async () => {
    await start()
    const fail = jest.spyOn(running.app.get(AlarmRecords), 'raise').mockRejectedValue(new Error('the disk is gone'))
    const socket = await unit()
    expect(await ask(socket, 'alarm', crash())).toMatchObject({ error: { code: 'store_unavailable' } })
    expect(await ask(socket, 'alarm', crash({ type: 'UFO' }))).toMatchObject({ error: { code: 'unknown_alarm_type' } })
    fail.mockRestore()
    expect(await ask(socket, 'alarm', crash())).toMatchObject({ duplicate: false })
  })

  it('takes no alarm while the disk is nearly full', async () => {
    const DATA_DIR = temporaryDirectory()
    await start({ DATA_DIR })
    await running.close()
    await start({ DATA_DIR, DISK_MIN_FREE: String(Number.MAX_SAFE_INTEGER) })
    expect(await ask(await unit(), 'alarm', crash())).toMatchObject({
      error: { code: 'disk_full', retryAfterMs: expect.any(Number) },
    })
    const { status, body } = await calls.raise(token, crash())
    expect([status, body.code]).toEqual([503, 'disk_full'])
  })

  it('finishes and acknowledges what is under way when the server stops', async () => {
    await start()
    const records = running.app.get(AlarmRecords)
    const raise = records.raise.bind(records)
    records.raise = async (...given) => {
      await sleep(400)
      return raise(...given)
    }
    const socket = await unit()
    const answer = ask(socket, 'alarm', crash())
    await sleep(100)
    await Promise.all([running.close(), expect(answer).resolves.toMatchObject({ duplicate: false })])
  })
})

describe('the live feed', () => {
  it('tells of an alarm that is new, changed or worked on, as REST shows it, and of no repeat', async () => {
    await start()
    const news = await watch()
    const { body: first } = await calls.raise(token, crash())
    await calls.until(() => news.length === 1)
    await calls.raise(token, crash())
    const { body: second } = await calls.raise(token, crash({ files: ['a.mp4'] }))
    await calls.until(() => news.length === 2)
    const { body: third } = await calls.change(String(first.id), { status: 'acknowledged' })
    await calls.until(() => news.length === 3)
    await calls.change(String(first.id), { status: 'acknowledged' })
    await sleep(100)
    expect(news).toEqual([first, second, third])
  })

  it('narrows by device and by place', async () => {
    await start()
    const here = await watch({ bbox: [11, 48, 12, 49] })
    const other = await watch({ deviceIds: [testImei(2)] })
    await calls.raise(token, crash({ latitude: 48.5, longitude: 11.5 }))
    await calls.raise(token, crash({ type: 'SOS', latitude: 50, longitude: 11.5 }))
    await calls.raise(token, crash({ type: 'TOWING' }))
    await calls.until(() => here.length === 2)
    await sleep(100)
    expect(here.map(({ type }) => type)).toEqual(['CRASH', 'TOWING'])
    expect(other).toEqual([])
  })
})

describe('the files of an alarm', () => {
  const upload = async (name: string) => {
    const response = await fetch(`${running.url}/api/v1/videos/${encodeURIComponent(name)}`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'video/mp4' },
      body: readFileSync(clip),
    })
    if (response.status !== 201) throw new Error(await response.text())
    return ((await response.json()) as { id: string }).id
  }
  const linksOf = ({ files }: { files?: unknown }) => files
  let clip = ''
  beforeAll(() => {
    clip = makeSample(temporaryDirectory(), 'clip.mp4')
  })

  it('become videos, whichever comes first, and the feed tells of it', async () => {
    await start({ MEDIA_WORKERS: '0' })
    const news = await watch()
    const early = await upload('M\u00fcnchen.mp4')
    const { body } = await calls.raise(token, crash({ files: ['late.mp4', 'Mu\u0308nchen.mp4'] }))
    const joined = { fileName: 'M\u00fcnchen.mp4', videoId: early }
    expect(linksOf(body)).toEqual([{ fileName: 'late.mp4', videoId: null }, joined])
    const late = await upload('late.mp4')
    await calls.until(() => news.length === 2)
    expect(news.map(linksOf)).toEqual([body.files, [{ fileName: 'late.mp4', videoId: late }, joined]])
    expect((await calls.get(String(body.id))).body).toEqual(news[1])
    expect((await calls.list('hasVideo=true')).map(({ id }) => id)).toEqual([body.id])
    await running.api.request('DELETE', `/api/v1/videos/${late}`, { token: running.admin })
    await calls.until(() => news.length === 3)
    expect(linksOf(news[2] ?? {})).toEqual([{ fileName: 'late.mp4', videoId: null }, joined])
  })

  it('are no videos of another device', async () => {
    await start({ MEDIA_WORKERS: '0' })
    await upload('front.mp4')
    const other = await running.api.loginDevice(testImei(2))
    const { body } = await calls.raise(other, crash({ files: ['front.mp4'] }))
    expect(linksOf(body)).toEqual([{ fileName: 'front.mp4', videoId: null }])
  })
})

describe('GET /alarms', () => {
  const plan = [
    { type: 'CRASH', minute: 0, latitude: 48.1, longitude: 11.5, imei: 1, files: ['Front-Kamera.mp4'] },
    { type: 'SOS', minute: 1, latitude: -17, longitude: 179.5, imei: 1 },
    { type: 'SOS', minute: 1, imei: 2 },
    { type: 'TOWING', minute: 24 * 60, latitude: -17, longitude: -179.5, imei: 2 },
  ]
  const raiseAll = async () => {
    const ids: string[] = []
    for (const { minute, imei, ...given } of plan) {
      const body = { ...given, time: START_MS + minute * 60_000 }
      ids.push(String((await calls.raise(await running.api.loginDevice(testImei(imei)), body)).body.id))
    }
    return ids
  }

  it('finds them by every filter, and by all of them together', async () => {
    await start()
    const ids = await raiseAll()
    await running.api.request('PATCH', `/api/v1/devices/${IMEI}`, {
      token: running.admin,
      body: { name: 'Müllwagen Süd', plate: 'M-MP 7' },
    })
    await calls.change(ids[0] ?? '', { status: 'resolved', note: 'Only a kerb', assignee: 'admin' })
    const found = async (query: string) => (await calls.list(query)).map(({ id }) => ids.indexOf(id)).sort()
    expect(await found('')).toEqual([0, 1, 2, 3])
    expect(await found(`deviceId=${IMEI}`)).toEqual([0, 1])
    expect(await found(`deviceId=${IMEI},${testImei(2)}`)).toEqual([0, 1, 2, 3])
    expect(await found('deviceId=nobody')).toEqual([])
    expect(await found('type=sos')).toEqual([1, 2])
    expect(await found('type=CRASH&type=TOWING')).toEqual([0, 3])
    expect(await found('status=open')).toEqual([1, 2, 3])
    expect(await found('status=resolved,acknowledged')).toEqual([0])
    expect(await found('assignee=admin')).toEqual([0])
    expect(await found(`from=${START_MS + 60_000}`)).toEqual([1, 2, 3])
    expect(await found(`to=${START_MS + 60_000}`)).toEqual([0])
    expect(await found('bbox=11,48,12,49')).toEqual([0])
    expect(await found('bbox=179,-18,-179,-16')).toEqual([1, 3])
    expect(await found('bbox=-180,-18,180,-16')).toEqual([1, 3])
    expect(await found('hasVideo=false')).toEqual([0, 1, 2, 3])
    expect(await found('hasVideo=true')).toEqual([])
    expect(await found('text=m%C3%BCll')).toEqual([0, 1])
    expect(await found('text=front')).toEqual([0])
    expect(await found('text=kerb%20m-mp')).toEqual([0])
    expect(await found('text=erb')).toEqual([])
    expect(await found('text=')).toEqual([0, 1, 2, 3])
    expect(await found('text=*')).toEqual([])
    expect(await found('text=%F0%9F%98%80')).toEqual([])
    expect(await found(`deviceId=${IMEI}&type=sos&status=open&bbox=179,-18,-179,-16&hasVideo=false`)).toEqual([1])
  })

  it('finds what lies on the meridian of 180° in boxes on either side of it, however the unit calls it', async () => {
    await start()
    const east = String((await calls.raise(token, crash({ latitude: 0.5, longitude: 180 }))).body.id)
    const west = String((await calls.raise(token, crash({ time: START_MS + 1, latitude: 0, longitude: -180 }))).body.id)
    for (const box of ['-180,-1,-170,1', '170,-1,180,1', '180,-1,-170,1', '170,-1,-180,1', '180,-1,180,1']) {
      const found = await calls.list(`sort=time&bbox=${box}`)
      expect([box, found.map(({ id }) => id)]).toEqual([box, [east, west]])
      expect(await calls.summary(`by=type&bbox=${box}`)).toEqual([{ key: 'CRASH', count: 2 }])
    }
    expect(await calls.list('bbox=-179.9,-1,179.9,1')).toEqual([])
  })

  it('finds a name in capitals that have no small letter of their own', async () => {
    await start()
    const { id } = (await calls.raise(token, crash())).body
    await running.api.request('PATCH', `/api/v1/devices/${IMEI}`, {
      token: running.admin,
      body: { name: 'Lange Straße' },
    })
    expect((await calls.list(`text=${encodeURIComponent('STRAẞE')}`)).map((alarm) => alarm.id)).toEqual([id])
  })

  it('pages in both directions, ties by id, and takes a cursor only for the order it was given out in', async () => {
    await start()
    await raiseAll()
    const page = (query: string) =>
      running.api.get<{ items: AlarmJson[]; nextCursor: string }>(`/api/v1/alarms?${query}`, running.admin)
    const all = async (query: string) => (await calls.list(`limit=1&${query}`)).map(({ id }) => id)
    const newest = await all('')
    expect(newest).toEqual((await calls.list()).map(({ id }) => id))
    expect(await all('sort=time')).toEqual([...newest].reverse())
    const { body } = await page('limit=2')
    expect((await page(`limit=2&sort=-time&cursor=${body.nextCursor}`)).body.items.map(({ id }) => id)).toEqual(
      newest.slice(2),
    )
    expect((await page(`sort=time&cursor=${body.nextCursor}`)).body).toMatchObject({ code: 'invalid_cursor' })
    expect((await page('cursor=x')).body).toMatchObject({ code: 'invalid_cursor' })
  })

  it('refuses what it does not know', async () => {
    await start()
    const refused = {
      'surprise=1': 'unknown_parameter',
      'type=UFO': 'unknown_alarm_type',
      'type=%C5%BFos': 'unknown_alarm_type',
      'status=closed': 'invalid_request',
      'bbox=1,2,3': 'invalid_request',
      'from=2025-11-23T00:00:00Z&to=2025-11-22T00:00:00Z': 'invalid_request',
      'sort=id': 'invalid_request',
      'hasVideo=yes': 'invalid_request',
      'limit=0': 'invalid_request',
    }
    for (const [query, code] of Object.entries(refused)) {
      const { status, body } = await running.api.get(`/api/v1/alarms?${query}`, running.admin)
      expect([query, status, body.code]).toEqual([query, 400, code])
    }
  })

  it('counts by type, device, day and status under the same filters', async () => {
    await start()
    await raiseAll()
    expect(await calls.summary('by=type')).toEqual([
      { key: 'SOS', count: 2 },
      { key: 'CRASH', count: 1 },
      { key: 'TOWING', count: 1 },
    ])
    expect(await calls.summary('by=device&type=sos,crash')).toEqual([
      { key: IMEI, count: 2 },
      { key: testImei(2), count: 1 },
    ])
    expect(await calls.summary('by=day')).toEqual([
      { key: '2025-11-22', count: 3 },
      { key: '2025-11-23', count: 1 },
    ])
    expect(await calls.summary('by=status')).toEqual([{ key: 'open', count: 4 }])
    expect(await calls.summary('by=status&text=nothing')).toEqual([])
    for (const query of ['', 'by=note', 'by=type&sort=time', 'by=type&limit=1']) {
      const { status } = await running.api.get(`/api/v1/alarms/summary?${query}`, running.admin)
      expect([query, status]).toEqual([query, 400])
    }
  })

  it('is CSV for who asks for it: all rows, whatever the limit', async () => {
    await start()
    const ids = await raiseAll()
    await calls.change(ids[0] ?? '', { note: '=1+1' })
    const csv = (query: string, accept = 'text/csv') =>
      running.api.request('GET', `/api/v1/alarms?${query}`, { token: running.admin, headers: { accept } })
    const { status, headers, text } = await csv('sort=time&limit=1')
    expect([status, headers.get('content-type'), headers.get('vary')]).toEqual([
      200,
      'text/csv; charset=utf-8',
      'Accept',
    ])
    expect(headers.get('content-disposition')).toBe('attachment; filename="alarms.csv"')
    const lines = text.split('\r\n')
    expect(lines[0]).toBe('id,deviceId,type,time,receivedAt,timeSuspect,latitude,longitude,speed,status,note,assignee')
    expect(lines[1]).toMatch(
      new RegExp(`^${ids[0]},${IMEI},CRASH,2025-11-22T07:30:00.000Z,[^,]+,false,48.1,11.5,,open,'=1\\+1,$`),
    )
    expect(lines).toHaveLength(6)
    expect((await csv('type=sos')).text.split('\r\n')).toHaveLength(4)
    expect((await csv('', 'application/xml')).body).toMatchObject({ code: 'not_acceptable' })
    expect((await csv('', 'text/csv;q=0.5, */*')).headers.get('content-type')).toContain('application/json')
  })
})

describe('PATCH /alarms/{id}', () => {
  it('keeps who did what in the history and in the audit log', async () => {
    await start()
    const anna = await calls.addUser('anna', 'operator')
    const { body } = await calls.raise(token, crash())
    const id = String(body.id)
    const at = expect.stringMatching(/Z$/)
    const raised = { at: body.receivedAt, by: null, status: 'open', note: null, assignee: null }
    await calls.change(id, { status: 'acknowledged', note: '  On the phone\nwith the driver ', assignee: 'anna' }, anna)
    await calls.change(id, { status: 'resolved' }, anna)
    await calls.change(id, {}, anna)
    await calls.change(id, { status: 'resolved' }, anna)
    const { status, body: after } = await calls.change(id, { status: 'open', note: '', assignee: null })
    expect(status).toBe(200)
    const noted = { note: 'On the phone\nwith the driver', assignee: 'anna' }
    expect(after).toEqual({
      ...body,
      history: [
        raised,
        { at, by: 'anna', status: 'acknowledged', ...noted },
        { at, by: 'anna', status: 'resolved', ...noted },
        { at, by: 'admin', status: 'open', note: null, assignee: null },
      ],
    })
    const audit = await running.api.all<Record<string, unknown>>('/api/v1/audit?action=alarm.update', running.admin)
    expect(audit.map(({ by, target, detail }) => [by, target, detail])).toEqual([
      ['admin', id, { status: 'open', note: null, assignee: null }],
      ['anna', id, { status: 'resolved' }],
      // The text is in the alarm's own history, which goes with its device.
      ['anna', id, { status: 'acknowledged', ...noted, note: '(not shown)' }],
    ])
  })

  it('is for operators, and takes nothing that it does not know', async () => {
    await start()
    const viewer = await calls.addUser('vera', 'viewer')
    const id = String((await calls.raise(token, crash())).body.id)
    const refused = async (body: unknown, by = running.admin) => {
      const { status, body: problem } = await calls.change(id, body, by)
      return [status, problem.code, problem.errors?.map(({ path }) => path)]
    }
    expect(await refused({ status: 'resolved' }, viewer)).toEqual([403, 'forbidden', undefined])
    expect((await calls.get(id, viewer)).status).toBe(200)
    expect(await refused({ assignee: 'nobody' })).toEqual([400, 'invalid_request', ['assignee']])
    expect(await refused({ assignee: '' })).toEqual([400, 'invalid_request', ['assignee']])
    expect(await refused({ status: 'closed' })).toEqual([400, 'invalid_request', ['status']])
    expect(await refused({ note: 'x'.repeat(2001) })).toEqual([400, 'invalid_request', ['note']])
    expect(await refused({ type: 'SOS' })).toEqual([400, 'invalid_request', ['type']])
    expect((await calls.change('0123', { note: 'x' })).body.code).toBe('not_found')
    expect((await calls.get('no such id')).body.code).toBe('not_found')
    expect((await calls.get(id)).body.history).toHaveLength(1)
  })

  it('goes to nobody who is disabled, and stays with who was disabled since', async () => {
    await start()
    for (const name of ['anna', 'berta']) await calls.addUser(name, 'operator')
    const id = String((await calls.raise(token, crash())).body.id)
    await calls.change(id, { assignee: 'anna' })
    for (const name of ['anna', 'berta'])
      await running.api.request('PATCH', `/api/v1/users/${name}`, { token: running.admin, body: { disabled: true } })

    const { status, body } = await calls.change(id, { assignee: 'berta' })
    expect([status, body.code, body.errors]).toEqual([
      400,
      'invalid_request',
      [{ path: 'assignee', code: 'unknown_user', message: 'must be the name of a user who is not disabled' }],
    ])
    const noted = await calls.change(id, { assignee: 'anna', note: 'She is on leave' })
    expect([noted.status, noted.body.assignee, noted.body.note]).toEqual([200, 'anna', 'She is on leave'])
  })

  it('keeps the work of people when the unit repeats the alarm', async () => {
    await start()
    const id = String((await calls.raise(token, crash())).body.id)
    const { body } = await calls.change(id, { status: 'resolved', note: 'done' })
    const again = await calls.raise(token, crash({ files: ['late.mp4'] }))
    expect(again.body).toEqual({ ...body, files: [{ fileName: 'late.mp4', videoId: null }] })
  })
})
