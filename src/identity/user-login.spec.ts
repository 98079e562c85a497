import { openTestRecords, type TestRecords, testUser } from '../../test/support/test-records.js'
import { parseConfig } from '../config/app-config.js'
import { Metrics } from '../metrics/metrics.js'
import { AppError } from '../model/app-error.js'
import type { UserRecord } from '../storage/sql/user-records.js'
import type { UserCaller } from './access.js'
import { AuditLog } from './audit-log.js'
import { DeviceDirectory } from './device-directory.js'
import { EnvironmentKeys } from './key-source.js'
import { UserAddresses } from './known-addresses.js'
import { UserGate } from './login-gate.js'
import { LoginLimits } from './login-limits.js'
import { PasswordHasher } from './password-hasher.js'
import { RefusalPace } from './refusal-pace.js'
import { generateSigningJwk } from './signing-key.js'
import { SigningKeys } from './signing-keys.js'
import { TokenVerifier } from './token-verifier.js'
import { TokenIssuer } from './tokens.js'
import { UserDoor } from './user-door.js'
import { UserLogin } from './user-login.js'
import { UserSessionDirectory } from './user-session-directory.js'

const PASSWORD = 'correct horse battery'
const ADDRESS = '192.0.2.7'

describe('UserLogin', () => {
  let records: TestRecords
  let keys: SigningKeys
  let hasher: PasswordHasher
  let passwordHash: string
  let sessions: UserSessionDirectory
  let verifier: TokenVerifier
  let ended: string[]
  let count = 0

  beforeAll(async () => {
    records = await openTestRecords()
    keys = await SigningKeys.open(new EnvironmentKeys(JSON.stringify({ keys: [await generateSigningJwk()] })))
    hasher = await PasswordHasher.create()
    passwordHash = await hasher.hash(PASSWORD)
  })

  afterAll(() => records.close())

  beforeEach(() => {
    sessions = new UserSessionDirectory(records.users, 900_000)
    verifier = new TokenVerifier(keys, new DeviceDirectory(records.devices), sessions)
    ended = []
    sessions.onEnded((sessionId) => ended.push(sessionId))
  })

  afterEach(() => jest.restoreAllMocks())

  function open(environment: Record<string, string> = {}): UserLogin {
    const config = parseConfig(environment)
    const addresses = new UserAddresses()
    const limits = new LoginLimits(config.LOGIN_FAILURES_PER_MINUTE, addresses)
    const gate = new UserGate('user', limits, addresses, new RefusalPace(100), new Metrics())
    const issuer = new TokenIssuer(keys, { deviceS: config.DEVICE_TOKEN_TTL_S, userS: config.USER_TOKEN_TTL_S })
    return new UserLogin(
      config,
      records.users,
      sessions,
      new UserDoor(gate, hasher, issuer),
      new AuditLog(records.audit, records.store),
    )
  }

  async function store(changes: Partial<UserRecord> = {}): Promise<string> {
    count += 1
    const user = testUser({ username: `user-${count}`, passwordHash, ...changes })
    await records.users.insert(user)
    return user.username
  }

  async function codeOf(work: Promise<unknown>): Promise<string> {
    try {
      await work
      return 'passed'
    } catch (error) {
      if (error instanceof AppError) return error.code
      throw error
    }
  }

  async function callerOf(accessToken: string): Promise<UserCaller> {
    const { expiresAtMs: _, ...user } = await verifier.verifyUser(accessToken)
    return { kind: 'user', ...user }
  }

  it('gives an access token for fifteen minutes and a refresh token', async () => {
    const username = await store({ role: 'operator' })
    const tokens = await open().login(username, PASSWORD, ADDRESS)
    expect(tokens).toMatchObject({ expiresInS: 900, user: { username, role: 'operator' } })
    expect(await verifier.verifyUser(tokens.accessToken)).toMatchObject({ username, role: 'operator' })
  })

  it('refuses unknown, disabled and wrong alike', async () => {
    const [username, disabled] = [await store(), await store({ disabled: true })]
    const login = open()
    expect(await codeOf(login.login(username, 'wrong password', ADDRESS))).toBe('login_refused')
    expect(await codeOf(login.login(disabled, PASSWORD, ADDRESS))).toBe('login_refused')
    expect(await codeOf(login.login('nobody', PASSWORD, ADDRESS))).toBe('login_refused')
    expect(await codeOf(login.login(username.toUpperCase(), PASSWORD, ADDRESS))).toBe('login_refused')
  })

  it('hashes a password for an unknown user too', async () => {
    const isPassword = jest.spyOn(hasher, 'isPassword')
    await codeOf(open().login('nobody', PASSWORD, ADDRESS))
    expect(isPassword).toHaveBeenCalledWith(PASSWORD, undefined)
  })

  it('limits refused logins of one name, also with the right password', async () => {
    const username = await store()
    const login = open({ LOGIN_FAILURES_PER_MINUTE: '4' })
    for (let n = 0; n < 2; n++) await codeOf(login.login(username, 'wrong password', ADDRESS))
    expect(await codeOf(login.login(username, PASSWORD, ADDRESS))).toBe('too_many_requests')
    expect(await codeOf(login.login(username, PASSWORD, '198.51.100.1'))).toBe('passed')
  })

  it('exchanges a refresh token for the next one', async () => {
    const login = open()
    const first = await login.login(await store(), PASSWORD, ADDRESS)
    const second = await login.refresh(first.refreshToken, ADDRESS)
    const third = await login.refresh(second.refreshToken, ADDRESS)
    expect(new Set([first, second, third].map(({ refreshToken }) => refreshToken)).size).toBe(3)
    expect(third.user).toEqual(first.user)
    const ids = await Promise.all(
      [first, third].map(async ({ accessToken }) => (await callerOf(accessToken)).sessionId),
    )
    expect(ids[0]).toBe(ids[1])
  })

  it('ends the whole session when a refresh token is used twice', async () => {
    const login = open()
    const username = await store()
    const first = await login.login(username, PASSWORD, ADDRESS)
    const bystander = await login.login(username, PASSWORD, ADDRESS)
    const { sessionId } = await callerOf(first.accessToken)
    const second = await login.refresh(first.refreshToken, ADDRESS)
    expect(await codeOf(login.refresh(first.refreshToken, ADDRESS))).toBe('token_invalid')
    expect(ended).toEqual([sessionId])
    expect(await codeOf(verifier.verifyUser(second.accessToken))).toBe('token_invalid')
    expect(await codeOf(login.refresh(second.refreshToken, ADDRESS))).toBe('token_invalid')
    expect(await codeOf(verifier.verifyUser(bystander.accessToken))).toBe('passed')
    const [entry] = await records.audit.list({ actions: ['session.reuse'], limit: 1 })
    expect(entry).toMatchObject({ by: 'system', target: username, address: ADDRESS })
  })

  it('writes down that a refresh token was used twice also when nobody can say whose it was', async () => {
    const login = open()
    const { refreshToken } = await login.login(await store(), PASSWORD, ADDRESS)
    await login.refresh(refreshToken, ADDRESS)
    const before = await records.audit.list({ actions: ['session.reuse'], limit: 10 })
    jest.spyOn(records.users, 'findSession').mockRejectedValueOnce(new AppError('store_unavailable'))
    expect(await codeOf(login.refresh(refreshToken, ADDRESS))).toBe('token_invalid')
    const after = await records.audit.list({ actions: ['session.reuse'], limit: 10 })
    expect(after.length).toBe(before.length + 1)
    expect(after[0]).toMatchObject({ by: 'system', target: null, address: ADDRESS })
  })

  it('lets one of two exchanges at the same time win, and ends the session', async () => {
    const login = open()
    const { refreshToken, accessToken } = await login.login(await store(), PASSWORD, ADDRESS)
    const codes = await Promise.all([1, 2].map(() => codeOf(login.refresh(refreshToken, ADDRESS))))
    expect(codes.filter((code) => code === 'token_invalid').length).toBeGreaterThanOrEqual(1)
    expect(await codeOf(verifier.verifyUser(accessToken))).toBe('token_invalid')
  })

  describe('when the answer of the store is lost in an exchange', () => {
    const away = () => new AppError('store_unavailable')
    let rotate: TestRecords['users']['rotateRefresh']

    beforeEach(() => {
      rotate = records.users.rotateRefresh.bind(records.users)
    })

    function loseAnswer(isKept: boolean): void {
      jest.spyOn(records.users, 'rotateRefresh').mockImplementationOnce(async (...given) => {
        if (isKept) await rotate(...given)
        throw away()
      })
    }

    it.each([
      ['it was kept', [true]],
      ['it was not', [false]],
      ['several times', [false, true, true, false, true]],
    ])('takes the same token once more (%s)', async (_name, tries) => {
      const login = open()
      const username = await store()
      const first = await login.login(username, PASSWORD, ADDRESS)
      for (const isKept of tries) {
        jest.spyOn(records.users, 'rotateRefresh').mockImplementation(async (...given) => {
          if (isKept && (await rotate(...given)) === undefined) return undefined
          throw away()
        })
        expect(await codeOf(login.refresh(first.refreshToken, ADDRESS))).toBe('store_unavailable')
        jest.restoreAllMocks()
      }
      const second = await login.refresh(first.refreshToken, ADDRESS)
      const third = await login.refresh(second.refreshToken, ADDRESS)
      expect(await codeOf(verifier.verifyUser(third.accessToken))).toBe('passed')
      expect(await codeOf(login.refresh(first.refreshToken, ADDRESS))).toBe('token_invalid')
      expect(await codeOf(verifier.verifyUser(third.accessToken))).toBe('token_invalid')
      expect(await records.audit.list({ actions: ['session.reuse'], limit: 1 })).toMatchObject([{ target: username }])
    })

    it('takes it also when only what follows the exchange failed', async () => {
      const login = open()
      const first = await login.login(await store(), PASSWORD, ADDRESS)
      jest.spyOn(sessions, 'find').mockRejectedValueOnce(away())
      expect(await codeOf(login.refresh(first.refreshToken, ADDRESS))).toBe('store_unavailable')
      expect(await codeOf(login.refresh(first.refreshToken, ADDRESS))).toBe('passed')
    })

    it('takes it for stolen after half a minute, or where two present it', async () => {
      const login = open()
      for (const wait of [30_000, 0]) {
        const first = await login.login(await store(), PASSWORD, ADDRESS)
        loseAnswer(true)
        await codeOf(login.refresh(first.refreshToken, ADDRESS))
        const clock = jest.spyOn(Date, 'now').mockReturnValue(Date.now() + wait)
        const codes = [await codeOf(login.refresh(first.refreshToken, ADDRESS))]
        if (wait === 0) codes.push(await codeOf(login.refresh(first.refreshToken, ADDRESS)))
        clock.mockRestore()
        expect(codes.at(-1)).toBe('token_invalid')
        expect(await codeOf(verifier.verifyUser(first.accessToken))).toBe('token_invalid')
      }
    })
  })

  it.each(['', 'x', '0b54a4f4-6f6f-4a5e-9d3f-4a4a0c6a6d3e.qv1nJr9Yy0mJ2m0Q8b1u5xJc1rW2l9d8e7f6g5h4i3k'])(
    'refuses an unknown refresh token %p',
    async (refreshToken) => {
      expect(await codeOf(open().refresh(refreshToken, ADDRESS))).toBe('token_invalid')
    },
  )

  it('does not let a guessed token end the session that it names', async () => {
    const login = open()
    const { refreshToken, accessToken } = await login.login(await store(), PASSWORD, ADDRESS)
    const forged = `${refreshToken.slice(0, -1)}${refreshToken.endsWith('A') ? 'B' : 'A'}`
    expect(await codeOf(login.refresh(forged, ADDRESS))).toBe('token_invalid')
    expect(await codeOf(verifier.verifyUser(accessToken))).toBe('passed')
  })

  it('ends a session at its next use that was logged out, when the answer of the store was lost', async () => {
    const login = open()
    const { accessToken } = await login.login(await store(), PASSWORD, ADDRESS)
    const together = records.store.together.bind(records.store)
    jest.spyOn(records.store, 'together').mockImplementationOnce(async (work) => {
      await together(work)
      throw new AppError('store_unavailable')
    })
    expect(await codeOf(login.logout(await callerOf(accessToken), ADDRESS))).toBe('store_unavailable')
    expect(await codeOf(verifier.verifyUser(accessToken))).toBe('token_invalid')
  })

  it('refuses a refresh token of a session that has expired', async () => {
    const { refreshToken } = await open({ REFRESH_TOKEN_TTL_S: '60' }).login(await store(), PASSWORD, ADDRESS)
    jest.spyOn(Date, 'now').mockReturnValue(Date.now() + 60_001)
    expect(await codeOf(open().refresh(refreshToken, ADDRESS))).toBe('token_invalid')
  })

  it('ends tokens of both kinds with the logout', async () => {
    const login = open()
    const { accessToken, refreshToken } = await login.login(await store(), PASSWORD, ADDRESS)
    const caller = await callerOf(accessToken)
    await login.logout(caller, ADDRESS)
    expect(ended).toEqual([caller.sessionId])
    expect(await codeOf(verifier.verifyUser(accessToken))).toBe('token_invalid')
    expect(await codeOf(login.refresh(refreshToken, ADDRESS))).toBe('token_invalid')
  })

  it('changes a password and ends the other sessions', async () => {
    const login = open()
    const username = await store()
    const own = await login.login(username, PASSWORD, ADDRESS)
    const other = await login.login(username, PASSWORD, ADDRESS)
    await login.changePassword(await callerOf(own.accessToken), PASSWORD, 'another horse battery', ADDRESS)
    expect(await codeOf(verifier.verifyUser(own.accessToken))).toBe('passed')
    expect(await codeOf(verifier.verifyUser(other.accessToken))).toBe('token_invalid')
    expect(await codeOf(login.refresh(other.refreshToken, ADDRESS))).toBe('token_invalid')
    expect(await codeOf(login.login(username, PASSWORD, ADDRESS))).toBe('login_refused')
    expect(await codeOf(login.login(username, 'another horse battery', ADDRESS))).toBe('passed')
  })

  it('changes nothing when the present password is wrong, and counts that against the limit', async () => {
    const login = open({ LOGIN_FAILURES_PER_MINUTE: '4' })
    const username = await store()
    const caller = await callerOf((await login.login(username, PASSWORD, ADDRESS)).accessToken)
    const change = () => codeOf(login.changePassword(caller, 'wrong password', 'another horse battery', ADDRESS))
    expect([await change(), await change(), await change()]).toEqual([
      'login_refused',
      'login_refused',
      'too_many_requests',
    ])
    expect((await records.users.find(username))?.passwordHash).toBe(passwordHash)
  })

  it.each([
    ['disabled', { disabled: true }],
    ['given another password', { passwordHash: 'another' }],
  ])('gives no session to a user who was %s while the password was being hashed', async (_, changes) => {
    const username = await store()
    const login = open()
    const insertSession = records.users.insertSession.bind(records.users)
    jest.spyOn(records.users, 'insertSession').mockImplementationOnce(async (...session) => {
      await records.users.update(username, changes)
      return insertSession(...session)
    })
    expect(await codeOf(login.login(username, PASSWORD, ADDRESS))).toBe('login_refused')
    expect(await records.users.endSessionsOf(username, Date.now())).toEqual([])
  })

  it('gives no session to a user who was deleted while the password was being hashed', async () => {
    const username = await store()
    const login = open()
    const insertSession = records.users.insertSession.bind(records.users)
    jest.spyOn(records.users, 'insertSession').mockImplementationOnce(async (...session) => {
      await records.users.delete(username)
      return insertSession(...session)
    })
    expect(await codeOf(login.login(username, PASSWORD, ADDRESS))).toBe('login_refused')
  })

  it.each([
    ['gave the user another password', { passwordHash: 'another' }, true],
    ['ended all sessions of the user', { disabled: true }, false],
  ])('does not overrule an admin who %s while the new password was being hashed', async (_, changes, isSessionLeft) => {
    const login = open()
    const username = await store()
    const caller = await callerOf((await login.login(username, PASSWORD, ADDRESS)).accessToken)
    const makeHash = hasher.hash.bind(hasher)
    jest.spyOn(hasher, 'hash').mockImplementationOnce(async (password) => {
      await records.users.update(username, changes)
      await records.users.endSessionsOf(username, Date.now(), isSessionLeft ? caller.sessionId : undefined)
      return makeHash(password)
    })
    const changing = login.changePassword(caller, PASSWORD, 'another horse battery', ADDRESS)
    expect(await codeOf(changing)).toBe('login_refused')
    expect(await records.users.find(username)).toMatchObject({ passwordHash, ...changes })
    expect(await records.audit.list({ actions: ['user.password'], by: [username], limit: 1 })).toEqual([])
  })

  it('writes logins and logouts down, and never a secret', async () => {
    const login = open()
    const username = await store()
    const tokens = await login.login(username, PASSWORD, ADDRESS)
    const caller = await callerOf(tokens.accessToken)
    await login.changePassword(caller, PASSWORD, 'another horse battery', ADDRESS)
    await login.logout(caller, ADDRESS)
    const entries = await records.audit.list({ by: [username], limit: 10 })
    expect(entries.map(({ action, target, address }) => [action, target, address])).toEqual([
      ['user.logout', username, ADDRESS],
      ['user.password', username, ADDRESS],
      ['user.login', username, ADDRESS],
    ])
    const text = JSON.stringify(entries)
    for (const secret of [PASSWORD, 'another horse', tokens.accessToken, tokens.refreshToken]) {
      expect(text.includes(secret)).toBe(false)
    }
  })
})
