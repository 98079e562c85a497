import { Controller, Delete, Get, Module, Post, Put } from '@nestjs/common'
import { APP_INTERCEPTOR, NestFactory } from '@nestjs/core'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import { removeTemporaryDirectories, temporaryDirectory } from '../../test/support/temporary-directory.js'
import { parseConfig } from '../config/app-config.js'
import { ConfigModule } from '../config/config.module.js'
import { Metrics } from '../metrics/metrics.js'
import { MetricsModule } from '../metrics/metrics.module.js'
import { AppError } from '../model/app-error.js'
import { DiskGuard } from '../storage/disk-guard.js'
import { DiskGuardModule } from '../storage/disk-guard.module.js'
import { createHttpAdapter } from '../web/http-adapter.js'
import { InFlight } from '../web/in-flight.js'
import { WebModule } from '../web/web.module.js'
import { DiskFullInterceptor } from './disk-full.interceptor.js'
import { HealthController } from './health.controller.js'
import { MetricsController } from './metrics.controller.js'
import { Readiness } from './readiness.js'

let positionsFailure: Error | undefined

@Controller('api/v1')
class WritesController {
  @Get('things')
  read() {
    return {}
  }

  @Post('things')
  create() {
    return {}
  }

  @Put('things')
  replace() {
    return {}
  }

  @Post('auth/login')
  login() {
    return {}
  }

  @Delete('things')
  remove() {
    return {}
  }
}

@Module({
  imports: [MetricsModule, WebModule, DiskGuardModule],
  controllers: [HealthController, MetricsController, WritesController],
  providers: [
    {
      provide: Readiness,
      inject: [Metrics, DiskGuard],
      useFactory: (metrics: Metrics, disk: DiskGuard) =>
        new Readiness(
          {
            positions: async () => {
              if (positionsFailure !== undefined) throw positionsFailure
            },
            disk: async () => disk.assertWritable(),
          },
          metrics,
        ),
    },
    { provide: APP_INTERCEPTOR, useClass: DiskFullInterceptor },
  ],
})
class TestModule {}

describe('the routes of operating', () => {
  let app: NestFastifyApplication
  let url: string

  const start = async (environment: Record<string, string> = {}) => {
    positionsFailure = undefined
    const config = parseConfig({ DATA_DIR: temporaryDirectory(), DISK_MIN_FREE: '0', ...environment })
    app = await NestFactory.create<NestFastifyApplication>(
      { module: TestModule, imports: [ConfigModule.of(config)] },
      createHttpAdapter(config),
      { logger: false },
    )
    app.get(InFlight).watch(app.getHttpAdapter().getInstance())
    await app.listen(0, '127.0.0.1')
    url = await app.getUrl()
  }
  const answerTo = async (path: string, init: RequestInit = {}) => {
    const answer = await fetch(`${url}${path}`, init)
    return { status: answer.status, headers: answer.headers, body: (await answer.json()) as Record<string, unknown> }
  }

  afterEach(() => app.close())
  afterAll(removeTemporaryDirectories)

  it('says that the process lives, whatever its stores do', async () => {
    await start({ DISK_MIN_FREE: '9000000000000000' })
    positionsFailure = new Error('away')
    expect(await answerTo('/health/live')).toMatchObject({ status: 200, body: { status: 'ok' } })
  })

  it('says ready with 200 and not ready with 503 and the reason', async () => {
    await start()
    expect(await answerTo('/health/ready')).toMatchObject({
      status: 200,
      body: {
        status: 'ok',
        details: { positions: { status: 'ok', message: null }, disk: { status: 'ok', message: null } },
      },
    })
    positionsFailure = new AppError('store_unavailable', 'positions: database is locked')
    await new Promise((resolve) => setTimeout(resolve, 1010))
    const { status, body, headers } = await answerTo('/health/ready')
    expect([status, headers.get('content-type')]).toEqual([503, 'application/json; charset=utf-8'])
    expect(body).toEqual({
      status: 'error',
      details: {
        positions: { status: 'error', message: 'positions: database is locked' },
        disk: { status: 'ok', message: null },
      },
    })
  })

  it('is not ready while the server stops', async () => {
    await start()
    app.get(InFlight).stopAccepting()
    expect(await answerTo('/health/ready')).toMatchObject({
      status: 503,
      body: { status: 'error', details: { server: { status: 'error', message: 'The server is stopping' } } },
    })
    expect((await answerTo('/health/live')).status).toBe(200)
  })

  it('refuses writes while the disk is full, but neither reads, removals nor logins', async () => {
    await start({ DISK_MIN_FREE: '9000000000000000' })
    const statusOf = async (method: string, path: string) => (await answerTo(path, { method })).status
    expect(await statusOf('GET', '/api/v1/things')).toBe(200)
    expect(await statusOf('DELETE', '/api/v1/things')).toBe(200)
    expect(await statusOf('POST', '/api/v1/auth/login')).toBe(201)
    expect(await statusOf('PUT', '/api/v1/things')).toBe(503)
    const { status, headers, body } = await answerTo('/api/v1/things', { method: 'POST' })
    expect([status, headers.get('retry-after')]).toEqual([503, '30'])
    expect(body).toEqual({
      type: 'urn:milepost:error:disk_full',
      title: 'The disk is nearly full',
      status: 503,
      detail: 'Less than 9000000000000000 bytes are free on the data disk',
      code: 'disk_full',
      instance: '/api/v1/things',
    })
    expect((await answerTo('/health/ready')).body).toMatchObject({
      details: {
        disk: { status: 'error', message: 'Less than 9000000000000000 bytes are free on the data disk' },
      },
    })
  })

  describe('metrics', () => {
    it('are there for all by default, stores and disk up to date', async () => {
      await start()
      positionsFailure = new Error('away')
      const answer = await fetch(`${url}/metrics`)
      const text = await answer.text()
      expect([answer.status, answer.headers.get('content-type')]).toEqual([
        200,
        'text/plain; version=0.0.4; charset=utf-8',
      ])
      expect(text).toContain('milepost_store_up{store="positions"} 0\n')
      expect(text).toContain('milepost_store_up{store="disk"} 1\n')
      expect(Number(/^milepost_disk_free_bytes (\S+)$/m.exec(text)?.[1])).toBeGreaterThan(0)
      expect(text).toContain('process_cpu_user_seconds_total')
    })

    it('ask for METRICS_TOKEN when it is set', async () => {
      await start({ METRICS_TOKEN: 'only for prometheus' })
      const codeFor = async (authorization?: string) => {
        const answer = await fetch(`${url}/metrics`, { headers: authorization === undefined ? {} : { authorization } })
        const text = await answer.text()
        return [answer.status, answer.status === 200 ? undefined : (JSON.parse(text) as { code: string }).code]
      }
      expect(await codeFor()).toEqual([401, 'token_missing'])
      expect(await codeFor('Basic abc')).toEqual([401, 'token_missing'])
      expect(await codeFor('Bearer wrong')).toEqual([401, 'token_invalid'])
      expect(await codeFor('Bearer only for prometheus')).toEqual([200, undefined])
      expect(await codeFor('bearer  only for prometheus')).toEqual([200, undefined])
    })
  })
})
