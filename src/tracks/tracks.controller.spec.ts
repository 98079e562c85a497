import { request as httpRequest, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Global, Logger, Module } from '@nestjs/common'
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify'
import { Test } from '@nestjs/testing'
import { MemoryDeviceRecords, makeDevice } from '../../test/support/memory-device-records.js'
import { makePosition } from '../../test/support/positions.js'
import { removeTemporaryDirectories, temporaryDirectory } from '../../test/support/temporary-directory.js'
import { parseConfig } from '../config/app-config.js'
import { ConfigModule } from '../config/config.module.js'
import { MetricsModule } from '../metrics/metrics.module.js'
import { PositionStore } from '../storage/positions/position-store.js'
import { openSqlitePositions } from '../storage/positions/sqlite-position-store.js'
import { DeviceRecords } from '../storage/sql/device-records.js'
import { WebModule } from '../web/web.module.js'
import { TracksModule } from './tracks.module.js'
import { STREAM_PAGE } from './tracks.service.js'

const START_MS = Date.UTC(2026, 10, 22, 7, 30)
const LONG = 100_000
const PATH = '/api/v1/devices'

describe('GET /devices/{deviceId}/track', () => {
  let app: NestFastifyApplication
  let store: PositionStore
  let reads = 0
  /** The read that fails, counted from 1; 0: none. */
  let failingRead = 0

  beforeAll(async () => {
    store = await openSqlitePositions({ directory: temporaryDirectory() })
    const list = store.listTrack.bind(store)
    store.listTrack = (deviceId, query) =>
      ++reads === failingRead ? Promise.reject(new Error('the disk is gone')) : list(deviceId, query)
    const devices = new MemoryDeviceRecords(['d1', 'long'].map((deviceId) => makeDevice({ deviceId, name: 'A & B' })))
    @Global()
    @Module({
      providers: [
        { provide: PositionStore, useValue: store },
        { provide: DeviceRecords, useValue: devices },
      ],
      exports: [PositionStore, DeviceRecords],
    })
    class Stores {}
    const module = await Test.createTestingModule({
      imports: [ConfigModule.of(parseConfig({})), MetricsModule, WebModule, Stores, TracksModule],
    }).compile()
    app = module.createNestApplication<NestFastifyApplication>(new FastifyAdapter(), { logger: false })
    app
      .getHttpAdapter()
      .getInstance()
      .addHook('onRequest', async (_, reply) => void reply.header('vary', 'Origin'))
    await app.listen(0, '127.0.0.1')
    await store.append([
      makePosition({ deviceId: 'd1', timeMs: START_MS }),
      makePosition({ deviceId: 'd1', timeMs: START_MS + 1000, hasFix: false, latitude: null, longitude: null }),
    ])
    for (let from = 0; from < LONG; from += 5000) {
      await store.append(
        Array.from({ length: 5000 }, (_, n) =>
          makePosition({
            deviceId: 'long',
            timeMs: START_MS + (from + n) * 1000,
            attributes: { pad: 'x'.repeat(200) },
          }),
        ),
      )
    }
  })

  beforeEach(() => {
    reads = 0
    failingRead = 0
  })

  afterAll(async () => {
    await app.close()
    await store.close()
    await removeTemporaryDirectories()
    jest.restoreAllMocks()
  })

  const get = (url: string, accept?: string, method: 'GET' | 'HEAD' = 'GET') =>
    app.inject({ method, url: `${PATH}${url}`, headers: accept === undefined ? {} : { accept } })

  it.each([
    [undefined, 'application/json; charset=utf-8', undefined],
    ['*/*', 'application/json; charset=utf-8', undefined],
    ['application/json; charset=utf-8', 'application/json; charset=utf-8', undefined],
    ['application/geo+json', 'application/geo+json', 'track-d1.geojson'],
    ['application/gpx+xml', 'application/gpx+xml', 'track-d1.gpx'],
    ['text/csv', 'text/csv; charset=utf-8', 'track-d1.csv'],
    ['text/csv;q=0.2, application/gpx+xml;q=0.3', 'application/gpx+xml', 'track-d1.gpx'],
    ['application/json;q=0, */*', 'application/geo+json', 'track-d1.geojson'],
  ])('answers Accept %p as %p', async (accept, type, fileName) => {
    for (const method of ['GET', 'HEAD'] as const) {
      const { statusCode, headers } = await get('/d1/track', accept, method)
      expect([statusCode, headers['content-type'], headers.vary]).toEqual([200, type, 'Origin, Accept'])
      const disposition = fileName === undefined ? undefined : `attachment; filename="${fileName}"`
      expect(headers['content-disposition']).toBe(disposition)
    }
  })

  it('answers with the same positions in every format', async () => {
    const json = (await get('/d1/track?include=all')).json()
    expect(json).toEqual({
      items: [
        {
          time: '2026-11-22T07:30:00.000Z',
          latitude: 48.1635066,
          longitude: 11.5643883,
          altitude: 519,
          speed: 42.5,
          heading: 271,
          accuracy: null,
          satellites: 11,
          hasFix: true,
          attributes: { ignition: true },
        },
        expect.objectContaining({ time: '2026-11-22T07:30:01.000Z', latitude: null, hasFix: false }),
      ],
      nextCursor: null,
    })
    const geo = (await get('/d1/track?include=all', 'application/geo+json')).json()
    expect(geo.features.map(({ geometry }: { geometry: unknown }) => geometry)).toEqual([
      { type: 'Point', coordinates: [11.5643883, 48.1635066] },
      null,
    ])
    const gpx = (await get('/d1/track?include=all', 'application/gpx+xml')).body
    expect(gpx.match(/<trkpt/g)).toHaveLength(1)
    expect(gpx).toContain('<name>A &amp; B</name>')
    expect((await get('/d1/track', 'text/csv')).body.split('\r\n')).toEqual([
      'time,latitude,longitude,altitude,speed,heading,accuracy,satellites,hasFix',
      '2026-11-22T07:30:00.000Z,48.1635066,11.5643883,519,42.5,271,,11,true',
      '',
    ])
  })

  it('has nothing for other media types', async () => {
    const { statusCode, headers, body } = await get('/d1/track', 'text/html')
    expect([statusCode, JSON.parse(body).code, headers.vary]).toEqual([406, 'not_acceptable', 'Origin, Accept'])
  })

  it.each([
    ['/nobody/track', 404, 'not_found'],
    ['/a%20b/track', 404, 'not_found'],
    ['/d1/track?limit=501', 400, 'invalid_request'],
    ['/d1/track?limit=0', 400, 'invalid_request'],
    ['/d1/track?include=some', 400, 'invalid_request'],
    ['/d1/track?from=2026-11-22', 400, 'invalid_request'],
    ['/d1/track?from=2026-11-22T09:00:00Z&to=2026-11-22T08:00:00Z', 400, 'invalid_request'],
    ['/d1/track?colour=red', 400, 'unknown_parameter'],
    ['/d1/track?cursor=nonsense', 400, 'invalid_cursor'],
    ['/d1/odometer?limit=1', 400, 'unknown_parameter'],
    ['/nobody/odometer', 404, 'not_found'],
  ])('refuses %s with %i %s', async (url, status, code) => {
    const { statusCode, body } = await get(url)
    expect([statusCode, JSON.parse(body).code]).toEqual([status, code])
    if (!url.includes('cursor') && !url.includes('odometer'))
      expect((await get(url, 'text/csv')).statusCode).toBe(status)
  })

  it('answers the odometer', async () => {
    expect((await get('/d1/odometer')).json()).toEqual({ meters: 0, points: 1 })
  })

  it('reads no track for HEAD of a file, and sends no length it does not know', async () => {
    const { statusCode, headers, body } = await get('/long/track', 'text/csv', 'HEAD')
    expect([statusCode, headers['content-length'], body]).toEqual([200, undefined, ''])
    expect(reads).toBe(1)
    expect((await get('/nobody/track', 'text/csv', 'HEAD')).statusCode).toBe(404)
  })

  it('streams a long track whole', async () => {
    const response = await open('/long/track', 'text/csv')
    expect(response.headers['transfer-encoding']).toBe('chunked')
    let lines = 0
    for await (const chunk of response as AsyncIterable<Buffer>) for (const byte of chunk) if (byte === 10) lines++
    expect(lines).toBe(LONG + 1)
    expect(response.complete).toBe(true)
  })

  it('stops reading the store while the client does not read', async () => {
    const response = await open('/long/track', 'application/geo+json')
    const stalled = await readsOnceQuiet()
    expect(stalled).toBeLessThan(LONG / STREAM_PAGE / 2)
    response.resume()
    await new Promise((resolve) => response.once('end', resolve))
    expect(reads).toBe(LONG / STREAM_PAGE + 1)
  })

  it('stops reading the store when the client goes away', async () => {
    const response = await open('/long/track', 'application/geo+json')
    await new Promise((resolve) => response.once('data', resolve))
    response.destroy()
    expect(await readsOnceQuiet()).toBeLessThan(LONG / STREAM_PAGE)
  })

  it('answers in words when the store fails at the start, and cuts the connection when it fails later', async () => {
    const logged = jest.spyOn(Logger.prototype, 'error').mockImplementation()
    failingRead = 1
    expect((await get('/long/track', 'text/csv')).json().code).toBe('internal')
    reads = 0
    failingRead = 50
    const response = await open('/long/track', 'application/geo+json')
    const ended = new Promise<string | undefined>((resolve) => {
      response.on('error', (error: NodeJS.ErrnoException) => resolve(error.code))
      response.on('end', () => resolve('ended well'))
    })
    response.resume()
    expect(await ended).toBe('ECONNRESET')
    expect(response.complete).toBe(false)
    expect(logged.mock.calls.at(-1)?.[0]).toEqual({
      event: 'track_stream_broken',
      deviceId: 'long',
      reason: 'the disk is gone',
    })
  })

  /** The answer as soon as its head is there; nothing of the body is read yet. */
  function open(url: string, accept: string): Promise<IncomingMessage> {
    const { port } = app.getHttpServer().address() as AddressInfo
    return new Promise((resolve, reject) => {
      httpRequest({ host: '127.0.0.1', port, path: `${PATH}${url}`, headers: { accept } }, resolve)
        .on('error', reject)
        .end()
    })
  }

  /** Number of reads when there was none for a while. */
  async function readsOnceQuiet(): Promise<number> {
    for (let before = -1; before !== reads; ) {
      before = reads
      await new Promise((resolve) => setTimeout(resolve, 300))
    }
    return reads
  }
})
