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
import { ErasingDevices } from './erasing-devices.js'
import { DeviceAddresses } from './known-addresses.js'
import { DeviceGate } from './login-gate.js'
import { LoginLimits } from './login-limits.js'
import { RefusalPace } from './refusal-pace.js'
import { TrackerDoor } from './tracker-door.js'

const ADDRESS = '192.0.2.7'
const PACE_MS = 60

describe('the door of trackers', () => {
  let records: TestRecords
  let directory: DeviceDirectory
  let door: TrackerDoor
  let count = 0

  beforeAll(async () => {
    Logger.overrideLogger(false)
    records = await openTestRecords()
  })

  afterAll(() => records.close())

  beforeEach(() => open())

  function open(environment: Record<string, string> = {}): void {
    const config = parseConfig({ IMEI_CHECK: 'any', ...environment })
    const metrics = new Metrics()
    const addresses = new DeviceAddresses(records.devices)
    const limits = new LoginLimits(config.LOGIN_FAILURES_PER_MINUTE, addresses)
    const gate = new DeviceGate('device', limits, addresses, new RefusalPace(PACE_MS), metrics)
    directory = new DeviceDirectory(records.devices)
    const disk = new DiskGuard('.', 0, metrics)
    const enrolment = new DeviceEnrolment(config, records.devices, disk, new ErasingDevices())
    door = new TrackerDoor(config, directory, enrolment, gate)
  }

  const nextImei = () => String(350_000_000_000_000 + ++count)

  async function store(changes: Partial<DeviceRecord> = {}): Promise<string> {
    const deviceId = nextImei()
    await records.devices.insert(makeDevice({ deviceId, ...changes }))
    return deviceId
  }

  const outcomeOf = (asked: Promise<{ deviceId: string } | undefined>) =>
    asked.then(
      (device) => device?.deviceId ?? 'refused',
      (error: unknown) => (error instanceof AppError ? error.code : String(error)),
    )

  const both = async (deviceId: string) => [
    await outcomeOf(door.admit(deviceId, ADDRESS)),
    await outcomeOf(door.admitUnanswered(deviceId, ADDRESS)),
  ]

  it('lets registered devices in, and those with a secret only where an admin allows it', async () => {
    const plain = await store()
    const secured = await store({ secretHash: 'a'.repeat(64) })
    const allowed = await store({ secretHash: 'a'.repeat(64), trackerAllowed: true })
    expect(await both(plain)).toEqual([plain, plain])
    expect(await both(secured)).toEqual(['refused', 'refused'])
    expect(await both(allowed)).toEqual([allowed, allowed])
  })

  it('refuses who is unknown, disabled, or no IMEI at all', async () => {
    expect(await both(nextImei())).toEqual(['refused', 'refused'])
    expect(await both(await store({ status: 'disabled' }))).toEqual(['refused', 'refused'])
    expect(await both('35"094081672179')).toEqual(['refused', 'refused'])
  })

  it('registers who is unknown where enrolment is open', async () => {
    open({ DEVICE_ENROLMENT: 'open' })
    const [one, other] = [nextImei(), nextImei()]
    expect(await outcomeOf(door.admit(one, ADDRESS))).toBe(one)
    expect(await outcomeOf(door.admitUnanswered(other, ADDRESS))).toBe(other)
  })

  it('recalls from memory who may come in, as of this moment', async () => {
    const deviceId = await store()
    expect(door.recall(deviceId)).toBeUndefined()
    await door.admit(deviceId, ADDRESS)
    expect(door.recall(deviceId)?.deviceId).toBe(deviceId)
    directory.put(makeDevice({ deviceId, status: 'disabled' }))
    expect(door.recall(deviceId)).toBeUndefined()
    directory.put(makeDevice({ deviceId, secretHash: 'a'.repeat(64) }))
    expect(door.recall(deviceId)).toBeUndefined()
    directory.put(makeDevice({ deviceId, secretHash: 'a'.repeat(64), trackerAllowed: true }))
    expect(door.recall(deviceId)?.deviceId).toBe(deviceId)
  })

  it('refuses at the pace of all refusals who is answered, and at once who is not', async () => {
    const timeOf = async (asked: () => Promise<unknown>) => {
      const startedMs = performance.now()
      await asked()
      return performance.now() - startedMs
    }
    await door.admitUnanswered(nextImei(), ADDRESS)
    expect(await timeOf(() => door.admit(nextImei(), ADDRESS))).toBeGreaterThanOrEqual(PACE_MS - 2)
    const unanswered: number[] = []
    for (let i = 0; i < 5; i++) unanswered.push(await timeOf(() => door.admitUnanswered(nextImei(), ADDRESS)))
    // A busy machine may be late with one of them, not with all.
    expect(Math.min(...unanswered)).toBeLessThan(PACE_MS / 2)
  })

  it('lets nobody who makes an address up shut out those who log in from there', async () => {
    open({ LOGIN_FAILURES_PER_MINUTE: '4' })
    const deviceId = await store()
    for (let i = 0; i < 4; i++) expect(await outcomeOf(door.admitUnanswered(nextImei(), ADDRESS))).toBe('refused')
    expect(await outcomeOf(door.admitUnanswered(nextImei(), ADDRESS))).toBe('too_many_requests')
    expect(await outcomeOf(door.admit(deviceId, ADDRESS))).toBe(deviceId)
    // Whom memory knows is not even counted.
    expect(door.recall(deviceId)?.deviceId).toBe(deviceId)
  })
})
