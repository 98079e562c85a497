import { readFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { endSimulators, simulate } from './simulator/simulator-process.js'
import { ADMIN_PASSWORD, ServerProcess } from './support/server-process.js'
import { removeTemporaryDirectories, temporaryDirectory } from './support/temporary-directory.js'

const UNIT = '009900000000002'
const GPX = 'test/data/munich-2014-1hz.gpx'
const CLIP = { from: '2026-05-22T10:00:00Z', to: '2026-05-22T10:00:01Z' }

interface Command {
  readonly id: string
  readonly status: string
  readonly result: { readonly videoId?: string; readonly fileName?: string } | string | null
  readonly message: string | null
}

let server: ServerProcess
let stateDirectory: string

beforeEach(async () => {
  server = new ServerProcess({ DATA_DIR: temporaryDirectory(), DEVICE_EVENTS_PER_SECOND: '0' })
  await server.start()
  stateDirectory = temporaryDirectory()
})
afterEach(async () => {
  endSimulators()
  await server.kill()
})
afterAll(removeTemporaryDirectories)

function drive(...more: string[]) {
  const options = ['--state', stateDirectory, '--live', '--reset-time', '0.2', '--ack-timeout', '1', ...more]
  return simulate('--gpx', GPX, '--server', server.url, '--admin-password', ADMIN_PASSWORD, ...options)
}

async function send(token: string, type: string, params: object = {}, waitS = 0): Promise<Command> {
  const { body } = await server.api.request<Command>('POST', `/api/v1/devices/${UNIT}/commands`, {
    token,
    body: { type, params },
    headers: waitS > 0 ? { prefer: `wait=${waitS}` } : {},
  })
  return body
}

async function whenOnline(token: string): Promise<void> {
  for (let time = 0; time < 300; time++) {
    const { body } = await server.api.get<{ online?: boolean }>(`/api/v1/devices/${UNIT}`, token)
    if (body.online === true) return
    await sleep(100)
  }
  throw new Error('the truck did not come online')
}

/** How often each command was kept, begun and ended, by the unit's own memory. */
function memoryOfUnit() {
  const counts = { kept: new Map<string, number>(), begun: new Map<string, number>(), ended: new Map<string, number>() }
  const note = (counted: Map<string, number>, id: string) => counted.set(id, (counted.get(id) ?? 0) + 1)
  const text = readFileSync(path.join(stateDirectory, `${UNIT}.commands`), 'utf8')
  for (const line of text.split('\n').filter(Boolean)) {
    const step = JSON.parse(line) as { kept?: { id: string }; begun?: string; ended?: string }
    if (step.kept !== undefined) note(counts.kept, step.kept.id)
    if (step.begun !== undefined) note(counts.begun, step.begun)
    if (step.ended !== undefined) note(counts.ended, step.ended)
  }
  return counts
}

describe('a simulated truck and the server', () => {
  it('obeys each type of command and says how it ended', async () => {
    drive()
    const admin = await server.api.login('admin', ADMIN_PASSWORD)
    await whenOnline(admin)
    const done = { status: 'done' }
    expect(await send(admin, 'RESET', {}, 20)).toMatchObject({ ...done, result: null, message: 'restarted' })
    expect(await send(admin, 'REBOOT', {}, 20)).toMatchObject({ ...done, result: null, message: 'restarted' })
    expect(await send(admin, 'CUSTOM', { text: 'hello' }, 20)).toMatchObject({ ...done, result: 'hello' })
    expect(await send(admin, 'SET_INTERVAL', { seconds: 30 }, 20)).toMatchObject({ ...done, result: { seconds: 30 } })
    const moved = await send(admin, 'SET_SERVER', { host: 'elsewhere.example', port: 443 }, 20)
    expect(moved).toMatchObject({ status: 'failed', message: 'not_supported' })
    const { status, result } = await send(admin, 'REQUEST_VIDEO', CLIP, 20)
    expect(status).toBe('done')
    const { videoId, fileName } = result as { videoId: string; fileName: string }
    const { body: video } = await server.api.get(`/api/v1/videos/${videoId}`, admin)
    expect(video).toMatchObject({ deviceId: UNIT, fileName, recordedAt: '2026-05-22T10:00:00.000Z' })
  }, 120_000)

  it('obeys each of 20 commands once, through cuts, three kills of its own and two of the server', async () => {
    const misbehaving = ['--disconnect-every', '2', '--drop-acks', '0.2']
    let simulator = drive(...misbehaving)
    const admin = await server.api.login('admin', ADMIN_PASSWORD)
    await whenOnline(admin)
    const kinds: ReadonlyArray<readonly [string, object]> = [
      ['RESET', {}],
      ['CUSTOM', { text: 'once' }],
      ['REQUEST_VIDEO', CLIP],
      ['REBOOT', {}],
    ]
    const sent: string[] = []
    for (let round = 0; round < 5; round++) {
      for (const [type, params] of kinds) sent.push((await send(admin, type, params)).id)
      await sleep(200 * (round + 1)) // another point of the work each time
      if (round % 2 === 0) {
        simulator.child.kill('SIGKILL')
        await simulator.ended
        simulator = drive(...misbehaving)
      } else {
        await server.kill()
        await server.start()
      }
    }
    const statuses = new Map<string, string>()
    for (let time = 0; time < 300 && sent.some((id) => statuses.get(id) !== 'done'); time++) {
      await sleep(300)
      for (const id of sent) {
        if (statuses.get(id) === 'done') continue
        const { body } = await server.api.get<Command>(`/api/v1/commands/${id}`, admin)
        statuses.set(id, body.status)
      }
    }
    expect([...statuses.values()]).toEqual(Array(20).fill('done'))
    const { kept, begun, ended } = memoryOfUnit()
    const once = new Map(sent.map((id) => [id, 1]))
    expect(new Map([...kept].sort())).toEqual(new Map([...once].sort()))
    expect(new Map([...ended].sort())).toEqual(new Map([...once].sort()))
    expect([...begun.values()]).toEqual(Array(15).fill(1)) // all but the five that are obeyed by their answer
    const { body } = await server.api.get<{ items: unknown[] }>('/api/v1/videos', admin)
    expect(body.items).toHaveLength(5)
  }, 180_000)
})
