import { execFile } from 'node:child_process'
import path from 'node:path'
import { QUECLINK } from '../src/codecs/queclink/queclink-codec.js'
import { encodeLogin } from '../src/codecs/teltonika/encode-records.js'
import { framesOf } from '../src/codecs/tracker-frames.contract.js'
import { Trackers } from '../src/ingress/tracker/trackers.js'
import { PositionStore } from '../src/storage/positions/position-store.js'
import { runsOnServers, storesOf } from './stores/test-servers.js'
import { testImei } from './support/api.js'
import { DatagramUnit } from './support/datagram-unit.js'
import { archivedOf } from './support/frame-calls.js'
import { itEmbedded } from './support/on-embedded.js'
import { removeTemporaryDirectories, temporaryDirectory } from './support/temporary-directory.js'
import { startTrackerApp, storedOf, type TrackerApp } from './support/tracker-app.js'
import { QUECLINK_UNITS, RUPTELA_UNITS, sentRecord, sentRecords } from './support/tracker-brand.js'
import { TrackerUnit } from './support/tracker-unit.js'

const COMMAND = path.join(process.cwd(), 'dist/src/cli/frames-replay.js')
const TELTONIKA_FRAMES = framesOf('teltonika').filter(
  ({ transport, direction, kind }) => transport === 'tcp' && direction === 'device->server' && kind === 'data',
)

interface Ended {
  readonly code: number
  readonly output: string
  readonly errors: string
}

let running: TrackerApp | undefined
let directory: string

/** The command, as `npm run frames:replay` starts it. */
async function replay(...parameters: string[]): Promise<Ended> {
  const stores = await storesOf(directory)
  const env = { PATH: process.env.PATH, DATA_DIR: directory, DISK_MIN_FREE: '0', RETENTION_DAYS: '0', ...stores }
  return new Promise((resolve) => {
    execFile(process.execPath, [COMMAND, ...parameters], { env }, (error, output, errors) => {
      resolve({ code: error === null ? 0 : Number(error.code), output, errors })
    })
  })
}

/** Where it says how many of what; embedded stores have one user at a time. */
async function replayAlone(...parameters: string[]): Promise<Ended> {
  if (!runsOnServers()) await stop()
  return replay(...parameters)
}

async function start(): Promise<TrackerApp> {
  running ??= await startTrackerApp({ DATA_DIR: directory })
  return running
}

async function stop(): Promise<void> {
  await running?.close()
  running = undefined
}

/** Everything of the recorded frames, over one connection. @returns how many frames went both ways */
async function sendFrames(imei: string): Promise<number> {
  const unit = await TrackerUnit.connect((await start()).portOf('teltonika'))
  unit.send(encodeLogin(imei))
  await unit.answer(1)
  for (const { hex, expect: expected } of TELTONIKA_FRAMES) {
    unit.send(hex)
    await unit.answer((expected.ackHex ?? '').length / 2)
  }
  unit.close()
  return 2 + 2 * TELTONIKA_FRAMES.length
}

async function trackOf(imei: string): Promise<unknown[]> {
  return storedOf(await start(), imei)
}

async function forgetPositions(imei: string): Promise<void> {
  await (await start()).app.get(PositionStore).eraseDevice(imei)
  expect(await trackOf(imei)).toEqual([])
}

const alarmsOf = async (imei: string) =>
  (await start()).api.all<{ id: string }>(`/api/v1/alarms?deviceId=${imei}`, running?.admin ?? '')

beforeEach(() => {
  directory = temporaryDirectory()
})
afterEach(stop)
afterAll(removeTemporaryDirectories)

describe('npm run frames:replay', () => {
  it('brings back the same track, and finds everything there the second time', async () => {
    const imei = testImei(8100)
    const frames = await sendFrames(imei)
    await archivedOf(await start(), imei, frames)
    const track = await trackOf(imei)
    const alarms = await alarmsOf(imei)
    expect(track.length).toBeGreaterThan(5)
    await forgetPositions(imei)

    const dry = await replayAlone('--device', imei, '--dry-run')
    expect([dry.code, dry.output]).toEqual([0, expect.stringContaining(`records: ${track.length} would be new, `)])
    expect(dry.output).toMatch(/^alarms: \d+ told, without those of conditions that begin$/m)
    expect(await trackOf(imei)).toEqual([])

    const first = await replayAlone('--device', imei)
    expect([first.code, first.errors]).toEqual([0, ''])
    expect(first.output).toContain(`frames: ${1 + TELTONIKA_FRAMES.length}\nrecords: ${track.length} new, `)
    expect(first.output).toContain(`alarms: 0 new, ${alarms.length} already there\n`)
    expect(first.output).toContain('records refused: 0\nunreadable: 0\n')
    expect(await trackOf(imei)).toEqual(track)

    const second = await replayAlone('--device', imei)
    const known = Number(/records: 0 new, (\d+) already there/.exec(second.output)?.[1])
    expect(known).toBeGreaterThanOrEqual(track.length)
    expect(await trackOf(imei)).toEqual(track)
    expect(await alarmsOf(imei)).toEqual(alarms)
  }, 120_000)

  it('reads datagrams as such, and nothing of what came outside of the times given', async () => {
    const imei = testImei(8200)
    const app = await start()
    const port = await app.app.get(Trackers).listenForDatagrams(QUECLINK, 0)
    const unit = await DatagramUnit.open(port)
    await unit.send(QUECLINK_UNITS.records(imei, [sentRecord(0)], 1).bytes)
    const [first] = await archivedOf(app, imei, 1)
    await unit.send(
      Buffer.concat([
        QUECLINK_UNITS.records(imei, [sentRecord(1)], 2).bytes,
        QUECLINK_UNITS.records(imei, [sentRecord(2)], 3).bytes,
      ]),
    )
    const [second] = await archivedOf(app, imei, 2)
    await unit.close()
    const track = await trackOf(imei)
    expect(track).toHaveLength(3)
    await forgetPositions(imei)
    const before = await replayAlone('--device', imei, '--to', second?.at ?? '')
    expect(before.output).toContain('frames: 1\nrecords: 1 new, 0 already there\n')
    const after = await replayAlone('--device', imei, '--from', second?.at ?? '')
    expect(after.output).toContain('frames: 1\nrecords: 2 new, 0 already there\n')
    expect(Date.parse(first?.at ?? '')).toBeLessThan(Date.parse(second?.at ?? ''))
    expect(await trackOf(imei)).toEqual(track)
  }, 120_000)

  it('refuses what makes no sense, and a device that nobody knows', async () => {
    await start()
    const imei = testImei(8300)
    const missing = await replay()
    expect([missing.code, missing.errors]).toEqual([64, expect.stringContaining('--device is missing')])
    const time = await replay('--device', imei, '--from', 'yesterday')
    expect([time.code, time.errors]).toEqual([64, expect.stringContaining('--from must be a time with an offset')])
    const order = await replay('--device', imei, '--from', '2026-11-22T00:00:01Z', '--to', '2026-11-22T00:00:00Z')
    expect([order.code, order.errors]).toEqual([64, expect.stringContaining('--from is after --to')])
    const unknown = await replayAlone('--device', imei)
    expect([unknown.code, unknown.errors]).toEqual([67, `frames:replay: there is no device ${imei}\n`])
  }, 120_000)

  itEmbedded('servers have many users', 'says that the server must be stopped while it runs', async () => {
    await start()
    const { code, errors } = await replay('--device', testImei(8400))
    expect([code, errors]).toEqual([
      69,
      expect.stringMatching(/another server is using.*\n.*stop it, replay, and start/),
    ])
  })

  it('does the same for another brand', async () => {
    const imei = testImei(8500)
    const unit = await TrackerUnit.connect((await start()).portOf('ruptela'))
    for (const n of [0, 10]) {
      const { bytes, answer } = RUPTELA_UNITS.records(imei, sentRecords(n, 10), n)
      unit.send(bytes)
      expect(await unit.answer(answer.length / 2)).toBe(answer)
    }
    unit.close()
    await archivedOf(await start(), imei, 4)
    const track = await trackOf(imei)
    expect(track).toHaveLength(20)
    await forgetPositions(imei)
    expect((await replayAlone('--device', imei)).output).toContain('frames: 2\nrecords: 20 new, 0 already there\n')
    expect(await trackOf(imei)).toEqual(track)
  }, 120_000)
})
