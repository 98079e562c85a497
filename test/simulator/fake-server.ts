import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket as TcpSocket } from 'node:net'
import { type Socket, Server as SocketServer } from 'socket.io'
import { z } from 'zod'
import { FakeDuties } from './fake-duties.js'

const Position = z.looseObject({ time: z.iso.datetime(), latitude: z.number(), longitude: z.number() })
export type ReceivedPosition = z.infer<typeof Position>

/** What becomes of one event: stored and acked, stored without an ack, neither, refused as a whole, or answered as given. */
export type Verdict = 'store' | 'store_in_silence' | 'silence' | { readonly answer: unknown }

export interface RestRefusal {
  readonly status: number
  readonly code: string
  readonly retryAfter?: string
}

/** The server's contract with units, in memory, with a say in every answer. */
export class FakeServer {
  /** By device id: time → position, the first one of a time. */
  readonly stored = new Map<string, Map<string, ReceivedPosition>>()
  /** Every event that came, in order. */
  readonly events: Array<{ readonly deviceId: string; readonly positions: readonly ReceivedPosition[] }> = []
  readonly devices = new Map<string, { readonly secret?: string; readonly name?: string }>()
  /** Alarms, files and commands. */
  readonly duties = new FakeDuties()
  readonly logins: unknown[] = []
  /** Tokens offered by the `auth` event. */
  readonly renewals: string[] = []
  connections = 0
  tokenLifeS = 864_000
  /** Only devices that were registered log in. */
  isOpen = true
  /** Leaves handshakes without an answer. */
  isMute = false
  judge: (positions: readonly ReceivedPosition[], deviceId: string) => Verdict = () => 'store'
  rejectedCode: (position: ReceivedPosition) => string | undefined = () => undefined
  refuseRest: (path: string, body: unknown) => RestRefusal | undefined = () => undefined
  refuseHandshake: (token: string) => { code: string; retryAfterMs?: number } | undefined = () => undefined
  refuseRenewal: () => string | undefined = () => undefined

  private readonly http: Server
  private readonly tcp = new Set<TcpSocket>()
  private readonly io: SocketServer
  private tokens = 0

  private constructor() {
    this.http = createServer((request, response) => void this.handleRest(request, response))
    this.http.on('connection', (connection) => {
      this.tcp.add(connection)
      connection.once('close', () => this.tcp.delete(connection))
    })
    this.io = new SocketServer(this.http, { serveClient: false })
    this.io.use((socket, next) => {
      const token: unknown = socket.handshake.auth.token
      const refusal = typeof token === 'string' ? this.refuseHandshake(token) : { code: 'token_missing' }
      if (!this.isMute) next(refusal && Object.assign(new Error(refusal.code), { data: refusal }))
    })
    this.io.on('connection', (socket) => this.handleConnection(socket))
  }

  static async start(): Promise<FakeServer> {
    const server = new FakeServer()
    await new Promise<void>((resolve) => server.http.listen(0, '127.0.0.1', resolve))
    return server
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.http.address() as AddressInfo).port}`
  }

  /** Times stored of a device, ascending. */
  storedTimes(deviceId: string): string[] {
    return [...(this.stored.get(deviceId)?.keys() ?? [])].sort()
  }

  /** Drops every connection without a word. */
  cutAll(): void {
    for (const connection of this.tcp) connection.destroy()
  }

  /** Announces the reason and disconnects, as the contract has it. */
  closeAll(code: string): void {
    for (const socket of this.io.sockets.sockets.values()) {
      socket.emit('closing', { code, message: code })
      socket.disconnect(true)
    }
  }

  async stop(): Promise<void> {
    this.cutAll()
    await this.io.close()
  }

  private handleConnection(socket: Socket): void {
    this.connections++
    const deviceId = deviceIdOf(String(socket.handshake.auth.token))
    socket.on('location', (payload: unknown, ack: (answer: unknown) => void) => {
      const positions = z.array(Position).parse(Array.isArray(payload) ? payload : [payload])
      this.events.push({ deviceId, positions })
      const verdict = this.judge(positions, deviceId)
      if (typeof verdict === 'object') return ack(verdict.answer)
      if (verdict === 'silence') return
      const answer = this.store(deviceId, positions)
      if (verdict === 'store') ack(answer)
    })
    this.duties.attach(deviceId, socket)
    socket.on('auth', ({ token }: { token: string }, ack: (answer: unknown) => void) => {
      this.renewals.push(token)
      const code = this.refuseRenewal()
      ack(code === undefined ? { expiresIn: this.tokenLifeS } : { error: { code, message: code } })
    })
  }

  private store(deviceId: string, positions: readonly ReceivedPosition[]) {
    const kept = this.stored.get(deviceId) ?? new Map<string, ReceivedPosition>()
    this.stored.set(deviceId, kept)
    let accepted = 0
    const rejected: Array<{ index: number; code: string; message: string }> = []
    for (const [index, position] of positions.entries()) {
      const code = this.rejectedCode(position)
      if (code !== undefined) rejected.push({ index, code, message: code })
      else if (!kept.has(position.time)) {
        kept.set(position.time, position)
        accepted++
      }
    }
    return { accepted, duplicates: positions.length - accepted - rejected.length, rejected }
  }

  private async handleRest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? ''
    if (request.method === 'PUT') {
      await this.handleUpload(path, request, response).catch(() => {}) // the unit was killed or cut
      return
    }
    let text = ''
    for await (const chunk of request) text += chunk
    const body: unknown = JSON.parse(text)
    const refusal = this.refuseRest(path, body)
    const { status, answer } = refusal ? problem(refusal) : this.answerRest(path, body)
    if (refusal?.retryAfter !== undefined) response.setHeader('retry-after', refusal.retryAfter)
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
  }

  private async handleUpload(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const refusal = this.refuseRest(path, undefined)
    const token = request.headers.authorization?.replace('Bearer ', '') ?? ''
    const { status, answer } = refusal
      ? problem(refusal)
      : await this.duties.takeFile(deviceIdOf(token), decodeURIComponent(path.replace('/api/v1/videos/', '')), request)
    if (refusal?.retryAfter !== undefined) response.setHeader('retry-after', refusal.retryAfter)
    if (status > 0) response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
    else request.socket.destroy()
  }

  private answerRest(path: string, body: unknown): { status: number; answer: unknown } {
    if (path === '/api/v1/auth/device') return this.login(body)
    if (path === '/api/v1/auth/login') return { status: 200, answer: { accessToken: 'admin-token', expiresIn: 900 } }
    if (path === '/api/v1/devices') {
      const { deviceId, ...rest } = z
        .object({ deviceId: z.string(), name: z.string().optional(), secret: z.string().optional() })
        .parse(body)
      if (this.devices.has(deviceId)) return problem({ status: 409, code: 'device_exists' })
      this.devices.set(deviceId, rest)
      return { status: 201, answer: { deviceId } }
    }
    const [, rotated] = /^\/api\/v1\/devices\/(\d+)\/secret$/.exec(path) ?? []
    if (rotated === undefined) return problem({ status: 404, code: 'not_found' })
    const secret = `rotated-secret-of-${rotated}`
    this.devices.set(rotated, { ...this.devices.get(rotated), secret })
    return { status: 200, answer: { secret } }
  }

  private login(body: unknown): { status: number; answer: unknown } {
    this.logins.push(body)
    const { imei, secret } = z.object({ imei: z.string(), secret: z.string().optional() }).parse(body)
    const device = this.devices.get(imei)
    const isKnown = this.isOpen || device !== undefined
    if (!isKnown || device?.secret !== secret) return problem({ status: 401, code: 'login_refused' })
    const accessToken = `${imei}:${++this.tokens}`
    return { status: 200, answer: { accessToken, tokenType: 'Bearer', expiresIn: this.tokenLifeS } }
  }
}

function deviceIdOf(token: string): string {
  return token.split(':')[0] ?? ''
}

function problem({ status, code }: RestRefusal): { status: number; answer: unknown } {
  return { status, answer: { type: `urn:milepost:error:${code}`, title: code, status, detail: `${code}!`, code } }
}
