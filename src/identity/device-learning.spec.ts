import { setTimeout as sleep } from 'node:timers/promises'
import { Logger } from '@nestjs/common'
import { MemoryDeviceRecords, makeDevice } from '../../test/support/memory-device-records.js'
import { AppError } from '../model/app-error.js'
import type { Link } from '../sessions/link.js'
import type { DiskGuard } from '../storage/disk-guard.js'
import type { DeviceRecord } from '../storage/sql/device-records.js'
import { DeviceDirectory } from './device-directory.js'
import { DeviceLearning } from './device-learning.js'

const IMEI = '356307042441013'
const FACTS = { protocol: 'queclink', brand: 'Queclink', model: 'GV300' }

let learning: DeviceLearning | undefined

function build(...devices: DeviceRecord[]) {
  const records = new MemoryDeviceRecords(devices)
  const directory = new DeviceDirectory(records)
  const disk = { full: false }
  const guard = {
    assertWritable: () => {
      if (disk.full) throw new AppError('disk_full')
    },
  } as DiskGuard
  learning = new DeviceLearning(records, directory, guard)
  const written = () => records.calls.filter(({ method }) => method === 'learn').length
  return { records, directory, disk, written, learning }
}

async function until(isTrue: () => boolean): Promise<void> {
  for (let tries = 0; !isTrue(); tries++) {
    if (tries === 500) throw new Error('it does not become true')
    await sleep(10)
  }
}

const device = (changes: Partial<DeviceRecord> = {}) => makeDevice({ deviceId: IMEI, ...changes })
const linkOf = (carriesCommandIds: boolean): Link => ({
  deviceId: IMEI,
  transport: 'socket',
  openedAtMs: 0,
  carriesCommandIds,
  sendCommand: async () => undefined,
  close: () => undefined,
})

describe('what devices say of themselves', () => {
  beforeAll(() => Logger.overrideLogger(false))
  afterAll(() => Logger.overrideLogger(['error']))
  afterEach(() => learning?.onModuleDestroy())

  it('is written at the first contact, and known to who looks into memory', async () => {
    const { records, directory, learning, written } = build(device())
    await directory.find(IMEI)
    learning.learn(IMEI, FACTS)
    await until(() => directory.peek(IMEI)?.protocol === 'queclink')
    expect(directory.peek(IMEI)).toMatchObject(FACTS)
    expect(await records.find(IMEI)).toEqual(device(FACTS))
    expect(written()).toBe(1)
  })

  it('costs nothing when it is known', async () => {
    const { records, directory, learning } = build(device(FACTS))
    await directory.find(IMEI)
    records.calls.length = 0
    for (let n = 0; n < 1000; n++) learning.learn(IMEI, FACTS)
    learning.learn(IMEI, { protocol: 'queclink', brand: 'Queclink' })
    await sleep(20)
    expect(records.calls).toEqual([])
  })

  it('is not written for what an admin has set, or was learned before', async () => {
    const { directory, learning, written } = build(device({ ...FACTS, brand: 'Acme', model: 'Box 7' }))
    await directory.find(IMEI)
    learning.learn(IMEI, { ...FACTS, model: 'GV300W' })
    await sleep(20)
    expect(written()).toBe(0)
  })

  it('brings the protocol of the latest contact', async () => {
    const { records, directory, learning } = build(device(FACTS))
    await directory.find(IMEI)
    learning.learn(IMEI, { protocol: 'ruptela', brand: 'Ruptela' })
    await until(() => directory.peek(IMEI)?.protocol === 'ruptela')
    expect(await records.find(IMEI)).toEqual(device({ ...FACTS, protocol: 'ruptela' }))
  })

  it('is forgotten when the device says something else before it was written', async () => {
    const { records, directory, learning } = build(device(FACTS))
    await directory.find(IMEI)
    records.failure = new AppError('store_unavailable')
    learning.learn(IMEI, { protocol: 'ruptela' })
    await sleep(20)
    records.failure = undefined
    learning.learn(IMEI, FACTS)
    await sleep(1200)
    expect(await records.find(IMEI)).toEqual(device(FACTS))
  })

  it('keeps a model that waits when the next message tells none', async () => {
    const { records, directory, learning } = build(device({ ...FACTS, model: null }))
    await directory.find(IMEI)
    records.failure = new AppError('store_unavailable')
    learning.learn(IMEI, FACTS)
    // While it is written, and while it waits for its next try.
    learning.learn(IMEI, { protocol: 'queclink', brand: 'Queclink' })
    await sleep(20)
    learning.learn(IMEI, { protocol: 'queclink', brand: 'Queclink' })
    records.failure = undefined
    await until(() => directory.peek(IMEI)?.model === 'GV300')
  })

  it('takes nothing along into another protocol', async () => {
    const { records, directory, learning } = build(device())
    await directory.find(IMEI)
    records.failure = new AppError('store_unavailable')
    learning.learn(IMEI, FACTS)
    await sleep(20)
    records.failure = undefined
    learning.learn(IMEI, { protocol: 'teltonika', brand: 'Teltonika' })
    await until(() => directory.peek(IMEI)?.protocol === 'teltonika')
    expect(directory.peek(IMEI)).toMatchObject({ brand: 'Teltonika', model: null })
  })

  it('is written in whichever moment it comes while another device’s is finished', async () => {
    const other = '352093089168821'
    for (let turns = 0; turns < 30; turns++) {
      const { directory, learning } = build(device(), device({ deviceId: other }))
      await Promise.all([directory.find(IMEI), directory.find(other)])
      const reload = directory.reload.bind(directory)
      jest.spyOn(directory, 'reload').mockImplementationOnce(async (deviceId) => {
        const learnt = await reload(deviceId)
        void learnAfter(turns)
        return learnt
      })
      const learnAfter = async (left: number): Promise<void> => {
        for (let nth = 0; nth < left; nth++) await null
        learning.learn(other, FACTS)
      }
      learning.learn(IMEI, FACTS)
      await sleep(5)
      expect([turns, directory.peek(other)?.protocol]).toEqual([turns, 'queclink'])
    }
  })

  it('is that of units that speak JSON once it has a link of theirs', async () => {
    const { directory, learning } = build(device(FACTS))
    await directory.find(IMEI)
    learning.handleLink(linkOf(false))
    await sleep(20)
    expect(directory.peek(IMEI)?.protocol).toBe('queclink')
    learning.handleLink(linkOf(true))
    await until(() => directory.peek(IMEI)?.protocol === null)
    expect(directory.peek(IMEI)).toMatchObject({ brand: 'Queclink', model: 'GV300' })
  })

  it('waits for a store that is away, and for room on the disk', async () => {
    const { records, directory, disk, learning, written } = build(device())
    await directory.find(IMEI)
    records.failure = new AppError('store_unavailable')
    learning.learn(IMEI, FACTS)
    await until(() => written() === 1)
    records.failure = undefined
    disk.full = true
    await until(() => records.calls.length > 0)
    await sleep(1100)
    expect(written()).toBe(1)
    disk.full = false
    await until(() => directory.peek(IMEI)?.protocol === 'queclink')
  })

  it('is asked of the store for a device that is not in memory, and left alone for one that is gone', async () => {
    const { records, learning, written } = build(device(FACTS))
    learning.learn(IMEI, FACTS)
    learning.learn('352093089168821', FACTS)
    await until(() => records.calls.filter(({ method }) => method === 'find').length === 2)
    await sleep(20)
    expect(written()).toBe(0)
  })

  it('is written for a fleet some devices at a time', async () => {
    const imeis = Array.from({ length: 500 }, (_, n) => `35000000000${String(n).padStart(4, '0')}`)
    const { records, learning, written } = build(...imeis.map((deviceId) => device({ deviceId })))
    let running = 0
    let most = 0
    const learn = records.learn.bind(records)
    jest.spyOn(records, 'learn').mockImplementation(async (...given) => {
      most = Math.max(most, ++running)
      await sleep(1)
      running--
      return learn(...given)
    })
    for (const deviceId of imeis) learning.learn(deviceId, FACTS)
    await until(() => written() === 500)
    expect(most).toBe(8)
  })

  it('is dropped when the server stops', async () => {
    const { learning, written } = build(device())
    learning.onModuleDestroy()
    learning.learn(IMEI, FACTS)
    await learning.onApplicationShutdown()
    expect(written()).toBe(0)
  })
})
