import { request as httpRequest, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Global, Logger, Module } from '@nestjs/common'
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify'
import { Test } from '@nestjs/testing'
import { makeAlarm } from '../../test/support/alarms.js'
import { parseConfig } from '../config/app-config.js'
import { ConfigModule } from '../config/config.module.js'
import { AuditLog } from '../identity/audit-log.js'
import { LiveFeed } from '../live/live-feed.js'
import { MetricsModule } from '../metrics/metrics.module.js'
import type { Alarm } from '../model/alarm.js'
import { type AlarmQuery, AlarmRecords, type UnjoinedStep } from '../storage/sql/alarm-records.js'
import { UserRecords } from '../storage/sql/user-records.js'
import { WebModule } from '../web/web.module.js'
import { AlarmsModule } from './alarms.module.js'
import { STREAM_PAGE } from './alarms.service.js'

const PATH = '/api/v1/alarms'
const COUNT = 100_000
const START_MS = Date.UTC(2026, 10, 22, 7, 30)

/** Alarms that are made as they are asked for, oldest first, one a second. */
class EndlessAlarms {
  readonly queries: AlarmQuery[] = []
  /** The query that fails, counted from 1; 0: none. */
  failing = 0

  async findUnjoinedAfter(): Promise<UnjoinedStep> {
    return { files: [], next: undefined }
  }

  async list(query: AlarmQuery): Promise<Alarm[]> {
    this.queries.push(query)
    if (this.queries.length === this.failing) throw new Error('the disk is gone')
    const from = query.after === undefined ? 0 : Number(query.after.id) + 1
    return Array.from({ length: Math.min(query.limit, COUNT - from) }, (_, n) =>
      makeAlarm({ id: String(from + n), timeMs: START_MS + (from + n) * 1000, note: 'x'.repeat(200) }),
    )
  }
}

describe('GET /alarms as CSV', () => {
  let app: NestFastifyApplication
  let alarms: EndlessAlarms

  beforeEach(async () => {
    alarms = new EndlessAlarms()
    @Global()
    @Module({
      providers: [
        { provide: AlarmRecords, useValue: alarms },
        { provide: UserRecords, useValue: {} },
        { provide: LiveFeed, useValue: {} },
        { provide: AuditLog, useValue: {} },
      ],
      exports: [AlarmRecords, UserRecords, LiveFeed, AuditLog],
    })
    class Rooms {}
    const module = await Test.createTestingModule({
      imports: [ConfigModule.of(parseConfig({})), MetricsModule, WebModule, Rooms, AlarmsModule],
    }).compile()
    app = module.createNestApplication<NestFastifyApplication>(new FastifyAdapter(), { logger: false })
    await app.listen(0, '127.0.0.1')
  })
  afterEach(async () => {
    await app.close()
    jest.restoreAllMocks()
  })

  it('reads by key, 500 at a time, with the same filter', async () => {
    const response = await open('?sort=time&type=crash&limit=3')
    let lines = 0
    for await (const chunk of response as AsyncIterable<Buffer>) for (const byte of chunk) if (byte === 10) lines++
    expect([lines, response.complete]).toEqual([COUNT + 1, true])
    expect(alarms.queries).toHaveLength(COUNT / STREAM_PAGE + 1)
    const base = { types: ['CRASH'], order: 'oldest', limit: STREAM_PAGE }
    expect(alarms.queries.slice(0, 2)).toEqual([
      base,
      { ...base, after: { timeMs: START_MS + (STREAM_PAGE - 1) * 1000, id: String(STREAM_PAGE - 1) } },
    ])
  })

  it('stops reading the store while the client does not read', async () => {
    const response = await open()
    const stalled = await queriesOnceQuiet()
    expect(stalled).toBeLessThan(COUNT / STREAM_PAGE / 2)
    response.resume()
    await new Promise((resolve) => response.once('end', resolve))
    expect(alarms.queries).toHaveLength(COUNT / STREAM_PAGE + 1)
  })

  it('stops reading the store when the client goes away', async () => {
    const response = await open()
    await new Promise((resolve) => response.once('data', resolve))
    response.destroy()
    expect(await queriesOnceQuiet()).toBeLessThan(COUNT / STREAM_PAGE)
  })

  it('answers in words when the store fails at the start, and cuts the connection when it fails later', async () => {
    const logged = jest.spyOn(Logger.prototype, 'error').mockImplementation()
    alarms.failing = 1
    const { statusCode, headers } = await app.inject({ method: 'GET', url: PATH, headers: { accept: 'text/csv' } })
    expect([statusCode, headers['content-type']]).toEqual([500, 'application/problem+json; charset=utf-8'])
    alarms.failing = 51
    const response = await open()
    const ended = new Promise<string | undefined>((resolve) => {
      response.on('error', (error: NodeJS.ErrnoException) => resolve(error.code))
      response.on('end', () => resolve('ended well'))
    })
    response.resume()
    expect(await ended).toBe('ECONNRESET')
    expect(logged.mock.calls.at(-1)?.[0]).toEqual({ event: 'alarm_stream_broken', reason: 'the disk is gone' })
  })

  /** The answer as soon as its head is there; nothing of the body is read yet. */
  function open(query = ''): Promise<IncomingMessage> {
    const { port } = app.getHttpServer().address() as AddressInfo
    return new Promise((resolve, reject) => {
      httpRequest({ host: '127.0.0.1', port, path: `${PATH}${query}`, headers: { accept: 'text/csv' } }, resolve)
        .on('error', reject)
        .end()
    })
  }

  /** Number of queries when there was none for a while. */
  async function queriesOnceQuiet(): Promise<number> {
    for (let before = -1; before !== alarms.queries.length; ) {
      before = alarms.queries.length
      await new Promise((resolve) => setTimeout(resolve, 300))
    }
    return alarms.queries.length
  }
})
