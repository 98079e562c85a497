import { statSync } from 'node:fs'
import path from 'node:path'
import { FakeServer } from '../test/simulator/fake-server.js'
import { removeTemporaryDirectories, temporaryDirectory } from '../test/support/temporary-directory.js'
import { SystemClock } from './clock.js'
import { Registration } from './registration.js'
import { SecretBook } from './secret-book.js'
import { ServerApi } from './socket/server-api.js'

afterAll(removeTemporaryDirectories)

const TRUCKS = Array.from({ length: 20 }, (_, index) => ({ deviceId: String(1000 + index), name: `Truck ${index}` }))

let server: FakeServer

beforeEach(async () => {
  server = await FakeServer.start()
})

afterEach(() => server.stop())

function registration(secrets?: SecretBook) {
  return new Registration({
    api: new ServerApi(server.origin),
    admin: { username: 'admin', password: 'right' },
    secrets,
    clock: new SystemClock(),
    random: () => 0,
  })
}

const newBook = () => path.join(temporaryDirectory(), 'secrets.jsonl')

describe('Registration', () => {
  it('registers each truck, and leaves those that exist as they are', async () => {
    server.devices.set('1003', { name: 'was there' })
    expect(await registration().register(TRUCKS)).toEqual({ created: 19 })
    expect(await registration().register(TRUCKS)).toEqual({ created: 0 })
    expect(server.devices.size).toBe(20)
    expect(server.devices.get('1003')).toEqual({ name: 'was there' })
    expect(server.devices.get('1004')).toEqual({ name: 'Truck 4' })
  })

  it('registers with secrets, and knows them after a restart', async () => {
    const file = newBook()
    const book = new SecretBook(file)
    await registration(book).register(TRUCKS)
    const again = new SecretBook(file)
    await registration(again).register(TRUCKS)
    for (const { deviceId } of TRUCKS) {
      expect(again.find(deviceId)).toBe(server.devices.get(deviceId)?.secret)
      expect(again.find(deviceId)).toHaveLength(43)
    }
    expect(statSync(file).mode & 0o777).toBe(0o600)
  })

  it('gives a new secret to a truck whose secret it does not know', async () => {
    server.devices.set('1003', { secret: 'known to nobody here' })
    const book = new SecretBook(newBook())
    await registration(book).register(TRUCKS)
    expect(book.find('1003')).toBe('rotated-secret-of-1003')
    expect(server.devices.get('1003')?.secret).toBe('rotated-secret-of-1003')
  })

  it('waits for a store that is away for a moment, as long as asked', async () => {
    let refusals = 2
    server.refuseRest = (called) =>
      called === '/api/v1/devices' && refusals-- > 0
        ? { status: 503, code: 'store_unavailable', retryAfter: '1' }
        : undefined
    const startedMs = Date.now()
    expect(await registration().register(TRUCKS.slice(0, 1))).toEqual({ created: 1 })
    expect(Date.now() - startedMs).toBeGreaterThanOrEqual(2000)
  })

  it('signs in again when its token has expired', async () => {
    let calls = 0
    let logins = 0
    server.refuseRest = (called) => {
      if (called === '/api/v1/auth/login') logins++
      return called === '/api/v1/devices' && calls++ === 5 ? { status: 401, code: 'token_expired' } : undefined
    }
    expect(await registration().register(TRUCKS)).toEqual({ created: 20 })
    expect(logins).toBe(2)
  })

  it.each([
    ['/api/v1/auth/login', 'login_refused', 'signing in as admin: login_refused! (login_refused)'],
    ['/api/v1/devices', 'forbidden', 'registering 1000: forbidden! (forbidden)'],
  ])('says why %s was refused', async (refused, code, message) => {
    server.refuseRest = (called) => (called === refused ? { status: 401, code } : undefined)
    await expect(registration().register(TRUCKS.slice(0, 1))).rejects.toThrow(message)
  })
})
