import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { greatCircleM } from '../src/model/geo.js'
import { testImei } from './support/api.js'
import { ADMIN_PASSWORD, ServerProcess } from './support/server-process.js'
import { removeTemporaryDirectories, temporaryDirectory } from './support/temporary-directory.js'
import { freeTrackerPorts, type NO_TRACKER_PORTS } from './support/tracker-ports.js'

const GPX = 'test/data/munich-2014-1hz.gpx'
const FIXES = 1194
const METERS = 13_647.08

interface Fix {
  readonly time: string
  readonly latitude: number
  readonly longitude: number
}

interface Brand {
  readonly variable: keyof typeof NO_TRACKER_PORTS
  /** Degrees as its format says them: halves of a last digit are rounded by text or by number. */
  readonly say: (degrees: number) => number
  /** What the drive is then longer or shorter by, at most. */
  readonly withinM: number
  readonly options: readonly string[]
}

/** The recording has seven digits; a ten-millionth of a degree is a centimetre. */
const asRecorded = (degrees: number) => degrees

const BRANDS = {
  teltonika: { variable: 'TRACKER_TELTONIKA_PORT', say: asRecorded, withinM: 0.01, options: [] },
  queclink: {
    variable: 'TRACKER_QUECLINK_PORT',
    say: (degrees) => Number(degrees.toFixed(6)),
    withinM: 0.1,
    options: ['--sack'],
  },
  ruptela: { variable: 'TRACKER_RUPTELA_PORT', say: asRecorded, withinM: 0.01, options: [] },
  galileosky: {
    variable: 'TRACKER_GALILEOSKY_PORT',
    say: (degrees) => Math.round(degrees * 1e6) / 1e6,
    withinM: 0.1,
    options: [],
  },
} as const satisfies Readonly<Record<string, Brand>>
type Name = keyof typeof BRANDS
const NAMES = Object.keys(BRANDS) as Name[]

/** A device as it is waited for: before its simulator has registered it, it has neither. */
interface Met {
  readonly online?: boolean
  readonly position?: Fix | null
}

/** A life of a simulator's process. */
interface Run {
  readonly child: ChildProcess
  readonly end: Promise<{ readonly code: number; readonly output: string }>
}

const servers: ServerProcess[] = []
const simulators: ChildProcess[] = []

afterAll(removeTemporaryDirectories)

/**
 * Has one server for all the trackers of a group of tests, who are under way at the same time: paced drives, back-offs and
 * timeouts are waited for together, while each test looks at its own truck.
 * @param begin before the first test
 */
function onOneServer<T>(begin: (server: ServerProcess, truck: (name: Name) => Truck) => T | Promise<T>): () => T {
  let begun: T
  beforeAll(async () => {
    const ports = await freeTrackerPorts()
    const server = new ServerProcess({ DATA_DIR: temporaryDirectory(), RETENTION_DAYS: '0', ...ports })
    servers.push(server)
    await server.start()
    let trucks = 0
    begun = await begin(server, (name) => new Truck(server, name, ports[BRANDS[name].variable], testImei(++trucks)))
  }, 300_000)
  afterAll(async () => {
    for (const simulator of simulators.splice(0)) {
      if (simulator.exitCode !== null || simulator.signalCode !== null) continue
      simulator.kill('SIGKILL')
      await once(simulator, 'close')
    }
    await Promise.all(servers.splice(0).map((server) => server.kill()))
  })
  return () => begun
}

/** A truck with a tracker of the brand. */
class Truck {
  readonly path: string

  constructor(
    readonly server: ServerProcess,
    private readonly name: Name,
    private readonly port: string,
    readonly imei: string,
  ) {
    this.path = `/api/v1/devices/${imei}`
  }

  simulate(...options: string[]): Run {
    return this.simulateWith(BRANDS[this.name].options, ...options)
  }

  /** @param own instead of the brand's options */
  simulateWith(own: readonly string[], ...options: string[]): Run {
    const main = ['dist/simulator/main.js', '--gpx', GPX, '--server', this.server.url, '--speedup', 'max']
    const tracker = ['--protocol', this.name, '--tracker-port', this.port, '--imei-base', this.imei, ...own]
    const child = spawn(process.execPath, [...main, ...tracker, ...options], {
      env: { PATH: process.env.PATH, MILEPOST_ADMIN_PASSWORD: ADMIN_PASSWORD },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    simulators.push(child)
    let output = ''
    const take = (chunk: Buffer) => {
      output += chunk.toString()
    }
    child.stdout.on('data', take)
    child.stderr.on('data', take)
    return { child, end: once(child, 'close').then(([code]) => ({ code: code as number, output })) }
  }

  async whenOnline(): Promise<void> {
    await this.until(({ online }) => online === true, 'come online')
  }

  /** Datagrams have no connection: the first position tells that it is under way. */
  async whenUnderWay(): Promise<void> {
    await this.until(({ position }) => position != null, 'get under way')
  }

  /** Whoever hears no answer does not know that all is stored. */
  async whenArrived(): Promise<void> {
    const last = recording(BRANDS[this.name].say).at(-1)
    await this.until(({ position }) => position?.time === last?.time, 'arrive')
  }

  async expectTheDrive(): Promise<void> {
    const { say, withinM } = BRANDS[this.name]
    const { path, server } = this
    const admin = await server.api.login('admin', ADMIN_PASSWORD)
    const devices = await server.api.all<{ deviceId: string; position: Fix | null }>('/api/v1/devices', admin)
    const device = devices.find(({ deviceId }) => deviceId === this.imei)
    const track = await server.api.all<Fix>(`${path}/track?limit=500`, admin)
    const { body: odometer } = await server.api.get<{ meters: number; points: number }>(`${path}/odometer`, admin)
    const recorded = recording(say)
    expect(track.map(({ time, latitude, longitude }) => ({ time, latitude, longitude }))).toEqual(recorded)
    expect(odometer.points).toBe(FIXES)
    expect(odometer.meters).toBeCloseTo(lengthM(recorded), 6)
    expect(Math.abs(odometer.meters - METERS)).toBeLessThan(withinM)
    expect(device?.position).toMatchObject(recorded.at(-1) as Fix)
  }

  private async until(isMet: (device: Met) => boolean, what: string): Promise<void> {
    const admin = await this.server.api.login('admin', ADMIN_PASSWORD)
    for (let tries = 0; tries < 300; tries++) {
      const { body } = await this.server.api.get<Met>(this.path, admin)
      if (isMet(body)) return
      await sleep(100)
    }
    throw new Error(`the truck did not ${what}`)
  }
}

/** The points of the recording, as a format says them. */
function recording(say: Brand['say']): Fix[] {
  const point = /<trkpt lat="([^"]+)" lon="([^"]+)">.*?<time>([^<]+)<\/time>.*?<\/trkpt>/gs
  return [...readFileSync(GPX, 'utf8').matchAll(point)].map(([, latitude, longitude, time]) => ({
    time: new Date(time as string).toISOString(),
    latitude: say(Number(latitude)),
    longitude: say(Number(longitude)),
  }))
}

function lengthM(fixes: readonly Fix[]): number {
  return fixes.slice(1).reduce((sum, { latitude, longitude }, index) => {
    const before = fixes[index] as Fix
    return sum + greatCircleM(before.latitude, before.longitude, latitude, longitude)
  }, 0)
}

type Drives = Readonly<Record<Name, Run & { readonly truck: Truck }>>

/** A truck of each brand, all of them with the same options. */
function driveEach(truckOf: (name: Name) => Truck, ...options: string[]): Drives {
  const drives = NAMES.map((name) => {
    const truck = truckOf(name)
    return [name, { truck, ...truck.simulate(...options) }]
  })
  return Object.fromEntries(drives) as Drives
}

describe('the recorded drive', () => {
  const begun = onOneServer((_server, truckOf) => {
    const each = driveEach(truckOf)
    const truck = truckOf('queclink')
    return { each, withoutSack: { truck, ...truck.simulateWith([]) } }
  })

  it.each(NAMES)(
    'by a tracker of %s is the track and the odometer, as far as the format can say it',
    async (name) => {
      const { truck, end } = begun().each[name]
      const { code, output } = await end
      expect(output).toContain(`settled: 1,194 accepted`)
      expect(code).toBe(0)
      await truck.expectTheDrive()
    },
    300_000,
  )

  it('by one of Queclink without SACK is the same: nothing is answered, and nothing sent again', async () => {
    const { truck, end } = begun().withoutSack
    const { code, output } = await end
    expect(output).toContain('sent: 1,194 records in 1,194 events, 0 of them again')
    expect(code).toBe(0)
    await truck.whenArrived()
    await truck.expectTheDrive()
  }, 300_000)
})

describe('the recorded drive in trouble', () => {
  const begun = onOneServer(async (_server, truckOf) => {
    const trouble = ['--duplicate', '--shuffle', '--drop-acks', '0.1', '--disconnect-every', '1', '--speedup', '100']
    const each = driveEach(truckOf, ...trouble, '--ack-timeout', '2')
    const truck = truckOf('queclink')
    const options = ['--state', temporaryDirectory(), '--speedup', '100', '--drop-acks', '0.3', '--ack-timeout', '2']
    const first = truck.simulate(...options)
    await truck.whenOnline()
    await sleep(2000)
    first.child.kill('SIGKILL')
    await first.end
    return { each, nextLife: { truck, ...truck.simulate(...options) } }
  })

  it.each(NAMES)(
    'by a tracker of %s is the same with repeats in random order, ignored answers and cut connections',
    async (name) => {
      const { truck, end } = begun().each[name]
      const { code, output } = await end
      expect(code).toBe(0)
      expect(output).not.toContain('reconnects: 0,')
      expect(output).not.toContain('acks dropped: 0')
      await truck.expectTheDrive()
    },
    300_000,
  )

  it('by one of Queclink whose own process is killed is the same: the next life sends the same messages', async () => {
    const { truck, end } = begun().nextLife
    const { code, output } = await end
    expect(output).not.toContain('settled: 1,194 accepted')
    expect(code).toBe(0)
    await truck.expectTheDrive()
  }, 300_000)
})

describe('the recorded drive with the server killed on the way', () => {
  const begun = onOneServer(async (server, truckOf) => {
    // Half a minute: longer than it takes all of them to start, and two kills.
    const each = driveEach(truckOf, '--speedup', '40', '--ack-timeout', '2')
    const truck = truckOf('teltonika')
    const trouble = ['--drop-acks', '0.1', '--disconnect-every', '2', '--ack-timeout', '0.5', '--speedup', '100']
    const datagrams = { truck, ...truck.simulate('--transport', 'udp', ...trouble) }
    await Promise.all([...Object.values(each), datagrams].map((drive) => drive.truck.whenUnderWay()))
    for (let kill = 0; kill < 2; kill++) {
      await sleep(2000)
      await server.kill()
      await server.start()
    }
    return { each, datagrams }
  })

  it.each(NAMES)(
    'is the same by a tracker of %s',
    async (name) => {
      const { truck, end } = begun().each[name]
      const { code, output } = await end
      expect(code).toBe(0)
      expect(output).not.toContain('reconnects: 0,')
      await truck.expectTheDrive()
    },
    300_000,
  )

  it('is the same in datagrams of Teltonika, with answers that are ignored', async () => {
    const { truck, end } = begun().datagrams
    expect((await end).code).toBe(0)
    await truck.expectTheDrive()
  }, 300_000)
})

describe('simulated alarms', () => {
  const begun = onOneServer((_server, truckOf) => driveEach(truckOf, '--alarm-burst', '6'))

  it.each(NAMES)(
    'are raised by a tracker of %s as its brand says them',
    async (name) => {
      const { truck, end } = begun()[name]
      const { code, output } = await end
      expect(output).toContain('alarms: 6, sent 6 times, 6 acknowledged')
      expect(code).toBe(0)
      const { api } = truck.server
      const admin = await api.login('admin', ADMIN_PASSWORD)
      expect(await api.all(`/api/v1/alarms?deviceId=${truck.imei}`, admin)).toHaveLength(6)
    },
    300_000,
  )
})

describe('orders', () => {
  const begun = onOneServer((_server, truckOf) => driveEach(truckOf, '--live', '--speedup', '1', '--reset-time', '0.2'))

  it.each(NAMES)(
    'are obeyed by a simulated tracker of %s, which comes back after a restart',
    async (name) => {
      const { truck, child, end } = begun()[name]
      const { api } = truck.server
      await truck.whenOnline()
      const admin = await api.login('admin', ADMIN_PASSWORD)
      const order = async (body: object) => {
        const headers = { prefer: 'wait=30' }
        const answer = await api.request('POST', `${truck.path}/commands`, { token: admin, body, headers })
        expect(answer.status).toBe(200)
        return answer.body
      }
      if (name === 'queclink') {
        await api.request('PATCH', truck.path, { token: admin, body: { commandPassword: 'gv300' } })
        const text = 'AT+GTQSS=gv300,,,,,000A$'
        expect(await order({ type: 'CUSTOM', params: { text } })).toMatchObject({ status: 'done' })
      } else {
        const said = { status: 'done', message: 'getinfo' }
        expect(await order({ type: 'CUSTOM', params: { text: 'getinfo' } })).toMatchObject(said)
      }
      expect(await order({ type: 'RESET' })).toMatchObject({ status: 'done' })
      await truck.whenOnline()
      child.kill('SIGINT')
      const { output } = await end
      expect(output).toContain('obeyed CUSTOM 1, REBOOT 1')
    },
    300_000,
  )
})
