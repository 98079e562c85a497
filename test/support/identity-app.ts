import { rmSync } from 'node:fs'
import { Global, Logger, Module, type Type } from '@nestjs/common'
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify'
import { Test } from '@nestjs/testing'
import { parseConfig } from '../../src/config/app-config.js'
import { ConfigModule } from '../../src/config/config.module.js'
import { hashDeviceSecret } from '../../src/identity/device-secrets.js'
import { FirstAdmin } from '../../src/identity/first-admin.js'
import { IdentityModule } from '../../src/identity/identity.module.js'
import { MetricsModule } from '../../src/metrics/metrics.module.js'
import { DiskGuardModule } from '../../src/storage/disk-guard.module.js'
import { AuditRecords } from '../../src/storage/sql/audit-records.js'
import { type DeviceRecord, DeviceRecords } from '../../src/storage/sql/device-records.js'
import { IdempotencyRecords } from '../../src/storage/sql/idempotency-records.js'
import { SqlStore } from '../../src/storage/sql/sql-store.js'
import { UserRecords } from '../../src/storage/sql/user-records.js'
import { RouteMethods } from '../../src/web/route-methods.js'
import { WebModule } from '../../src/web/web.module.js'
import { makeDevice } from './memory-device-records.js'
import { temporaryDirectory } from './temporary-directory.js'
import { openTestRecords, type TestRecords } from './test-records.js'

export const ADMIN_PASSWORD = 'correct horse battery'
export const DEVICE_SECRET = 'vJ3l0eGQH1bWq2s7m9c4k8x6'
const API = '/api/v1'

export interface HttpAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: what the JSON of an answer holds is for the test to say
  readonly json: any
}

export interface IdentityAppOptions {
  readonly environment?: Record<string, string>
  readonly controllers?: Type[]
}

/** The rooms web and identity with routes of the test's, on an embedded database; requests go in without a socket. */
export class IdentityApp {
  private app: NestFastifyApplication | undefined

  private constructor(
    readonly records: TestRecords,
    private readonly directory: string,
    private readonly options: IdentityAppOptions,
  ) {}

  /** Starts it; the user `admin` exists, and logins are not limited unless the environment says so. */
  static async open(options: IdentityAppOptions = {}): Promise<IdentityApp> {
    Logger.overrideLogger(false)
    const identity = new IdentityApp(await openTestRecords(), temporaryDirectory(), options)
    try {
      await identity.start()
    } catch (error) {
      await identity.close()
      throw error
    }
    return identity
  }

  /** A provider of the running application. */
  get<T>(type: Type<T>): T {
    if (this.app === undefined) throw new Error('it is not running')
    return this.app.get(type)
  }

  async restart(): Promise<void> {
    await this.app?.close()
    await this.start()
  }

  async close(): Promise<void> {
    await this.app?.close()
    await this.records.close()
    rmSync(this.directory, { recursive: true, force: true })
  }

  async call(
    method: string,
    url: string,
    { body, token, headers }: { body?: unknown; token?: string; headers?: Record<string, string> } = {},
  ): Promise<HttpAnswer> {
    if (this.app === undefined) throw new Error('it is not running')
    const answer = await this.app.inject({
      method: method as 'GET',
      url,
      headers: { ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...headers },
      ...(body === undefined ? {} : { payload: body as object }),
    })
    const isJson = answer.body !== '' && String(answer.headers['content-type'] ?? '').includes('json')
    return {
      status: answer.statusCode,
      headers: answer.headers,
      text: answer.body,
      json: isJson ? JSON.parse(answer.body) : undefined,
    }
  }

  /** @returns the tokens */
  async login(username = 'admin', password = ADMIN_PASSWORD): Promise<{ accessToken: string; refreshToken: string }> {
    const { status, json, text } = await this.call('POST', `${API}/auth/login`, { body: { username, password } })
    if (status !== 200) throw new Error(text)
    return json
  }

  async addUser(username: string, role: string): Promise<string> {
    const { accessToken: token } = await this.login()
    const body = { username, password: ADMIN_PASSWORD, role }
    const { status, text } = await this.call('POST', `${API}/users`, { body, token })
    if (status !== 201) throw new Error(text)
    return (await this.login(username)).accessToken
  }

  /** Stores a device with {@link DEVICE_SECRET}, or what is given instead. */
  async addDevice(deviceId: string, changes: Partial<DeviceRecord> = {}): Promise<void> {
    const secretHash = hashDeviceSecret(DEVICE_SECRET)
    await this.records.devices.insert(makeDevice({ deviceId, kind: 'imei', secretHash, ...changes }))
  }

  /** @returns the device token */
  async loginDevice(imei: string): Promise<string> {
    const body = { imei, secret: DEVICE_SECRET }
    const { status, json, text } = await this.call('POST', `${API}/auth/device`, { body })
    if (status !== 200) throw new Error(text)
    return json.accessToken
  }

  private async start(): Promise<void> {
    const { environment, controllers } = this.options
    const base = { DATA_DIR: this.directory, ADMIN_PASSWORD, LOGIN_FAILURES_PER_MINUTE: '0' }
    const config = parseConfig({ ...base, ...environment })
    const module = await Test.createTestingModule({
      imports: [
        ConfigModule.of(config),
        MetricsModule,
        DiskGuardModule,
        portsModule(this.records),
        WebModule,
        IdentityModule,
      ],
      controllers,
    }).compile()
    this.app = module.createNestApplication<NestFastifyApplication>(new FastifyAdapter())
    const fastify = this.app.getHttpAdapter().getInstance()
    this.app.get(RouteMethods).watch(fastify)
    await this.app.init()
    await fastify.ready()
    await this.app.get(FirstAdmin).ensure()
  }
}

function portsModule(records: TestRecords): Type {
  const ports = [
    { provide: DeviceRecords, useValue: records.devices },
    { provide: UserRecords, useValue: records.users },
    { provide: AuditRecords, useValue: records.audit },
    { provide: IdempotencyRecords, useValue: records.idempotency },
    { provide: SqlStore, useValue: records.store },
  ]
  @Global()
  @Module({ providers: ports, exports: ports })
  class PortsModule {}
  return PortsModule
}
