import { createHmac, createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import type { OpenAPIObject } from '@nestjs/swagger'
import { testImei } from './support/api.js'
import { type RunningApp, startApp } from './support/app.js'
import { ADMIN_PASSWORD } from './support/server-process.js'
import { removeTemporaryDirectories } from './support/temporary-directory.js'
import { connectSocket, type Refused } from './support/unit-socket.js'

type Kind = 'device' | 'user'
interface Jwk {
  readonly kid: string
  readonly [name: string]: unknown
}

const IMEI = testImei(1)
const { privateKey: OTHER_KEY } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const decode = (part: string | undefined) =>
  JSON.parse(Buffer.from(part ?? '', 'base64url').toString()) as Record<string, unknown>

let running: RunningApp
/** Bad tokens by what is wrong with them, for each kind of route. */
let bad: Record<Kind, Record<string, { token: string | undefined; code: string; handshake?: string }>>
let operations: Array<{ kind: Kind; method: string; path: string }>

function es256(header: unknown, claims: unknown, key: KeyObject): string {
  const input = `${encode(header)}.${encode(claims)}`
  return `${input}.${sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
}

/** What a stranger can make of a genuine token and the public key. */
function forgeriesOf(genuine: string, jwk: Jwk): Record<string, { token: string; code: string }> {
  const [head, body, signature] = genuine.split('.')
  const header = decode(head)
  const claims = decode(body)
  const unsigned = `${encode({ ...header, alg: 'none' })}.${body}`
  const hmacInput = `${encode({ ...header, alg: 'HS256' })}.${body}`
  const hmac = createHmac('sha256', JSON.stringify(jwk)).update(hmacInput).digest('base64url')
  const own = (extra: object, changes: object = {}) =>
    es256({ ...header, ...extra }, { ...claims, ...changes }, OTHER_KEY)
  const forged = {
    'alg none': `${unsigned}.`,
    'alg none with the signature': `${unsigned}.${signature}`,
    'HMAC with the public key': `${hmacInput}.${hmac}`,
    'another key under our key id': own({}),
    'another key that the token brings along': own({ jwk: { kty: 'EC' }, kid: undefined }),
    'an unknown key id': own({ kid: 'stranger' }),
    'a changed subject': `${head}.${encode({ ...claims, sub: testImei(2) })}.${signature}`,
    'a cut signature': `${head}.${body}.${signature?.slice(0, 40)}`,
    'no signature': `${head}.${body}`,
    'no token at all': 'rubbish',
  }
  return Object.fromEntries(Object.entries(forged).map(([name, token]) => [name, { token, code: 'token_invalid' }]))
}

beforeAll(async () => {
  running = await startApp({
    DEVICE_ENROLMENT: 'open',
    LOGIN_FAILURES_PER_MINUTE: '0',
    USER_TOKEN_TTL_S: '600',
    DEVICE_EVENTS_PER_SECOND: '0',
  })
  const { api, admin } = running
  const jwk = (await api.get<{ keys: Jwk[] }>('/.well-known/jwks.json')).body.keys[0] as Jwk
  const device = await api.loginDevice(IMEI)
  const ended = await api.login('admin', ADMIN_PASSWORD)
  await api.post('/api/v1/auth/logout', undefined, ended)
  await api.loginDevice(testImei(3))
  const outdated = await api.loginDevice(testImei(3))
  await api.post(`/api/v1/devices/${testImei(3)}/secret`, undefined, admin)
  const missing = { token: undefined, code: 'token_missing' }
  bad = {
    device: {
      'no token': missing,
      ...forgeriesOf(device, jwk),
      'a user token': { token: admin, code: 'token_invalid' },
      'an older generation': { token: outdated, code: 'token_invalid', handshake: 'login_refused' },
    },
    user: {
      'no token': missing,
      ...forgeriesOf(admin, jwk),
      'a device token': { token: device, code: 'token_invalid' },
      'an ended session': { token: ended, code: 'token_invalid', handshake: 'login_refused' },
    },
  }
  const { body: document } = await api.get<OpenAPIObject & Record<string, unknown>>('/openapi.json')
  operations = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item as Record<string, { security?: Array<Record<string, unknown>> }>).flatMap(
      ([method, { security }]) => {
        const kind = Object.keys(security?.[0] ?? {})[0] as Kind | undefined
        return kind === undefined ? [] : [{ kind, method: method.toUpperCase(), path: path.replace(/\{\w+\}/g, IMEI) }]
      },
    ),
  )
})
afterAll(async () => {
  await running.close()
  await removeTemporaryDirectories()
})

describe('every route that asks for a token', () => {
  it('is in the document, with its kind', () => {
    const count = (kind: Kind) => operations.filter((one) => one.kind === kind).length
    expect(count('device')).toBeGreaterThanOrEqual(1)
    expect(count('user')).toBeGreaterThanOrEqual(18)
  })

  it('refuses every bad token with the same code, whatever the body', async () => {
    const wrong: string[] = []
    for (const { kind, method, path } of operations) {
      for (const [name, { token, code }] of Object.entries(bad[kind])) {
        const body = ['GET', 'HEAD', 'DELETE'].includes(method) ? undefined : {}
        const answer = await running.api.request(method, path, { token, body })
        const isRight =
          answer.status === 401 &&
          (method === 'HEAD' || answer.body.code === code) &&
          !/stack|node_modules|\.ts:/.test(answer.text)
        if (!isRight) wrong.push(`${method} ${path} with ${name}: ${answer.status} ${answer.text.slice(0, 100)}`)
      }
    }
    expect(wrong).toEqual([])
  })

  it('refuses an expired token of its own kind as expired', async () => {
    const key = {
      ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }),
      kid: 'ours',
    }
    const known = await startApp({ DEVICE_ENROLMENT: 'open', SIGNING_KEYS: JSON.stringify({ keys: [key] }) })
    const expired = (genuine: string) => {
      const [head, body] = genuine.split('.')
      const pastS = Math.floor(Date.now() / 1000) - 1
      return es256(decode(head), { ...decode(body), exp: pastS }, createPrivateKey({ key, format: 'jwk' }))
    }
    try {
      const device = expired(await known.api.loginDevice(IMEI))
      const user = expired(known.admin)
      expect((await known.api.post('/api/v1/locations', {}, device)).body).toMatchObject({ code: 'token_expired' })
      expect((await known.api.get('/api/v1/auth/me', user)).body).toMatchObject({ code: 'token_expired' })
      expect(await refusal(known.url, device)).toBe('token_expired')
      expect(await refusal(`${known.url}/live`, user)).toBe('token_expired')
    } finally {
      await known.close()
    }
  })

  it('asks nothing of the public ones', async () => {
    for (const path of [
      '/health/live',
      '/health/ready',
      '/metrics',
      '/openapi.json',
      '/docs',
      '/.well-known/jwks.json',
    ]) {
      expect([path, (await running.api.get(path)).status]).toEqual([path, 200])
    }
  })
})

describe('both sockets', () => {
  it.each<[Kind, string]>([
    ['device', ''],
    ['user', '/live'],
  ])('refuse every bad token of a %s in the handshake', async (kind, namespace) => {
    const wrong: string[] = []
    for (const [name, { token, code, handshake }] of Object.entries(bad[kind])) {
      const got = await refusal(`${running.url}${namespace}`, token)
      if (got !== (handshake ?? code)) wrong.push(`${name}: ${got}`)
    }
    expect(wrong).toEqual([])
  })
})

async function refusal(url: string, token: string | undefined): Promise<string> {
  try {
    const socket = await connectSocket(url, token === undefined ? {} : { token })
    socket.close()
    return 'let in'
  } catch (error) {
    return (error as Refused).code
  }
}
