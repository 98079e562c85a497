import { Logger } from '@nestjs/common'
import { makeDevice } from '../../test/support/memory-device-records.js'
import { openTestRecords, type TestRecords } from '../../test/support/test-records.js'
import { parseConfig } from '../config/app-config.js'
import { Metrics } from '../metrics/metrics.js'
import { AppError } from '../model/app-error.js'
import { DiskGuard } from '../storage/disk-guard.js'
import type { DeviceRecord } from '../storage/sql/device-records.js'
import { DeviceDirectory } from './device-directory.js'
import { DeviceEnrolment } from './device-enrolment.js'
import { DeviceLogin } from './device-login.js'
import { hashDeviceSecret } from './device-secrets.js'
import { ErasingDevices } from './erasing-devices.js'
import { EnvironmentKeys } from './key-source.js'
import { DeviceAddresses } from './known-addresses.js'
import { DeviceGate } from './login-gate.js'
import { LoginLimits } from './login-limits.js'
import { RefusalPace } from './refusal-pace.js'
import { generateSigningJwk } from './signing-key.js'
import { SigningKeys } from './signing-keys.js'
import { TokenIssuer } from './tokens.js'

const SECRET = 'vJ3l0eGQH1bWq2s7m9c4k8x6'
const PACE_MS = 60

describe('DeviceLogin', () => {
  let records: TestRecords
  let keys: SigningKeys
  let directory: DeviceDirectory
  let metrics: Metrics
  let count = 0

  beforeAll(async () => {
    Logger.overrideLogger(false)
    records = await openTestRecords()
    keys = await SigningKeys.open(new EnvironmentKeys(JSON.stringify({ keys: [await generateSigningJwk()] })))
  })

  afterAll(() => records.close())

  beforeEach(() => {
    directory = new DeviceDirectory(records.devices)
    metrics = new Metrics()
  })

  afterEach(() => jest.restoreAllMocks())

  const erasing = new ErasingDevices()

  function open(environment: Record<string, string> = {}, isFull = false): DeviceLogin {
    const config = parseConfig(environment)
    const addresses = new DeviceAddresses(records.devices)
    const limits = new LoginLimits(config.LOGIN_FAILURES_PER_MINUTE, addresses)
    const gate = new DeviceGate('device', limits, addresses, new RefusalPace(PACE_MS), metrics)
    const issuer = new TokenIssuer(keys, { deviceS: config.DEVICE_TOKEN_TTL_S, userS: config.USER_TOKEN_TTL_S })
    const disk = new DiskGuard('.', 0, metrics)
    if (isFull) jest.spyOn(disk, 'isFull', 'get').mockReturnValue(true)
    const enrolment = new DeviceEnrolment(config, records.devices, disk, erasing)
    return new DeviceLogin(directory, enrolment, gate, issuer)
  }

  async function store(changes: Partial<DeviceRecord> = {}): Promise<string> {
    count += 1
    const device = makeDevice({ deviceId: `box-${count}`, kind: 'imei', ...changes })
    await records.devices.insert(device)
    return device.deviceId
  }

  async function outcomeOf(login: Promise<{ expiresInS: number }>): Promise<string | number> {
    try {
      return (await login).expiresInS
    } catch (error) {
      if (error instanceof AppError) return error.code
      throw error
    }
  }

  const from = (deviceId: string, secret?: string, address = '192.0.2.7') => ({ deviceId, secret, address })

  it('lets in a registered unit without a secret, whatever secret it sends, for ten days', async () => {
    const deviceId = await store()
    expect(await outcomeOf(open().login(from(deviceId)))).toBe(864_000)
    expect(await outcomeOf(open().login(from(deviceId, 'something')))).toBe(864_000)
  })

  it('lets in a unit with a secret only with it', async () => {
    const deviceId = await store({ secretHash: hashDeviceSecret(SECRET) })
    expect(await outcomeOf(open().login(from(deviceId, SECRET)))).toBe(864_000)
    expect(await outcomeOf(open().login(from(deviceId)))).toBe('login_refused')
    expect(await outcomeOf(open().login(from(deviceId, `${SECRET} `)))).toBe('login_refused')
  })

  it('refuses a named device without a secret, and a disabled one with the right one', async () => {
    const named = await store({ kind: 'named' })
    const disabled = await store({ status: 'disabled', secretHash: hashDeviceSecret(SECRET) })
    expect(await outcomeOf(open().login(from(named)))).toBe('login_refused')
    expect(await outcomeOf(open().login(from(disabled, SECRET)))).toBe('login_refused')
  })

  it('refuses an unknown device, and registers it on first login where enrolment is open', async () => {
    expect(await outcomeOf(open().login(from('356307042441013')))).toBe('login_refused')
    const isOpen = open({ DEVICE_ENROLMENT: 'open' })
    expect(await outcomeOf(isOpen.login(from('356307042441013')))).toBe(864_000)
    expect(await records.devices.find('356307042441013')).toMatchObject({ kind: 'imei', secretHash: null })
    expect(await outcomeOf(isOpen.login(from('some-box', SECRET)))).toBe('login_refused')
    expect(await records.devices.find('some-box')).toBeUndefined()
  })

  it('registers nobody while the disk is full, but lets in those who are', async () => {
    const deviceId = await store()
    const login = open({ DEVICE_ENROLMENT: 'open' }, true)
    expect(await outcomeOf(login.login(from('353451234567897')))).toBe('disk_full')
    expect(await records.devices.find('353451234567897')).toBeUndefined()
    expect(await outcomeOf(login.login(from(deviceId)))).toBe(864_000)
  })

  it('registers a unit once when it logs in many times at once', async () => {
    const isOpen = open({ DEVICE_ENROLMENT: 'open' })
    const outcomes = await Promise.all(
      Array.from({ length: 10 }, () => outcomeOf(isOpen.login(from('490154203237518')))),
    )
    expect(outcomes).toEqual(Array(10).fill(864_000))
  })

  it('registers nobody whose data is being erased, and everybody when that is done', async () => {
    const login = open({ DEVICE_ENROLMENT: 'open' })
    const unit = '356307042441021'
    await erasing.begin(unit)
    await expect(login.login(from(unit))).rejects.toMatchObject({
      code: 'overloaded',
      retryAfterMs: expect.any(Number),
    })
    expect(await records.devices.find(unit)).toBeUndefined()
    erasing.end(unit)
    expect(await outcomeOf(login.login(from(unit)))).toBe(864_000)
  })

  it('does not bring back a device that an operator disabled where enrolment is open', async () => {
    const deviceId = await store({ deviceId: '352094087982671', status: 'disabled' })
    expect(await outcomeOf(open({ DEVICE_ENROLMENT: 'open' }).login(from(deviceId)))).toBe('login_refused')
  })

  it('asks the store for good logins once, and for every refused one', async () => {
    const deviceId = await store({ secretHash: hashDeviceSecret(SECRET) })
    const login = open()
    const find = jest.spyOn(records.devices, 'find')
    for (let n = 0; n < 5; n++) await login.login(from(deviceId, SECRET))
    expect(find).toHaveBeenCalledTimes(1)
    await outcomeOf(login.login(from(deviceId, 'wrong')))
    await outcomeOf(login.login(from('nobody', 'wrong')))
    expect(find).toHaveBeenCalledTimes(3)
  })

  it('believes the store, not its memory, before it refuses', async () => {
    const deviceId = await store({ secretHash: hashDeviceSecret('the secret of yesterday') })
    const login = open()
    await login.login(from(deviceId, 'the secret of yesterday'))
    await records.devices.update(deviceId, { secretHash: hashDeviceSecret(SECRET) })
    expect(await outcomeOf(login.login(from(deviceId, SECRET)))).toBe(864_000)
  })

  it('lets known units in while the store is away, and refuses nobody as unknown then', async () => {
    const deviceId = await store({ secretHash: hashDeviceSecret(SECRET) })
    const login = open()
    await login.login(from(deviceId, SECRET))
    jest.spyOn(records.devices, 'find').mockRejectedValue(new AppError('store_unavailable'))
    expect(await outcomeOf(login.login(from(deviceId, SECRET)))).toBe(864_000)
    expect(await outcomeOf(login.login(from(deviceId, 'wrong')))).toBe('store_unavailable')
    expect(await outcomeOf(login.login(from('nobody', 'wrong')))).toBe('store_unavailable')
  })

  it('takes as long to refuse one as the other', async () => {
    const login = open({ LOGIN_FAILURES_PER_MINUTE: '0' })
    const withSecret = await store({ secretHash: hashDeviceSecret(SECRET) })
    const disabled = await store({ status: 'disabled' })
    await login.login(from(withSecret, SECRET))
    const cases = { unknown: 'nobody', wrong: withSecret, disabled }
    const tookMs: Record<string, number[]> = { unknown: [], wrong: [], disabled: [] }
    for (let n = 0; n < 9; n++) {
      for (const [name, deviceId] of Object.entries(cases)) {
        const startedMs = performance.now()
        expect(await outcomeOf(login.login(from(deviceId, 'wrong')))).toBe('login_refused')
        tookMs[name]?.push(performance.now() - startedMs)
      }
    }
    const medians = Object.values(tookMs).map((times) => times.sort((a, b) => a - b)[4] as number)
    expect(Math.min(...medians)).toBeGreaterThanOrEqual(PACE_MS - 1)
    expect(Math.max(...medians) - Math.min(...medians)).toBeLessThan(PACE_MS / 2)
  })

  it('remembers where units log in from, so that they get in over a used-up limit also after a restart', async () => {
    const [known, other] = [await store(), await store()]
    const address = '203.0.113.9'
    await open().login(from(known, undefined, address))
    const restarted = open({ LOGIN_FAILURES_PER_MINUTE: '2' })
    for (const id of ['guess-1', 'guess-2']) await outcomeOf(restarted.login(from(id, 'x', address)))
    expect(await outcomeOf(restarted.login(from(other, undefined, address)))).toBe('too_many_requests')
    expect(await outcomeOf(restarted.login(from(known, undefined, address)))).toBe(864_000)
  })

  it('refuses even the right secret over the limit of id and address', async () => {
    const deviceId = await store({ secretHash: hashDeviceSecret(SECRET) })
    const login = open({ LOGIN_FAILURES_PER_MINUTE: '4' })
    await login.login(from(deviceId, SECRET, '203.0.113.20'))
    for (let n = 0; n < 2; n++) await outcomeOf(login.login(from(deviceId, 'x', '203.0.113.20')))
    expect(await outcomeOf(login.login(from(deviceId, SECRET, '203.0.113.20')))).toBe('too_many_requests')
    expect(await outcomeOf(login.login(from(deviceId, SECRET, '203.0.113.21')))).toBe(864_000)
  })

  it('gives a hundred guesses sent at once, the right one among them, no more answers than the limit', async () => {
    const deviceId = await store({ secretHash: hashDeviceSecret(SECRET) })
    const login = open()
    const guesses = Array.from({ length: 100 }, (_, n) => (n === 99 ? SECRET : `guess-${n}`))
    const outcomes = await Promise.all(
      guesses.map((secret) => outcomeOf(login.login(from(deviceId, secret, '203.0.113.30')))),
    )
    expect(outcomes.filter((outcome) => outcome === 'login_refused')).toHaveLength(10)
    expect(outcomes[99]).toBe('too_many_requests')
  })

  it('counts logins by outcome', async () => {
    const deviceId = await store()
    const login = open({ LOGIN_FAILURES_PER_MINUTE: '2' })
    await login.login(from(deviceId, undefined, '203.0.113.40'))
    for (let n = 0; n < 3; n++) await outcomeOf(login.login(from('nobody', 'x', '203.0.113.40')))
    const { values } = await metrics.logins.get()
    expect(values.map(({ labels, value }) => [labels.kind, labels.outcome, value])).toEqual([
      ['device', 'ok', 1],
      ['device', 'refused', 1],
      ['device', 'limited', 2],
    ])
  })
})
