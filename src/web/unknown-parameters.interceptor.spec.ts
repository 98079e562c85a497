import { Controller, ForbiddenException, Get, HttpCode, Module, Post, Query, UseGuards } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import { z } from 'zod'
import { parseConfig } from '../config/app-config.js'
import { ConfigModule } from '../config/config.module.js'
import { MetricsModule } from '../metrics/metrics.module.js'
import { createHttpAdapter } from './http-adapter.js'
import { AnyQuery } from './unknown-parameters.interceptor.js'
import { WebModule } from './web.module.js'

const known = z.strictObject({ known: z.string().optional() })

@Controller('things')
class ThingsController {
  @Get('plain')
  plain() {
    return 'plain'
  }

  @Post('plain')
  @HttpCode(204)
  make() {}

  @Get('known')
  known(@Query({ schema: known }) query: z.output<typeof known>) {
    return query
  }

  @Get('one')
  one(@Query('known') value: string | undefined) {
    return { value }
  }

  @Get('any')
  @AnyQuery()
  any() {
    return 'any'
  }

  @Get('closed')
  @UseGuards({
    canActivate: () => {
      throw new ForbiddenException()
    },
  })
  closed() {}
}

@Controller('open')
@AnyQuery()
class OpenController {
  @Get()
  get() {
    return 'open'
  }
}

@Module({ imports: [MetricsModule, WebModule], controllers: [ThingsController, OpenController] })
class ThingsModule {}

describe('UnknownParametersInterceptor', () => {
  let app: NestFastifyApplication

  beforeAll(async () => {
    const config = parseConfig({})
    app = await NestFactory.create<NestFastifyApplication>(
      { module: ThingsModule, imports: [ConfigModule.of(config)] },
      createHttpAdapter(config),
      { logger: false },
    )
    await app.init()
  })

  afterAll(() => app.close())

  const call = async (url: string, method: 'GET' | 'POST' = 'GET') => {
    const answer = await app.inject({ method, url })
    return [answer.statusCode, (answer.body.startsWith('{') ? answer.json() : {}).code]
  }

  it('refuses any parameter where a route has no schema of its query, and names it', async () => {
    expect(await call('/things/plain')).toEqual([200, undefined])
    expect(await call('/things/plain', 'POST')).toEqual([204, undefined])
    expect(await call('/things/plain?x', 'POST')).toEqual([400, 'unknown_parameter'])
    const answer = await app.inject('/things/plain?x=1&limit=2')
    expect(answer.json()).toEqual({
      type: 'urn:milepost:error:unknown_parameter',
      title: 'A query parameter is not known here',
      status: 400,
      detail: 'Unknown query parameter: x, limit',
      code: 'unknown_parameter',
      instance: '/things/plain',
      errors: [
        { path: 'x', code: 'unknown_field', message: 'is not known here' },
        { path: 'limit', code: 'unknown_field', message: 'is not known here' },
      ],
    })
  })

  it('leaves it to the schema where there is one', async () => {
    expect(await call('/things/known?known=1')).toEqual([200, undefined])
    expect(await call('/things/known?unknown=1')).toEqual([400, 'unknown_parameter'])
  })

  it('does not take a parameter without a schema for one', async () => {
    expect(await call('/things/one?known=1')).toEqual([400, 'unknown_parameter'])
  })

  it('lets a route or a whole controller take any', async () => {
    expect(await call('/things/any?x=1')).toEqual([200, undefined])
    expect(await call('/open?x=1')).toEqual([200, undefined])
  })

  it('tells those who may not call at all that first', async () => {
    expect(await call('/things/closed?x=1')).toEqual([403, 'forbidden'])
  })
})
