import { ADMIN_PASSWORD, IdentityApp } from '../../test/support/identity-app.js'

const AUTH = '/api/v1/auth'

describe('/auth of people', () => {
  let identity: IdentityApp

  beforeAll(async () => {
    identity = await IdentityApp.open()
  })

  afterAll(() => identity.close())

  const post = (path: string, body?: unknown, token?: string) =>
    identity.call('POST', `${AUTH}/${path}`, { body, token })

  it('answers a login with tokens, exchanges them, and ends them', async () => {
    const { status, headers, json } = await post('login', { username: 'admin', password: ADMIN_PASSWORD })
    expect([status, headers['cache-control']]).toEqual([200, 'no-store'])
    expect(json).toEqual({
      accessToken: expect.any(String),
      refreshToken: expect.any(String),
      tokenType: 'Bearer',
      expiresIn: 900,
      user: { username: 'admin', role: 'admin' },
    })
    const me = await identity.call('GET', `${AUTH}/me`, { token: json.accessToken })
    expect([me.status, me.json]).toEqual([200, { username: 'admin', role: 'admin' }])
    const refreshed = await post('refresh', { refreshToken: json.refreshToken })
    expect([refreshed.status, Object.keys(refreshed.json)]).toEqual([200, Object.keys(json)])
    const logout = await post('logout', undefined, refreshed.json.accessToken)
    expect([logout.status, logout.text]).toEqual([204, ''])
    for (const token of [json.accessToken, refreshed.json.accessToken]) {
      const after = await identity.call('GET', `${AUTH}/me`, { token })
      expect([after.status, after.json.code]).toEqual([401, 'token_invalid'])
    }
    for (const refreshToken of [refreshed.json.refreshToken, json.accessToken]) {
      const again = await post('refresh', { refreshToken })
      expect([again.status, again.json.code]).toEqual([401, 'token_invalid'])
    }
  })

  it('answers a wrong password and an unknown user alike', async () => {
    const wrong = await post('login', { username: 'admin', password: 'wrong password' })
    const unknown = await post('login', { username: 'nobody at all', password: ADMIN_PASSWORD })
    expect([wrong.status, wrong.json.code]).toEqual([401, 'login_refused'])
    expect([unknown.status, unknown.text]).toEqual([wrong.status, wrong.text])
  })

  it('refuses unknown keys and missing fields, and names them', async () => {
    const { status, json } = await post('login', { username: 'admin', remember: true })
    expect([status, json.code]).toEqual([400, 'invalid_request'])
    expect(json.errors.map(({ path }: { path: string }) => path).sort()).toEqual(['password', 'remember'])
  })

  it.each([[{ current: ADMIN_PASSWORD, new: 'short' }], [{ current: ADMIN_PASSWORD }], [{}]])(
    'refuses the change of password %j',
    async (body) => {
      const { status, json } = await post('password', body, (await identity.login()).accessToken)
      expect([status, json.code]).toEqual([400, 'invalid_request'])
    },
  )

  it('changes the own password', async () => {
    await identity.addUser('anna', 'viewer')
    const { accessToken } = await identity.login('anna')
    const body = { current: 'wrong password', new: 'another horse battery' }
    const wrong = await post('password', body, accessToken)
    expect([wrong.status, wrong.json.code]).toEqual([401, 'login_refused'])
    expect((await post('password', { ...body, current: ADMIN_PASSWORD }, accessToken)).status).toBe(204)
    expect(await identity.login('anna', 'another horse battery')).toHaveProperty('accessToken')
  })

  it('says what is left of the limit of logins', async () => {
    const limited = await IdentityApp.open({ environment: { LOGIN_FAILURES_PER_MINUTE: '20' } })
    try {
      const body = { username: 'anna', password: 'wrong password' }
      const { headers } = await limited.call('POST', `${AUTH}/login`, { body })
      expect(headers).toMatchObject({ 'ratelimit-limit': '10', 'ratelimit-remaining': '9' })
    } finally {
      await limited.close()
    }
  })
})

describe('/.well-known/jwks.json', () => {
  it('shows the public keys to anyone, without the private half, to be kept for five minutes', async () => {
    const identity = await IdentityApp.open()
    try {
      const { status, json, headers } = await identity.call('GET', '/.well-known/jwks.json')
      expect([status, headers['cache-control']]).toEqual([200, 'public, max-age=300'])
      const text = expect.any(String)
      expect(json).toEqual({
        keys: [{ kty: 'EC', crv: 'P-256', x: text, y: text, kid: text, alg: 'ES256', use: 'sig' }],
      })
    } finally {
      await identity.close()
    }
  })
})
