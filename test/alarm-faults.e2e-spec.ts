import { setTimeout as sleep } from 'node:timers/promises'
import { Logger } from '@nestjs/common'
import type { Socket } from 'socket.io-client'
import type { AlarmReport } from '../src/model/alarm.js'
import { AlarmRecords } from '../src/storage/sql/alarm-records.js'
import { VideoRecords } from '../src/storage/sql/video-records.js'
import { AlarmCalls } from './support/alarm-calls.js'
import { testImei } from './support/api.js'
import { type RunningApp, startApp } from './support/app.js'
import { removeTemporaryDirectories, temporaryDirectory } from './support/temporary-directory.js'
import { ask, connectSocket } from './support/unit-socket.js'

const IMEI = testImei(1)
const START_MS = Date.parse('2026-11-22T07:30:00.000Z')
const SETTINGS = { DEVICE_ENROLMENT: 'open', LOGIN_FAILURES_PER_MINUTE: '0', DEVICE_EVENTS_PER_SECOND: '0' }

let running: RunningApp
let calls: AlarmCalls
let token: string
const sockets: Socket[] = []

async function start(DATA_DIR = temporaryDirectory()): Promise<void> {
  running = await startApp({ ...SETTINGS, RETENTION_DAYS: '0', DATA_DIR })
  calls = new AlarmCalls(running)
  token = await running.api.loginDevice(IMEI)
}

async function connect(path = '', auth = token): Promise<Socket> {
  const socket = await connectSocket(`${running.url}${path}`, { token: auth })
  sockets.push(socket)
  return socket
}

async function watch(): Promise<Array<Record<string, unknown>>> {
  const socket = await connect('/live', running.admin)
  const alarms: Array<Record<string, unknown>> = []
  socket.on('alarm', (alarm: Record<string, unknown>) => alarms.push(alarm))
  await ask(socket, 'watch', {})
  return alarms
}

/** Shows a video as the records have it, and tells nobody. @returns its id */
async function showUntold(fileName: string): Promise<string> {
  const id = `video-${fileName.replace('.', '-')}`
  const videos = running.app.get(VideoRecords)
  await videos.reserve({
    id,
    deviceId: IMEI,
    fileName,
    bytes: 1,
    sha256: '0'.repeat(64),
    contentType: 'video/mp4',
    recordedAtMs: null,
    blobUploadId: 'u',
    reservedAtMs: Date.now(),
  })
  await videos.show(id, Date.now())
  return id
}

async function until(isTrue: () => Promise<boolean>): Promise<void> {
  for (const endMs = performance.now() + 10_000; !(await isTrue()); await sleep(20)) {
    if (performance.now() > endMs) throw new Error('it does not come about')
  }
}

async function stop(): Promise<void> {
  for (const socket of sockets.splice(0)) socket.close()
  await running.close()
}

afterEach(async () => {
  await stop()
  jest.restoreAllMocks()
})
afterAll(removeTemporaryDirectories)

describe('an alarm that the store can never take', () => {
  it('is refused alone, on every way in, counted and kept in quarantine', async () => {
    await start()
    const logged = jest.spyOn(Logger.prototype, 'error').mockImplementation()
    const records = running.app.get(AlarmRecords)
    const raise = records.raise.bind(records)
    const spoil = (report: AlarmReport) => (report.type === 'SOS' ? { ...report, receivedAtMs: Number.NaN } : report)
    records.raise = (reports, maxFiles) => raise(reports.map(spoil), maxFiles)
    const news = await watch()
    const socket = await connect()
    const send = (type: string, n: number) => {
      const body = { type, time: START_MS + n, attributes: { eventKey: n } }
      return n % 2 === 0 ? ask<object>(socket, 'alarm', body) : calls.raise(token, body)
    }
    const [answers, bySocket, byPost] = await Promise.all([
      Promise.all(Array.from({ length: 40 }, (_, n) => send('CRASH', n))),
      send('SOS', 100),
      send('SOS', 101),
    ])
    expect(bySocket).toEqual({ error: { code: 'invalid_request', message: 'The alarm cannot be stored' } })
    expect(byPost).toMatchObject({ status: 400, body: { code: 'invalid_request' } })
    expect(answers.filter((_, n) => n % 2 === 0)).toEqual(Array(20).fill({ id: expect.any(String), duplicate: false }))
    expect(answers.filter((_, n) => n % 2 === 1)).toMatchObject(Array(20).fill({ status: 201 }))
    expect(await calls.list()).toHaveLength(40)
    await calls.until(() => news.length === 40)
    expect(await calls.metric('milepost_refusals_total{ingress="socket",code="invalid_request"}')).toBe(1)
    expect(await calls.metric('milepost_refusals_total{ingress="http",code="invalid_request"}')).toBe(1)
    const quarantined = () => running.api.all<Record<string, unknown>>('/api/v1/quarantine', running.admin)
    // An answer does not wait for it.
    await until(async () => (await quarantined()).length >= 2)
    const kept = await quarantined()
    const source = { deviceId: IMEI, code: 'invalid_request', raw: expect.stringContaining('"type":"SOS"') }
    expect(kept.map(({ ingress }) => ingress).sort()).toEqual(['http', 'socket'])
    expect(kept).toMatchObject([source, source])
    expect(logged.mock.calls.map(([line]) => line.event)).toEqual(['alarm_unstorable', 'alarm_unstorable'])
  })
})

describe('a video that is shown beside the alarm that names it', () => {
  it('is joined right after, also when the store fails in between, and the news of the alarm does not wait for it', async () => {
    await start()
    const records = running.app.get(AlarmRecords)
    const raise = records.raise.bind(records)
    let late = ''
    // As where transactions run beside each other: neither sees the other one's rows.
    records.raise = async (...given) => {
      const raised = await raise(...given)
      late = await showUntold('late.mp4')
      return raised
    }
    const look = jest.spyOn(records, 'findUnjoined').mockRejectedValueOnce(new Error('the reader is gone'))
    const news = await watch()
    const { status, body } = await calls.raise(token, { type: 'CRASH', time: START_MS, files: ['late.mp4'] })
    expect([status, body.files]).toEqual([201, [{ fileName: 'late.mp4', videoId: null }]])
    await calls.until(() => news.length === 2)
    expect(look).toHaveBeenCalledTimes(2)
    expect(news).toEqual([body, { ...body, files: [{ fileName: 'late.mp4', videoId: late }] }])
    expect((await calls.list('hasVideo=true')).map(({ id }) => id)).toEqual([body.id])
  })

  it('is joined after the next start when the server died before it was', async () => {
    const directory = temporaryDirectory()
    await start(directory)
    const { body } = await calls.raise(token, { type: 'CRASH', time: START_MS, files: ['a.mp4', 'b.mp4'] })
    const id = await showUntold('b.mp4')
    await sleep(200)
    expect((await calls.get(String(body.id))).body).toEqual(body)
    await stop()
    await start(directory)
    await until(async () => (await calls.list('hasVideo=true')).length === 1)
    expect((await calls.get(String(body.id))).body.files).toEqual([
      { fileName: 'a.mp4', videoId: null },
      { fileName: 'b.mp4', videoId: id },
    ])
  })
})
