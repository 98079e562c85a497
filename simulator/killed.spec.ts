import { readFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { digestOf } from '../test/simulator/fake-duties.js'
import { FakeServer } from '../test/simulator/fake-server.js'
import { endSimulators, simulate } from '../test/simulator/simulator-process.js'
import { removeTemporaryDirectories, temporaryDirectory } from '../test/support/temporary-directory.js'

afterAll(removeTemporaryDirectories)

const MUNICH = path.join('test', 'data', 'munich-2014-1hz.gpx')
const UNIT = '009900000000002'
const CLIP = { from: '2026-05-22T10:00:00Z', to: '2026-05-22T10:00:01Z' }

let server: FakeServer
let stateDirectory: string

beforeEach(async () => {
  server = await FakeServer.start()
  stateDirectory = temporaryDirectory()
})

afterEach(async () => {
  endSimulators()
  await server.stop()
})

const driveLive = (...more: string[]) =>
  simulate('--gpx', MUNICH, '--server', server.origin, '--state', stateDirectory, '--live', ...more)

async function until(isMet: () => boolean): Promise<void> {
  for (let time = 0; !isMet(); time++) {
    if (time > 4000) throw new Error('it did not happen')
    await sleep(5)
  }
}

/** What the unit's memory on disk says happened to the command, in order. */
function steps(id: string): string[] {
  const lines = readFileSync(path.join(stateDirectory, `${UNIT}.commands`), 'utf8')
    .split('\n')
    .filter(Boolean)
  return lines.flatMap((text) => {
    const line = JSON.parse(text) as { kept?: { id: string }; begun?: string; ended?: string; told?: string }
    const [kind] = Object.entries(line).find(([, value]) => value === id || (value as { id?: string }).id === id) ?? []
    return kind === undefined ? [] : [kind]
  })
}

describe('a unit whose process is killed', () => {
  it('restarts once, in its next life, when it was killed between keeping a RESET and obeying it', async () => {
    const first = driveLive('--reset-time', '0.1')
    await until(() => server.duties.isOnline(UNIT))
    await server.duties.send(UNIT, { id: 'r', type: 'RESET' })
    first.child.kill('SIGKILL')
    await first.ended
    expect(steps('r')).toEqual(['kept'])
    driveLive('--reset-time', '0.1')
    await until(() => server.duties.results.length === 1)
    await sleep(500)
    expect(server.duties.results).toEqual([{ id: 'r', status: 'done', message: 'restarted' }])
    expect(steps('r')).toEqual(['kept', 'begun', 'ended', 'told'])
    expect(server.connections).toBe(3) // the first life, the second before and after its restart
  }, 60_000)

  it('does not restart again when it was killed during the restart', async () => {
    const first = driveLive('--reset-time', '60')
    await until(() => server.duties.isOnline(UNIT))
    await server.duties.send(UNIT, { id: 'r', type: 'REBOOT' })
    await until(() => !server.duties.isOnline(UNIT))
    first.child.kill('SIGKILL')
    await first.ended
    driveLive('--reset-time', '60')
    await until(() => server.duties.results.length === 1)
    await sleep(500)
    expect(steps('r')).toEqual(['kept', 'begun', 'ended', 'told'])
    expect(server.connections).toBe(2)
  }, 60_000)

  it('uploads the clip that it had begun, byte for byte, and tells its end once it is acknowledged', async () => {
    server.duties.judgeUpload = () => 'store_in_silence'
    const first = driveLive()
    await until(() => server.duties.isOnline(UNIT))
    const order = { id: 'v', type: 'REQUEST_VIDEO', params: CLIP }
    expect(await server.duties.send(UNIT, order)).toEqual({ status: 'accepted' })
    await until(() => server.duties.uploads.length === 1)
    first.child.kill('SIGKILL')
    await first.ended
    server.duties.judgeUpload = () => 'store'
    driveLive()
    await until(() => server.duties.results.length === 1)
    const [file] = server.duties.files.values()
    expect(server.duties.files.size).toBe(1)
    expect(server.duties.uploads.every(({ bytes }) => digestOf(bytes) === file?.headers['content-digest'])).toBe(true)
    expect(server.duties.results).toMatchObject([{ id: 'v', status: 'done', result: { fileName: file?.fileName } }])
    await until(() => steps('v').includes('told'))
    expect(steps('v')).toEqual(['kept', 'begun', 'ended', 'told'])
    expect(await server.duties.send(UNIT, order)).toMatchObject({
      status: 'done',
      result: { fileName: file?.fileName },
    })
  }, 60_000)

  it('brings every alarm that it had raised, once', async () => {
    server.duties.judgeAlarm = () => 'silence'
    const first = driveLive('--alarm-burst', '300')
    await until(() => server.duties.alarmEvents.length > 0)
    await sleep(100)
    first.child.kill('SIGKILL')
    await first.ended
    server.duties.judgeAlarm = () => 'take'
    driveLive('--alarm-burst', '300')
    await until(() => server.duties.alarms.size === 300)
    await sleep(300)
    expect(server.duties.alarms.size).toBe(300)
  }, 60_000)
})
