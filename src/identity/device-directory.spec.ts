import { makeDevice } from '../../test/support/memory-device-records.js'
import type { TestRecords } from '../../test/support/test-records.js'
import { openTestRecords } from '../../test/support/test-records.js'
import { AppError } from '../model/app-error.js'
import type { DeviceRecord } from '../storage/sql/device-records.js'
import { DeviceDirectory } from './device-directory.js'

describe('DeviceDirectory', () => {
  let records: TestRecords
  let nowMs: number
  let directory: DeviceDirectory

  beforeAll(async () => {
    records = await openTestRecords()
  })

  afterAll(() => records.close())

  beforeEach(() => {
    nowMs = 1_000_000
    directory = new DeviceDirectory(records.devices, () => nowMs)
  })

  afterEach(() => jest.restoreAllMocks())

  async function store(deviceId: string, changes: Partial<DeviceRecord> = {}): Promise<DeviceRecord> {
    const device = makeDevice({ deviceId, ...changes })
    await records.devices.insert(device)
    return device
  }

  /** The next read of the store ends when it is told to, with what it is told. */
  function holdNextRead() {
    let answer: (record: DeviceRecord | undefined) => void = () => undefined
    const held = new Promise<DeviceRecord | undefined>((resolve) => {
      answer = resolve
    })
    jest.spyOn(records.devices, 'find').mockReturnValueOnce(held)
    return { answer: (record: DeviceRecord | undefined) => answer(record) }
  }

  it('asks the store once and remembers', async () => {
    await store('box-1', { generation: 'g1' })
    const find = jest.spyOn(records.devices, 'find')
    const [one, other] = await Promise.all([directory.find('box-1'), directory.find('box-1')])
    await directory.find('box-1')
    expect(find).toHaveBeenCalledTimes(1)
    expect(other).toBe(one)
    expect(one).toEqual({
      deviceId: 'box-1',
      kind: 'named',
      status: 'active',
      secretHash: null,
      trackerAllowed: false,
      trackerSack: false,
      generation: 'g1',
      brand: null,
      model: null,
      protocol: null,
      commandPassword: null,
    })
  })

  it('remembers for five seconds that a device does not exist', async () => {
    const find = jest.spyOn(records.devices, 'find')
    expect(await directory.find('box-2')).toBeUndefined()
    nowMs += 4999
    expect(await directory.find('box-2')).toBeUndefined()
    expect(find).toHaveBeenCalledTimes(1)
    nowMs += 1
    await directory.find('box-2')
    expect(find).toHaveBeenCalledTimes(2)
  })

  it('knows a device at once that was stored after it had not been there', async () => {
    await directory.find('box-3')
    directory.put(await store('box-3'))
    expect((await directory.find('box-3'))?.deviceId).toBe('box-3')
  })

  it('goes on with what it knows while the store is away, and says so for what it does not', async () => {
    await store('box-4')
    await directory.find('box-4')
    jest.spyOn(records.devices, 'find').mockRejectedValue(new AppError('store_unavailable'))
    expect((await directory.find('box-4'))?.deviceId).toBe('box-4')
    await expect(directory.find('box-5')).rejects.toMatchObject({ code: 'store_unavailable' })
  })

  it('asks again after a failure', async () => {
    await store('box-6')
    jest.spyOn(records.devices, 'find').mockRejectedValueOnce(new AppError('store_unavailable'))
    await expect(directory.find('box-6')).rejects.toThrow(AppError)
    expect((await directory.find('box-6'))?.deviceId).toBe('box-6')
  })

  it('lets a change win over a read that began before it', async () => {
    const before = makeDevice({ deviceId: 'box-7', generation: 'old' })
    const read = holdNextRead()
    const found = directory.find('box-7')
    directory.put({ ...before, generation: 'new' })
    read.answer(before)
    expect((await found)?.generation).toBe('new')
    expect((await directory.find('box-7'))?.generation).toBe('new')
  })

  it('reads again when a device was deleted while it was read', async () => {
    const read = holdNextRead()
    const found = directory.find('box-8')
    directory.invalidate('box-8')
    read.answer(makeDevice({ deviceId: 'box-8' }))
    expect(await found).toBeUndefined()
    expect(directory.peek('box-8')).toBeUndefined()
  })

  it('sees on reload what was changed behind its back', async () => {
    await store('box-9', { generation: 'g1' })
    await directory.find('box-9')
    await records.devices.update('box-9', { generation: 'g2' })
    expect(directory.peek('box-9')?.generation).toBe('g1')
    expect((await directory.reload('box-9'))?.generation).toBe('g2')
    expect(directory.peek('box-9')?.generation).toBe('g2')
  })

  it('tells of a device that was changed or deleted, when it knows better itself', async () => {
    await store('box-10', { generation: 'g1' })
    const told: unknown[] = []
    directory.onChange((deviceId) => told.push([deviceId, directory.peek(deviceId)?.generation]))
    await directory.find('box-10')
    directory.put(makeDevice({ deviceId: 'box-10', generation: 'g2' }))
    directory.invalidate('box-10')
    expect(told).toEqual([
      ['box-10', 'g2'],
      ['box-10', undefined],
    ])
  })
})
