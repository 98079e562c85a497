import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type AppConfig, parseConfig } from '../../src/config/app-config.js'
import { DeviceDirectory } from '../../src/identity/device-directory.js'
import { EnvironmentKeys } from '../../src/identity/key-source.js'
import { generateSigningJwk } from '../../src/identity/signing-key.js'
import { SigningKeys } from '../../src/identity/signing-keys.js'
import { TokenVerifier } from '../../src/identity/token-verifier.js'
import { TokenIssuer } from '../../src/identity/tokens.js'
import { UserSessionDirectory } from '../../src/identity/user-session-directory.js'
import { LiveSocket } from '../../src/live/live-socket.js'
import { SocketLiveFeed } from '../../src/live/socket-live-feed.js'
import { UserLinks } from '../../src/live/user-links.js'
import { Metrics } from '../../src/metrics/metrics.js'
import type { DeviceRecord } from '../../src/storage/sql/device-records.js'
import type { UserRecords, UserSessionRecord } from '../../src/storage/sql/user-records.js'
import { SocketServer } from '../../src/web/socket-server.js'

/** A session that a test logged in. */
export interface TestSession {
  readonly sessionId: string
  readonly username: string
  readonly token: string
}

/** The `/live` namespace on a real server with real tokens, without the rest of the application. */
export class LiveServer {
  readonly metrics = new Metrics()
  readonly feed = new SocketLiveFeed(this.metrics)

  private constructor(
    readonly url: string,
    readonly sessions: UserSessionDirectory,
    private readonly records: Map<string, UserSessionRecord>,
    private readonly keys: SigningKeys,
    private readonly socketServer: SocketServer,
    config: AppConfig,
  ) {
    const devices = new DeviceDirectory({ find: async () => DEVICE } as never)
    const verifier = new TokenVerifier(keys, devices, sessions)
    this.socket = new LiveSocket(socketServer, new UserLinks(config, verifier, sessions), this.feed, this.metrics)
    this.socket.onApplicationBootstrap()
  }

  private readonly socket: LiveSocket

  static async start(environment: Record<string, string> = {}): Promise<LiveServer> {
    const config = parseConfig(environment)
    const keySet = JSON.stringify({ keys: [await generateSigningJwk()] })
    const keys = await SigningKeys.open(new EnvironmentKeys(keySet))
    const httpServer = createServer().listen(0, '127.0.0.1')
    await once(httpServer, 'listening')
    const socketServer = new SocketServer(config)
    socketServer.attach(httpServer)
    const { port } = httpServer.address() as AddressInfo
    const records = new Map<string, UserSessionRecord>()
    const users = {
      findSession: async (sessionId: string) => records.get(sessionId),
      find: async (username: string) => ({ username, role: 'viewer', disabled: false }),
    }
    const sessions = new UserSessionDirectory(users as unknown as UserRecords, 900_000)
    return new LiveServer(`http://127.0.0.1:${port}`, sessions, records, keys, socketServer, config)
  }

  /** Logs a user in. */
  async login(username = 'anna', tokenLifeS = 900): Promise<TestSession> {
    const sessionId = randomUUID()
    const expiresAtMs = Date.now() + 86_400_000
    const record = { sessionId, username, createdAtMs: Date.now(), expiresAtMs, endedAtMs: null }
    this.records.set(sessionId, record)
    const { token } = await this.issuer(tokenLifeS).issueUser(record)
    return { sessionId, username, token }
  }

  /** Ends a session, as a logout does. */
  end({ sessionId }: TestSession): void {
    this.records.delete(sessionId)
    this.sessions.ended([sessionId])
  }

  /** Another token of the session. */
  async tokenOf({ sessionId, username }: TestSession, tokenLifeS = 900): Promise<string> {
    const { token } = await this.issuer(tokenLifeS).issueUser({
      sessionId,
      username,
      expiresAtMs: Date.now() + 86_400_000,
    })
    return token
  }

  async deviceToken(): Promise<string> {
    return (await this.issuer(900).issueDevice(DEVICE)).token
  }

  /** What the server holds for a client whose network does not take it, in bytes: engine.io's buffer and the websocket's. */
  waitingBytesFor(socketId: string): number {
    const conn = this.socketServer.io.of('/live').sockets.get(socketId)?.conn as unknown as {
      writeBuffer: Array<{ data?: string }>
      transport: { socket: { bufferedAmount: number } }
    }
    const inEngine = conn.writeBuffer.reduce((sum, { data = '' }) => sum + data.length, 0)
    return inEngine + conn.transport.socket.bufferedAmount
  }

  /** Connections on the namespace. */
  get links(): number {
    return this.socketServer.io.of('/live').sockets.size
  }

  /** As an application that stops. */
  stop(): void {
    this.socket.onModuleDestroy()
  }

  async close(): Promise<void> {
    this.stop()
    await this.socketServer.io.close()
  }

  private issuer(userS: number): TokenIssuer {
    return new TokenIssuer(this.keys, { deviceS: 900, userS })
  }
}

const DEVICE = { deviceId: '356938035643809', generation: 'one', status: 'active' } as DeviceRecord
