import { createHmac, createPublicKey, type JsonWebKey } from 'node:crypto'
import { type JWTHeaderParameters, SignJWT, UnsecuredJWT } from 'jose'
import { makeDevice } from '../../test/support/memory-device-records.js'
import { openTestRecords, type TestRecords, testUser } from '../../test/support/test-records.js'
import type { AppError } from '../model/app-error.js'
import { DeviceDirectory } from './device-directory.js'
import { EnvironmentKeys } from './key-source.js'
import { generateSigningJwk, importSigningKey, type SigningKey } from './signing-key.js'
import { SigningKeys } from './signing-keys.js'
import { TokenVerifier } from './token-verifier.js'
import { TOKEN_KINDS, TokenIssuer } from './tokens.js'
import { UserSessionDirectory } from './user-session-directory.js'

const DEVICE_ID = '356307042441013'
const SESSION = '0b54a4f4-6f6f-4a5e-9d3f-4a4a0c6a6d3e'
const NOW_MS = Date.parse('2026-11-22T07:30:00.000Z')
const NOW_S = NOW_MS / 1000

describe('TokenVerifier', () => {
  let records: TestRecords
  let jwk: Awaited<ReturnType<typeof generateSigningJwk>>
  let keys: SigningKeys
  let stranger: SigningKey
  let nowMs: number
  let devices: DeviceDirectory
  let sessions: UserSessionDirectory
  let issuer: TokenIssuer
  let verifier: TokenVerifier

  beforeAll(async () => {
    records = await openTestRecords()
    jwk = await generateSigningJwk()
    stranger = await importSigningKey(await generateSigningJwk(), 0)
    keys = await SigningKeys.open(new EnvironmentKeys(JSON.stringify({ keys: [jwk] })))
    await records.devices.insert(makeDevice({ deviceId: DEVICE_ID, kind: 'imei', generation: 'g1' }))
    await records.users.insert(testUser({ username: 'anna', role: 'operator', createdAtMs: NOW_MS - 1 }))
    const times = { createdAtMs: NOW_MS, expiresAtMs: NOW_MS + 86_400_000, endedAtMs: null }
    await records.users.insertSession({ sessionId: SESSION, username: 'anna', ...times }, 'hash')
  })

  afterAll(() => records.close())

  beforeEach(() => {
    nowMs = NOW_MS
    const now = () => nowMs
    devices = new DeviceDirectory(records.devices, now)
    sessions = new UserSessionDirectory(records.users, 900_000, now)
    issuer = new TokenIssuer(keys, { deviceS: 864_000, userS: 900 }, now)
    verifier = new TokenVerifier(keys, devices, sessions, now)
  })

  const deviceToken = async () => (await issuer.issueDevice({ deviceId: DEVICE_ID, generation: 'g1' })).token
  const userToken = async () =>
    (await issuer.issueUser({ username: 'anna', sessionId: SESSION, expiresAtMs: NOW_MS + 86_400_000 })).token

  /** A device token that is right but for what is given; undefined leaves a member out. */
  function forge({
    claims = {} as Record<string, unknown>,
    header = {} as Record<string, unknown>,
    key = keys.current.privateKey,
  }): Promise<string> {
    const right = { sub: DEVICE_ID, gen: 'g1', aud: TOKEN_KINDS.device.audience, iat: NOW_S, exp: NOW_S + 60 }
    const payload = Object.entries({ ...right, ...claims }).filter(([, value]) => value !== undefined)
    const rightHeader = { alg: 'ES256', kid: keys.current.kid, typ: TOKEN_KINDS.device.type }
    const members = Object.entries({ ...rightHeader, ...header }).filter(([, value]) => value !== undefined)
    return new SignJWT(Object.fromEntries(payload))
      .setProtectedHeader(Object.fromEntries(members) as unknown as JWTHeaderParameters)
      .sign(key, { crit: { 'urn:x': true } })
  }

  async function codeOf(verification: Promise<unknown>): Promise<string> {
    try {
      await verification
      return 'passed'
    } catch (error) {
      return (error as AppError).code
    }
  }

  it('takes a device token for its ten days', async () => {
    const token = await deviceToken()
    const expiresAtMs = NOW_MS + 864_000_000
    expect(await verifier.verifyDevice(token)).toEqual({ deviceId: DEVICE_ID, expiresAtMs })
    nowMs = expiresAtMs - 1
    expect(await verifier.verifyDevice(token)).toEqual({ deviceId: DEVICE_ID, expiresAtMs })
    nowMs = expiresAtMs
    expect(await codeOf(verifier.verifyDevice(token))).toBe('token_expired')
    expect(await codeOf(verifier.verifyDevice(token))).toBe('token_expired')
  })

  it('takes a user token for its fifteen minutes, with the role that the user has now', async () => {
    const token = await userToken()
    const expected = {
      username: 'anna',
      role: 'operator',
      accountSinceMs: NOW_MS - 1,
      sessionId: SESSION,
      expiresAtMs: NOW_MS + 900_000,
    }
    expect(await verifier.verifyUser(token)).toEqual(expected)
    sessions.userChanged({ username: 'anna', role: 'viewer', disabled: false })
    expect(await verifier.verifyUser(token)).toEqual({ ...expected, role: 'viewer' })
    nowMs += 900_000
    expect(await codeOf(verifier.verifyUser(token))).toBe('token_expired')
  })

  it('takes a link for its ten minutes, to its own path only', async () => {
    const path = '/api/v1/videos/one/content'
    const { token, expiresAtMs } = await issuer.issueLink(path)
    expect(expiresAtMs).toBe(NOW_MS + 600_000)
    expect(await codeOf(verifier.verifyLink(token, path))).toBe('passed')
    for (const other of ['/api/v1/videos/two/content', '/api/v1/videos/one/thumbnail', `${path}/`, '']) {
      expect([other, await codeOf(verifier.verifyLink(token, other))]).toEqual([other, 'token_invalid'])
    }
    nowMs = expiresAtMs - 1
    expect(await codeOf(verifier.verifyLink(token, path))).toBe('passed')
    nowMs = expiresAtMs
    expect(await codeOf(verifier.verifyLink(token, path))).toBe('token_expired')
  })

  it('refuses a link as a token, and a token as a link', async () => {
    const { token } = await issuer.issueLink(DEVICE_ID)
    expect(await codeOf(verifier.verifyDevice(token))).toBe('token_invalid')
    expect(await codeOf(verifier.verifyUser(token))).toBe('token_invalid')
    expect(await codeOf(verifier.verifyLink(await deviceToken(), DEVICE_ID))).toBe('token_invalid')
    expect(await codeOf(verifier.verifyLink(await userToken(), 'anna'))).toBe('token_invalid')
  })

  it('issues a user token that does not outlive its session', async () => {
    const soon = { username: 'anna', sessionId: SESSION, expiresAtMs: NOW_MS + 61_500 }
    expect((await issuer.issueUser(soon)).expiresInS).toBe(61)
  })

  it('refuses each kind where the other is expected, also when it is remembered as good', async () => {
    const [device, user] = [await deviceToken(), await userToken()]
    expect(await codeOf(verifier.verifyUser(device))).toBe('token_invalid')
    expect(await codeOf(verifier.verifyDevice(user))).toBe('token_invalid')
    await verifier.verifyDevice(device)
    await verifier.verifyUser(user)
    expect(await codeOf(verifier.verifyUser(device))).toBe('token_invalid')
    expect(await codeOf(verifier.verifyDevice(user))).toBe('token_invalid')
  })

  it.each([undefined, ''])('says that a token is missing: %p', async (token) => {
    expect(await codeOf(verifier.verifyDevice(token))).toBe('token_missing')
    expect(await codeOf(verifier.verifyUser(token))).toBe('token_missing')
  })

  it.each(['x', 'a.b', 'a.b.c', '..', 'a.b.c.d.e', 'Bearer x', `${'a'.repeat(3000)}.b.c`, '\u0000', '💥.💥.💥'])(
    'refuses what is no token: %p',
    async (token) => {
      expect(await codeOf(verifier.verifyDevice(token))).toBe('token_invalid')
      expect(await codeOf(verifier.verifyUser(token))).toBe('token_invalid')
    },
  )

  it('takes a forged token that is right in everything, so that the refusals below mean something', async () => {
    expect(await codeOf(verifier.verifyDevice(await forge({})))).toBe('passed')
  })

  it('refuses a token of another key, under its own or our key id', async () => {
    expect(
      await codeOf(verifier.verifyDevice(await forge({ key: stranger.privateKey, header: { kid: stranger.kid } }))),
    ).toBe('token_invalid')
    expect(await codeOf(verifier.verifyDevice(await forge({ key: stranger.privateKey })))).toBe('token_invalid')
  })

  it('refuses a token without a key id', async () => {
    expect(await codeOf(verifier.verifyDevice(await forge({ header: { kid: undefined } })))).toBe('token_invalid')
  })

  it('never looks at a key that the token brings along', async () => {
    const { publicJwk: jwk, kid } = stranger
    const header = { kid, jwk, jku: 'http://127.0.0.1/keys', x5u: 'http://127.0.0.1/cert' }
    const token = await forge({ key: stranger.privateKey, header })
    expect(await codeOf(verifier.verifyDevice(token))).toBe('token_invalid')
  })

  it('refuses alg none', async () => {
    const claims = { sub: DEVICE_ID, gen: 'g1', aud: TOKEN_KINDS.device.audience, iat: NOW_S, exp: NOW_S + 60 }
    expect(await codeOf(verifier.verifyDevice(new UnsecuredJWT(claims).encode()))).toBe('token_invalid')
    const header = Buffer.from(
      JSON.stringify({ alg: 'none', kid: keys.current.kid, typ: TOKEN_KINDS.device.type }),
    ).toString('base64url')
    const payload = Buffer.from(JSON.stringify(claims)).toString('base64url')
    expect(await codeOf(verifier.verifyDevice(`${header}.${payload}.`))).toBe('token_invalid')
  })

  it('refuses an HMAC made with the public key, in every spelling of that key', async () => {
    const { publicJwk } = keys.current
    const publicKey = createPublicKey({ key: publicJwk as JsonWebKey, format: 'jwk' })
    const spellings = [
      publicKey.export({ type: 'spki', format: 'pem' }),
      publicKey.export({ type: 'spki', format: 'der' }),
      JSON.stringify(publicJwk),
      String(publicJwk.x),
    ]
    const right = (await forge({})).split('.')
    for (const secret of spellings) {
      const header = { alg: 'HS256', kid: keys.current.kid, typ: TOKEN_KINDS.device.type }
      const signed = `${Buffer.from(JSON.stringify(header)).toString('base64url')}.${right[1]}`
      const token = `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
      expect(await codeOf(verifier.verifyDevice(token))).toBe('token_invalid')
    }
  })

  it('refuses a changed payload under an old signature', async () => {
    const [header, , signature] = (await deviceToken()).split('.')
    const claims = { sub: '490154203237518', gen: 'g1', aud: TOKEN_KINDS.device.audience, iat: NOW_S, exp: NOW_S + 60 }
    const token = `${header}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.${signature}`
    expect(await codeOf(verifier.verifyDevice(token))).toBe('token_invalid')
  })

  it.each([
    ['a wrong audience', { claims: { aud: 'somebody else' } }],
    ['the audience of users', { claims: { aud: TOKEN_KINDS.user.audience } }],
    ['no audience', { claims: { aud: undefined } }],
    ['no subject', { claims: { sub: undefined } }],
    ['no generation', { claims: { gen: undefined } }],
    ['a generation that is no text', { claims: { gen: 1 } }],
    ['no time of issue', { claims: { iat: undefined } }],
    ['no expiry', { claims: { exp: undefined } }],
    ['an expiry that is no number', { claims: { exp: 'never' } }],
    ['another type', { header: { typ: 'JWT' } }],
    ['the type of users', { header: { typ: TOKEN_KINDS.user.type } }],
    ['no type', { header: { typ: undefined } }],
    ['a critical extension', { header: { crit: ['urn:x'], 'urn:x': 1 } }],
    ['a time before which it is not valid', { claims: { nbf: NOW_S + 10 } }],
    ['an unknown device', { claims: { sub: '490154203237518' } }],
    ['an older generation', { claims: { gen: 'g0' } }],
  ])('refuses a token with %s', async (_, wrong) => {
    expect(await codeOf(verifier.verifyDevice(await forge(wrong)))).toBe('token_invalid')
  })

  it('says expired only of a token that was good', async () => {
    expect(await codeOf(verifier.verifyDevice(await forge({ claims: { exp: NOW_S } })))).toBe('token_expired')
    expect(await codeOf(verifier.verifyDevice(await forge({ claims: { exp: NOW_S - 1, aud: 'x' } })))).toBe(
      'token_invalid',
    )
    expect(await codeOf(verifier.verifyDevice(await forge({ claims: { exp: 1 }, key: stranger.privateKey })))).toBe(
      'token_invalid',
    )
  })

  it('ends tokens at once when the device is disabled, gets a new generation, or is deleted', async () => {
    const token = await deviceToken()
    const device = makeDevice({ deviceId: DEVICE_ID, kind: 'imei', generation: 'g1' })
    expect(await codeOf(verifier.verifyDevice(token))).toBe('passed')
    devices.put({ ...device, status: 'disabled' })
    expect(await codeOf(verifier.verifyDevice(token))).toBe('token_invalid')
    devices.put({ ...device, generation: 'g2' })
    expect(await codeOf(verifier.verifyDevice(token))).toBe('token_invalid')
    devices.put(device)
    expect(await codeOf(verifier.verifyDevice(token))).toBe('passed')
    await records.devices.delete(DEVICE_ID)
    devices.invalidate(DEVICE_ID)
    expect(await codeOf(verifier.verifyDevice(token))).toBe('token_invalid')
    await records.devices.insert(device)
  })

  it('tells a handshake that the unit must log in again', async () => {
    const token = await forge({ claims: { gen: 'g0' } })
    expect(await codeOf(verifier.verifyDevice(token, 'login_refused'))).toBe('login_refused')
    expect(await codeOf(verifier.verifyDevice('x', 'login_refused'))).toBe('token_invalid')
  })

  it('ends user tokens with their session', async () => {
    const token = await userToken()
    const other = await issuer.issueUser({ username: 'bert', sessionId: SESSION, expiresAtMs: NOW_MS + 86_400_000 })
    expect(await codeOf(verifier.verifyUser(other.token))).toBe('token_invalid')
    expect(await codeOf(verifier.verifyUser(token))).toBe('passed')
    await records.users.endSession(SESSION, nowMs)
    sessions.ended([SESSION])
    expect(await codeOf(verifier.verifyUser(token))).toBe('token_invalid')
    expect(await codeOf(verifier.verifyUser(token, 'login_refused'))).toBe('login_refused')
  })

  it('checks a signature once and the facts every time', async () => {
    const token = await deviceToken()
    const verify = jest.spyOn(crypto.subtle, 'verify')
    for (let n = 0; n < 5; n++) await verifier.verifyDevice(token)
    expect(verify).toHaveBeenCalledTimes(1)
    verify.mockRestore()
  })

  it('refuses a remembered token when its key is taken away', async () => {
    const both = JSON.stringify({ keys: [await generateSigningJwk(), jwk] })
    const changing = { load: () => source.load() }
    let source = new EnvironmentKeys(both)
    const some = await SigningKeys.open(changing)
    const someVerifier = new TokenVerifier(some, devices, sessions, () => nowMs)
    const token = await deviceToken()
    expect(await codeOf(someVerifier.verifyDevice(token))).toBe('passed')
    source = new EnvironmentKeys(JSON.stringify({ keys: [JSON.parse(both).keys[0]] }))
    await some.refresh()
    expect(await codeOf(someVerifier.verifyDevice(token))).toBe('token_invalid')
  })
})
