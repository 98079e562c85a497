import { decodeJwt, decodeProtectedHeader } from 'jose'
import { testImei } from '../../test/support/api.js'
import { DEVICE_SECRET, IdentityApp } from '../../test/support/identity-app.js'

const LOGIN = '/api/v1/auth/device'
const IMEI = '356307042441013'
const DISABLED = '490154203237518'
const PLAIN = '352094087982671'
const UNKNOWN = testImei(42)

describe('POST /auth/device', () => {
  let identity: IdentityApp

  beforeAll(async () => {
    identity = await IdentityApp.open()
    await identity.addDevice(IMEI)
    await identity.addDevice(PLAIN, { secretHash: null })
    await identity.addDevice(DISABLED, { status: 'disabled' })
  })

  afterAll(() => identity.close())

  it('answers with a token that nobody keeps, and ignores keys it does not know', async () => {
    const { status, headers, json } = await identity.call('POST', LOGIN, { body: { imei: PLAIN, firmware: '1.2' } })
    expect(status).toBe(200)
    expect(json).toEqual({ accessToken: expect.any(String), tokenType: 'Bearer', expiresIn: 864_000 })
    expect(headers['cache-control']).toBe('no-store')
  })

  it('takes an IMEI under either name, and null for what is not set', async () => {
    const statusOf = async (body: unknown) => (await identity.call('POST', LOGIN, { body })).status
    expect(await statusOf({ deviceId: IMEI, secret: DEVICE_SECRET })).toBe(200)
    expect(await statusOf({ imei: IMEI, deviceId: IMEI, secret: DEVICE_SECRET })).toBe(200)
    expect(await statusOf({ imei: PLAIN, deviceId: null, secret: null })).toBe(200)
  })

  it('signs what other services need to verify by the public keys', async () => {
    const token = await identity.loginDevice(IMEI)
    const { json } = await identity.call('GET', '/.well-known/jwks.json')
    expect(decodeProtectedHeader(token)).toEqual({ alg: 'ES256', kid: json.keys[0].kid, typ: 'device+jwt' })
    const claims = decodeJwt(token)
    expect(claims).toMatchObject({ sub: IMEI, gen: 'g1', aud: 'milepost:devices' })
    expect(Object.keys(claims).sort()).toEqual(['aud', 'exp', 'gen', 'iat', 'sub'])
    expect(Number(claims.exp) - Number(claims.iat)).toBe(864_000)
  })

  it.each([
    [{ imei: '356307042441014' }, 'invalid_imei'],
    [{ imei: '35630704244101' }, 'invalid_imei'],
    [{ imei: '' }, 'invalid_imei'],
    [{ imei: 'cold-box-7' }, 'invalid_imei'],
    [{ imei: 356307042441013 }, 'invalid_imei'],
    [{ imei: ['356307042441013'] }, 'invalid_imei'],
    [{ deviceId: '../etc/passwd' }, 'invalid_imei'],
    [{ deviceId: '35630704244101' }, 'invalid_imei'],
    [{}, 'invalid_request'],
    [{ imei: null }, 'invalid_request'],
    [{ secret: DEVICE_SECRET }, 'invalid_request'],
    [{ imei: IMEI, deviceId: 'cold-box-7' }, 'invalid_request'],
    [{ imei: IMEI, secret: 7 }, 'invalid_request'],
    [[{ imei: IMEI }], 'invalid_request'],
    [undefined, 'invalid_request'],
  ])('answers %j with 400 %s', async (body, code) => {
    const { status, json } = await identity.call('POST', LOGIN, { body })
    expect([status, json.code]).toEqual([400, code])
  })

  it('answers every refusal byte for byte alike', async () => {
    const bodies = [
      { imei: IMEI },
      { imei: IMEI, secret: 'wrong' },
      { imei: DISABLED, secret: DEVICE_SECRET },
      { imei: UNKNOWN },
      { deviceId: 'nobody', secret: DEVICE_SECRET },
    ]
    const answers = await Promise.all(
      bodies.map(async (body) => {
        const { status, text, headers } = await identity.call('POST', LOGIN, { body })
        const { date: _, ...rest } = headers
        return { status, text, rest }
      }),
    )
    expect(JSON.parse(answers[0]?.text ?? '')).toEqual({
      type: 'urn:milepost:error:login_refused',
      title: 'The login was refused',
      status: 401,
      detail: 'The login was refused',
      code: 'login_refused',
      instance: LOGIN,
    })
    for (const answer of answers) expect(answer).toEqual(answers[0])
  })

  it('takes what IMEI_CHECK=any allows', async () => {
    const lenient = await IdentityApp.open({ environment: { IMEI_CHECK: 'any' } })
    try {
      await lenient.addDevice('356307042441014', { secretHash: null })
      expect((await lenient.call('POST', LOGIN, { body: { imei: '356307042441014' } })).status).toBe(200)
    } finally {
      await lenient.close()
    }
  })

  it('says what is left of the limit, and then when to come back', async () => {
    const limited = await IdentityApp.open({ environment: { LOGIN_FAILURES_PER_MINUTE: '4' } })
    try {
      const attempt = () => limited.call('POST', LOGIN, { body: { imei: IMEI, secret: 'wrong' } })
      const first = await attempt()
      expect(first.headers).toMatchObject({ 'ratelimit-limit': '2', 'ratelimit-remaining': '1' })
      expect(Number(first.headers['ratelimit-reset'])).toBeGreaterThan(50)
      await attempt()
      const third = await attempt()
      expect([third.status, third.json.code]).toEqual([429, 'too_many_requests'])
      expect(third.headers['ratelimit-remaining']).toBe('0')
      expect(Number(third.headers['retry-after'])).toBeGreaterThan(50)
    } finally {
      await limited.close()
    }
  })
})
