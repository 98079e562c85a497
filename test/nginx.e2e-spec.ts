import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { connect } from 'node:net'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { io, type Socket } from 'socket.io-client'
import { testImei } from './support/api.js'
import { freePort } from './support/free-port.js'
import { ADMIN_PASSWORD, ServerProcess } from './support/server-process.js'
import { removeTemporaryDirectories, temporaryDirectory } from './support/temporary-directory.js'
import { ask } from './support/unit-socket.js'

const { NGINX_BIN = '' } = process.env
const suite = NGINX_BIN === '' ? describe.skip : describe
const NAME = 'fleet.example.com'
const IMEI = testImei(1)

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
}

suite('docs/nginx.conf.example (needs NGINX_BIN: path of nginx)', () => {
  const directory = temporaryDirectory()
  const server = new ServerProcess({
    DATA_DIR: path.join(directory, 'data'),
    TRUST_PROXY: '127.0.0.1',
    DEVICE_ENROLMENT: 'open',
  })
  let nginx: ChildProcess
  let httpPort: number
  let httpsPort: number
  let ca: string
  const sockets: Socket[] = []

  beforeAll(async () => {
    await server.start()
    ;[httpPort, httpsPort] = await Promise.all([freePort(), freePort()])
    ca = makeCertificate(directory)
    const configuration = writeConfiguration(directory, { httpPort, httpsPort, upstream: new URL(server.url).host })
    nginx = spawn(NGINX_BIN, ['-p', directory, '-c', configuration], { stdio: ['ignore', 'inherit', 'inherit'] })
    await portOpens(httpsPort)
  })
  afterAll(async () => {
    for (const socket of sockets) socket.close()
    if (nginx !== undefined) {
      nginx.kill('SIGTERM')
      await once(nginx, 'exit')
    }
    await server.stop()
    await removeTemporaryDirectories()
  })

  /** Over TLS, the way a client does that comes from `from`. */
  const call = (
    method: string,
    target: string,
    options: { from?: string; token?: string; body?: unknown; headers?: Record<string, string> } = {},
  ): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const given = options.body
      const body = given === undefined || Buffer.isBuffer(given) ? given : JSON.stringify(given)
      const request = requestHttps(
        {
          host: '127.0.0.1',
          port: httpsPort,
          servername: NAME,
          ca,
          method,
          path: target,
          localAddress: options.from ?? '127.0.0.1',
          headers: {
            host: NAME,
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
            ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
            ...options.headers,
          },
        },
        (response) => {
          let text = ''
          response.on('data', (chunk: Buffer) => {
            text += chunk.toString()
          })
          response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }))
        },
      )
      request.on('error', reject)
      request.end(body)
    })
  const login = async (options: Parameters<typeof call>[2] = {}) => {
    const body = { username: 'admin', password: ADMIN_PASSWORD }
    const answer = await call('POST', '/api/v1/auth/login', { ...options, body })
    expect(answer.status).toBe(200)
    return (JSON.parse(answer.text) as { accessToken: string }).accessToken
  }
  const deviceToken = async () => {
    const answer = await call('POST', '/api/v1/auth/device', { body: { imei: IMEI } })
    return (JSON.parse(answer.text) as { accessToken: string }).accessToken
  }
  const connectTo = async (namespace: string, token: string, transports: string[]) => {
    const socket = io(`https://127.0.0.1:${httpsPort}${namespace}`, {
      auth: { token },
      transports,
      upgrade: false,
      reconnection: false,
      forceNew: true,
      rejectUnauthorized: false,
    })
    sockets.push(socket)
    await new Promise((resolve, reject) => {
      socket.once('connect', () => resolve(undefined))
      socket.once('connect_error', reject)
    })
    return socket
  }
  const position = (secondsAgo: number) => ({ time: Date.now() - secondsAgo * 1000, latitude: 48.1, longitude: 11.5 })

  it('sends plain HTTP to HTTPS and keeps the method', async () => {
    const request = requestHttp({
      host: '127.0.0.1',
      port: httpPort,
      method: 'POST',
      path: '/x?y=1',
      headers: { host: NAME },
    })
    request.end()
    const [response] = (await once(request, 'response')) as [{ statusCode: number; headers: { location: string } }]
    expect([response.statusCode, response.headers.location]).toEqual([308, `https://${NAME}/x?y=1`])
  })

  it('serves REST with TLS headers added to ours', async () => {
    const { status, headers, text } = await call('GET', '/health/ready')
    expect([status, (JSON.parse(text) as { status: string }).status]).toEqual([200, 'ok'])
    expect(headers['strict-transport-security']).toBe('max-age=31536000')
    expect(headers['x-content-type-options']).toBe('nosniff')
  })

  it("lets us see the client's own address, and not one that it made up", async () => {
    const token = await login({ from: '127.0.0.2', headers: { 'x-forwarded-for': '203.0.113.9' } })
    const { text } = await call('GET', '/api/v1/audit?action=user.login&limit=1', { token })
    const { items } = JSON.parse(text) as { items: Array<{ address: string }> }
    expect(items[0]?.address).toBe('127.0.0.2')
  })

  it.each([[['websocket']], [['polling']]])('carries units by %p', async (transports) => {
    const socket = await connectTo('', await deviceToken(), transports)
    expect(socket.io.engine.transport.name).toBe(transports[0])
    const answer = await ask(socket, 'location', position(transports[0] === 'polling' ? 20 : 10))
    expect(answer).toEqual({ accepted: 1, duplicates: 0, rejected: [] })
  })

  it('carries the live feed', async () => {
    const watcher = await connectTo('/live', await login(), ['websocket'])
    await ask(watcher, 'watch', { deviceIds: [IMEI] })
    const seen = new Promise<{ deviceId: string }>((resolve) => watcher.once('position', resolve))
    const sent = await call('POST', '/api/v1/locations', { token: await deviceToken(), body: position(1) })
    expect(sent.status).toBe(200)
    expect((await seen).deviceId).toBe(IMEI)
  })

  it('leaves it to us to refuse a body that is too large', async () => {
    const body = { username: 'admin', password: 'x'.repeat(1_200_000) }
    const { status, text } = await call('POST', '/api/v1/auth/login', { body })
    expect([status, (JSON.parse(text) as { code: string }).code]).toEqual([413, 'body_too_large'])
  })

  it('lets lists of devices through that are larger than other bodies', async () => {
    const admin = await server.api.login('admin', ADMIN_PASSWORD)
    const body = Buffer.from(`deviceId,name\n${`${testImei(2)},${'n'.repeat(1000)}\n`.repeat(3000)}`)
    const headers = { 'content-type': 'text/csv', authorization: `Bearer ${admin}` }
    const { status, text } = await call('POST', '/api/v1/devices/import', { headers, body })
    expect([body.length > 3_000_000, status]).toEqual([true, 200])
    // They are ours to refuse, each line by itself.
    expect((JSON.parse(text) as { rejected: unknown[] }).rejected).toHaveLength(3000)
  })

  it('leaves it to us what a video may be, whatever its size', async () => {
    const path = '/api/v1/videos/large.mp4'
    const { status, text } = await call('PUT', path, { token: await deviceToken(), body: 'x'.repeat(3_000_000) })
    expect([status, (JSON.parse(text) as { code: string }).code]).toEqual([415, 'unsupported_media'])
  })

  it('shows metrics to this machine only', async () => {
    const [here, elsewhere] = await Promise.all([
      call('GET', '/metrics'),
      call('GET', '/metrics', { from: '127.0.0.2' }),
    ])
    expect([here.status, elsewhere.status]).toEqual([200, 403])
  })
})

/** The example with this test's names put in, inside the least that nginx needs around it. */
function writeConfiguration(
  directory: string,
  ports: { readonly httpPort: number; readonly httpsPort: number; readonly upstream: string },
): string {
  const site = readFileSync('docs/nginx.conf.example', 'utf8')
    .replace('listen 80;', `listen 127.0.0.1:${ports.httpPort};`)
    .replace('listen 443 ssl http2;', `listen 127.0.0.1:${ports.httpsPort} ssl http2;`)
    .replace('server 127.0.0.1:3000;', `server ${ports.upstream};`)
    .replace('/etc/ssl/milepost/fullchain.pem', path.join(directory, 'certificate.pem'))
    .replace('/etc/ssl/milepost/privkey.pem', path.join(directory, 'key.pem'))
  const temporary = path.join(directory, 'nginx')
  mkdirSync(temporary)
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${path.join(temporary, kind)};`,
  )
  const file = path.join(directory, 'nginx.conf')
  writeFileSync(
    file,
    `daemon off; master_process off; pid ${path.join(temporary, 'pid')}; error_log stderr crit;
events { worker_connections 1024; }
http { access_log off; ${paths.join(' ')}
${site}
}
`,
  )
  return file
}

/** @returns the certificate, which signed itself */
function makeCertificate(directory: string): string {
  const file = path.join(directory, 'certificate.pem')
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1'],
      ...['-subj', `/CN=${NAME}`, '-addext', `subjectAltName=DNS:${NAME}`],
      ...['-keyout', path.join(directory, 'key.pem'), '-out', file],
    ],
    { stdio: 'ignore' },
  )
  return readFileSync(file, 'utf8')
}

async function portOpens(port: number): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true))
      socket.once('error', () => resolve(false))
      socket.once('connect', () => socket.destroy())
    })
    if (isOpen) return
    await sleep(50)
  }
  throw new Error('nginx did not start')
}
