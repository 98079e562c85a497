import { createHash, randomUUID } from 'node:crypto'
import { Logger } from '@nestjs/common'
import { CommandChanges } from '../src/commands/command-changes.js'
import { parseConfig } from '../src/config/app-config.js'
import { DeviceRegistry } from '../src/devices/device-registry.js'
import { AuditLog } from '../src/identity/audit-log.js'
import { DeviceDirectory } from '../src/identity/device-directory.js'
import { ErasingDevices } from '../src/identity/erasing-devices.js'
import { IdempotencyClaims } from '../src/identity/idempotency-claims.js'
import { UserLogin } from '../src/identity/user-login.js'
import { UserSessionDirectory } from '../src/identity/user-session-directory.js'
import { Metrics } from '../src/metrics/metrics.js'
import { Sessions } from '../src/sessions/sessions.js'
import type { DiskGuard } from '../src/storage/disk-guard.js'
import { openMysqlRecords } from '../src/storage/sql/open-mysql-records.js'
import type { SqlRecords } from '../src/storage/sql/records-of.js'
import { describeOn } from './stores/describe-on.js'
import { makeSqlDatabase } from './stores/test-servers.js'
import { UnreliableNetwork } from './stores/unreliable-network.js'
import { makeDevice } from './support/memory-device-records.js'
import { testUser } from './support/test-records.js'

const IMEI = '350123451234567'
const AWAY = { code: 'store_unavailable' }

describeOn('SQL_URL', 'when the SQL server did what it was told and its answer is lost', () => {
  let network: UnreliableNetwork
  let records: SqlRecords
  let audit: AuditLog
  let remove: () => Promise<void>

  beforeEach(async () => {
    Logger.overrideLogger(false)
    const made = await makeSqlDatabase()
    remove = made.remove
    const url = made.variables.SQL_URL ?? ''
    network = await UnreliableNetwork.before(url)
    records = await openMysqlRecords({ url: network.urlOf(url), tls: 'off', poolSize: 1 })
    audit = new AuditLog(records.audit, records.store)
  })
  afterEach(async () => {
    await records.store.close()
    await network.close()
    await remove()
    Logger.overrideLogger(['error'])
  })

  /** Runs it and loses the answer to the first statement with this text. */
  async function lose(text: string, run: () => Promise<unknown>): Promise<void> {
    const lost = network.cutAnswerTo(text)
    await expect(run()).rejects.toMatchObject(AWAY)
    await lost
  }

  it('a device that was disabled stops speaking once it is disabled again', async () => {
    await records.devices.insert(makeDevice({ deviceId: IMEI }))
    const directory = new DeviceDirectory(records.devices)
    const sessions = new Sessions(new Metrics())
    const registry = new DeviceRegistry(records.devices, directory, sessions, parseConfig({}), new ErasingDevices())
    const closed: string[] = []
    const close = (code: string) => void closed.push(code)
    const facts = { deviceId: IMEI, transport: 'socket', openedAtMs: 0, carriesCommandIds: true } as const
    sessions.open({ ...facts, sendCommand: async () => undefined, close }, true)
    await directory.find(IMEI)
    const disable = () =>
      registry.change(IMEI, { status: 'disabled' }, (write) =>
        audit.change(
          ({ devices }) => write(devices),
          () => ({ by: 'ann', action: 'device.update', target: IMEI }),
        ),
      )
    await lose('COMMIT', disable)
    expect([closed, directory.peek(IMEI)]).toEqual([[], undefined])
    expect((await disable())?.changed).toEqual([])
    expect([closed[0], directory.peek(IMEI)?.status]).toEqual(['device_disabled', 'disabled'])
    expect(await records.audit.list({ limit: 5 })).toHaveLength(1)
    registry.onModuleDestroy()
  })

  it('a key is free, and an answer is kept in the end', async () => {
    const claims = new IdempotencyClaims(records.idempotency, 'this server')
    const claim = { scopeHash: 'k', bodyHash: 'b' }
    const release = jest.spyOn(records.idempotency, 'release')
    await lose('idempotency_keys', () => claims.take(claim))
    expect(await claims.take(claim)).toBeUndefined()
    expect(release).toHaveBeenCalledTimes(1)
    const lost = network.cutAnswerTo('idempotency_keys')
    await claims.complete(claim, 201, 'sealed')
    await lost
    expect(await claims.take(claim)).toEqual({ status: 201, sealed: 'sealed' })
    claims.onModuleDestroy()
    const restarted = new IdempotencyClaims(records.idempotency, 'this server')
    await restarted.onModuleInit()
    expect(await restarted.take(claim)).toEqual({ status: 201, sealed: 'sealed' })
  })

  it('a command is told of when its request comes again', async () => {
    const changes = new CommandChanges(records.commands, { assertWritable: () => undefined } as DiskGuard)
    const told: string[] = []
    changes.onChange(({ status }) => told.push(status))
    const wish = { deviceId: IMEI, type: 'RESET', params: {}, ttlMs: 60_000, createdBy: 'ann' } as const
    const fact = () => ({ by: 'ann', action: 'command.create' })
    await lose('COMMIT', () =>
      changes.begin(wish, 'request', (write) => audit.change(({ commands }) => write(commands), fact)),
    )
    const made = await records.commands.findByRequest('request', 0)
    expect([made?.status, told]).toEqual(['queued', []])
    if (made) changes.found(made, 'request')
    expect(told).toEqual(['queued'])
  })

  it('nobody is taken for a thief who presents a refresh token again', async () => {
    const sessions = new UserSessionDirectory(records.users, 900_000)
    const issuer = { issueUser: async () => ({ token: 'access', expiresInS: 900 }) }
    const login = new UserLogin(parseConfig({}), records.users, sessions, { issuer } as never, audit)
    await records.users.insert(testUser({ username: 'ann' }))
    const sessionId = randomUUID()
    const refreshToken = `${sessionId}.${'a'.repeat(43)}`
    const times = { createdAtMs: Date.now(), expiresAtMs: Date.now() + 60_000, endedAtMs: null }
    const hash = createHash('sha256').update(refreshToken).digest('hex')
    await records.users.insertSession({ sessionId, username: 'ann', ...times }, hash)
    await lose('COMMIT', () => login.refresh(refreshToken, '192.0.2.7'))
    const second = await login.refresh(refreshToken, '192.0.2.7')
    const third = await login.refresh(second.refreshToken, '192.0.2.7')
    expect(third.user).toEqual({ username: 'ann', role: 'viewer' })
    await expect(login.refresh(refreshToken, '192.0.2.7')).rejects.toMatchObject({ code: 'token_invalid' })
    expect((await records.users.findSession(sessionId))?.endedAtMs).not.toBeNull()
  })
})
