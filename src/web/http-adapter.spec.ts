import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Body, Controller, Get, Module, Param, Post, Req } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import type { FastifyRequest } from 'fastify'
import { io } from 'socket.io-client'
import { parseConfig } from '../config/app-config.js'
import { ConfigModule } from '../config/config.module.js'
import { MetricsModule } from '../metrics/metrics.module.js'
import { createHttpAdapter, registerCors } from './http-adapter.js'
import { LINGER_BYTES } from './linger.js'
import { RouteMethods } from './route-methods.js'
import { SocketServer } from './socket-server.js'
import { WebModule } from './web.module.js'

@Controller('echo')
class EchoController {
  @Get('address')
  address(@Req() request: FastifyRequest) {
    return { address: request.ip }
  }

  @Get('names/:name')
  name(@Param('name') name: string) {
    return { name }
  }

  @Post()
  body(@Body() body: { text: string }) {
    return { characters: body.text.length }
  }
}

@Module({ imports: [MetricsModule, WebModule], controllers: [EchoController] })
class EchoModule {}

describe('createHttpAdapter', () => {
  let app: NestFastifyApplication
  let url: string
  let port: number

  const start = async (environment: Record<string, string> = {}) => {
    const config = parseConfig(environment)
    app = await NestFactory.create<NestFastifyApplication>(
      { module: EchoModule, imports: [ConfigModule.of(config)] },
      createHttpAdapter(config),
      { logger: false },
    )
    app.get(RouteMethods).watch(app.getHttpAdapter().getInstance())
    registerCors(app, config)
    const sockets = new SocketServer(config)
    sockets.attach(app.getHttpServer())
    await app.listen(0, '127.0.0.1')
    url = await app.getUrl()
    port = Number(new URL(url).port)
  }
  /** Sends bytes as they are and gives all that comes back. */
  const raw = async (text: string): Promise<string> => {
    const socket = connect(port, '127.0.0.1')
    let answer = ''
    socket.on('data', (chunk) => {
      answer += chunk.toString()
    })
    socket.write(text)
    await once(socket, 'close')
    return answer
  }

  afterEach(async () => {
    await app.close()
  })

  it('sends security headers with every answer, errors included', async () => {
    await start()
    for (const path of ['/echo/address', '/nothing', '/echo/names/%ZZ', `/echo/names/${'x'.repeat(1001)}`]) {
      const { headers } = await fetch(`${url}${path}`)
      expect(
        Object.fromEntries(
          ['x-content-type-options', 'x-frame-options', 'referrer-policy'].map((name) => [name, headers.get(name)]),
        ),
      ).toEqual({
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
        'referrer-policy': 'no-referrer',
      })
      expect(headers.get('content-security-policy')).toBe("default-src 'none'; frame-ancestors 'none'")
      expect(headers.get('cache-control')).toBe('no-store')
      expect(headers.get('x-powered-by')).toBeNull()
    }
  })

  it('lets Swagger UI run its own scripts and no others', async () => {
    await start()
    for (const path of ['/docs', '/docs/', '/docs?x=1']) {
      const policy = (await fetch(`${url}${path}`)).headers.get('content-security-policy')
      expect(policy).toContain("script-src 'self';")
      expect(policy).toContain("style-src 'self' 'unsafe-inline';")
    }
    const other = (await fetch(`${url}/docsother`)).headers.get('content-security-policy')
    expect(other).toBe("default-src 'none'; frame-ancestors 'none'")
  })

  it('takes names of 200 bytes, however they are encoded', async () => {
    await start()
    const name = 'ä'.repeat(100)
    const answer = await fetch(`${url}/echo/names/${encodeURIComponent(name)}`)
    expect(await answer.json()).toEqual({ name })
  })

  it('answers a path that is not well encoded as a problem', async () => {
    await start()
    const answerTo = async (path: string) => {
      const answer = await fetch(`${url}${path}`)
      const { status, code, instance } = (await answer.json()) as Record<string, unknown>
      return [answer.status, answer.headers.get('content-type'), status, code, instance]
    }
    const type = 'application/problem+json; charset=utf-8'
    expect(await answerTo('/echo/names/%E0%A4%A?a=1')).toEqual([
      400,
      type,
      400,
      'invalid_request',
      '/echo/names/%E0%A4%A',
    ])
  })

  it('leaves it to the route how long a name may be', async () => {
    await start()
    const name = 'x'.repeat(10_000)
    expect(await (await fetch(`${url}/echo/names/${name}`)).json()).toEqual({ name })
  })

  it('refuses a body over 1 MiB', async () => {
    await start()
    const post = async (characters: number) => {
      const body = JSON.stringify({ text: 'x'.repeat(characters) })
      const answer = await fetch(`${url}/echo`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      })
      return [answer.status, ((await answer.json()) as { code?: string }).code]
    }
    expect(await post(1_048_576 - 11)).toEqual([201, undefined])
    expect(await post(1_048_576 - 10)).toEqual([413, 'body_too_large'])
  })

  it.each([3, 12])('answers a client that is still sending %i MiB before it cuts it', async (mebibytes) => {
    await start()
    const bytes = mebibytes * 1_048_576
    const socket = connect(port, '127.0.0.1')
    const failures: string[] = []
    let answer = ''
    socket.on('error', ({ message }) => failures.push(message))
    socket.on('data', (chunk) => {
      answer += chunk.toString()
    })
    const closed = once(socket, 'close')
    socket.write(`POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${bytes}\r\n\r\n`)
    for (let sent = 0; sent < bytes && !answer.includes('}'); sent += 262_144) {
      socket.write('x'.repeat(262_144))
      await sleep(10)
    }
    await closed
    expect(answer).toMatch(/^HTTP\/1\.1 413 Payload Too Large\r\n/)
    expect(answer).toContain('"code":"body_too_large"')
    if (bytes <= LINGER_BYTES) expect(failures).toEqual([])
  })

  it('answers what is no request, and headers that are too large, as a problem', async () => {
    await start()
    const garbage = await raw('nonsense\r\n\r\n')
    expect(garbage).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/)
    expect(garbage).toContain('application/problem+json')
    expect(JSON.parse(garbage.split('\r\n\r\n')[1] ?? '')).toEqual({
      type: 'urn:milepost:error:invalid_request',
      title: 'The request is not valid',
      status: 400,
      detail: 'Not an HTTP request',
      code: 'invalid_request',
    })
    const large = await raw(`GET /echo/address?a=1 HTTP/1.1\r\nHost: x\r\nX-Large: ${'x'.repeat(20_000)}\r\n\r\n`)
    expect(large).toMatch(/^HTTP\/1\.1 431 Request Header Fields Too Large\r\n/)
    expect(JSON.parse(large.split('\r\n\r\n')[1] ?? '')).toEqual({
      type: 'urn:milepost:error:headers_too_large',
      title: 'The headers are too large',
      status: 431,
      detail: 'The request line and the headers have at most 16384 bytes in all',
      code: 'headers_too_large',
      instance: '/echo/address',
    })
  })

  it('answers a request of HTTP/1.1 without a host as a problem, and ends the connection', async () => {
    await start()
    const answer = await raw('GET /echo/address HTTP/1.1\r\n\r\n')
    expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/)
    expect(answer.toLowerCase()).toContain('\r\nconnection: close\r\n')
    expect(JSON.parse(answer.split('\r\n\r\n')[1] ?? '')).toEqual({
      type: 'urn:milepost:error:invalid_request',
      title: 'The request is not valid',
      status: 400,
      detail: 'The header Host is missing',
      code: 'invalid_request',
      instance: '/echo/address',
    })
    expect(await raw('GET /echo/address HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
  })

  it('does not wait for ever for a slow client', async () => {
    await start()
    const server = app.getHttpServer()
    expect([server.headersTimeout, server.requestTimeout, server.timeout, server.keepAliveTimeout]).toEqual([
      15_000, 0, 120_000, 75_000,
    ])
    server.headersTimeout = 50
    // Node looks at its connections every five seconds.
    const answer = await raw('GET /echo/address HTTP/1.1\r\nHost: x\r\nX-Slow: ')
    expect(answer).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n/)
    expect(answer).toContain('"code":"invalid_request"')
  })

  describe('addresses', () => {
    const addressOf = async (forwarded: string) => {
      const answer = await fetch(`${url}/echo/address`, { headers: { 'x-forwarded-for': forwarded } })
      return ((await answer.json()) as { address: string }).address
    }

    it('are those of the connection when no proxy is trusted', async () => {
      await start()
      expect(await addressOf('203.0.113.7')).toBe('127.0.0.1')
    })

    it('are those that a trusted proxy names, and not what the client claimed before it', async () => {
      await start({ TRUST_PROXY: '127.0.0.0/8, 10.1.2.3' })
      expect(await addressOf('203.0.113.7')).toBe('203.0.113.7')
      expect(await addressOf('198.51.100.1, 203.0.113.7, 10.1.2.3')).toBe('203.0.113.7')
    })

    it('are those of the connection when it is not the trusted proxy', async () => {
      await start({ TRUST_PROXY: '10.1.2.3' })
      expect(await addressOf('203.0.113.7')).toBe('127.0.0.1')
    })
  })

  describe('CORS', () => {
    const ORIGIN = 'https://fleet.example.com'
    const preflight = (origin: string) =>
      fetch(`${url}/echo/address`, {
        method: 'OPTIONS',
        headers: {
          origin,
          'access-control-request-method': 'PATCH',
          'access-control-request-headers': 'authorization,content-type,idempotency-key',
        },
      })

    it('is off by default', async () => {
      await start()
      expect((await preflight(ORIGIN)).status).toBe(405)
      const { headers } = await fetch(`${url}/echo/address`, { headers: { origin: ORIGIN } })
      expect(headers.get('access-control-allow-origin')).toBeNull()
    })

    it('answers a preflight of a configured origin and names the headers its pages may read', async () => {
      await start({ CORS_ORIGINS: `${ORIGIN}, https://other.example.com` })
      const { status, headers } = await preflight(ORIGIN)
      expect(status).toBe(204)
      expect(headers.get('access-control-allow-origin')).toBe(ORIGIN)
      expect(headers.get('access-control-allow-methods')).toBe('GET, HEAD, POST, PUT, PATCH, DELETE')
      expect(headers.get('access-control-allow-headers')).toBe('authorization,content-type,idempotency-key')
      expect(headers.get('access-control-max-age')).toBe('600')
      const answer = await fetch(`${url}/nothing`, { headers: { origin: ORIGIN } })
      expect(answer.headers.get('access-control-allow-origin')).toBe(ORIGIN)
      expect(answer.headers.get('vary')).toContain('Origin')
      expect(answer.headers.get('access-control-expose-headers')).toBe(
        'Accept-Ranges, Allow, Content-Disposition, Content-Range, ETag, Idempotent-Replayed, Location, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, Retry-After, Tus-Extension, Tus-Max-Size, Tus-Resumable, Tus-Version, Upload-Expires, Upload-Length, Upload-Metadata, Upload-Offset, Video-Id, WWW-Authenticate',
      )
      expect(answer.headers.get('access-control-allow-credentials')).toBeNull()
    })

    it('answers OPTIONS that are no preflight as it does without CORS', async () => {
      await start({ CORS_ORIGINS: ORIGIN })
      const { status, headers } = await fetch(`${url}/echo/address`, { method: 'OPTIONS', headers: { origin: ORIGIN } })
      expect([status, headers.get('allow')]).toEqual([405, 'GET, HEAD'])
      expect(headers.get('access-control-allow-origin')).toBe(ORIGIN)
    })

    it('gives another origin nothing', async () => {
      await start({ CORS_ORIGINS: ORIGIN })
      const { headers } = await fetch(`${url}/echo/address`, { headers: { origin: 'https://evil.example.com' } })
      expect(headers.get('access-control-allow-origin')).toBeNull()
    })

    it('takes any origin with *, on sockets too', async () => {
      await start({ CORS_ORIGINS: '*' })
      expect((await preflight(ORIGIN)).headers.get('access-control-allow-origin')).toBe('*')
      const polling = await fetch(`${url}/socket.io/?EIO=4&transport=polling`, { headers: { origin: ORIGIN } })
      expect([polling.status, polling.headers.get('access-control-allow-origin')]).toEqual([200, '*'])
    })

    it('lets a configured origin poll a socket and another not', async () => {
      await start({ CORS_ORIGINS: ORIGIN })
      const originFor = async (origin: string) =>
        (await fetch(`${url}/socket.io/?EIO=4&transport=polling`, { headers: { origin } })).headers.get(
          'access-control-allow-origin',
        )
      expect(await originFor(ORIGIN)).toBe(ORIGIN)
      expect(await originFor('https://evil.example.com')).toBeNull()
    })
  })

  it('leaves sockets alone', async () => {
    await start()
    const socket = io(url, { transports: ['websocket'], reconnection: false })
    await new Promise((resolve) => socket.once('connect', () => resolve(undefined)))
    expect(socket.connected).toBe(true)
    socket.close()
  })
})
