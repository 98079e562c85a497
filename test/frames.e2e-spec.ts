import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { encodeFixReport } from '../src/codecs/queclink/encode-report.js'
import { encodeLogin } from '../src/codecs/teltonika/encode-records.js'
import { TELTONIKA } from '../src/codecs/teltonika/teltonika-codec.js'
import { framesOf } from '../src/codecs/tracker-frames.contract.js'
import { Trackers } from '../src/ingress/tracker/trackers.js'
import { AppError } from '../src/model/app-error.js'
import { FaultyRawFrameStore } from './stores/faulty-raw-frame-store.js'
import { testImei } from './support/api.js'
import { startApp } from './support/app.js'
import { archivedOf, type FrameItem, framesPath, spokenIn } from './support/frame-calls.js'
import { metricSum } from './support/metric-sum.js'
import { removeTemporaryDirectories, temporaryDirectory } from './support/temporary-directory.js'
import { startTrackerApp, storedTimes, type TrackerApp } from './support/tracker-app.js'
import { sentRecord, TELTONIKA_UNITS } from './support/tracker-brand.js'
import { TrackerUnit } from './support/tracker-unit.js'
import { ask, connectSocket } from './support/unit-socket.js'

const SAMPLES = framesOf('teltonika')
const TCP_FRAMES = SAMPLES.filter(
  ({ transport, direction, kind }) => transport === 'tcp' && direction === 'device->server' && kind === 'data',
)

let running: TrackerApp
let lastImei = 7000
const newImei = () => testImei(lastImei++)

afterEach(() => running.close())
afterAll(removeTemporaryDirectories)

const get = (path: string, token = running.admin) => running.api.get<{ items: FrameItem[]; code?: string }>(path, token)

function download(deviceId: string, query = ''): Promise<string> {
  const headers = { accept: 'text/plain' }
  return running.api
    .request('GET', framesPath(deviceId, query), { token: running.admin, headers })
    .then(({ status, text }) => {
      expect(status).toBe(200)
      return text
    })
}

/** Logs a Teltonika unit in, and has it send messages of one record. @returns what went over the line */
async function drive(imei: string, messages: number, first = 0): Promise<string[]> {
  const unit = await TrackerUnit.connect(running.portOf('teltonika'))
  const spoken = [`in ${encodeLogin(imei).toString('hex')}`, 'out 01']
  unit.send(encodeLogin(imei))
  await unit.answer(1)
  for (let n = 0; n < messages; n++) {
    const { bytes, answer } = TELTONIKA_UNITS.records(imei, [sentRecord(first + n)], n)
    unit.send(bytes)
    expect(await unit.answer(4)).toBe(answer)
    spoken.push(`in ${bytes.toString('hex')}`, `out ${answer}`)
  }
  unit.close()
  return spoken
}

describe('the raw archive of trackers', () => {
  beforeEach(async () => {
    running = await startTrackerApp()
  })

  it('has every frame that came and went, byte by byte and in order, the login included', async () => {
    const imei = newImei()
    const beganMs = Date.now()
    const unit = await TrackerUnit.connect(running.portOf('teltonika'))
    const spoken = [`in ${encodeLogin(imei).toString('hex')}`, 'out 01']
    unit.send(encodeLogin(imei))
    await unit.answer(1)
    for (const { hex, expect: expected } of TCP_FRAMES) {
      unit.send(hex)
      const ack = expected.ackHex ?? ''
      expect(await unit.answer(ack.length / 2)).toBe(ack)
      spoken.push(`in ${hex}`, `out ${ack}`)
    }
    expect(TCP_FRAMES.length).toBeGreaterThan(5)
    const items = await archivedOf(running, imei, spoken.length)
    unit.close()
    expect(spokenIn(items)).toEqual(spoken)
    const times = items.map(({ at }) => Date.parse(at)).reverse()
    expect(times).toEqual([...times].sort((a, b) => a - b))
    expect(times[0]).toBeGreaterThanOrEqual(beganMs)
    expect(times.at(-1)).toBeLessThanOrEqual(Date.now())
    expect(new Set(items.map(({ protocol }) => protocol))).toEqual(new Set(['teltonika']))
    const links = new Set(items.map(({ link }) => link))
    expect([...links]).toEqual([expect.stringMatching(/^tcp:127\.0\.0\.1:\d+#\d+$/)])
  })

  it('has the first frame of a unit that is not answered at once', async () => {
    const imei = newImei()
    const unit = await TrackerUnit.connect(running.portOf('queclink'))
    const report = encodeFixReport(imei, [sentRecord(0)], 1)
    unit.send(report)
    expect(spokenIn(await archivedOf(running, imei, 1))).toEqual([`in ${report.toString('hex')}`])
    unit.close()
  })

  it('tells two connections of a device apart', async () => {
    const imei = newImei()
    const spoken = [...(await drive(imei, 1)), ...(await drive(imei, 1, 1))]
    const items = await archivedOf(running, imei, 8)
    expect(spokenIn(items)).toEqual(spoken)
    expect(new Set(items.map(({ link }) => link)).size).toBe(2)
  })

  it('has datagrams both ways', async () => {
    const port = await running.app.get(Trackers).listenForDatagrams(TELTONIKA, 0)
    const sample = SAMPLES.find(({ id }) => id === 'tel-c8-udp-wiki')
    const imei = sample?.expect.imei ?? ''
    const socket = createSocket('udp4')
    try {
      socket.send(Buffer.from(sample?.hex ?? '', 'hex'), port, '127.0.0.1')
      const [answer] = (await once(socket, 'message')) as [Buffer]
      const items = await archivedOf(running, imei, 2)
      expect(spokenIn(items)).toEqual([`in ${sample?.hex}`, `out ${answer.toString('hex')}`])
      expect(new Set(items.map(({ link }) => link))).toEqual(new Set([`udp:127.0.0.1:${socket.address().port}`]))
    } finally {
      socket.close()
    }
  })

  it('pages newest first, and what comes meanwhile shifts nothing', async () => {
    const imei = newImei()
    await drive(imei, 4)
    const all = await archivedOf(running, imei, 10)
    const first = await get(framesPath(imei, '?limit=4'))
    expect(first.body.items).toEqual(all.slice(0, 4))
    await drive(imei, 1, 10)
    await archivedOf(running, imei, 14)
    const { nextCursor } = first.body as unknown as { nextCursor: string }
    const second = await get(framesPath(imei, `?limit=4&cursor=${nextCursor}`))
    expect(second.body.items).toEqual(all.slice(4, 8))
    const third = await get(
      framesPath(imei, `?limit=4&cursor=${(second.body as unknown as { nextCursor: string }).nextCursor}`),
    )
    expect(third.body).toEqual({ items: all.slice(8), nextCursor: null })
  })

  it('filters by direction and time', async () => {
    const imei = newImei()
    await drive(imei, 2)
    await sleep(5)
    await drive(imei, 1, 5)
    const all = await archivedOf(running, imei, 10)
    const idsOf = async (query: string) => (await get(framesPath(imei, query))).body.items.map(({ id }) => id)
    const idsWhere = (isWanted: (item: FrameItem) => boolean) => all.filter(isWanted).map(({ id }) => id)
    expect(await idsOf('?direction=in')).toEqual(idsWhere(({ direction }) => direction === 'in'))
    expect(await idsOf('?direction=out')).toEqual(idsWhere(({ direction }) => direction === 'out'))
    const middle = all[3]?.at ?? ''
    expect(await idsOf(`?from=${middle}`)).toEqual(idsWhere(({ at }) => at >= middle))
    expect(await idsOf(`?to=${middle}`)).toEqual(idsWhere(({ at }) => at < middle))
    expect(await idsOf(`?from=${middle}&to=${middle}`)).toEqual([])
  })

  it('is downloaded whole, oldest first, over several pages', async () => {
    const imei = newImei()
    const spoken = await drive(imei, 230)
    const items = await running.api.all<FrameItem>(framesPath(imei, '?limit=500'), running.admin)
    for (let tries = 0; tries < 100 && items.length < spoken.length; tries++) {
      await sleep(50)
      items.splice(0, items.length, ...(await archivedOf(running, imei, spoken.length)))
    }
    const lines = [...items]
      .reverse()
      .map(({ at, direction, protocol, link, hex }) => `${at} ${direction} ${protocol} ${link} ${hex}\n`)
    expect(await download(imei)).toBe(lines.join(''))
    expect(lines.map((line) => line.trimEnd().split(' ')).map(([, way, , , hex]) => `${way} ${hex}`)).toEqual(spoken)
    const isIn = (line: string) => line.split(' ')[1] === 'in'
    expect(await download(imei, '?direction=in&limit=3')).toBe(lines.filter(isIn).join(''))
  })

  it('is for admins, and says what is wrong with a request', async () => {
    const { api, admin } = running
    const imei = newImei()
    await api.post('/api/v1/devices', { deviceId: imei }, admin)
    expect((await get(framesPath(imei))).body).toEqual({ items: [], nextCursor: null })
    expect(await download(imei)).toBe('')
    for (const role of ['viewer', 'operator']) {
      await api.post('/api/v1/users', { username: role, password: 'a long password', role }, admin)
      const { status, body } = await get(framesPath(imei), await api.login(role, 'a long password'))
      expect([role, status, body.code]).toEqual([role, 403, 'forbidden'])
    }
    const refusals = await Promise.all(
      [
        '?limit=0',
        '?limit=501',
        '?direction=up',
        '?from=2026-11-22',
        '?from=2026-11-22T00:00:01Z&to=2026-11-22T00:00:00Z',
        '?surprise=1',
        `?cursor=${Buffer.from('["quarantine",[1,"1"]]').toString('base64url')}`,
      ].map(async (query) => {
        const { status, body } = await get(framesPath(imei, query))
        return `${query} ${status} ${body.code}`
      }),
    )
    expect(refusals.map((text) => text.split(' ').slice(1).join(' '))).toEqual([
      ...Array(5).fill('400 invalid_request'),
      '400 unknown_parameter',
      '400 invalid_cursor',
    ])
    const unknown = await get(framesPath(testImei(1)))
    expect([unknown.status, unknown.body.code]).toEqual([404, 'not_found'])
    const picture = await api.request('GET', framesPath(imei), { token: admin, headers: { accept: 'image/png' } })
    expect([picture.status, picture.body.code]).toEqual([406, 'not_acceptable'])
  })
})

describe('the raw archive', () => {
  it('has nothing of those who were not let in', async () => {
    running = await startTrackerApp({ DEVICE_ENROLMENT: 'registered' })
    const imei = newImei()
    const unit = await TrackerUnit.connect(running.portOf('teltonika'))
    unit.send(encodeLogin(imei))
    expect(await unit.ended()).toBe('00')
    await running.api.post('/api/v1/devices', { deviceId: imei }, running.admin)
    await drive(imei, 0)
    expect((await archivedOf(running, imei, 2)).map(({ hex }) => hex)).toEqual([
      '01',
      encodeLogin(imei).toString('hex'),
    ])
  })

  it('keeps nothing when it is off', async () => {
    running = await startTrackerApp({ RAW_ARCHIVE: 'off' })
    const imei = newImei()
    await drive(imei, 2)
    await sleep(500)
    expect((await get(framesPath(imei))).body).toEqual({ items: [], nextCursor: null })
    expect(await metricSum(running, 'milepost_frames_archived_total')).toBe(0)
  })

  it('has what units said before the server was stopped', async () => {
    const DATA_DIR = temporaryDirectory()
    running = await startTrackerApp({ DATA_DIR })
    const imei = newImei()
    const spoken = await drive(imei, 3)
    await running.close()
    running = await startTrackerApp({ DATA_DIR })
    expect(spokenIn(await archivedOf(running, imei, spoken.length))).toEqual(spoken)
  })

  it('holds up no positions while its store hangs or fails, and has what waited', async () => {
    let store: FaultyRawFrameStore | undefined
    running = await startTrackerApp({}, undefined, (inner) => {
      store = new FaultyRawFrameStore(inner)
      return store
    })
    const imei = newImei()
    store?.stall()
    const spoken = await drive(imei, 20)
    store?.fail(new AppError('store_unavailable', 'away'))
    spoken.push(...(await drive(imei, 20, 20)))
    expect(await storedTimes(running, imei)).toHaveLength(40)
    // It is told, and the server is ready all the same.
    expect(await running.api.get('/health/ready')).toMatchObject({
      status: 200,
      body: { status: 'ok', details: { frames: { status: 'error', message: 'away' }, positions: { status: 'ok' } } },
    })
    expect(await metricSum(running, 'milepost_frames_waiting')).toBeGreaterThan(0)
    store?.recover()
    expect(spokenIn(await archivedOf(running, imei, spoken.length))).toEqual(spoken)
    expect(await metricSum(running, 'milepost_frames_dropped_total')).toBe(0)
  })
})

describe('the raw archive of sockets', () => {
  const textOf = ({ direction, hex }: FrameItem) => `${direction} ${Buffer.from(hex, 'hex').toString()}`

  async function speak(imei: string): Promise<string> {
    const token = await running.api.loginDevice(imei)
    const socket = await connectSocket(running.url, { token })
    socket.on('command', (_order: unknown, answer: (reply: unknown) => void) => answer({ status: 'done' }))
    expect(await ask(socket, 'location', { time: '2026-11-22T07:30:00Z', latitude: 48, longitude: 11 })).toMatchObject({
      accepted: 1,
    })
    await ask(socket, 'auth', { token })
    await ask(socket, 'authorise', { token })
    const path = `/api/v1/devices/${imei}/commands`
    const body = { type: 'RESET' }
    const headers = { prefer: 'wait=10' }
    const { body: command } = await running.api.request('POST', path, { token: running.admin, body, headers })
    socket.close()
    return String(command.id)
  }

  it('has events with their answers, commands with theirs, and no token', async () => {
    running = {
      ...(await startApp({ RAW_ARCHIVE: 'all', DEVICE_ENROLMENT: 'open', RETENTION_DAYS: '0' })),
      portOf: () => 0,
    }
    const imei = newImei()
    const id = await speak(imei)
    const items = (await archivedOf(running, imei, 8)).reverse()
    expect(items.map(textOf).map((text) => text.replace(/"expiresAt":"[^"]+"/, '"expiresAt":"…"'))).toEqual([
      'in {"event":"location","payload":{"time":"2026-11-22T07:30:00Z","latitude":48,"longitude":11}}',
      'out {"event":"location","answer":{"accepted":1,"duplicates":0,"rejected":[]}}',
      'in {"event":"auth"}',
      expect.stringMatching(/^out \{"event":"auth","answer":\{"expiresIn":\d+\}\}$/),
      'in {"event":"authorise"}',
      expect.stringMatching(/^out \{"event":"authorise","answer":\{"error":\{"code":"unknown_event"/),
      `out {"event":"command","payload":{"id":"${id}","type":"RESET","params":{},"expiresAt":"…"}}`,
      'in {"event":"command","answer":{"status":"done"}}',
    ])
    expect(new Set(items.map(({ protocol, link }) => `${protocol} ${link}`))).toEqual(new Set(['socket socket#1']))
  })

  it('is empty unless it is asked for', async () => {
    running = { ...(await startApp({ DEVICE_ENROLMENT: 'open', RETENTION_DAYS: '0' })), portOf: () => 0 }
    const imei = newImei()
    await speak(imei)
    await sleep(500)
    expect((await get(framesPath(imei))).body.items).toEqual([])
  })
})
