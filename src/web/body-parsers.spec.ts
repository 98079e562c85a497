import { Body, Controller, HttpCode, Module, Post } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import { z } from 'zod'
import { parseConfig } from '../config/app-config.js'
import { ConfigModule } from '../config/config.module.js'
import { MetricsModule } from '../metrics/metrics.module.js'
import { registerBodyParsers } from './body-parsers.js'
import { createHttpAdapter, MAX_BODY_BYTES } from './http-adapter.js'
import { RouteMethods } from './route-methods.js'
import { WebModule } from './web.module.js'

@Controller('echo')
class EchoController {
  @Post()
  @HttpCode(200)
  echo(@Body() body: unknown) {
    return { body, isThere: body !== undefined }
  }
}

const strict = z.strictObject({ a: z.int() })

@Controller('echo/strict')
class StrictController {
  @Post()
  echo(@Body({ schema: strict }) body: z.output<typeof strict>) {
    return body
  }
}

@Module({ imports: [MetricsModule, WebModule], controllers: [EchoController, StrictController] })
class EchoModule {}

describe('registerBodyParsers', () => {
  let app: NestFastifyApplication

  beforeAll(async () => {
    const config = parseConfig({})
    app = await NestFactory.create<NestFastifyApplication>(
      { module: EchoModule, imports: [ConfigModule.of(config)] },
      createHttpAdapter(config),
      { logger: false },
    )
    app.get(RouteMethods).watch(app.getHttpAdapter().getInstance())
    registerBodyParsers(app)
    await app.init()
  })

  afterAll(() => app.close())

  const post = async (type: string, payload: string, url = '/echo') => {
    const answer = await app.inject({ method: 'POST', url, headers: { 'content-type': type }, payload })
    return { status: answer.statusCode, ...answer.json() }
  }

  it('takes JSON', async () => {
    expect(await post('application/json', '{"name":"ä"}')).toEqual({ status: 200, body: { name: 'ä' }, isThere: true })
    expect(await post('application/json; charset=utf-8', '[1]')).toEqual({ status: 200, body: [1], isThere: true })
  })

  it('takes the absence of a body for what it is, although the client names JSON', async () => {
    expect(await post('application/json', '')).toEqual({ status: 200, isThere: false })
  })

  it('refuses what is no JSON', async () => {
    expect(await post('application/json', '{"name":')).toMatchObject({ status: 400, code: 'invalid_request' })
  })

  it.each([
    ['{"a":1,"__proto__":{"b":2}}', '__proto__'],
    ['{"a":1,"constructor":{"prototype":{"b":2}}}', 'constructor'],
    ['{"a":1,"\\u005f_proto__":3}', '__proto__'],
  ])('refuses a key of every object in %s as any other that is not known', async (text, path) => {
    expect(await post('application/json', text, '/echo/strict')).toMatchObject({
      status: 400,
      code: 'invalid_request',
      errors: [{ path, code: 'unknown_field', message: 'is not known here' }],
    })
    expect(Object.getPrototypeOf({})).not.toHaveProperty('b')
  })

  it('keeps such a key from no neighbour', async () => {
    const { status, body } = await post('application/json', '[{"a":1,"__proto__":{"b":2}},{"c":3}]')
    expect([status, body.map((one: object) => Object.keys(one))]).toEqual([200, [['a', '__proto__'], ['c']]])
  })

  it.each(['application/x-www-form-urlencoded', 'text/plain', 'text/csv', 'application/xml', 'nonsense'])(
    'refuses %s',
    async (type) => {
      expect(await post(type, 'name=a')).toMatchObject({ status: 415, code: 'unsupported_media_type' })
    },
  )

  it('refuses JSON over the limit', async () => {
    expect(await post('application/json', JSON.stringify('x'.repeat(MAX_BODY_BYTES)))).toMatchObject({
      status: 413,
      code: 'body_too_large',
    })
  })

  it('says that there is nothing at a path before it looks at the body', async () => {
    expect(await post('text/plain', 'x', '/nothing')).toMatchObject({ status: 404, code: 'not_found' })
    const answer = await app.inject({ method: 'PUT', url: '/echo', payload: '{', headers: { 'content-type': 'a/b' } })
    expect([answer.statusCode, answer.headers.allow]).toEqual([405, 'POST'])
    const query = await app.inject({ method: 'QUERY' as 'GET', url: '/echo' })
    expect([query.statusCode, query.headers.allow]).toEqual([405, 'POST'])
  })
})
