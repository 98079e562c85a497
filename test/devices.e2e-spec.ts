import type { Socket } from 'socket.io-client'
import { AppError } from '../src/model/app-error.js'
import { PositionStore } from '../src/storage/positions/position-store.js'
import { DeviceRecords } from '../src/storage/sql/device-records.js'
import { type RunningApp, startApp } from './support/app.js'
import { DEVICES, DeviceCalls, type DeviceItem } from './support/device-calls.js'
import { removeTemporaryDirectories } from './support/temporary-directory.js'
import { closingOf, connectSocket } from './support/unit-socket.js'

const GIVEN_SECRET = 'a secret of 20 chars'

describe('devices', () => {
  let running: RunningApp
  let devices: DeviceCalls
  const sockets: Socket[] = []

  beforeAll(async () => {
    running = await startApp({})
    devices = new DeviceCalls(running, 700000)
  })

  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.close()
  })

  afterAll(async () => {
    await running.close()
    await removeTemporaryDirectories()
  })

  async function connect(token: string): Promise<Socket> {
    const socket = await connectSocket(running.url, { token })
    sockets.push(socket)
    return socket
  }

  async function userToken(role: string): Promise<string> {
    const user = { username: role, password: 'a password for tests', role }
    await running.api.post('/api/v1/users', user, running.admin)
    return running.api.login(user.username, user.password)
  }

  describe('adding', () => {
    it('answers the whole item, where it is, and no secret for a cellular unit', async () => {
      const deviceId = devices.newImei()
      const { status, headers, body } = await devices.call('POST', '', {
        deviceId,
        name: '  Truck 7 ',
        plate: '',
        brand: null,
      })
      expect([status, headers.get('location')]).toEqual([201, `${DEVICES}/${deviceId}`])
      expect(body).toEqual({
        deviceId,
        kind: 'imei',
        name: 'Truck 7',
        plate: null,
        brand: null,
        model: null,
        protocol: null,
        status: 'active',
        authenticated: false,
        trackerAllowed: false,
        contested: false,
        online: false,
        transport: null,
        lastSeenAt: null,
        position: null,
        createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        secret: null,
      })
      const { secret: _, ...item } = body
      expect((await devices.call('GET', `/${deviceId}`)).body).toEqual(item)
    })

    it('shows the generated secret of another box once, and it logs in with that', async () => {
      const { body } = await devices.call('POST', '', { deviceId: 'gate-1' })
      expect(body).toMatchObject({ kind: 'named', authenticated: true, secret: expect.stringMatching(/^[\w-]{32}$/) })
      const login = await running.api.post('/api/v1/auth/device', { deviceId: 'gate-1', secret: body.secret })
      expect(login.status).toBe(200)
      expect((await devices.call('GET', '/gate-1')).text).not.toContain(String(body.secret))
    })

    it('never shows a given secret', async () => {
      const { status, body, text } = await devices.call('POST', '', { deviceId: 'gate-2', secret: GIVEN_SECRET })
      expect([status, body.secret]).toEqual([201, null])
      expect(text).not.toContain(GIVEN_SECRET)
    })

    it('answers what was stored also while the positions are out of reach', async () => {
      const findLatest = jest.spyOn(running.app.get(PositionStore), 'findLatest')
      findLatest.mockRejectedValue(new AppError('store_unavailable'))
      const added = await devices.call('POST', '', { deviceId: 'gate-5' })
      const changed = await devices.call('PATCH', '/gate-5', { name: 'Gate' })
      expect((await devices.call('GET', '/gate-5')).body.code).toBe('store_unavailable')
      findLatest.mockRestore()
      expect([added.status, added.body.position, changed.status]).toEqual([201, null, 200])
      expect(changed.body).toMatchObject({ name: 'Gate', position: null })
      const secret = { deviceId: 'gate-5', secret: added.body.secret }
      expect((await running.api.post('/api/v1/auth/device', secret)).status).toBe(200)
    })

    it('answers a repeat with the same key as the first time', async () => {
      const headers = { 'idempotency-key': 'once' }
      const add = (body: unknown) =>
        running.api.request<DeviceItem>('POST', DEVICES, { token: running.admin, headers, body })
      const first = await add({ deviceId: 'gate-3' })
      const second = await add({ deviceId: 'gate-3' })
      expect([first.status, second.status, second.body]).toEqual([201, 201, first.body])
      expect((await add({ deviceId: 'gate-4' })).body.code).toBe('idempotency_key_reused')
    })

    it.each([
      [{ deviceId: '350000000000000' }, 400, 'invalid_imei'],
      [{ deviceId: 'a b' }, 400, 'invalid_imei'],
      [{}, 400, 'invalid_request'],
      [{ deviceId: 7 }, 400, 'invalid_request'],
      [{ deviceId: 'gate-9', secret: 'nineteen characters' }, 400, 'invalid_request'],
      [{ deviceId: 'gate-9', name: 'x'.repeat(201) }, 400, 'invalid_request'],
      [{ deviceId: 'gate-9', name: 'bell \u0007' }, 400, 'invalid_request'],
      [{ deviceId: 'gate-9', colour: 'red' }, 400, 'invalid_request'],
      [{ deviceId: 'gate-1' }, 409, 'device_exists'],
      [[], 400, 'invalid_request'],
    ])('refuses %j with %i %s', async (body, status, code) => {
      const answer = await devices.call('POST', '', body)
      expect([answer.status, answer.body.code]).toEqual([status, code])
    })
  })

  describe('changing', () => {
    it('changes what is given, clears what is null, and never shows a command password', async () => {
      const deviceId = devices.newImei()
      await devices.call('POST', '', { deviceId, name: 'Truck 7', plate: 'M-MP 7', brand: 'Acme' })
      const changes = { name: null, plate: ' M-MP 8 ', model: 'X1', trackerAllowed: true, commandPassword: 'hush hush' }
      const { status, body, text } = await devices.call('PATCH', `/${deviceId}`, { ...changes, trackerSack: true })
      expect(status).toBe(200)
      expect(body).toMatchObject({ name: null, plate: 'M-MP 8', brand: 'Acme', model: 'X1', trackerAllowed: true })
      expect(text).not.toContain('hush')
      const record = await devices.get(DeviceRecords).find(deviceId)
      expect(record).toMatchObject({ commandPassword: 'hush hush', trackerSack: true })
    })

    it('shows a device with a secret as believed when it may speak as a tracker', async () => {
      const deviceId = devices.newImei()
      await devices.call('POST', '', { deviceId, secret: GIVEN_SECRET })
      expect((await devices.call('GET', `/${deviceId}`)).body.authenticated).toBe(true)
      expect((await devices.call('PATCH', `/${deviceId}`, { trackerAllowed: true })).body.authenticated).toBe(false)
    })

    it.each([
      [{ secret: GIVEN_SECRET }, 400, 'invalid_request'],
      [{ status: 'retired' }, 400, 'invalid_request'],
      [{ status: null }, 400, 'invalid_request'],
      [{ deviceId: 'other' }, 400, 'invalid_request'],
      [{ commandPassword: '' }, 400, 'invalid_request'],
    ])('refuses %j with %i %s', async (body, status, code) => {
      const answer = await devices.call('PATCH', '/gate-1', body)
      expect([answer.status, answer.body.code]).toEqual([status, code])
    })

    it('knows no device that is not there', async () => {
      for (const [method, path] of [
        ['GET', '/nobody'],
        ['PATCH', '/nobody'],
        ['DELETE', '/nobody'],
        ['DELETE', '/nobody?erase=true'],
        ['POST', '/nobody/secret'],
        ['GET', '/a%20b'],
        ['GET', `/${'x'.repeat(65)}`],
      ] as const) {
        const answer = await devices.call(method, path, method === 'PATCH' ? {} : undefined)
        expect([path, answer.status, answer.body.code]).toEqual([path, 404, 'not_found'])
      }
    })
  })

  describe('ending links and tokens', () => {
    it('ends both when a device is disabled, and lets it come back when it is enabled', async () => {
      const deviceId = devices.newImei()
      await devices.call('POST', '', { deviceId })
      const token = await running.api.loginDevice(deviceId)
      const socket = await connect(token)
      expect((await devices.call('GET', `/${deviceId}`)).body).toMatchObject({ online: true, transport: 'socket' })
      const closing = closingOf(socket)
      expect((await devices.call('PATCH', `/${deviceId}`, { status: 'disabled' })).body.status).toBe('disabled')
      const startedMs = performance.now()
      expect((await closing).code).toBe('device_disabled')
      expect(performance.now() - startedMs).toBeLessThan(1000)
      expect((await devices.call('GET', `/${deviceId}`)).body).toMatchObject({ online: false, transport: null })
      await expect(connect(token)).rejects.toMatchObject({ code: 'login_refused' })
      await expect(running.api.loginDevice(deviceId)).rejects.toThrow('login_refused')
      await devices.call('PATCH', `/${deviceId}`, { status: 'active' })
      await expect(connect(token)).rejects.toMatchObject({ code: 'login_refused' })
      await connect(await running.api.loginDevice(deviceId))
      expect((await devices.call('GET', `/${deviceId}`)).body.online).toBe(true)
    })

    it('makes a unit log in again, with the new secret, when that is renewed', async () => {
      const deviceId = devices.newImei()
      await devices.call('POST', '', { deviceId, secret: GIVEN_SECRET })
      const token = await running.api.loginDevice(deviceId, GIVEN_SECRET)
      const closing = closingOf(await connect(token))
      const { status, body } = await devices.call<{ secret: string }>('POST', `/${deviceId}/secret`)
      expect([status, Object.keys(body)]).toEqual([200, ['secret']])
      expect((await closing).code).toBe('token_expired')
      await expect(connect(token)).rejects.toMatchObject({ code: 'login_refused' })
      await expect(running.api.loginDevice(deviceId, GIVEN_SECRET)).rejects.toThrow('login_refused')
      await connect(await running.api.loginDevice(deviceId, body.secret))
    })

    it('ends both when a device is deleted, and starts afresh when it is added again', async () => {
      const deviceId = devices.newImei()
      await devices.call('POST', '', { deviceId })
      const token = await running.api.loginDevice(deviceId)
      const closing = closingOf(await connect(token))
      expect((await devices.call('DELETE', `/${deviceId}`)).status).toBe(204)
      expect((await closing).code).toBe('device_disabled')
      await expect(connect(token)).rejects.toMatchObject({ code: 'login_refused' })
      expect((await devices.call('GET', `/${deviceId}`)).status).toBe(404)
      expect((await devices.call('POST', '', { deviceId })).body).toMatchObject({ online: false, lastSeenAt: null })
      await expect(connect(token)).rejects.toMatchObject({ code: 'login_refused' })
      await connect(await running.api.loginDevice(deviceId))
    })
  })

  it('lets viewers and operators look, and admins alone change', async () => {
    for (const role of ['viewer', 'operator']) {
      const token = await userToken(role)
      expect((await devices.call('GET', '', undefined, token)).status).toBe(200)
      expect((await devices.call('GET', '/gate-1', undefined, token)).status).toBe(200)
      expect((await devices.call('GET', '/gate-1/track', undefined, token)).status).toBe(200)
      for (const [method, path, body] of [
        ['POST', '', { deviceId: 'gate-8' }],
        ['POST', '/import', {}],
        ['PATCH', '/gate-1', {}],
        ['DELETE', '/gate-1', undefined],
        ['POST', '/gate-1/secret', undefined],
      ] as const) {
        const answer = await devices.call(method, path, body, token)
        expect([role, method, path, answer.status, answer.body.code]).toEqual([role, method, path, 403, 'forbidden'])
      }
      const quarantine = await running.api.get('/api/v1/quarantine', token)
      expect([quarantine.status, quarantine.body.code]).toEqual([403, 'forbidden'])
    }
  })

  it('writes every change to the audit log, and no secret', async () => {
    const deviceId = devices.newImei()
    await devices.call('POST', '', { deviceId, secret: GIVEN_SECRET })
    await devices.call('PATCH', `/${deviceId}`, { name: 'Audited', commandPassword: 'hush hush' })
    const { secret } = (await devices.call<{ secret: string }>('POST', `/${deviceId}/secret`)).body
    await devices.call('DELETE', `/${deviceId}?erase=true`)
    const entries = await running.api.all<Record<string, unknown>>('/api/v1/audit?by=admin', running.admin)
    const ours = entries.filter(({ target }) => target === deviceId)
    expect(ours.map(({ action, detail }) => [action, detail])).toEqual([
      ['device.delete', { erase: true }],
      ['device.erase', null],
      ['device.secret', null],
      ['device.update', { name: 'Audited', commandPassword: '(not shown)' }],
      ['device.create', { kind: 'imei', name: null, plate: null, hasSecret: true }],
    ])
    expect(ours.every(({ address }) => address === '127.0.0.1')).toBe(true)
    const text = JSON.stringify(entries)
    for (const one of [secret, GIVEN_SECRET, 'hush hush']) expect(text).not.toContain(one)
  })
})
