import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { ADMIN_PASSWORD, ServerProcess } from './support/server-process.js'
import { removeTemporaryDirectories, temporaryDirectory } from './support/temporary-directory.js'

const GPX = 'test/data/munich-2014-1hz.gpx'
const FIXES = 1194
const METERS = 13_647.1

interface Fix {
  readonly time: string
  readonly latitude: number
  readonly longitude: number
}

let server: ServerProcess

beforeEach(async () => {
  server = new ServerProcess({ DATA_DIR: temporaryDirectory(), RETENTION_DAYS: '0', DEVICE_EVENTS_PER_SECOND: '0' })
  await server.start()
})
afterEach(() => server.kill())
afterAll(removeTemporaryDirectories)

/** The points of a GPX file, by its own text. */
function pointsOf(gpx: string): Fix[] {
  const point = /<trkpt lat="([^"]+)" lon="([^"]+)">.*?<time>([^<]+)<\/time>.*?<\/trkpt>/gs
  return [...gpx.matchAll(point)].map(([, latitude, longitude, time]) => ({
    time: new Date(time as string).toISOString(),
    latitude: Number(latitude),
    longitude: Number(longitude),
  }))
}

async function drive(...options: string[]): Promise<{ code: number; output: string }> {
  const simulator = spawn(
    process.execPath,
    ['dist/simulator/main.js', '--gpx', GPX, '--server', server.url, '--speedup', 'max', ...options],
    { env: { PATH: process.env.PATH, MILEPOST_ADMIN_PASSWORD: ADMIN_PASSWORD }, stdio: ['ignore', 'pipe', 'pipe'] },
  )
  let output = ''
  const take = (chunk: Buffer) => {
    output += chunk.toString()
  }
  simulator.stdout.on('data', take)
  simulator.stderr.on('data', take)
  const [code] = (await once(simulator, 'close')) as [number]
  return { code, output }
}

async function expectTheDrive(): Promise<void> {
  const admin = await server.api.login('admin', ADMIN_PASSWORD)
  const devices = await server.api.all<{ deviceId: string; position: Fix | null }>('/api/v1/devices', admin)
  expect(devices).toHaveLength(1)
  const path = `/api/v1/devices/${devices[0]?.deviceId}`
  const recorded = pointsOf(readFileSync(GPX, 'utf8'))
  expect(recorded).toHaveLength(FIXES)
  const track = await server.api.all<Fix>(`${path}/track?limit=500`, admin)
  expect(track.map(({ time, latitude, longitude }) => ({ time, latitude, longitude }))).toEqual(recorded)
  const { body: odometer } = await server.api.get<{ meters: number; points: number }>(`${path}/odometer`, admin)
  expect(odometer.points).toBe(FIXES)
  expect(Math.abs(odometer.meters - METERS)).toBeLessThan(0.5)
  const gpx = await server.api.request('GET', `${path}/track`, {
    token: admin,
    headers: { accept: 'application/gpx+xml' },
  })
  expect(pointsOf(gpx.text)).toEqual(recorded)
  expect(devices[0]?.position).toMatchObject(recorded.at(-1) as Fix)
}

describe('a recorded drive, replayed as one truck', () => {
  it('is the track, the odometer and the GPX export', async () => {
    expect((await drive()).code).toBe(0)
    await expectTheDrive()
  }, 60_000)

  it('is the same duplicated and shuffled', async () => {
    const { code } = await drive('--duplicate', '--shuffle', '--batch', '7', '--drop-acks', '0.1', '--ack-timeout', '1')
    expect(code).toBe(0)
    await expectTheDrive()
  }, 60_000)

  it('is the same with the server killed three times on the way', async () => {
    const driving = drive('--duplicate', '--shuffle', '--batch', '1', '--in-flight', '1', '--speedup', '120')
    for (let kill = 0; kill < 3; kill++) {
      await sleep(2000)
      await server.kill()
      await server.start()
    }
    expect((await driving).code).toBe(0)
    await expectTheDrive()
  }, 240_000)
})
