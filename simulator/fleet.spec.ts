import { readdirSync } from 'node:fs'
import path from 'node:path'
import { FakeServer } from '../test/simulator/fake-server.js'
import { fleetOptions } from '../test/simulator/fleet-options.js'
import { acceptAll, ScriptedTransport } from '../test/simulator/scripted-transport.js'
import { removeTemporaryDirectories, temporaryDirectory } from '../test/support/temporary-directory.js'
import type { Drive } from './drives/drive.js'
import { readGpx } from './drives/read-gpx.js'
import { Fleet } from './fleet.js'
import type { FleetOptions } from './fleet-options.js'
import { summaryText } from './report.js'

afterAll(removeTemporaryDirectories)

const FIRST_IMEI = '009900000000002'
const DAY_MS = 86_400_000

let server: FakeServer
let munich: Drive
let allTimes: string[]

beforeAll(async () => {
  munich = await readGpx(path.join('test', 'data', 'munich-2014-1hz.gpx'))
  allTimes = munich.fixes.map(({ timeMs }) => new Date(timeMs).toISOString())
})

beforeEach(async () => {
  server = await FakeServer.start()
})

afterEach(() => server.stop())

const optionsOf = (more: Partial<FleetOptions> = {}) => fleetOptions({ origin: server.origin, batch: 50, ...more })

function fleetOf(more: Partial<FleetOptions> = {}, drives: readonly Drive[] = [munich]): Fleet {
  return new Fleet(optionsOf(more), drives)
}

const soon = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** What a truck sent, in the order it came, event by event. */
const eventTimes = () => server.events.map(({ positions }) => positions.map(({ time }) => time))

describe('a fleet on a good network', () => {
  it('brings the recorded drive over, every fix once, with its recorded time', async () => {
    const summary = await fleetOf().run()
    expect(server.storedTimes(FIRST_IMEI)).toEqual(allTimes)
    expect(summary).toMatchObject({ isSettled: true, pending: 0, total: 1194, shutOut: [] })
    expect(summary.tally).toMatchObject({ recorded: 1194, sent: 1194, accepted: 1194, resent: 0 })
  })

  it('registers its trucks, with secrets that it presents', async () => {
    server.isOpen = false
    const admin = { username: 'admin', password: 'secret' }
    const stateDirectory = temporaryDirectory()
    const summary = await fleetOf({ trucks: 3, admin, usesSecrets: true, stateDirectory }).run()
    expect([...server.devices.keys()]).toEqual(['009900000000002', '009900000000010', '009900000000028'])
    expect(server.logins.every((login) => typeof login === 'object' && login !== null && 'secret' in login)).toBe(true)
    expect(summary.tally.accepted).toBe(3 * 1194)
  })

  it('gives each truck its drive in turn', async () => {
    const short: Drive = { ...munich, fixes: munich.fixes.slice(0, 7) }
    await fleetOf({ trucks: 3 }, [munich, short]).run()
    expect(
      ['009900000000002', '009900000000010', '009900000000028'].map((id) => server.storedTimes(id).length),
    ).toEqual([1194, 7, 1194])
  })

  it('rebases every truck so that the last fix is the moment of the start', async () => {
    const beforeMs = Date.now()
    await fleetOf({ trucks: 2, rebase: true }).run()
    const times = server.storedTimes(FIRST_IMEI).map(Date.parse)
    const lastMs = times.at(-1) ?? 0
    expect(lastMs).toBeGreaterThanOrEqual(beforeMs)
    expect(lastMs).toBeLessThanOrEqual(Date.now())
    expect(lastMs - (times[0] ?? 0)).toBe(1_195_000)
    expect(times).toHaveLength(1194)
  })

  it('drives live until it is stopped, with the present time and from different places', async () => {
    const fleet = fleetOf({ trucks: 4, isLive: true, speedup: 20 })
    const running = fleet.run()
    await soon(1200)
    await fleet.stop()
    const summary = await running
    const firsts = ['009900000000002', '009900000000010', '009900000000028', '009900000000036'].map(
      (id) => server.stored.get(id)?.values().next().value?.latitude,
    )
    const places = [0, 298, 597, 895].map((index) => munich.fixes[index]?.latitude)
    expect(firsts).toEqual(places)
    expect(summary).toMatchObject({ isSettled: true, pending: 0, total: Number.POSITIVE_INFINITY })
    expect(Math.abs(Date.parse(server.storedTimes(FIRST_IMEI).at(-1) ?? '') - Date.now())).toBeLessThan(2000)
  })
})

describe('a fleet on a bad network', () => {
  it('loses nothing when the server drops every link again and again', async () => {
    let events = 0
    server.judge = () => {
      if (++events % 7 !== 0) return 'store'
      setImmediate(() => server.cutAll())
      return events % 2 === 0 ? 'silence' : 'store_in_silence'
    }
    const summary = await fleetOf({ batch: 60 }).run()
    expect(server.storedTimes(FIRST_IMEI)).toEqual(allTimes)
    expect(summary.isSettled).toBe(true)
    expect(summary.tally.reconnects).toBeGreaterThanOrEqual(2)
    expect(summary.tally.resent).toBeGreaterThanOrEqual(120)
  })

  it('sends again what no ack came for', async () => {
    let events = 0
    server.judge = () => (++events <= 2 ? 'store_in_silence' : 'store')
    const summary = await fleetOf({ ackTimeoutMs: 2000 }).run()
    expect(server.storedTimes(FIRST_IMEI)).toEqual(allTimes)
    expect(summary.tally).toMatchObject({ unanswered: 2, resent: 100, accepted: 1094, duplicates: 100 })
  })

  it('cuts its own links and loses nothing', async () => {
    server.judge = () => 'store'
    const summary = await fleetOf({ speedup: 400, disconnectEveryMs: 400 }).run()
    expect(server.storedTimes(FIRST_IMEI)).toEqual(allTimes)
    expect(summary.tally.reconnects).toBeGreaterThanOrEqual(2)
  })

  it('waits out a server that is overloaded', async () => {
    let events = 0
    server.judge = () =>
      ++events <= 3 ? { answer: { error: { code: 'overloaded', message: '', retryAfterMs: 600 } } } : 'store'
    const startedMs = Date.now()
    const summary = await fleetOf().run()
    expect(Date.now() - startedMs).toBeGreaterThanOrEqual(600)
    expect(server.storedTimes(FIRST_IMEI)).toEqual(allTimes)
    expect([...summary.tally.refusals.keys()]).toEqual(['overloaded'])
  })

  it('counts records that are refused, and is done with them', async () => {
    server.rejectedCode = ({ time }) => (time.endsWith('7.000Z') ? 'too_old' : undefined)
    const summary = await fleetOf().run()
    expect(summary.isSettled).toBe(true)
    expect([...summary.tally.rejected]).toEqual([['too_old', 120]])
    expect(summary.tally).toMatchObject({ accepted: 1074, sent: 1194 })
    expect(summaryText(summary)).toContain('rejected: too_old 120\n')
  })
})

describe('a fleet that misbehaves', () => {
  it('repeats every fix, in other events than the first time', async () => {
    const summary = await fleetOf({ duplicate: true }).run()
    const counts = new Map<string, number>()
    for (const time of eventTimes().flat()) counts.set(time, (counts.get(time) ?? 0) + 1)
    expect(server.storedTimes(FIRST_IMEI)).toEqual(allTimes)
    expect([...new Set(counts.values())].sort()).toEqual([2, 3])
    expect(eventTimes().every((times) => new Set(times).size === times.length)).toBe(true)
    expect(summary.tally.accepted).toBe(1194)
    expect(summary.tally.accepted + summary.tally.duplicates).toBe(summary.total)
  })

  it('sends the drive in random order, the same for the same seed', async () => {
    await fleetOf({ shuffleWindow: Number.POSITIVE_INFINITY, inFlight: 1 }).run()
    const first = eventTimes().flat()
    server.events.length = 0
    await fleetOf({ shuffleWindow: Number.POSITIVE_INFINITY, inFlight: 1 }).run()
    expect([...first].sort()).toEqual(allTimes)
    expect(first).not.toEqual(allTimes)
    expect(eventTimes().flat()).toEqual(first)
  })

  it('does both, and drops acks, and still everything arrives', async () => {
    const summary = await fleetOf({ duplicate: true, shuffleWindow: Number.POSITIVE_INFINITY, dropAcks: 0.3 }).run()
    expect(server.storedTimes(FIRST_IMEI)).toEqual(allTimes)
    expect(summary.isSettled).toBe(true)
    expect(summary.tally.droppedAcks).toBeGreaterThanOrEqual(5)
    expect(summary.tally.settled).toBe(summary.total)
  })

  it('has a wrong clock', async () => {
    await fleetOf({ clockSkewMs: -DAY_MS }).run()
    const times = munich.fixes.map(({ timeMs }) => new Date(timeMs - DAY_MS).toISOString())
    expect(server.storedTimes(FIRST_IMEI)).toEqual(times)
  })
})

describe('a fleet with a state directory', () => {
  it('goes on after a stop where it was, and forgets the drive when it is done', async () => {
    const stateDirectory = temporaryDirectory()
    const first = fleetOf({ stateDirectory, speedup: 1000 })
    const running = first.run()
    await soon(500)
    server.judge = () => 'silence'
    await soon(100)
    await first.stop()
    const interrupted = await running
    expect(interrupted.isSettled).toBe(false)
    expect(interrupted.pending).toBeGreaterThanOrEqual(1)
    const settled = interrupted.tally.settled
    server.judge = () => 'store'
    const summary = await fleetOf({ stateDirectory, speedup: 0 }).run()
    expect(server.storedTimes(FIRST_IMEI)).toEqual(allTimes)
    expect(summary.total).toBe(1194 - settled)
    expect(readdirSync(stateDirectory)).toEqual([])
  })

  it('keeps a rebased drive where it was begun', async () => {
    const stateDirectory = temporaryDirectory()
    const first = fleetOf({ stateDirectory, rebase: true, speedup: 1000 })
    const running = first.run()
    await soon(400)
    await first.stop()
    await running
    await fleetOf({ stateDirectory, rebase: true }).run()
    const times = server.storedTimes(FIRST_IMEI).map(Date.parse)
    expect(times).toHaveLength(1194)
    expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBe(1_195_000)
  })

  it('sends what another plan left behind, then begins its own', async () => {
    const stateDirectory = temporaryDirectory()
    server.judge = () => 'silence'
    const first = fleetOf({ stateDirectory })
    const running = first.run()
    await soon(300)
    await first.stop()
    const { pending } = await running
    server.judge = () => 'store'
    const summary = await fleetOf({ stateDirectory, clockSkewMs: DAY_MS }).run()
    expect(pending).toBeGreaterThanOrEqual(200)
    expect(summary.total).toBe(pending + 1194)
    expect(server.storedTimes(FIRST_IMEI)).toHaveLength(pending + 1194)
  })
})

describe('a fleet that is not let in', () => {
  it('ends and says which trucks, and why', async () => {
    server.isOpen = false
    server.devices.set('009900000000010', {})
    const summary = await fleetOf({ trucks: 2, speedup: 0 }).run()
    expect(summary.isSettled).toBe(false)
    expect(summary.shutOut).toEqual([{ deviceId: FIRST_IMEI, reason: 'login_refused! (login_refused)' }])
    expect(server.storedTimes('009900000000010')).toEqual(allTimes)
  })
})

describe('a fleet with another protocol', () => {
  const transportOf = () => new ScriptedTransport(() => Date.now(), acceptAll)

  it('drives without alarms, clips and commands where the protocol has none', async () => {
    const options = optionsOf({ trucks: 2, clipShare: 1, ffmpeg: 'never called' })
    const summary = await new Fleet(options, [munich], { transportOf }).run()
    expect(summary).toMatchObject({ isSettled: true, pendingDuties: 0 })
    expect(summary.tally).toMatchObject({ accepted: 2 * 1194, alarms: 0, commands: 0, clipsUploaded: 0 })
  })

  it('refuses to raise alarms that nobody could send', async () => {
    const fleet = new Fleet(optionsOf({ alarmsPerHour: 1 }), [munich], { transportOf })
    await expect(fleet.run()).rejects.toThrow(new RangeError('the protocol has no alarms'))
  })
})
