import { rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { encodeFixReport, encodeHeartbeat } from '../src/codecs/queclink/encode-report.js'
import { QUECLINK } from '../src/codecs/queclink/queclink-codec.js'
import { encodeLogin, encodeRecordsDatagram, encodeRecordsPacket } from '../src/codecs/teltonika/encode-records.js'
import { TELTONIKA } from '../src/codecs/teltonika/teltonika-codec.js'
import { TrackerDoor } from '../src/identity/tracker-door.js'
import { Trackers } from '../src/ingress/tracker/trackers.js'
import { AppError } from '../src/model/app-error.js'
import type { Position } from '../src/model/position.js'
import { FaultyPositionStore } from './stores/faulty-position-store.js'
import { type Api, testImei } from './support/api.js'
import { type RunningApp, startApp } from './support/app.js'
import { DatagramUnit } from './support/datagram-unit.js'
import { freePort } from './support/free-port.js'
import { metricSum } from './support/metric-sum.js'
import { ADMIN_PASSWORD, ServerProcess } from './support/server-process.js'
import { spoiledBuild } from './support/spoiled-build.js'
import { removeTemporaryDirectories, temporaryDirectory } from './support/temporary-directory.js'
import { sentRecord } from './support/tracker-brand.js'
import { TrackerUnit } from './support/tracker-unit.js'

const START_MS = Math.floor(Date.now() / 1000) * 1000 - 86_400_000
const AWAY = new AppError('store_unavailable', 'the database is down')
const SETTINGS = { DEVICE_ENROLMENT: 'open', RETENTION_DAYS: '0', RAW_ARCHIVE: 'off' }

const timeOf = (n: number) => START_MS + n * 1000
const recordOf = (n: number) => sentRecord(n, { timeMs: timeOf(n) })
const report = (imei: string, n: number) => encodeFixReport(imei, [recordOf(n)], n)
const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, index) => from + index)

const track = async (api: Api, admin: string, imei: string) => {
  // Nobody knows it before it was heard.
  if ((await api.get(`/api/v1/devices/${imei}`, admin)).status === 404) return []
  const items = await api.all<{ time: string }>(`/api/v1/devices/${imei}/track?include=all&limit=500`, admin)
  return items.map(({ time }) => (Date.parse(time) - START_MS) / 1000)
}
async function until(what: string, isTrue: () => Promise<boolean>, withinMs = 20_000): Promise<void> {
  for (const untilMs = performance.now() + withinMs; !(await isTrue()); await sleep(30)) {
    if (performance.now() > untilMs) throw new Error(`${what}: not within ${withinMs} ms`)
  }
}
const entriesOf = (api: Api) => metricSum({ api }, 'milepost_spool_entries')
const untilEntries = (api: Api, count: number) =>
  until(`${count} entries in the spool`, async () => (await entriesOf(api)) === count)

afterAll(removeTemporaryDirectories)

describe('senders that never resend, while the store is away', () => {
  let running: RunningApp
  let store: FaultyPositionStore
  /** What the store was given and took, in its order. */
  let appended: Position[]
  const units: Array<TrackerUnit | DatagramUnit> = []

  async function start(environment: Record<string, string> = {}): Promise<void> {
    running = await startApp({ ...SETTINGS, ...environment }, (inner) => {
      const append = inner.append.bind(inner)
      jest.spyOn(inner, 'append').mockImplementation(async (positions) => {
        const result = await append(positions)
        appended.push(...positions.filter((_, index) => result.isNew[index]))
        return result
      })
      store = new FaultyPositionStore(inner)
      return store
    })
  }

  const connect = async (codec = QUECLINK) => {
    const unit = await TrackerUnit.connect(await running.app.get(Trackers).listenFor(codec, 0))
    units.push(unit)
    return unit
  }
  const connectAll = async (count: number) => {
    const port = await running.app.get(Trackers).listenFor(QUECLINK, 0)
    const connected = await Promise.all(numbers(count).map(() => TrackerUnit.connect(port)))
    units.push(...connected)
    return connected
  }
  const openDatagrams = async (codec = TELTONIKA) => {
    const unit = await DatagramUnit.open(await running.app.get(Trackers).listenForDatagrams(codec, 0))
    units.push(unit)
    return unit
  }
  const stored = (imei: string) => track(running.api, running.admin, imei)
  const ready = async () => {
    const { status, body } = await running.api.get<{
      details: Record<string, { status: string; message: string | null }>
    }>('/health/ready')
    return { status, spool: body.details.spool }
  }

  beforeEach(() => {
    appended = []
  })
  afterEach(async () => {
    await Promise.all(units.splice(0).map((unit) => unit.close()))
    store.recover()
    await running.close()
    jest.restoreAllMocks()
  })

  it('has every report of Queclink trackers without SACK afterwards, once and in order, and told meanwhile what waits', async () => {
    await start()
    const trucks = (await connectAll(3)).map((unit, index) => ({ unit, imei: testImei(index) }))
    const say = (n: number) => {
      for (const { unit, imei } of trucks) unit.send(report(imei, n))
    }
    say(0)
    await until('the first', async () => appended.length === 3)
    store.fail(AWAY)
    for (const n of numbers(30, 1)) {
      say(n)
      await sleep(50)
    }
    await untilEntries(running.api, 90)
    await sleep(1000)
    const oldestS = async () => Math.round(await metricSum(running, 'milepost_spool_oldest_seconds'))
    const leastS = await oldestS()
    const told = await ready()
    const words = /^90 messages wait for their store, the oldest for (\d+) s$/
    expect(told).toEqual({ status: 503, spool: { status: 'ok', message: expect.stringMatching(words) } })
    const toldS = Number(words.exec(told.spool?.message ?? '')?.[1])
    expect(leastS).toBeGreaterThanOrEqual(2)
    expect(toldS).toBeGreaterThanOrEqual(leastS)
    expect(toldS).toBeLessThanOrEqual(await oldestS())
    expect(await metricSum(running, 'milepost_spool_kept_total')).toBe(90)
    expect(await metricSum(running, 'milepost_spool_oldest_seconds')).toBeGreaterThan(1)
    expect(await metricSum(running, 'milepost_spool_bytes')).toBeGreaterThan(90 * 100)
    expect(appended.length).toBe(3)
    store.recover()
    for (const n of numbers(10, 31)) {
      say(n)
      await sleep(20)
    }
    await until('the rest', async () => appended.length === 3 * 41)
    await untilEntries(running.api, 0)
    for (const { imei } of trucks) {
      const inOrder = appended.filter(({ deviceId }) => deviceId === imei).map(({ timeMs }) => timeMs)
      expect(inOrder).toEqual(numbers(41).map(timeOf))
      expect(await stored(imei)).toEqual(numbers(41))
    }
    // A report is good for a second.
    await until('told', async () => {
      const { status, spool } = await ready()
      return status === 200 && spool?.message === null
    })
    expect(await ready()).toEqual({ status: 200, spool: { status: 'ok', message: null } })
    expect(await metricSum(running, 'milepost_spool_refused_total')).toBe(0)
  }, 90_000)

  it('keeps what a store that stalls does not take within a second, and drains it at the next start', async () => {
    const DATA_DIR = temporaryDirectory()
    await start({ DATA_DIR })
    store.stall()
    const unit = await connect()
    for (const n of numbers(20)) unit.send(report(testImei(1), n))
    await untilEntries(running.api, 20)
    store.fail(AWAY)
    await running.close()
    await start({ DATA_DIR })
    await until('all', async () => (await stored(testImei(1))).length === 20)
    expect(await stored(testImei(1))).toEqual(numbers(20))
    await untilEntries(running.api, 0)
  }, 90_000)

  it('keeps what is on its way when it stops, also what came behind that', async () => {
    const DATA_DIR = temporaryDirectory()
    await start({ DATA_DIR })
    const unit = await connect()
    unit.send(report(testImei(1), 0))
    await until('the first', async () => appended.length === 1)
    store.stall()
    unit.send(...numbers(30, 1).map((n) => report(testImei(1), n)))
    await sleep(200)
    const closing = running.close()
    await sleep(1500)
    store.fail(AWAY)
    await closing
    await start({ DATA_DIR })
    await until('all', async () => (await stored(testImei(1))).length === 31)
    expect(await stored(testImei(1))).toEqual(numbers(31))
  }, 90_000)

  it('keeps datagrams that come while it stops', async () => {
    const DATA_DIR = temporaryDirectory()
    await start({ DATA_DIR })
    const unit = await openDatagrams(QUECLINK)
    await unit.send(report(testImei(1), 0))
    await until('the first', async () => appended.length === 1)
    store.stall()
    await unit.send(report(testImei(1), 1))
    await sleep(100)
    const closing = running.close()
    await sleep(300)
    await unit.send(...numbers(20, 2).map((n) => report(testImei(n % 2), n)))
    await sleep(1000)
    store.fail(AWAY)
    await closing
    await start({ DATA_DIR })
    const all = async () => (await Promise.all([stored(testImei(0)), stored(testImei(1))])).flat()
    await until('all', async () => (await all()).length === 22)
    expect((await all()).sort((a, b) => a - b)).toEqual(numbers(22))
  }, 90_000)

  it('keeps when it stops also what came from who is just being looked up, and is gone', async () => {
    const DATA_DIR = temporaryDirectory()
    await start({ DATA_DIR })
    const admit = jest.spyOn(running.app.get(TrackerDoor), 'admit').mockImplementation(async () => {
      await sleep(2000)
      throw AWAY
    })
    const unit = await connect()
    unit.send(...numbers(20).map((n) => report(testImei(1), n)))
    await until('the question', async () => admit.mock.calls.length === 1)
    unit.close()
    await running.close()
    expect(admit).toHaveBeenCalledTimes(1)
    jest.restoreAllMocks()
    await start({ DATA_DIR })
    await until('all', async () => (await stored(testImei(1))).length === 20)
    expect(await stored(testImei(1))).toEqual(numbers(20))
  }, 90_000)

  it('reads no further when the spool is full, and has all of it in the end', async () => {
    await start({ SPOOL_MAX_BYTES: '1048576' })
    store.fail(AWAY)
    const unit = await connect()
    const count = 3000
    for (const n of numbers(count)) unit.send(report(testImei(1), n))
    await until('full', async () => (await metricSum(running, 'milepost_spool_refused_total')) > 0, 40_000)
    const full = await entriesOf(running.api)
    expect(full).toBeGreaterThan(500)
    expect(full).toBeLessThan(count)
    const isFull = { status: 'error', message: 'spool: it is full, SPOOL_MAX_BYTES is 1048576' }
    await until('told', async () => JSON.stringify((await ready()).spool) === JSON.stringify(isFull))
    store.recover()
    await until('all', async () => appended.length === count, 60_000)
    expect(appended.map(({ timeMs }) => timeMs)).toEqual(numbers(count).map(timeOf))
  }, 120_000)

  it('withholds the answer where there is one, and spools nothing', async () => {
    await start()
    const sacked = testImei(2)
    await running.api.post('/api/v1/devices', { deviceId: sacked }, running.admin)
    const change = { token: running.admin, body: { trackerSack: true } }
    await running.api.request('PATCH', `/api/v1/devices/${sacked}`, change)
    const teltonika = await connect(TELTONIKA)
    const queclink = await connect()
    teltonika.send(encodeLogin(testImei(1)))
    expect(await teltonika.answer(1)).toBe('01')
    store.fail(AWAY)
    teltonika.send(encodeRecordsPacket('8E', [recordOf(1)]))
    queclink.send(report(sacked, 1))
    await sleep(1500)
    expect([teltonika.received, queclink.received, await entriesOf(running.api)]).toEqual(['', '', 0])
    store.recover()
    expect(await teltonika.answer(4)).toBe('00000001')
    expect(Buffer.from(await queclink.answer(11), 'hex').toString()).toBe('+SACK:0001$')
  }, 90_000)

  it('answers a datagram when the store has it and not when it is kept; a repeat of it waits once', async () => {
    await start()
    const unit = await openDatagrams()
    const datagram = (n: number) =>
      encodeRecordsDatagram(testImei(1), { packetId: n, avlPacketId: n }, '8E', [recordOf(n)])
    await unit.send(datagram(1))
    const answer = await unit.answer()
    store.fail(AWAY)
    for (let times = 0; times < 3; times++) await unit.send(datagram(2), datagram(3))
    await untilEntries(running.api, 2)
    expect(await unit.answersWithin(1500)).toEqual([])
    store.recover()
    await untilEntries(running.api, 0)
    await unit.send(datagram(3))
    expect((await unit.answer()).length).toBe(answer.length)
    expect(await stored(testImei(1))).toEqual([1, 2, 3])
    expect(appended.length).toBe(3)
  }, 90_000)

  it('keeps what those say whom nobody can look up, and lets them in before it goes on', async () => {
    await start({ DEVICE_ENROLMENT: 'registered' })
    const [known, stranger] = [testImei(1), testImei(2)]
    await running.api.post('/api/v1/devices', { deviceId: known }, running.admin)
    const door = running.app.get(TrackerDoor)
    const isAway = async () => {
      throw AWAY
    }
    const mocks = [
      jest.spyOn(door, 'admit').mockImplementation(isAway),
      jest.spyOn(door, 'admitUnanswered').mockImplementation(isAway),
      jest.spyOn(door, 'recall').mockReturnValue(undefined),
    ]
    const [first, second] = await connectAll(2)
    for (const n of numbers(5)) {
      // Nobody answers it, and it ends nothing.
      first?.send(encodeHeartbeat(known, 0, n), report(known, n))
      second?.send(report(stranger, n))
    }
    await untilEntries(running.api, 10)
    expect([first?.isEnded, second?.isEnded]).toEqual([false, false])
    for (const mock of mocks) mock.mockRestore()
    await untilEntries(running.api, 0)
    first?.send(report(known, 5))
    await until('the next', async () => (await stored(known)).length === 6)
    expect(await stored(known)).toEqual(numbers(6))
    expect(appended.filter(({ deviceId }) => deviceId === stranger)).toEqual([])
    const { text } = await running.api.get('/metrics')
    expect(text).toMatch(/milepost_spool_drained_total\{outcome="refused"\} 5/)
    second?.send(report(stranger, 5))
    await second?.ended()
  }, 90_000)

  it('erases what waits of a device with the device', async () => {
    await start()
    const [first, second] = await connectAll(2)
    store.fail(AWAY)
    for (const n of numbers(5)) {
      first?.send(report(testImei(1), n))
      second?.send(report(testImei(2), n))
    }
    await untilEntries(running.api, 10)
    // Its positions cannot be removed yet: the erasure is finished by itself, and what waits is gone at once.
    const erasing = await running.api.request('DELETE', `/api/v1/devices/${testImei(1)}?erase=true`, {
      token: running.admin,
    })
    expect(erasing.status).toBe(503)
    await untilEntries(running.api, 5)
    store.recover()
    await untilEntries(running.api, 0)
    expect(new Set(appended.map(({ deviceId }) => deviceId))).toEqual(new Set([testImei(2)]))
  }, 90_000)
})

describe('a server that is killed while the store is away', () => {
  it('brings what it kept to the store at its next start, once', async () => {
    const DATA_DIR = temporaryDirectory()
    const away = path.join(DATA_DIR, 'away')
    const honest = 'const result = await this.positions.append(positions);'
    const fault = `if (process.getBuiltinModule('fs').existsSync(${JSON.stringify(away)})) throw new Error('away');`
    const dist = spoiledBuild('src/pipeline/group-commit.js', honest, `${fault} ${honest}`)
    const port = await freePort()
    const server = new ServerProcess({ ...SETTINGS, DATA_DIR, TRACKER_QUECLINK_PORT: String(port) }, dist)
    await server.start()
    try {
      const admin = await server.api.login('admin', ADMIN_PASSWORD)
      let next = 0
      let unit = await TrackerUnit.connect(port)
      const say = (count: number) => {
        for (const n of numbers(count, next)) unit.send(report(testImei(1), n))
        next += count
      }
      say(5)
      await until('the first', async () => (await track(server.api, admin, testImei(1))).length === 5)
      for (let kills = 0; kills < 3; kills++) {
        writeFileSync(away, '')
        say(40)
        await untilEntries(server.api, 40 * (kills + 1))
        await server.kill()
        unit.close()
        await server.start()
        unit = await TrackerUnit.connect(port)
      }
      expect(await entriesOf(server.api)).toBe(120)
      expect(await track(server.api, admin, testImei(1))).toEqual(numbers(5))
      rmSync(away)
      say(5)
      await until('all', async () => (await track(server.api, admin, testImei(1))).length === 130)
      expect(await track(server.api, admin, testImei(1))).toEqual(numbers(130))
      await untilEntries(server.api, 0)
      unit.close()
      expect(await server.stop()).toBe(0)
    } finally {
      await server.kill()
    }
  }, 120_000)
})
