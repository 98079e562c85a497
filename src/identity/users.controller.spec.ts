import { ADMIN_PASSWORD, IdentityApp } from '../../test/support/identity-app.js'

const USERS = '/api/v1/users'

describe('/users', () => {
  let identity: IdentityApp
  let token: string

  beforeAll(async () => {
    identity = await IdentityApp.open()
    token = (await identity.login()).accessToken
  })

  afterAll(() => identity.close())

  const create = (body: unknown) => identity.call('POST', USERS, { body, token })
  const person = (username: string) => ({ username, password: ADMIN_PASSWORD, role: 'viewer' })

  it('creates, lists by name in pages, changes and deletes', async () => {
    for (const username of ['zoe', 'bert', 'Anna', 'carl@example.com']) {
      const { status, headers, json } = await create(person(username))
      expect([status, headers.location]).toEqual([201, `${USERS}/${encodeURIComponent(username)}`])
      const createdAt = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
      expect(json).toEqual({ username, role: 'viewer', disabled: false, createdAt })
    }
    const list = async (query: string) => (await identity.call('GET', `${USERS}?${query}`, { token })).json
    const names = ({ items }: { items: Array<{ username: string }> }) => items.map(({ username }) => username)
    const first = await list('limit=3')
    expect(names(first)).toEqual(['Anna', 'admin', 'bert'])
    const second = await list(`limit=3&cursor=${first.nextCursor}`)
    expect([names(second), second.nextCursor]).toEqual([['carl@example.com', 'zoe'], null])
    const carl = `${USERS}/${encodeURIComponent('carl@example.com')}`
    const changed = await identity.call('PATCH', carl, { body: { role: 'operator' }, token })
    expect([changed.status, changed.json.role]).toEqual([200, 'operator'])
    expect((await identity.call('DELETE', carl, { token })).status).toBe(204)
    expect((await identity.call('GET', carl, { token })).status).toBe(404)
  })

  it.each([
    [{ ...person('anna b') }, 'username'],
    [{ ...person('system') }, 'username'],
    [{ ...person('..') }, 'username'],
    [{ ...person('x'.repeat(65)) }, 'username'],
    [{ ...person('dora'), password: '123456789' }, 'password'],
    [{ ...person('dora'), password: 'x'.repeat(201) }, 'password'],
    [{ ...person('dora'), role: 'root' }, 'role'],
    [{ ...person('dora'), disabled: true }, 'disabled'],
  ])('refuses %j for its %s', async (body, field) => {
    const { status, json } = await create(body)
    expect([status, json.code, json.errors[0].path]).toEqual([400, 'invalid_request', field])
  })

  it.each(['limit=0', 'limit=501', 'limit=x'])('refuses the list with %s', async (query) => {
    const { status, json } = await identity.call('GET', `${USERS}?${query}`, { token })
    expect([status, json.code]).toEqual([400, 'invalid_request'])
  })

  it('has each name once, and keeps the last admin', async () => {
    const exists = await create(person('admin'))
    expect([exists.status, exists.json.code]).toEqual([409, 'user_exists'])
    for (const [method, body] of [
      ['DELETE', undefined],
      ['PATCH', { disabled: true }],
      ['PATCH', { role: 'viewer' }],
    ] as const) {
      const last = await identity.call(method, `${USERS}/admin`, { body, token })
      expect([last.status, last.json.code]).toEqual([409, 'last_admin'])
    }
  })

  it('refuses an unknown name, whatever is asked of it', async () => {
    for (const name of ['nobody', '%00', 'a%2Fb', 'x'.repeat(65)]) {
      for (const method of ['GET', 'PATCH', 'DELETE']) {
        const body = method === 'PATCH' ? {} : undefined
        expect((await identity.call(method, `${USERS}/${name}`, { body, token })).status).toBe(404)
      }
    }
  })
})

describe('/audit', () => {
  it('lists what users did, newest first, filtered and in pages', async () => {
    const identity = await IdentityApp.open()
    try {
      await identity.addUser('anna', 'viewer')
      const { accessToken: token } = await identity.login()
      await identity.call('PATCH', `${USERS}/anna`, { body: { role: 'operator' }, token })
      const list = async (query: string) => (await identity.call('GET', `/api/v1/audit?${query}`, { token })).json
      const actions = ({ items }: { items: Array<{ action: string }> }) => items.map(({ action }) => action)
      const all = ['user.update', 'user.login', 'user.login', 'user.create', 'user.login', 'user.create']
      expect(actions(await list(''))).toEqual(all)
      expect(actions(await list('by=admin&action=user.create,user.update'))).toEqual(['user.update', 'user.create'])
      expect((await list('action=user.update')).items[0]).toEqual({
        id: expect.any(String),
        at: expect.any(String),
        by: 'admin',
        action: 'user.update',
        target: 'anna',
        detail: { role: 'operator' },
        address: '127.0.0.1',
      })
      const first = await list('limit=4')
      const second = await list(`limit=4&cursor=${first.nextCursor}`)
      expect([...actions(first), ...actions(second)]).toEqual(all)
      expect(second.nextCursor).toBeNull()
      expect((await list('who=admin')).code).toBe('unknown_parameter')
      expect((await list('cursor=abc')).code).toBe('invalid_cursor')
      expect((await list('from=2026-11-22T00:00:00Z&to=2026-11-21T00:00:00Z')).code).toBe('invalid_request')
      expect((await list('from=2126-11-22T00:00:00Z')).items).toEqual([])
    } finally {
      await identity.close()
    }
  })
})
