import { setTimeout as sleep } from 'node:timers/promises'
import { Logger } from '@nestjs/common'
import { MemoryDeviceRecords, makeDevice } from '../../test/support/memory-device-records.js'
import { parseConfig } from '../config/app-config.js'
import { type AuditFact, AuditLog } from '../identity/audit-log.js'
import { DeviceDirectory } from '../identity/device-directory.js'
import { isDeviceSecret } from '../identity/device-secrets.js'
import { ErasingDevices } from '../identity/erasing-devices.js'
import { Metrics } from '../metrics/metrics.js'
import { AppError } from '../model/app-error.js'
import { Sessions } from '../sessions/sessions.js'
import type { RawFrameStore } from '../storage/frames/raw-frame-store.js'
import type { PositionStore } from '../storage/positions/position-store.js'
import type { QuarantineStore } from '../storage/quarantine/quarantine-store.js'
import type { SpoolStore } from '../storage/spool/spool-store.js'
import type { AlarmRecords } from '../storage/sql/alarm-records.js'
import type { CommandRecords } from '../storage/sql/command-records.js'
import type { DeviceRecord } from '../storage/sql/device-records.js'
import type { ErasureRecord, ErasureRecords } from '../storage/sql/erasure-records.js'
import type { SqlStore } from '../storage/sql/sql-store.js'
import { DeviceErasure } from './device-erasure.js'
import { DeviceErasures } from './device-erasures.js'
import { DeviceManagement } from './device-management.js'
import { DeviceRegistry } from './device-registry.js'
import type { VideoErasure } from './video-erasure.js'

const ACTOR = { by: 'admin', address: '192.0.2.1' }
const IMEI = '350123451234567'
const STORES = ['positions', 'quarantine', 'frames', 'alarms', 'videos', 'commands']

function build(...devices: DeviceRecord[]) {
  const records = new MemoryDeviceRecords(devices)
  const erasing = new ErasingDevices()
  const registry = new DeviceRegistry(
    records,
    new DeviceDirectory(records),
    new Sessions(new Metrics()),
    parseConfig({}),
    erasing,
  )
  const facts: AuditFact[] = []
  const entries = { append: async (fact: AuditFact) => void facts.push(fact) }
  const asked = new Map<string, ErasureRecord>()
  const marks = {
    add: async (one: ErasureRecord) => !asked.has(one.deviceId) && Boolean(asked.set(one.deviceId, one)),
    find: async (deviceId: string) => asked.get(deviceId),
    list: async () => [...asked.values()],
    remove: async (deviceId: string) => asked.delete(deviceId),
  }
  const joined = { devices: records, audit: entries, erasures: marks } as never
  const audit = new AuditLog(entries as never, { together: (work) => work(joined) } as SqlStore)
  /** Which store was erased, and what the registry said of the device then. */
  const erased: Array<[string, string | undefined]> = []
  const failing = { store: '', deviceId: undefined as string | undefined }
  const held = { store: '', until: Promise.resolve() }
  const eraseIn = (store: string) => async (deviceId: string) => {
    if (failing.store === store && (failing.deviceId ?? deviceId) === deviceId) throw new Error(`${store} is away`)
    if (held.store === store) await held.until
    erased.push([store, (await records.find(deviceId))?.status])
  }
  /** What is left of a device, in any store. */
  const left: unknown[] = []
  const some = async () => left
  const erasure = new DeviceErasure(
    { eraseDevice: eraseIn('positions'), listTrack: some } as unknown as PositionStore,
    { eraseDevice: eraseIn('quarantine'), list: some } as unknown as QuarantineStore,
    { eraseDevice: eraseIn('alarms'), list: some } as unknown as AlarmRecords,
    { eraseDevice: eraseIn('videos'), listSome: some } as unknown as VideoErasure,
    { eraseDevice: eraseIn('commands'), list: some } as unknown as CommandRecords,
    { eraseDevice: eraseIn('frames'), list: some } as unknown as RawFrameStore,
    { list: some } as unknown as SpoolStore,
  )
  const erasures = new DeviceErasures(marks as ErasureRecords, registry, erasure, audit, erasing)
  return {
    management: new DeviceManagement(registry, erasures, audit),
    erasures,
    asked,
    left,
    records,
    facts,
    erased,
    failing,
    /** Makes erasures wait in that store. @returns lets them go on */
    hold: (store: string) => {
      const { promise, resolve } = withResolvers()
      Object.assign(held, { store, until: promise })
      return resolve
    },
  }
}

function withResolvers() {
  let resolve: () => void = () => undefined
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve }
}

async function until(isSo: () => boolean): Promise<void> {
  for (const endMs = performance.now() + 15_000; !isSo(); await sleep(5)) {
    if (performance.now() > endMs) throw new Error('it never was so')
  }
}

afterEach(() => jest.restoreAllMocks())

/** Long enough for what needs no store of its own. */
const nextTurn = () => sleep(50)

const factsOf = (facts: readonly AuditFact[]) => facts.map(({ action, target, detail }) => [action, target, detail])

describe('DeviceManagement', () => {
  it('creates a device once and writes it down without its secret', async () => {
    const { management, facts } = build()
    const { generatedSecret } = await management.create({ deviceId: 'gate-1', name: 'Gate' }, ACTOR)
    await expect(management.create({ deviceId: 'gate-1' }, ACTOR)).rejects.toMatchObject({ code: 'device_exists' })
    expect(factsOf(facts)).toEqual([
      ['device.create', 'gate-1', { kind: 'named', name: 'Gate', plate: null, hasSecret: true }],
    ])
    expect(facts[0]).toMatchObject(ACTOR)
    expect(JSON.stringify(facts)).not.toContain(generatedSecret)
  })

  it('writes down what was changed, but not a command password', async () => {
    const { management, facts } = build(makeDevice({ deviceId: IMEI }))
    await management.change(IMEI, { name: 'Truck 7', status: 'disabled', commandPassword: 'hush' }, ACTOR)
    await management.change(IMEI, { name: 'Truck 7' }, ACTOR)
    expect(factsOf(facts)).toEqual([
      ['device.update', IMEI, { name: 'Truck 7', status: 'disabled', commandPassword: '(not shown)' }],
    ])
    await expect(management.change('nobody', {}, ACTOR)).rejects.toMatchObject({ code: 'not_found' })
  })

  it('gives a new secret that only the answer holds', async () => {
    const { management, facts, records } = build(makeDevice({ deviceId: IMEI, generation: 'g1' }))
    const secret = await management.renewSecret(IMEI, ACTOR)
    const record = await records.find(IMEI)
    expect(isDeviceSecret(secret, record?.secretHash ?? null)).toBe(true)
    expect(record?.generation).not.toBe('g1')
    expect(factsOf(facts)).toEqual([['device.secret', IMEI, null]])
    await expect(management.renewSecret('nobody', ACTOR)).rejects.toMatchObject({ code: 'not_found' })
  })

  it('deletes a device and leaves what it sent', async () => {
    const { management, facts, erased, records } = build(makeDevice({ deviceId: IMEI }))
    await management.delete(IMEI, false, ACTOR)
    expect([await records.find(IMEI), erased]).toEqual([undefined, []])
    expect(factsOf(facts)).toEqual([['device.delete', IMEI, { erase: false }]])
    await expect(management.delete(IMEI, false, ACTOR)).rejects.toMatchObject({ code: 'not_found' })
    await expect(management.delete(IMEI, true, ACTOR)).rejects.toMatchObject({ code: 'not_found' })
    expect(facts).toHaveLength(1)
  })

  it('erases a device only after it was shut out, twice over, and takes it from the registry last', async () => {
    const { management, facts, erased, records } = build(makeDevice({ deviceId: IMEI }))
    await management.delete(IMEI, true, ACTOR)
    expect(erased).toEqual([...STORES, ...STORES].map((store) => [store, 'disabled']))
    expect(await records.find(IMEI)).toBeUndefined()
    expect(factsOf(facts)).toEqual([
      ['device.erase', IMEI, null],
      ['device.delete', IMEI, { erase: true }],
    ])
  })

  it.each(STORES)('finishes an erasure that broke off at the %s when it is repeated', async (store) => {
    const { management, erased, failing, records } = build(makeDevice({ deviceId: IMEI }))
    failing.store = store
    await expect(management.delete(IMEI, true, ACTOR)).rejects.toThrow(`${store} is away`)
    expect((await records.find(IMEI))?.status).toBe('disabled')
    failing.store = ''
    await management.delete(IMEI, true, ACTOR)
    expect(await records.find(IMEI)).toBeUndefined()
    expect(erased.slice(-2 * STORES.length).map(([name]) => name)).toEqual([...STORES, ...STORES])
  })

  it('finishes at the next start by itself what broke off', async () => {
    const { management, erasures, asked, failing, facts, records } = build(makeDevice({ deviceId: IMEI }))
    failing.store = 'videos'
    await expect(management.delete(IMEI, true, ACTOR)).rejects.toThrow('videos is away')
    expect([...asked.keys()]).toEqual([IMEI])
    failing.store = ''
    erasures.onApplicationBootstrap()
    await nextTurn()
    await erasures.onModuleDestroy()
    expect([await records.find(IMEI), asked.size]).toEqual([undefined, 0])
    expect(factsOf(facts)).toEqual([
      ['device.erase', IMEI, null],
      ['device.delete', IMEI, { erase: true }],
    ])
  })

  it('finishes within a minute by itself what broke off at the request, also when nobody knows whether it was written down', async () => {
    jest.useFakeTimers()
    const { management, erasures, asked, facts, records } = build(makeDevice({ deviceId: IMEI }))
    const add = asked.set.bind(asked)
    jest.spyOn(asked, 'set').mockImplementationOnce((deviceId, one) => {
      add(deviceId, one)
      throw new AppError('store_unavailable')
    })
    await expect(management.delete(IMEI, true, ACTOR)).rejects.toMatchObject({ code: 'store_unavailable' })
    expect([(await records.find(IMEI))?.status, asked.size]).toEqual(['active', 1])
    await jest.advanceTimersByTimeAsync(60_000)
    expect([await records.find(IMEI), asked.size]).toEqual([undefined, 0])
    expect(factsOf(facts)).toEqual([['device.delete', IMEI, { erase: true }]])
    await erasures.onModuleDestroy()
    jest.useRealTimers()
  })

  it('erases what is left of a device that was removed before, and knows none of which there is nothing', async () => {
    const { management, left, erased, facts } = build()
    left.push('a position')
    await management.delete(IMEI, true, ACTOR)
    expect(erased).toEqual([...STORES, ...STORES].map((store) => [store, undefined]))
    expect(factsOf(facts).map(([action]) => action)).toEqual(['device.erase', 'device.delete'])
    left.pop()
    await expect(management.delete(IMEI, true, ACTOR)).rejects.toMatchObject({ code: 'not_found' })
  })

  it('leaves a device alone that was added after somebody asked to erase the one before', async () => {
    const device = makeDevice({ deviceId: IMEI, createdAtMs: 2000 })
    const { erasures, asked, erased, records } = build(device)
    asked.set(IMEI, { deviceId: IMEI, ...ACTOR, askedAtMs: 1000 })
    erasures.onApplicationBootstrap()
    await nextTurn()
    await erasures.onModuleDestroy()
    expect([await records.find(IMEI), erased, asked.size]).toEqual([device, [], 0])
  })

  it.each(['quarantine', 'commands'])(
    'lets nobody add a device whose leftovers are being erased, at the %s',
    async (store) => {
      const { management, left, records, hold, erased } = build()
      left.push('a position')
      const goOn = hold(store)
      const erasing = management.delete(IMEI, true, ACTOR)
      const before = STORES.slice(0, STORES.indexOf(store))
      await until(() => erased.length === before.length)
      const added = management.create({ deviceId: IMEI }, ACTOR)
      await expect(added).rejects.toMatchObject({ code: 'overloaded', retryAfterMs: expect.any(Number) })
      await management.create({ deviceId: '350123451234575' }, ACTOR)
      goOn()
      await erasing
      expect(await records.find(IMEI)).toBeUndefined()
      await management.create({ deviceId: IMEI }, ACTOR)
      expect(await records.find(IMEI)).toMatchObject({ status: 'active' })
    },
  )

  it('lets devices of an id be added again also when its erasure broke off', async () => {
    const { management, left, records, failing } = build()
    left.push('a position')
    failing.store = 'videos'
    await expect(management.delete(IMEI, true, ACTOR)).rejects.toThrow('videos is away')
    await management.create({ deviceId: IMEI }, ACTOR)
    expect(await records.find(IMEI)).toMatchObject({ status: 'active' })
  })

  it('waits for a device that was being added when its erasure began, and leaves it alone', async () => {
    jest.spyOn(Logger.prototype, 'warn').mockImplementation()
    const { management, erasures, asked, left, records, erased } = build()
    left.push('a position')
    asked.set(IMEI, { deviceId: IMEI, ...ACTOR, askedAtMs: Date.now() - 1000 })
    const { promise, resolve } = withResolvers()
    const insert = records.insert.bind(records)
    const inserting = jest.spyOn(records, 'insert').mockImplementation(async (record) => {
      await promise
      return insert(record)
    })
    const added = management.create({ deviceId: IMEI }, ACTOR)
    await until(() => inserting.mock.calls.length === 1)
    erasures.onApplicationBootstrap()
    await nextTurn()
    resolve()
    await added
    await until(() => asked.size === 0)
    expect([(await records.find(IMEI))?.status, erased]).toEqual(['active', []])
    await erasures.onModuleDestroy()
  })

  it('leaves a device alone that another server added while its leftovers were erased', async () => {
    const warned = jest.spyOn(Logger.prototype, 'warn').mockImplementation()
    const { management, left, records, hold, erased, asked, facts } = build()
    left.push('a position')
    const goOn = hold('commands')
    const erasing = management.delete(IMEI, true, ACTOR)
    await until(() => erased.length === STORES.length - 1)
    const device = makeDevice({ deviceId: IMEI, createdAtMs: Date.now() + 1000 })
    await records.insert(device)
    goOn()
    await erasing
    expect([await records.find(IMEI), asked.size]).toEqual([device, 0])
    expect(factsOf(facts).map(([action]) => action)).toEqual(['device.erase'])
    expect(warned.mock.calls).toEqual([[{ event: 'erasure_given_up', deviceId: IMEI }]])
  })

  it('finishes the others when one erasure cannot end, and tries that one again', async () => {
    jest.useFakeTimers()
    const warned = jest.spyOn(Logger.prototype, 'warn').mockImplementation()
    jest.spyOn(Logger.prototype, 'log').mockImplementation()
    const { erasures, asked, failing } = build()
    for (const deviceId of ['first', 'second', 'third']) asked.set(deviceId, { deviceId, ...ACTOR, askedAtMs: 1000 })
    Object.assign(failing, { store: 'videos', deviceId: 'first' })
    erasures.onApplicationBootstrap()
    await jest.advanceTimersByTimeAsync(0)
    expect([...asked.keys()]).toEqual(['first'])
    expect(warned.mock.calls).toEqual([[{ event: 'erasure_failed', deviceId: 'first', reason: 'videos is away' }]])
    failing.store = ''
    await jest.advanceTimersByTimeAsync(60_000)
    expect(asked.size).toBe(0)
    await erasures.onModuleDestroy()
    jest.useRealTimers()
  })

  it('ends an erasure between two steps when the server stops, and finishes it at the next start', async () => {
    const { management, erasures, asked, hold, erased, records } = build(makeDevice({ deviceId: IMEI }))
    const goOn = hold('quarantine')
    const erasing = expect(management.delete(IMEI, true, ACTOR)).rejects.toMatchObject({ code: 'overloaded' })
    await until(() => erased.length === 1)
    const stopped = erasures.onModuleDestroy()
    goOn()
    await Promise.all([erasing, stopped])
    expect(erased.map(([store]) => store)).toEqual(['positions', 'quarantine'])
    expect([(await records.find(IMEI))?.status, [...asked.keys()]]).toEqual(['disabled', [IMEI]])
  })

  it('does not hold up a stop by a step that takes long', async () => {
    jest.useFakeTimers()
    const { management, erasures, hold } = build(makeDevice({ deviceId: IMEI }))
    const goOn = hold('positions')
    const erasing = expect(management.delete(IMEI, true, ACTOR)).rejects.toMatchObject({ code: 'overloaded' })
    await jest.advanceTimersByTimeAsync(0)
    let hasStopped = false
    const stopped = erasures.onModuleDestroy().then(() => {
      hasStopped = true
    })
    await jest.advanceTimersByTimeAsync(2000)
    expect(hasStopped).toBe(true)
    goOn()
    await Promise.all([erasing, stopped])
    jest.useRealTimers()
  })
})
