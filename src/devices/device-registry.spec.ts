import { MemoryDeviceRecords, makeDevice } from '../../test/support/memory-device-records.js'
import { parseConfig } from '../config/app-config.js'
import { DeviceDirectory } from '../identity/device-directory.js'
import { hashDeviceSecret, isDeviceSecret } from '../identity/device-secrets.js'
import { ErasingDevices } from '../identity/erasing-devices.js'
import { Metrics } from '../metrics/metrics.js'
import { AppError } from '../model/app-error.js'
import type { ClosingCode } from '../sessions/link.js'
import { Sessions } from '../sessions/sessions.js'
import type { DeviceRecord } from '../storage/sql/device-records.js'
import { DeviceRegistry } from './device-registry.js'

const IMEI = '350123451234567'
const SECRET = 'a secret of 20 chars'

function build(...devices: DeviceRecord[]) {
  const records = new MemoryDeviceRecords(devices)
  const directory = new DeviceDirectory(records)
  const sessions = new Sessions(new Metrics())
  const registry = new DeviceRegistry(records, directory, sessions, parseConfig({}), new ErasingDevices())
  /** What the directory said when a link was ended: a unit that comes straight back must meet the change. */
  const generationsAtClose: Array<string | undefined> = []
  const openLink = (deviceId: string) => {
    const closed: ClosingCode[] = []
    sessions.open(
      {
        deviceId,
        transport: 'socket',
        openedAtMs: 0,
        carriesCommandIds: true,
        sendCommand: async () => undefined,
        close: (code) => {
          if (closed.length > 0) return
          closed.push(code)
          generationsAtClose.push(directory.peek(deviceId)?.generation)
        },
      },
      true,
    )
    return closed
  }
  return { records, directory, registry, openLink, generationsAtClose }
}

describe('DeviceRegistry', () => {
  it('adds a cellular unit without a secret', async () => {
    const { registry, records, directory } = build()
    const added = await registry.add({ deviceId: IMEI, name: 'Truck 7' })
    expect(added?.generatedSecret).toBeNull()
    expect(await records.find(IMEI)).toMatchObject({
      deviceId: IMEI,
      kind: 'imei',
      name: 'Truck 7',
      plate: null,
      status: 'active',
      secretHash: null,
      trackerAllowed: false,
      lastSeenAtMs: null,
    })
    expect(directory.peek(IMEI)?.generation).toBe(added?.record.generation)
  })

  it('generates a secret for another box, and keeps only its hash', async () => {
    const { registry, records } = build()
    const added = await registry.add({ deviceId: 'gate-1' })
    expect(added?.generatedSecret).toMatch(/^[\w-]{32}$/)
    const record = await records.find('gate-1')
    expect(record?.kind).toBe('named')
    expect(isDeviceSecret(added?.generatedSecret ?? '', record?.secretHash ?? null)).toBe(true)
  })

  it('keeps a given secret and does not show it', async () => {
    const { registry, records } = build()
    for (const deviceId of [IMEI, 'gate-1']) {
      expect((await registry.add({ deviceId, secret: SECRET }))?.generatedSecret).toBeNull()
      expect((await records.find(deviceId))?.secretHash).toBe(hashDeviceSecret(SECRET))
    }
  })

  it('leaves a device that is there as it is', async () => {
    const { registry, records } = build(makeDevice({ deviceId: IMEI, name: 'first' }))
    expect(await registry.add({ deviceId: IMEI, name: 'second' })).toBeUndefined()
    expect((await records.find(IMEI))?.name).toBe('first')
  })

  it.each(['350123451234561', '12345678901234', '1234567890ABCD', 'a b', '', '..', 'x'.repeat(65), 'ü'])(
    'refuses %p as a device id',
    async (deviceId) => {
      await expect(build().registry.add({ deviceId })).rejects.toMatchObject({ code: 'invalid_imei' })
    },
  )

  it('voids tokens and ends links when a device is disabled, and only then', async () => {
    const { registry, directory, openLink, generationsAtClose } = build(
      makeDevice({ deviceId: IMEI, generation: 'g1' }),
    )
    const closed = openLink(IMEI)
    await registry.change(IMEI, { name: 'Truck 7' })
    expect([closed, directory.peek(IMEI)?.generation]).toEqual([[], 'g1'])
    await registry.change(IMEI, { status: 'disabled' })
    expect(closed).toEqual(['device_disabled'])
    const voided = directory.peek(IMEI)
    expect(voided?.status).toBe('disabled')
    expect(voided?.generation).not.toBe('g1')
    expect(generationsAtClose).toEqual([voided?.generation])
    await registry.change(IMEI, { status: 'active' })
    expect(directory.peek(IMEI)).toMatchObject({ status: 'active', generation: voided?.generation })
  })

  it('voids tokens and tells links to log in again when the secret changes', async () => {
    const { registry, directory, openLink } = build(makeDevice({ deviceId: IMEI, generation: 'g1' }))
    const closed = openLink(IMEI)
    await registry.change(IMEI, { secretHash: hashDeviceSecret(SECRET) })
    expect(closed).toEqual(['token_expired'])
    const after = directory.peek(IMEI)
    expect(after?.secretHash).toBe(hashDeviceSecret(SECRET))
    expect(after?.generation).not.toBe('g1')
    await registry.change(IMEI, { secretHash: hashDeviceSecret(SECRET) })
    expect(directory.peek(IMEI)?.generation).toBe(after?.generation)
  })

  it('ends links of a device with a secret that may no longer speak as a tracker', async () => {
    const allowed = { trackerAllowed: true, generation: 'g1' }
    const { registry, directory, openLink } = build(
      makeDevice({ deviceId: 'gate-1', secretHash: 'aa', ...allowed }),
      makeDevice({ deviceId: IMEI, ...allowed }),
    )
    const [withSecret, without] = [openLink('gate-1'), openLink(IMEI)]
    await registry.change('gate-1', { trackerAllowed: false })
    await registry.change(IMEI, { trackerAllowed: false })
    expect([withSecret, without]).toEqual([['device_disabled'], []])
    expect(directory.peek('gate-1')?.generation).toBe('g1')
  })

  it('ends a link that opens just as its device is disabled', async () => {
    const { registry, openLink } = build(makeDevice({ deviceId: IMEI }))
    await registry.change(IMEI, { status: 'disabled' })
    const closed = openLink(IMEI)
    await new Promise((resolve) => setImmediate(resolve))
    expect(closed).toEqual(['device_disabled'])
  })

  it('names what was changed, and writes nothing when nothing was', async () => {
    const { registry, records } = build(makeDevice({ deviceId: IMEI, name: 'a', plate: 'b' }))
    expect((await registry.change(IMEI, { name: 'a', plate: null, brand: undefined }))?.changed).toEqual(['plate'])
    expect((await registry.change(IMEI, { name: 'a' }))?.changed).toEqual([])
    expect(records.calls.filter(({ method }) => method === 'update')).toHaveLength(1)
    expect(await registry.change('nobody', { name: 'a' })).toBeUndefined()
  })

  it('makes changes of one device one after another, so that the directory holds the last', async () => {
    const { registry, records, directory } = build(makeDevice({ deviceId: IMEI }))
    const update = records.update.bind(records)
    let delayMs = 30
    jest.spyOn(records, 'update').mockImplementation(async (deviceId, changes) => {
      await new Promise((resolve) => setTimeout(resolve, delayMs))
      delayMs = 0
      return update(deviceId, changes)
    })
    await Promise.all([
      registry.change(IMEI, { status: 'disabled' }),
      registry.change(IMEI, { status: 'active' }),
      registry.change(IMEI, { status: 'disabled' }),
    ])
    expect((await records.find(IMEI))?.status).toBe('disabled')
    expect(directory.peek(IMEI)?.status).toBe('disabled')
  })

  it('goes on after a change that failed', async () => {
    const { registry, records } = build(makeDevice({ deviceId: IMEI }))
    records.failure = new Error('database is away')
    const failed = registry.change(IMEI, { name: 'a' })
    const next = registry.change(IMEI, { name: 'b' })
    await expect(failed).rejects.toThrow('database is away')
    await expect(next).rejects.toThrow('database is away')
    records.failure = undefined
    expect((await registry.change(IMEI, { name: 'c' }))?.record.name).toBe('c')
  })

  it('forgets a removed device everywhere and ends its links', async () => {
    const { registry, records, directory, openLink } = build(makeDevice({ deviceId: IMEI }))
    await directory.find(IMEI)
    const closed = openLink(IMEI)
    expect(await registry.remove(IMEI)).toBe(true)
    expect(closed).toEqual(['device_disabled'])
    expect(await records.find(IMEI)).toBeUndefined()
    expect(directory.peek(IMEI)).toBeUndefined()
    expect(await registry.remove(IMEI)).toBe(false)
  })
})

describe('DeviceRegistry, when the answer of the store is lost', () => {
  afterEach(() => {
    jest.useRealTimers()
    jest.restoreAllMocks()
  })

  /** The next call of the method does what it is to do, and nobody is told. */
  function loseAnswer(records: MemoryDeviceRecords, method: 'insert' | 'update' | 'delete'): void {
    const real = records[method].bind(records) as (...given: unknown[]) => Promise<unknown>
    jest.spyOn(records, method).mockImplementationOnce((async (...given: unknown[]) => {
      await real(...given)
      throw new AppError('store_unavailable')
    }) as never)
  }

  it('does not believe its memory any more', async () => {
    const { registry, records, directory } = build(makeDevice({ deviceId: IMEI, generation: 'g1' }))
    await directory.find(IMEI)
    loseAnswer(records, 'update')
    await expect(registry.change(IMEI, { status: 'disabled' })).rejects.toMatchObject({ code: 'store_unavailable' })
    expect(directory.peek(IMEI)).toBeUndefined()
    expect((await directory.find(IMEI))?.status).toBe('disabled')
    registry.onModuleDestroy()
  })

  it('makes a change that was kept felt when it is asked for again', async () => {
    const { registry, records, directory, openLink } = build(makeDevice({ deviceId: IMEI, generation: 'g1' }))
    const closed = openLink(IMEI)
    loseAnswer(records, 'update')
    await expect(registry.change(IMEI, { status: 'disabled' })).rejects.toMatchObject({ code: 'store_unavailable' })
    expect((await registry.change(IMEI, { status: 'disabled' }))?.changed).toEqual([])
    expect([closed, directory.peek(IMEI)?.status]).toEqual([['device_disabled'], 'disabled'])
    registry.onModuleDestroy()
  })

  it('does so also where another server made the change', async () => {
    const { registry, records, directory, openLink } = build(makeDevice({ deviceId: IMEI }))
    await directory.find(IMEI)
    const closed = openLink(IMEI)
    await records.update(IMEI, { status: 'disabled' })
    await registry.change(IMEI, { status: 'disabled' })
    expect([closed, directory.peek(IMEI)?.status]).toEqual([['device_disabled'], 'disabled'])
  })

  it('tells links to log in again when a secret was changed, once', async () => {
    const { registry, records, openLink } = build(makeDevice({ deviceId: IMEI }))
    const closed = openLink(IMEI)
    const secretHash = hashDeviceSecret(SECRET)
    loseAnswer(records, 'update')
    await expect(registry.change(IMEI, { secretHash })).rejects.toMatchObject({ code: 'store_unavailable' })
    await registry.change(IMEI, { secretHash })
    expect(closed).toEqual(['token_expired'])
    await new Promise((resolve) => setImmediate(resolve))
    const newer = openLink(IMEI)
    await registry.change(IMEI, { secretHash })
    expect(newer).toEqual([])
    registry.onModuleDestroy()
  })

  it.each(['update', 'delete'] as const)('finds out by itself that its %s was kept, however late', async (method) => {
    jest.useFakeTimers()
    const { registry, records, openLink } = build(makeDevice({ deviceId: IMEI }))
    const closed = openLink(IMEI)
    loseAnswer(records, method)
    const change = method === 'update' ? registry.change(IMEI, { status: 'disabled' }) : registry.remove(IMEI)
    await expect(change).rejects.toMatchObject({ code: 'store_unavailable' })
    records.failure = new AppError('store_unavailable')
    await jest.advanceTimersByTimeAsync(60_000)
    expect(closed).toEqual([])
    records.failure = undefined
    await jest.advanceTimersByTimeAsync(1000)
    expect(closed).toEqual(['device_disabled'])
    registry.onModuleDestroy()
  })

  it('leaves links alone when nothing was kept, and stops asking after half a minute', async () => {
    jest.useFakeTimers()
    const { registry, records, directory, openLink } = build(makeDevice({ deviceId: IMEI, generation: 'g1' }))
    const closed = openLink(IMEI)
    jest.spyOn(records, 'update').mockRejectedValueOnce(new AppError('store_unavailable'))
    await expect(registry.change(IMEI, { status: 'disabled' })).rejects.toMatchObject({ code: 'store_unavailable' })
    await jest.advanceTimersByTimeAsync(31_000)
    expect([closed, directory.peek(IMEI)?.generation]).toEqual([[], 'g1'])
    const asked = records.calls.length
    await jest.advanceTimersByTimeAsync(60_000)
    expect(records.calls).toHaveLength(asked)
  })

  it('knows a device whose answer was lost when it was added', async () => {
    const { registry, records, directory } = build()
    await directory.find(IMEI)
    loseAnswer(records, 'insert')
    await expect(registry.add({ deviceId: IMEI })).rejects.toMatchObject({ code: 'store_unavailable' })
    expect((await directory.find(IMEI))?.status).toBe('active')
    registry.onModuleDestroy()
  })
})
