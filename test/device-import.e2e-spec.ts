import type { Socket } from 'socket.io-client'
import { testImei } from './support/api.js'
import { type RunningApp, startApp } from './support/app.js'
import { DEVICES, DeviceCalls } from './support/device-calls.js'
import { removeTemporaryDirectories } from './support/temporary-directory.js'
import { connectSocket } from './support/unit-socket.js'

const GIVEN_SECRET = 'a secret of 20 chars'

describe('importing devices', () => {
  let running: RunningApp
  let devices: DeviceCalls
  const sockets: Socket[] = []

  beforeAll(async () => {
    running = await startApp({})
    devices = new DeviceCalls(running, 730000)
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

  const importCsv = (text: string, headers: Record<string, string> = {}) =>
    running.api.request('POST', `${DEVICES}/import`, {
      token: running.admin,
      text,
      headers: { 'content-type': 'text/csv', ...headers },
    })

  it('adds and changes devices and names the lines it could not take', async () => {
    const known = devices.newImei()
    const added = devices.newImei()
    await devices.call('POST', '', { deviceId: known, name: 'old', plate: 'kept' })
    const text = `\ufeffname,deviceId\r\n"Truck, ""7""\r\nof two lines",${known}\r\n,123456789012345\r\n=1+1,${added}\r\n`
    const { status, body } = await importCsv(text)
    expect([status, body]).toEqual([
      200,
      { created: 1, updated: 1, rejected: [{ line: 4, code: 'invalid_imei', message: expect.any(String) }] },
    ])
    expect((await devices.call('GET', `/${known}`)).body).toMatchObject({
      name: 'Truck, "7"\r\nof two lines',
      plate: 'kept',
    })
    expect((await devices.call('GET', `/${added}`)).body.name).toBe('=1+1')
  })

  it('ends tokens and links of a device whose secret it changes, and of no other', async () => {
    const [changed, same] = [devices.newImei(), devices.newImei()]
    for (const deviceId of [changed, same]) await devices.call('POST', '', { deviceId, secret: GIVEN_SECRET })
    const tokens = await Promise.all([changed, same].map((id) => running.api.loginDevice(id, GIVEN_SECRET)))
    await importCsv(`deviceId,secret\n${changed},another secret of 28 chars\n${same},${GIVEN_SECRET}\n`)
    await expect(connect(tokens[0] ?? '')).rejects.toMatchObject({ code: 'login_refused' })
    await connect(tokens[1] ?? '')
    expect((await running.api.loginDevice(changed, 'another secret of 28 chars')).length).toBeGreaterThan(100)
  })

  it('answers a repeat with the same key as the first time', async () => {
    const text = `deviceId\n${devices.newImei()}\n`
    const first = await importCsv(text, { 'idempotency-key': 'import once' })
    const second = await importCsv(text, { 'idempotency-key': 'import once' })
    expect([first.body, second.body]).toEqual(Array(2).fill({ created: 1, updated: 0, rejected: [] }))
    const other = await importCsv(`${text}${devices.newImei()}\n`, { 'idempotency-key': 'import once' })
    expect(other.body.code).toBe('idempotency_key_reused')
  })

  it.each([
    ['deviceId,colour\n1,red', {}, 400, 'invalid_request'],
    ['', {}, 400, 'invalid_request'],
    ['{}', { 'content-type': 'application/json' }, 415, 'unsupported_media_type'],
    ['deviceId', { 'content-type': 'text/csv; charset=utf-16' }, 415, 'unsupported_media_type'],
  ])('refuses %j with %j: %i %s', async (text, headers, status, code) => {
    const answer = await importCsv(text, headers)
    expect([answer.status, answer.body.code]).toEqual([status, code])
  })

  it('takes 2,000 lines in one file', async () => {
    const lines = Array.from({ length: 2000 }, (_, n) => `${testImei(800_000 + n)},Bulk ${n}`)
    expect((await importCsv(`deviceId,name\n${lines.join('\n')}\n`)).body).toEqual({
      created: 2000,
      updated: 0,
      rejected: [],
    })
    expect(await devices.idsOf('text=bulk&limit=500')).toEqual(lines.map((line) => line.split(',')[0]))
  })
})
