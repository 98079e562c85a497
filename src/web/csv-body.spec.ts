import { request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Body, type CanActivate, Controller, ForbiddenException, HttpCode, Post } from '@nestjs/common'
import { APP_GUARD } from '@nestjs/core'
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify'
import { Test } from '@nestjs/testing'
import { parseConfig } from '../config/app-config.js'
import { ConfigModule } from '../config/config.module.js'
import { MetricsModule } from '../metrics/metrics.module.js'
import { CsvBody, MAX_CSV_BYTES, registerCsvBody } from './csv-body.js'
import { WebModule } from './web.module.js'

let isCallerKnown = true

class WhoIsCalling implements CanActivate {
  canActivate(): boolean {
    if (!isCallerKnown) throw new ForbiddenException()
    return true
  }
}

@Controller()
class Routes {
  @Post('csv')
  @HttpCode(200)
  @CsvBody('a,b')
  csv(@Body() body: string) {
    return { length: body.length, start: body.slice(0, 20) }
  }

  @Post('json')
  @HttpCode(200)
  json(@Body() body: unknown) {
    return { body }
  }
}

describe('CSV bodies', () => {
  let app: NestFastifyApplication

  beforeAll(async () => {
    const module = await Test.createTestingModule({
      imports: [ConfigModule.of(parseConfig({})), MetricsModule, WebModule],
      controllers: [Routes],
      providers: [{ provide: APP_GUARD, useClass: WhoIsCalling }],
    }).compile()
    app = module.createNestApplication<NestFastifyApplication>(new FastifyAdapter(), { logger: false })
    registerCsvBody(app.getHttpAdapter().getInstance())
    await app.listen(0, '127.0.0.1')
  })

  beforeEach(() => {
    isCallerKnown = true
  })

  afterAll(() => app.close())

  const post = async (url: string, payload: string | Buffer, type = 'text/csv') => {
    const { statusCode, body } = await app.inject({
      method: 'POST',
      url,
      payload,
      headers: { 'content-type': type },
    })
    const answer = JSON.parse(body)
    return [statusCode, statusCode === 200 ? answer : answer.code]
  }

  it('gives the text without its byte order mark', async () => {
    expect(await post('/csv', '\ufeffname\r\nGrün')).toEqual([200, { length: 10, start: 'name\r\nGrün' }])
    expect(await post('/csv', 'a', 'text/csv; header=present; charset="UTF-8"')).toEqual([
      200,
      { length: 1, start: 'a' },
    ])
  })

  it('takes no other media type, charset or bytes', async () => {
    expect(await post('/csv', '{}', 'application/json')).toEqual([415, 'unsupported_media_type'])
    expect(await post('/csv', 'a', 'text/csv; charset=utf-16le')).toEqual([415, 'unsupported_media_type'])
    expect(await post('/csv', Buffer.from([0x61, 0xff]))).toEqual([400, 'invalid_request'])
  })

  it('is not taken by routes that do not ask for it', async () => {
    expect(await post('/json', 'a,b')).toEqual([415, 'unsupported_media_type'])
    expect(await post('/nowhere', 'a,b')).toEqual([404, 'not_found'])
  })

  it('takes 16 MiB and not a byte more, whether the length is told or not', async () => {
    const fits = Buffer.alloc(MAX_CSV_BYTES, 'x')
    expect(await post('/csv', fits)).toEqual([200, { length: MAX_CSV_BYTES, start: 'x'.repeat(20) }])
    expect(await post('/csv', Buffer.concat([fits, Buffer.from('x')]))).toEqual([413, 'body_too_large'])
    expect(await postChunked(MAX_CSV_BYTES + 1)).toBe(413)
  })

  it('refuses an unknown caller before the body is read', async () => {
    isCallerKnown = false
    expect(await post('/csv', 'a,b')).toEqual([403, 'forbidden'])
    expect(await post('/csv', Buffer.from([0xff]))).toEqual([403, 'forbidden'])
    expect(await post('/csv', Buffer.alloc(MAX_CSV_BYTES + 1))).toEqual([403, 'forbidden'])
  })

  function postChunked(bytes: number): Promise<number | undefined> {
    const { port } = app.getHttpServer().address() as AddressInfo
    return new Promise((resolve, reject) => {
      const sending = httpRequest(
        { host: '127.0.0.1', port, path: '/csv', method: 'POST', headers: { 'content-type': 'text/csv' } },
        (response) => {
          response.resume()
          resolve(response.statusCode)
        },
      )
      sending.on('error', reject)
      for (let sent = 0; sent < bytes; sent += 1_048_576) sending.write(Buffer.alloc(Math.min(1_048_576, bytes - sent)))
      sending.end()
    })
  }
})
