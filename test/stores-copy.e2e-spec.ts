import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import mongoose from 'mongoose'
import type { Socket } from 'socket.io-client'
import { parseConfig } from '../src/config/app-config.js'
import { EmbeddedSide } from '../src/storage/copy/embedded-side.js'
import { ServerSide } from '../src/storage/copy/server-side.js'
import { sampleTrack } from '../src/storage/positions/position-samples.contract.js'
import { openSqliteRecords } from '../src/storage/sql/open-sqlite-records.js'
import { describeOn } from './stores/describe-on.js'
import {
  type Made,
  makeBucket,
  makeMongoDatabase,
  makeSqlDatabase,
  type ServerVariable,
} from './stores/test-servers.js'
import { makeAlarmReport } from './support/alarms.js'
import { testImei } from './support/api.js'
import { type RunningApp, startApp } from './support/app.js'
import { ADMIN_PASSWORD, ServerProcess } from './support/server-process.js'
import { StoredVideos, VIDEOS } from './support/stored-videos.js'
import { removeTemporaryDirectories, temporaryDirectory } from './support/temporary-directory.js'
import { ask, connectSocket } from './support/unit-socket.js'
import { digestOf, videoBytes } from './support/video-bytes.js'

const NEEDED: readonly ServerVariable[] = ['SQL_URL', 'MONGO_URL', 'S3_ENDPOINT']
const MISSING = NEEDED.find((variable) => process.env[variable] === undefined) ?? 'SQL_URL'
/** Embedded, also where other suites run on servers. */
const EMBEDDED = {
  SQL_URL: '',
  MONGO_URL: '',
  S3_BUCKET: '',
  S3_ENDPOINT: '',
  S3_ACCESS_KEY_ID: '',
  S3_SECRET_ACCESS_KEY: '',
}
const OPTIONS = { DEVICE_ENROLMENT: 'open', LOGIN_FAILURES_PER_MINUTE: '0', RETENTION_DAYS: '0' }
const TO_SERVERS = ['--from', 'embedded', '--to', 'servers']
const PICTURE = Buffer.from('a picture')
const MINUTE_MS = 60_000

const made: Made[] = []
const children: ChildProcess[] = []

/** Variables of empty stores on the servers. */
async function emptyServers(): Promise<Record<string, string>> {
  const all = await Promise.all([makeSqlDatabase(), makeMongoDatabase(), makeBucket()])
  made.push(...all)
  return Object.assign({}, ...all.map(({ variables }) => variables))
}

/** The command, as `npm run stores:copy` starts it. */
function start(environment: Record<string, string>, ...parameters: string[]): ChildProcess {
  const command = path.join(process.cwd(), 'dist/src/cli/stores-copy.js')
  const env = { PATH: process.env.PATH, ...EMBEDDED, ...environment }
  const child = spawn(process.execPath, [command, ...parameters], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  children.push(child)
  return child
}

async function copy(environment: Record<string, string>, ...parameters: string[]) {
  const child = start(environment, ...parameters)
  const text = { output: '', errors: '' }
  child.stdout?.on('data', (chunk: Buffer) => {
    text.output += chunk.toString()
  })
  child.stderr?.on('data', (chunk: Buffer) => {
    text.errors += chunk.toString()
  })
  const [code] = (await once(child, 'close')) as [number | null]
  // What Node and packages say of the version of Node is none of ours.
  const errors = text.errors.split('\n').filter((line) => line.startsWith('stores:copy:'))
  return { code, output: text.output, errors: errors.join('\n') }
}

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL')
  await Promise.all(made.splice(0).map((one) => one.remove()))
  await removeTemporaryDirectories()
})

describe('npm run stores:copy', () => {
  const SQL_URL = 'mysql://nobody:secret@127.0.0.1:1/milepost'

  it.each([
    [['--from', 'embedded', '--to', 'embedded'], { SQL_URL }, '--from and --to are both embedded'],
    [['--from', 'sqlite', '--to', 'servers'], { SQL_URL }, '--from must be embedded or servers'],
    [['--from', 'embedded'], { SQL_URL }, '--to must be embedded or servers'],
    [TO_SERVERS, {}, 'no server is named: set SQL_URL, MONGO_URL or S3_BUCKET'],
    [[...TO_SERVERS, '--only', 'videos'], { SQL_URL }, '--only must be some of sql,positions,objects'],
    [[...TO_SERVERS, '--only', 'sql,objects'], { SQL_URL }, '--only objects: S3_BUCKET is not set'],
    [
      TO_SERVERS,
      { SQL_URL: 'mysql://host' },
      'wrong configuration: SQL_URL must name the database: mysql://user:password@host:3306/milepost',
    ],
  ])('refuses %j with %j', async (parameters, variables, words) => {
    const DATA_DIR = path.join(temporaryDirectory(), 'data')
    expect(await copy({ DATA_DIR, ...variables }, ...parameters)).toEqual({
      code: 78,
      output: '',
      errors: `stores:copy: ${words}`,
    })
    expect(existsSync(DATA_DIR)).toBe(false)
  })

  it('refuses a directory without stores, one that a server uses, and a server that is not there', async () => {
    const DATA_DIR = path.join(temporaryDirectory(), 'data')
    expect(await copy({ DATA_DIR, SQL_URL }, ...TO_SERVERS)).toEqual({
      code: 69,
      output: '',
      errors: `stores:copy: cannot open ${DATA_DIR}: there are no embedded stores in it`,
    })
    expect(existsSync(DATA_DIR)).toBe(false)
    const server = new ServerProcess({ DATA_DIR, ...EMBEDDED })
    await server.start()
    try {
      expect(await copy({ DATA_DIR, SQL_URL }, ...TO_SERVERS)).toEqual({
        code: 69,
        output: '',
        errors: `stores:copy: cannot open ${DATA_DIR}: another server is using this data directory (process ${server.pid})`,
      })
    } finally {
      await server.stop()
    }
    const away = await copy({ DATA_DIR, SQL_URL }, ...TO_SERVERS)
    expect(away).toMatchObject({ code: 69, output: '' })
    expect(away.errors).toContain('127.0.0.1:1')
    expect(away.errors).not.toContain('secret')
  }, 60_000)
})

describeOn(MISSING, 'moving in', () => {
  const DRIVER = testImei(1)
  const PARKED = testImei(2)
  const SHIFT_MS = Date.UTC(2026, 10, 20, 7, 30)
  const KEYED = { 'idempotency-key': 'move-in' }
  const ORDER = { type: 'SET_INTERVAL', params: { seconds: 30 } }
  const data = temporaryDirectory()
  const content = videoBytes(3_000_000)
  let servers: Record<string, string>
  let running: RunningApp
  let before: Map<string, string>
  /** Before the test's own logins to look at the answers. */
  let asked: string
  const kept = { device: '', refresh: '', keyed: '' }

  const open = async (variables: Record<string, string>) => {
    running = await startApp({ ...OPTIONS, ...variables, DATA_DIR: data })
  }

  /** A unit's socket that answers every command it gets. */
  async function unit(answer: unknown): Promise<Socket> {
    return connectSocket(running.url, {
      token: kept.device,
      prepare: (socket) => socket.on('command', (_: unknown, ack: (answer: unknown) => void) => ack(answer)),
    })
  }

  async function post(route: string, body: unknown, token = running.admin, headers = {}) {
    const answer = await running.api.request<{ id: string }>('POST', `/api/v1${route}`, { token, body, headers })
    if (answer.status >= 300) throw new Error(answer.text)
    return answer
  }

  async function fill(): Promise<void> {
    const { api } = running
    kept.device = await api.loginDevice(DRIVER)
    const parked = await api.loginDevice(PARKED)
    for (const role of ['operator', 'viewer']) await post('/users', { username: role, password: ADMIN_PASSWORD, role })
    await post('/devices', { deviceId: 'Box-1', name: 'Straße 7', plate: 'M-ÄÖ 1' })
    await post('/devices', { deviceId: 'box-1', name: 'straße 7', plate: 'm-äö 1' })
    const login = await post('/auth/login', { username: 'operator', password: ADMIN_PASSWORD })
    kept.refresh = String((login.body as unknown as { refreshToken: string }).refreshToken)

    const fix = (n: number) => ({
      time: SHIFT_MS + n * 1000,
      latitude: 48 + n / 1e5,
      longitude: 99.30000000000001,
      speed: n % 90,
    })
    await post(
      '/locations',
      Array.from({ length: 900 }, (_, n) => fix(n + 100)),
      kept.device,
    )
    await post(
      '/locations',
      [
        { ...fix(5), attributes: { z: 'ü🚚', a: 1.5, 'io.1': true } },
        { ...fix(7), hasFix: false },
        { ...fix(8), latitude: 0, longitude: 0 },
        { ...fix(9), latitude: 91 },
        { time: 'never', latitude: 1, longitude: 1 },
      ],
      kept.device,
    )
    await post('/locations', [fix(1)], parked)

    const videos = new StoredVideos(running)
    const headers = {
      authorization: `Bearer ${kept.device}`,
      'content-type': 'video/mp4',
      'content-digest': digestOf(content),
    }
    const put = await fetch(`${running.url}${VIDEOS}/${encodeURIComponent('Crash ü 1.mp4')}`, {
      method: 'PUT',
      headers,
      body: content,
    })
    if (put.status !== 201) throw new Error(await put.text())
    for (const n of [1, 2]) {
      await videos.add({
        deviceId: PARKED,
        fileName: `front ${n}.mp4`,
        content: videoBytes(50_000 + n),
        thumbnail: PICTURE,
        screenshots: [PICTURE, Buffer.from(`shot ${n}`)],
      })
    }
    const uploads = {
      'tus-resumable': '1.0.0',
      'upload-length': '1000',
      'upload-metadata': `filename ${Buffer.from('half.mp4').toString('base64')}`,
    }
    await fetch(`${running.url}${VIDEOS}/uploads`, {
      method: 'POST',
      headers: { authorization: `Bearer ${parked}`, ...uploads },
    })

    const raised: string[] = []
    for (let n = 0; n < 40; n++) {
      const files = n % 4 === 0 ? ['Crash ü 1.mp4', 'never came.mp4'] : []
      const alarm = {
        type: n % 2 ? 'CRASH' : 'OVERSPEED',
        time: SHIFT_MS - n * 3_600_000,
        latitude: 48.1,
        longitude: 99.30000000000001,
        files,
      }
      raised.push((await post('/alarms', alarm, kept.device)).body.id)
    }
    for (const [n, status] of ['acknowledged', 'resolved'].entries()) {
      const change = { status, note: `Größe ${n} geprüft`, assignee: 'operator' }
      await api.request('PATCH', `/api/v1/alarms/${raised[n]}`, { token: running.admin, body: change })
    }

    for (const answer of [
      { status: 'done', result: { ok: 1 } },
      { status: 'accepted' },
      { status: 'failed', message: 'no' },
    ]) {
      const socket = await unit(answer)
      await post(`/devices/${DRIVER}/commands`, { type: 'RESET' }, running.admin, { prefer: 'wait=1' })
      socket.close()
      await sleep(200)
    }
    await post(`/devices/${DRIVER}/commands`, ORDER)
    const cancelled = await post(`/devices/${PARKED}/commands`, ORDER)
    await api.request('DELETE', `/api/v1/commands/${cancelled.body.id}`, { token: running.admin })
    kept.keyed = (await post(`/devices/${PARKED}/commands`, ORDER, running.admin, KEYED)).text
    await sleep(500) // the quarantine is kept beside, best effort
  }

  /** What users see, by the route. */
  async function seen(): Promise<Map<string, string>> {
    const { api, admin } = running
    const all = new Map<string, string>()
    const take = async (route: string, headers: Record<string, string> = {}) => {
      const { status, text } = await api.request('GET', `/api/v1${route}`, { token: admin, headers })
      if (status !== 200) throw new Error(`${route}: ${text}`)
      // Ids of the quarantine are each store's own.
      all.set(
        `${route} ${Object.values(headers)}`,
        route.startsWith('/quarantine') ? text.replace(/"id":"[^"]*",/g, '') : text,
      )
      return text
    }
    const items = async (route: string) =>
      (JSON.parse(await take(route)) as { items: { [field: string]: string }[] }).items
    await take('/users?limit=500')
    await take(`/audit?limit=500&to=${asked}`)
    await take('/quarantine?limit=500')
    for (const { deviceId } of await items('/devices?limit=500')) {
      await take(`/devices/${deviceId}`)
      await take(`/devices/${deviceId}/odometer`)
      await take(`/devices/${deviceId}/track?include=all&limit=500`)
      for (const accept of ['text/csv', 'application/gpx+xml', 'application/geo+json'])
        await take(`/devices/${deviceId}/track?include=all`, { accept })
      for (const { id } of await items(`/devices/${deviceId}/commands?limit=500`)) await take(`/commands/${id}`)
    }
    for (const query of ['text=straße', 'bbox=99,48,100,49', 'kind=named']) await take(`/devices?${encodeURI(query)}`)
    for (const { id } of await items('/alarms?limit=500')) await take(`/alarms/${id}`)
    await take('/alarms', { accept: 'text/csv' })
    for (const query of [
      'hasVideo=true',
      'text=geprüft',
      'assignee=operator',
      'bbox=99,48,100,49',
      'sort=time&type=CRASH',
    ])
      await take(`/alarms?limit=500&${encodeURI(query)}`)
    for (const by of ['type', 'device', 'day', 'status']) await take(`/alarms/summary?by=${by}`)
    for (const { id } of await items('/videos?limit=500')) {
      await take(`/videos/${id}`)
      const answer = await fetch(`${running.url}${VIDEOS}/${id}/content`, {
        headers: { authorization: `Bearer ${admin}` },
      })
      all.set(`${id} content`, `${answer.headers.get('etag')} ${digestOf(Buffer.from(await answer.arrayBuffer()))}`)
      for (const picture of ['thumbnail', 'screenshots/1', 'screenshots/2']) {
        const { status, text } = await api.get(`${VIDEOS}/${id}/${picture}`, admin)
        all.set(`${id} ${picture}`, `${status} ${status === 200 ? text : ''}`)
      }
    }
    return all
  }

  beforeAll(async () => {
    servers = await emptyServers()
    await open(EMBEDDED)
    await fill()
    await running.close()
    asked = new Date().toISOString()
    await open(EMBEDDED) // nobody is online any more
    before = await seen()
    await running.close()
  }, 2 * MINUTE_MS)

  it(
    'tells what there is, and copies nothing, when it is only asked for that',
    async () => {
      const { code, output, errors } = await copy({ ...servers, DATA_DIR: data }, ...TO_SERVERS, '--dry-run')
      expect({ code, errors }).toEqual({ code: 0, errors: '' })
      expect(output).toMatch(/^devices: 4 rows, 0 of them in the target\n/)
      expect(output).toMatch(/^positions: 2 devices, 0 of them in the target\n/m)
      expect(output).toMatch(/^objects: 3 videos, 0 of them in the target\n/m)
      expect(output).toMatch(/^uploads: 1 rows stay; units begin these uploads again\nnothing was copied\n$/m)
      const side = new ServerSide(parseConfig(servers), temporaryDirectory())
      expect(await (await side.sql()).query('SELECT COUNT(*) AS n FROM devices')).toEqual([{ n: 0 }])
      expect(await (await side.positions()).listDeviceIds(1)).toEqual([])
      await side.close()
    },
    MINUTE_MS,
  )

  it.each([
    ['looked at', ['--dry-run']],
    ['compared', ['--verify']],
    ['copied', []],
  ])(
    'refuses that the objects alone are %s while the tables in use do not name them',
    async (_, more) => {
      const only = ['--only', 'objects', ...more]
      const { code, output, errors } = await copy({ ...servers, DATA_DIR: data }, ...TO_SERVERS, ...only)
      expect({ code, output }).toEqual({ code: 78, output: '' })
      expect(errors).toMatch(/^stores:copy: the tables in use do not have the video .+: copy sql first, or both/)
    },
    MINUTE_MS,
  )

  it(
    'copies everything, so that all answers are the same and nobody has to log in again',
    async () => {
      const { code, output, errors } = await copy({ ...servers, DATA_DIR: data }, ...TO_SERVERS)
      expect({ code, errors }).toEqual({ code: 0, errors: '' })
      expect(output).toMatch(/^positions: 904 positions, sha256 [0-9a-f]{16}, the same on both sides$/m)
      expect(output).toMatch(/^quarantine: 2 records, sha256 [0-9a-f]{16}, the same on both sides$/m)
      expect(output).toMatch(/^objects: 9 objects, sha256 [0-9a-f]{16}, the same on both sides$/m)
      expect(output).toContain(
        'Start Milepost with SQL_URL, MONGO_URL, S3_BUCKET set as now, and with the same DATA_DIR',
      )

      await open(servers)
      try {
        const after = await seen()
        expect([...after.keys()]).toEqual([...before.keys()])
        for (const [route, text] of before) expect({ route, text: after.get(route) }).toEqual({ route, text })
        const { api } = running
        expect((await api.post('/api/v1/auth/login', { username: 'operator', password: ADMIN_PASSWORD })).status).toBe(
          200,
        )
        expect((await api.post('/api/v1/auth/refresh', { refreshToken: kept.refresh })).status).toBe(200)
        const again = await post(`/devices/${PARKED}/commands`, ORDER, running.admin, KEYED)
        expect([again.headers.get('idempotent-replayed'), again.text]).toEqual(['true', kept.keyed])
        const resent = await post('/locations', { time: SHIFT_MS + 100_000, latitude: 48, longitude: 9 }, kept.device)
        expect(resent.body).toEqual({ accepted: 0, duplicates: 1, rejected: [] })
        const socket = await unit({ status: 'done' })
        const { duplicate } = await ask<{ duplicate: boolean }>(socket, 'alarm', {
          type: 'CRASH',
          time: SHIFT_MS - 3_600_000,
        })
        expect(duplicate).toBe(true)
        socket.close()
      } finally {
        await running.close()
      }
    },
    2 * MINUTE_MS,
  )

  it(
    'refuses to go over what a server did since',
    async () => {
      const { code, errors } = await copy({ ...servers, DATA_DIR: data }, ...TO_SERVERS)
      expect(code).toBe(1)
      expect(errors).toMatch(/^stores:copy: the target has what the source does not: .+\. Nothing was changed; /)
    },
    MINUTE_MS,
  )

  it(
    'goes back the same way, into a directory without stores',
    async () => {
      const DATA_DIR = path.join(temporaryDirectory(), 'back')
      cpSync(path.join(data, 'keys'), path.join(DATA_DIR, 'keys'), { recursive: true })
      const { code, output, errors } = await copy({ ...servers, DATA_DIR }, '--from', 'servers', '--to', 'embedded')
      expect({ code, errors }).toEqual({ code: 0, errors: '' })
      expect(output).toContain('Start Milepost without SQL_URL, MONGO_URL, S3_BUCKET')
      const back = await startApp({ ...OPTIONS, ...EMBEDDED, DATA_DIR })
      const route = `/api/v1/devices/${PARKED}/track?include=all&limit=500`
      expect((await back.api.get(route, back.admin)).text).toBe(before.get(`${route.slice(7)} `))
      await back.close()
    },
    2 * MINUTE_MS,
  )
})

/** The servers a copy goes to, seen from outside while it runs. */
class CopyTarget {
  private constructor(
    private readonly side: ServerSide,
    private readonly client: mongoose.mongo.MongoClient,
  ) {}

  static async open(servers: Record<string, string>): Promise<CopyTarget> {
    const config = parseConfig(servers)
    return new CopyTarget(
      new ServerSide(config, temporaryDirectory()),
      await mongoose.mongo.MongoClient.connect(config.MONGO_URL ?? ''),
    )
  }

  /** Alarms and positions in it. */
  async count(): Promise<number> {
    const [{ n }] = await (await this.side.sql()).query('SELECT COUNT(*) AS n FROM alarms')
    return Number(n) + (await this.client.db().collection('positions').countDocuments())
  }

  async close(): Promise<void> {
    await this.side.close()
    await this.client.close()
  }
}

describeOn(MISSING, 'a copy that is ended, or spoiled', () => {
  const data = temporaryDirectory()
  const DEVICES = 12
  const TRACK = 4000
  const ALARMS = 2000

  beforeAll(async () => {
    const records = await openSqliteRecords({ directory: data })
    for (let n = 0; n < ALARMS / 100; n++) {
      const reports = Array.from({ length: 100 }, (_, m) =>
        makeAlarmReport({ timeMs: n * 1e9 + m * 1e6, eventKey: `${n}/${m}`, fileNames: [`clip ${m}.mp4`] }),
      )
      await records.alarms.raise(reports, 20)
    }
    await records.store.close()
    const side = new EmbeddedSide(data)
    const positions = await side.positions()
    for (let n = 0; n < DEVICES; n++) await positions.append(sampleTrack(`truck-${n}`, TRACK))
    await side.close()
    const app = await startApp({ ...OPTIONS, ...EMBEDDED, DATA_DIR: data })
    const videos = new StoredVideos(app)
    for (let n = 0; n < 12; n++)
      await videos.add({ fileName: `v${n}.mp4`, content: videoBytes(400_000), thumbnail: PICTURE })
    await app.close()
  }, MINUTE_MS)

  it(
    'goes on after kills at any point, and nothing is lost or doubled',
    async () => {
      const servers = await emptyServers()
      const environment = { ...servers, DATA_DIR: data }
      const target = await CopyTarget.open(servers)
      const killed: string[] = []
      for (let n = 0; n < 7; n++) {
        const had = await target.count()
        const child = start(environment, ...TO_SERVERS)
        let isRunning = true
        const ended = once(child, 'close').finally(() => {
          isRunning = false
        })
        let output = ''
        child.stdout?.on('data', (chunk: Buffer) => {
          output += chunk.toString()
        })
        // It says what it found just before it begins to copy; from then on more and more is in the target, and last the objects.
        while (isRunning && output === '') await sleep(5)
        while (isRunning && had < TRACK * DEVICES + ALARMS && (await target.count()) === had) await sleep(5)
        await sleep(Math.random() * 300)
        child.kill('SIGKILL')
        const [, signal] = (await ended) as [number | null, NodeJS.Signals | null]
        if (signal === 'SIGKILL') killed.push(output)
      }
      await target.close()
      // In the midst: what came before a kill was found after it.
      expect(new Set(killed).size).toBeGreaterThan(1)
      const { code, output, errors } = await copy(environment, ...TO_SERVERS)
      expect({ code, errors }).toEqual({ code: 0, errors: '' })
      expect(output).toMatch(
        new RegExp(`^positions: ${DEVICES * TRACK} positions, sha256 \\w+, the same on both sides$`, 'm'),
      )
      expect(output).toMatch(new RegExp(`^alarms: ${ALARMS} rows, sha256 \\w+, the same on both sides$`, 'm'))
      expect(output).toMatch(/^objects: 24 objects, sha256 \w+, the same on both sides$/m)
      expect((await copy(environment, ...TO_SERVERS)).code).toBe(0)
    },
    4 * MINUTE_MS,
  )

  it(
    'names the row, the position and the object that are not as they were',
    async () => {
      const servers = await emptyServers()
      const environment = { ...servers, DATA_DIR: data }
      expect((await copy(environment, ...TO_SERVERS)).code).toBe(0)
      const config = parseConfig(servers)
      const side = new ServerSide(config, temporaryDirectory())
      const sql = await side.sql()
      const [{ id: alarm }] = await sql.query('SELECT id FROM alarms ORDER BY id LIMIT 1 OFFSET 700')
      await sql.query('UPDATE alarms SET latitude = latitude + 1e-9 WHERE id = ?', [alarm])
      await (await side.blobs()).put(`${testImei(1)}/v3.mp4`, videoBytes(400_000))
      await side.close()
      const client = await mongoose.mongo.MongoClient.connect(config.MONGO_URL ?? '')
      const { deletedCount } = await client.db().collection('positions').deleteOne({})
      await client.close()
      expect(deletedCount).toBe(1)

      const { code, output } = await copy(environment, ...TO_SERVERS, '--verify')
      expect(code).toBe(1)
      expect(output).toContain(`DIFFERENT alarms, id ${alarm}: another latitude\n`)
      expect(output).toMatch(/^DIFFERENT device truck-\d+, position of .+: not in the target$/m)
      expect(output).toMatch(
        new RegExp(`^DIFFERENT the file of the video \\w+ \\(${testImei(1)}/v3.mp4\\): other bytes$`, 'm'),
      )
      expect(output).toContain(
        'not the same on both sides: alarms, positions, objects. Do not use the target as it is\n',
      )
    },
    2 * MINUTE_MS,
  )

  it(
    'copies only what a server is named for, or what is asked for',
    async () => {
      const { SQL_URL = '', ...others } = await emptyServers()
      const first = await copy({ SQL_URL, DATA_DIR: data }, ...TO_SERVERS)
      expect(first).toMatchObject({ code: 0, errors: '' })
      expect(first.output).toMatch(/^uploads: 0 rows, sha256/m)
      expect(first.output).not.toMatch(/^(?:positions|quarantine|objects):/m)
      expect(first.output).toContain('Start Milepost with SQL_URL set as now')
      const second = await copy({ SQL_URL, ...others, DATA_DIR: data }, ...TO_SERVERS, '--only', 'objects')
      expect(second).toMatchObject({ code: 0, errors: '' })
      expect(second.output).toMatch(/^objects: 12 videos, 0 of them in the target\nobjects: 24 objects, sha256/)
    },
    2 * MINUTE_MS,
  )

  it(
    'refuses a target that another fleet is in, before it writes anything',
    async () => {
      const servers = await emptyServers()
      const side = new ServerSide(parseConfig(servers), temporaryDirectory())
      const sql = await side.sql()
      await (await side.positions()).append(sampleTrack('theirs', 3))
      const { code, errors } = await copy({ ...servers, DATA_DIR: data }, ...TO_SERVERS)
      expect(code).toBe(1)
      expect(errors).toBe(
        'stores:copy: the target has what the source does not: positions of the device theirs. Nothing was changed; empty the target and begin again, or name another one',
      )
      expect(await sql.query('SELECT COUNT(*) AS n FROM alarms')).toEqual([{ n: 0 }])
      await side.close()
    },
    MINUTE_MS,
  )
})
