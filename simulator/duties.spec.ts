import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { digestOf } from '../test/simulator/fake-duties.js'
import { FakeServer } from '../test/simulator/fake-server.js'
import { fleetOptions } from '../test/simulator/fleet-options.js'
import { HurriedClock } from '../test/simulator/hurried-clock.js'
import { removeTemporaryDirectories, temporaryDirectory } from '../test/support/temporary-directory.js'
import { findPackagedFfmpeg } from './clips/clip-maker.js'
import type { Drive } from './drives/drive.js'
import { readGpx } from './drives/read-gpx.js'
import { Fleet, type FleetSummary } from './fleet.js'
import type { FleetOptions, FleetParts } from './fleet-options.js'

afterAll(removeTemporaryDirectories)

const UNIT = '009900000000002'

let server: FakeServer
let munich: Drive
let ffmpeg: string
let running: Array<{ readonly fleet: Fleet; readonly life: Promise<FleetSummary> }> = []

beforeAll(async () => {
  munich = await readGpx(path.join('test', 'data', 'munich-2014-1hz.gpx'))
  ffmpeg = process.env.FFMPEG_PATH || ((await findPackagedFfmpeg()) ?? '')
})

beforeEach(async () => {
  server = await FakeServer.start()
})

afterEach(async () => {
  for (const { fleet, life } of running) {
    await fleet.stop()
    await life.catch(() => {})
  }
  running = []
  await server.stop()
})

/** A fleet under way, which is stopped when the test is over, however that ends. */
function begin(
  more: Partial<FleetOptions> = {},
  parts: FleetParts = {},
): { fleet: Fleet; life: Promise<FleetSummary> } {
  const fleet = new Fleet(fleetOptions({ origin: server.origin, ffmpeg, ...more }), [munich], parts)
  const begun = { fleet, life: fleet.run() }
  running.push(begun)
  return begun
}

/** A drive to its end. */
const drive = (more: Partial<FleetOptions> = {}, parts: FleetParts = {}) => begin(more, parts).life

/** Back-offs and time-outs of seconds pass ten times as fast, and stay what they are to the unit. */
const hurried = (): FleetParts => ({ clock: new HurriedClock(10) })

/** A unit that drives until the test is over, with its link open. */
async function live(more: Partial<FleetOptions> = {}, parts: FleetParts = {}): Promise<Fleet> {
  const { fleet } = begin({ isLive: true, speedup: 1, ...more }, parts)
  await until(() => server.duties.isOnline(UNIT))
  return fleet
}

async function until(isMet: () => boolean): Promise<void> {
  for (const untilMs = performance.now() + 15_000; !isMet(); ) {
    if (performance.now() > untilMs) throw new Error('it did not happen')
    await sleep(5)
  }
}

const CLIP = { from: '2026-05-22T10:00:00Z', to: '2026-05-22T10:00:02Z' }
const fileOf = (name: string | undefined) => server.duties.files.get(`${UNIT}/${name}`)

describe('commands over the socket', () => {
  it('answers a RESET with accepted, drops the link, comes back with its token and says done', async () => {
    await live()
    expect(await server.duties.send(UNIT, { id: 'r', type: 'RESET' })).toEqual({ status: 'accepted' })
    await until(() => server.duties.results.length === 1)
    expect(server.duties.results).toEqual([{ id: 'r', status: 'done', message: 'restarted' }])
    expect([server.connections, server.logins.length]).toEqual([2, 1])
  })

  it('logs in anew after a REBOOT, and loses none of its records', async () => {
    const fleet = await live({ speedup: 50 })
    await server.duties.send(UNIT, { id: 'r', type: 'REBOOT' })
    await until(() => server.duties.results.length === 1)
    expect([server.connections, server.logins.length]).toEqual([2, 2])
    await fleet.stop()
    await running[0]?.life
    const { tally, isSettled } = fleet.summary()
    expect(isSettled).toBe(true)
    expect(server.storedTimes(UNIT)).toHaveLength(tally.recorded)
    expect(tally).toMatchObject({ restarts: 1, resultsTold: 1 })
  })

  it('obeys what the server sends in the moment the link opens', async () => {
    const replies: unknown[] = []
    server.duties.onLink = (_deviceId, socket) => {
      const order = { id: 'c', type: 'CUSTOM', params: { text: 'early' }, expiresAt: '2100-01-01T00:00:00.000Z' }
      socket.emit('command', order, (reply: unknown) => void replies.push(reply))
    }
    await live()
    await until(() => replies.length === 1)
    expect(replies).toEqual([{ status: 'done', result: 'early' }])
  })

  it('reports at the interval that it was told', async () => {
    await live({ speedup: 20 }, hurried())
    await until(() => server.events.length > 5)
    expect(await server.duties.send(UNIT, { id: 'i', type: 'SET_INTERVAL', params: { seconds: 0.5 } })).toEqual({
      status: 'done',
      result: { seconds: 0.5 },
    })
    const before = server.events.length
    await sleep(400) // four seconds on the unit's clock
    const times = server.events
      .slice(before + 1)
      .flatMap(({ positions }) => positions.map(({ time }) => Date.parse(time)))
    expect(times.length).toBeGreaterThanOrEqual(2)
    for (const [index, timeMs] of times.slice(1).entries()) {
      expect(timeMs - (times[index] ?? timeMs)).toBeGreaterThanOrEqual(500)
    }
  })

  it('sends a result again until it is acknowledged, over one link after the other', async () => {
    let results = 0
    server.duties.judgeResult = () => {
      results++
      if (results === 1) return 'silence'
      if (results === 2) return { answer: { error: { code: 'overloaded', message: '', retryAfterMs: 10 } } }
      if (results > 3) return 'take'
      setImmediate(() => server.cutAll())
      return 'take_in_silence'
    }
    await live({ ackTimeoutMs: 3000 }, hurried())
    await server.duties.send(UNIT, { id: 'r', type: 'RESET' })
    await until(() => server.duties.results.length === 4)
    await sleep(400)
    expect(server.duties.results).toEqual(Array(4).fill({ id: 'r', status: 'done', message: 'restarted' }))
  })

  it('does not insist on a result of a command that nobody knows', async () => {
    server.duties.judgeResult = () => ({ answer: { error: { code: 'command_not_found', message: '' } } })
    const fleet = await live()
    await server.duties.send(UNIT, { id: 'r', type: 'RESET' })
    await until(() => server.duties.results.length === 1)
    await until(() => fleet.summary().pendingDuties === 0)
    await sleep(100)
    expect(server.duties.results).toHaveLength(1)
  })

  it('executes each command once while links drop at every point and everything is sent again', async () => {
    const obeyed: string[] = []
    const handleObeyed: FleetParts['handleObeyed'] = (_deviceId, { id }) => void obeyed.push(id)
    await live({ resetMs: 200, dropAcks: 0.3, ackTimeoutMs: 3000 }, { ...hurried(), handleObeyed })
    let step = 0
    server.duties.judgeResult = () => (++step % 2 === 0 ? 'take' : 'take_in_silence')
    const types = ['CUSTOM', 'RESET', 'SET_INTERVAL', 'REQUEST_VIDEO', 'SET_SERVER']
    const ids = Array.from({ length: 20 }, (_, index) => `${types[index % 5]}-${index}`)
    for (const [index, id] of ids.entries()) {
      const order = { id, type: types[index % 5] ?? '', params: { text: id, seconds: 1, ...CLIP } }
      const isCut = index % 3 !== 2 // before the command arrives, on its way back, or not at all
      for (let isOver = false; !isOver; ) {
        await until(() => server.duties.isOnline(UNIT))
        const sending = server.duties.send(UNIT, order, 100)
        if (isCut) setTimeout(() => server.cutAll(), index % 3)
        const reply = await sending
        isOver = reply !== undefined
        if (isCut) server.cutAll()
        if (isCut) break // sent again at the end
      }
    }
    for (const [index, id] of ids.entries()) {
      for (let reply: unknown; reply === undefined; ) {
        await until(() => server.duties.isOnline(UNIT))
        const order = { id, type: types[index % 5] ?? '', params: { text: id, seconds: 1, ...CLIP } }
        reply = await server.duties.send(UNIT, order, 300)
      }
    }
    const withResult = ids.filter((id) => /^(RESET|REQUEST_VIDEO)/.test(id))
    await until(() => withResult.every((id) => server.duties.results.some((result) => result.id === id)))
    expect([...obeyed].sort()).toEqual([...ids].sort())
    expect(server.duties.files.size).toBe(4)
    const ends = new Set(server.duties.results.map(({ id, status }) => `${id} ${status}`))
    expect(ends.size).toBe(withResult.length)
  }, 60_000)
})

describe('clips', () => {
  it('makes, uploads and names the clip that a REQUEST_VIDEO asks for, with the digest of its bytes', async () => {
    await live()
    const order = { id: 'v', type: 'REQUEST_VIDEO', params: { ...CLIP, channel: 2 } }
    expect(await server.duties.send(UNIT, order)).toEqual({ status: 'accepted' })
    await until(() => server.duties.results.length === 1)
    const [file] = server.duties.files.values()
    expect(file?.fileName).toMatch(/^request-20260522T100000000Z-ch2-[0-9a-f]{12}\.mp4$/)
    expect(server.duties.results).toEqual([
      { id: 'v', status: 'done', result: { videoId: `video-of-${file?.fileName}`, fileName: file?.fileName } },
    ])
    expect(file?.headers['content-digest']).toBe(digestOf(file?.bytes ?? Buffer.alloc(0)))
    expect(file?.headers).toMatchObject({
      'content-type': 'video/mp4',
      'content-length': String(file?.bytes.length),
      'x-recorded-at': '2026-05-22T10:00:00.000Z',
    })
    expect(describeClip(file?.bytes)).toMatch(/Duration: 00:00:02\.00.*Video: h264.*320x240/s)
  })

  it('cuts what is asked for to ten seconds', async () => {
    await live()
    const params = { from: '2026-05-22T10:00:00Z', to: '2026-05-22T11:00:00Z' }
    await server.duties.send(UNIT, { id: 'v', type: 'REQUEST_VIDEO', params })
    await until(() => server.duties.files.size === 1)
    expect(describeClip([...server.duties.files.values()][0]?.bytes)).toMatch(/Duration: 00:00:10\.00/)
  })

  it('uploads the same bytes again until the server has answered', async () => {
    let uploads = 0
    server.duties.judgeUpload = () => (++uploads === 1 ? 'drop' : uploads === 2 ? 'store_in_silence' : 'store')
    await live({}, hurried())
    await server.duties.send(UNIT, { id: 'v', type: 'REQUEST_VIDEO', params: CLIP })
    await until(() => server.duties.results.length === 1)
    expect(server.duties.uploads).toHaveLength(3)
    expect(new Set(server.duties.uploads.map(({ bytes }) => digestOf(bytes))).size).toBe(1)
    expect(server.duties.results).toMatchObject([{ status: 'done' }])
  })

  it('says why the server will never have a clip', async () => {
    server.duties.judgeUpload = () => ({ status: 415, code: 'unsupported_media' })
    await live()
    await server.duties.send(UNIT, { id: 'v', type: 'REQUEST_VIDEO', params: CLIP })
    await until(() => server.duties.results.length === 1)
    expect(server.duties.results).toEqual([{ id: 'v', status: 'failed', message: 'unsupported_media' }])
    expect(server.duties.uploads).toHaveLength(1)
  })

  it('has no camera without ffmpeg, and says when a broken one makes no clip', async () => {
    await live({ ffmpeg: undefined })
    const order = { id: 'v', type: 'REQUEST_VIDEO', params: CLIP }
    expect(await server.duties.send(UNIT, order)).toEqual({ status: 'failed', message: 'no_camera' })
    await running[0]?.fleet.stop()
    await until(() => !server.duties.isOnline(UNIT))
    await live({ ffmpeg: process.execPath })
    await server.duties.send(UNIT, { ...order, id: 'w' })
    await until(() => server.duties.results.length === 1)
    expect(server.duties.results).toEqual([{ id: 'w', status: 'failed', message: 'clip_not_made' }])
  })
})

describe('alarms', () => {
  it('raises a burst, each alarm once', async () => {
    const summary = await drive({ alarmBurst: 500, trucks: 2 })
    expect(server.duties.alarms.size).toBe(1000)
    expect(server.duties.alarmEvents).toHaveLength(1000)
    expect(summary.tally).toMatchObject({ alarms: 1000, alarmsSent: 1000, alarmsAcked: 1000, alarmDuplicates: 0 })
    expect(summary.isSettled).toBe(true)
  })

  it('says where and how fast, by the fix it belongs to', async () => {
    await drive({ alarmBurst: 1 })
    const [first] = munich.fixes
    const [alarm] = server.duties.alarms.values()
    expect(alarm).toMatchObject({
      deviceId: UNIT,
      time: new Date(first?.timeMs ?? 0).toISOString(),
      latitude: first?.latitude,
      longitude: first?.longitude,
      speed: first?.speedKmh,
    })
  })

  it('stores each alarm once while links drop, acks get lost and refusals come', async () => {
    let events = 0
    server.duties.judgeAlarm = () => {
      events++
      if (events % 19 === 0) setImmediate(() => server.cutAll())
      if (events % 7 === 0) return { answer: { error: { code: 'overloaded', message: '', retryAfterMs: 20 } } }
      return events % 5 === 0 ? 'silence' : events % 4 === 0 ? 'take_in_silence' : 'take'
    }
    const summary = await drive(
      { alarmsPerHour: 150, ackTimeoutMs: 3000, stateDirectory: temporaryDirectory() },
      hurried(),
    )
    expect(summary).toMatchObject({ isSettled: true, pendingDuties: 0 })
    expect(server.duties.alarms.size).toBe(summary.tally.alarms)
    expect(summary.tally.alarmsAcked).toBe(summary.tally.alarms)
    expect(summary.tally.alarmDuplicates).toBeGreaterThan(0)
    expect(summary.tally.alarms).toBeGreaterThan(10)
  }, 120_000)

  it('sends each two or three times when it duplicates, and settles one that is refused for good', async () => {
    server.duties.judgeAlarm = ({ attributes }) =>
      attributes.eventKey.endsWith('-3') ? { answer: { error: { code: 'invalid_request', message: '' } } } : 'take'
    const summary = await drive({ alarmBurst: 10, duplicate: true })
    expect(server.duties.alarms.size).toBe(9)
    expect(summary.tally).toMatchObject({ alarms: 10, alarmsAcked: 9 })
    expect(summary.tally.alarmDuplicates).toBeGreaterThanOrEqual(9)
    expect([...summary.tally.alarmsRejected.keys()]).toEqual(['invalid_request'])
  })

  it('uploads clips for the share asked for, some before their alarms and some after', async () => {
    const summary = await drive({ alarmBurst: 16, clipShare: 0.5 })
    const named = [...server.duties.alarms.values()].flatMap(({ files }) => files)
    expect(summary.tally.clipsUploaded).toBe(named.length)
    expect(named.length).toBeGreaterThan(3)
    expect(named.length).toBeLessThan(13)
    const { order } = server.duties
    const fileFirst = named.filter((name) => order.indexOf(`file ${name}`) < order.indexOf(`alarm ${name}`))
    expect(fileFirst.length).toBeGreaterThan(0)
    expect(fileFirst.length).toBeLessThan(named.length)
    for (const name of named)
      expect(fileOf(name)?.headers['content-digest']).toBe(digestOf(fileOf(name)?.bytes ?? Buffer.alloc(0)))
  })

  it('raises an alarm whose clip could not be uploaded', async () => {
    server.duties.judgeUpload = () => ({ status: 413, code: 'body_too_large' })
    const summary = await drive({ alarmBurst: 4, clipShare: 1 })
    expect(server.duties.alarms.size).toBe(4)
    expect([...summary.tally.clipsFailed]).toEqual([['body_too_large', 4]])
  })

  it('raises what waited for a clip when it is started again without ffmpeg, and says so to who asked for one', async () => {
    const stateDirectory = temporaryDirectory()
    server.duties.judgeUpload = () => ({ status: 503, code: 'overloaded' })
    const fleet = await live({ alarmBurst: 30, clipShare: 1, stateDirectory }, hurried())
    await server.duties.send(UNIT, { id: 'v', type: 'REQUEST_VIDEO', params: CLIP })
    await until(() => server.duties.uploads.length > 0 && server.events.length > 0)
    const raised = server.duties.alarms.size
    await fleet.stop()
    await until(() => !server.duties.isOnline(UNIT))
    await running[0]?.life
    await live({ ffmpeg: undefined, stateDirectory }, hurried())
    await until(() => server.duties.alarms.size === 30)
    await until(() => server.duties.results.length === 1)
    expect(raised).toBeLessThan(30)
    expect(server.duties.results).toEqual([{ id: 'v', status: 'failed', message: 'no_camera' }])
  })

  it('leaves nothing behind when all is over', async () => {
    const stateDirectory = temporaryDirectory()
    await drive({ alarmBurst: 4, clipShare: 1, stateDirectory })
    expect(readdirSync(stateDirectory)).toEqual([])
  })
})

/** What ffmpeg says of a clip. */
function describeClip(bytes: Buffer | undefined): string {
  const file = path.join(temporaryDirectory(), 'clip.mp4')
  writeFileSync(file, bytes ?? '')
  expect(readFileSync(file).subarray(4, 8).toString()).toBe('ftyp')
  return spawnSync(ffmpeg, ['-hide_banner', '-i', file], { encoding: 'utf8' }).stderr
}
