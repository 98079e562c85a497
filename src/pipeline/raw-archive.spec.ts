import { Logger } from '@nestjs/common'
import { FaultyRawFrameStore } from '../../test/stores/faulty-raw-frame-store.js'
import { MemoryRawFrameStore } from '../../test/stores/memory-raw-frame-store.js'
import { Metrics } from '../metrics/metrics.js'
import { AppError } from '../model/app-error.js'
import type { RawFrame } from '../storage/frames/raw-frame-store.js'
import { RawArchive, type RawArchiveScope } from './raw-archive.js'

const DEVICE = '356307042441013'
const AWAY = new AppError('store_unavailable', 'away')

const frame = (n: number, bytes: Uint8Array = Buffer.from([n & 0xff])): RawFrame => ({
  deviceId: DEVICE,
  atMs: 1000 + n,
  direction: 'in',
  protocol: 'teltonika',
  link: 'tcp:127.0.0.1:5#1',
  bytes,
})

describe('raw archive', () => {
  let store: MemoryRawFrameStore
  let faulty: FaultyRawFrameStore
  let disk: { isLow: boolean; whileLow: (listener: (missingBytes: number) => void) => void }
  let look: (missingBytes: number) => void
  let metrics: Metrics
  let archive: RawArchive
  let warned: jest.SpyInstance

  beforeEach(() => {
    jest.useFakeTimers()
    warned = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined)
    store = new MemoryRawFrameStore()
    faulty = new FaultyRawFrameStore(store)
    disk = {
      isLow: false,
      whileLow: (listener) => {
        look = listener
      },
    }
    open('trackers')
  })
  afterEach(() => {
    jest.useRealTimers()
    warned.mockRestore()
  })

  function open(takes: RawArchiveScope): void {
    metrics = new Metrics()
    archive = new RawArchive({ store: faulty, disk, metrics, takes })
  }

  const kept = async () =>
    (await store.list({ deviceId: DEVICE, limit: 1e6, order: 'oldest' })).map(({ bytes }) =>
      Buffer.from(bytes).toString('hex'),
    )

  async function metric(name: string): Promise<Record<string, number>> {
    const found = await metrics.registry.getSingleMetric(name)?.get()
    return Object.fromEntries(
      (found?.values ?? []).map(({ labels, value }) => [Object.values(labels).join(' '), value]),
    )
  }

  const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms)

  it('writes what comes within a quarter of a second at once, in its order', async () => {
    for (let n = 0; n < 3; n++) archive.keep(frame(n))
    await pass(249)
    expect(store.writes).toEqual([])
    await pass(1)
    expect(store.writes).toEqual([3])
    expect(await kept()).toEqual(['00', '01', '02'])
    expect(await metric('milepost_frames_archived_total')).toEqual({ 'teltonika in': 3 })
  })

  it('writes a thousand frames without waiting, and a megabyte', async () => {
    for (let n = 0; n < 1500; n++) archive.keep(frame(n))
    await pass(0)
    expect(store.writes).toEqual([1000])
    await pass(250)
    expect(store.writes).toEqual([1000, 500])
    for (let n = 0; n < 5; n++) archive.keep(frame(n, Buffer.alloc(300_000)))
    await pass(0)
    expect(store.writes).toEqual([1000, 500, 3])
    await archive.drain()
    expect(store.writes).toEqual([1000, 500, 3, 2])
  })

  it('keeps the bytes as they were, and not the buffer that they lie in', async () => {
    const read = Buffer.from('00112233', 'hex')
    archive.keep(frame(0, read.subarray(1, 3)))
    read.fill(0xff)
    await pass(250)
    expect(await kept()).toEqual(['1122'])
  })

  it('keeps frames waiting while the store is away, and writes each once when it is back', async () => {
    faulty.fail(AWAY)
    for (let n = 0; n < 3; n++) archive.keep(frame(n))
    await pass(60_000)
    expect(await metric('milepost_frames_waiting')).toEqual({ '': 3 })
    faulty.recover()
    await pass(1000)
    expect(await kept()).toEqual(['00', '01', '02'])
    expect(await metric('milepost_frames_waiting')).toEqual({ '': 0 })
    expect(await metric('milepost_frames_dropped_total')).toEqual({})
  })

  it('drops and counts what comes beyond 50,000 frames or 32 MiB that wait, with a warning at most every ten seconds', async () => {
    faulty.stall()
    for (let n = 0; n < 50_000; n++) archive.keep(frame(n))
    for (let n = 0; n < 7; n++) archive.keep(frame(n))
    expect(await metric('milepost_frames_dropped_total')).toEqual({ waiting: 7 })
    expect(warned.mock.calls).toEqual([
      [{ event: 'frames_not_archived', reason: 'waiting', dropped: 1, waiting: 50_000 }],
    ])
    await pass(10_000)
    archive.keep(frame(0))
    expect(warned.mock.calls[1]).toEqual([
      { event: 'frames_not_archived', reason: 'waiting', dropped: 7, waiting: 50_000 },
    ])
    faulty.recover()
    await pass(1000)
    expect(await metric('milepost_frames_waiting')).toEqual({ '': 0 })

    faulty.stall()
    for (let n = 0; n < 40; n++) archive.keep(frame(n, Buffer.alloc(1_048_576)))
    expect(await metric('milepost_frames_waiting')).toEqual({ '': 32 })
    expect(await metric('milepost_frames_dropped_total')).toEqual({ waiting: 16 })
    faulty.recover()
    await archive.drain()
  })

  it('takes nothing while the disk is low, and writes nothing', async () => {
    archive.keep(frame(0))
    disk.isLow = true
    archive.keep(frame(1))
    await pass(5000)
    expect([await kept(), await metric('milepost_frames_dropped_total')]).toEqual([[], { disk_full: 1 }])
    disk.isLow = false
    await pass(1000)
    expect(await kept()).toEqual(['00'])
  })

  it.each(['trackers', 'off'] as const)(
    'lets old frames go while the disk is low, one time after the other: %s',
    async (takes) => {
      open(takes)
      const room = 67_108_864
      faulty.stall()
      look(1000)
      look(900)
      faulty.recover()
      await pass(0)
      expect(store.givenWay).toEqual([1000 + room])
      faulty.fail(AWAY)
      look(800)
      await pass(0)
      expect(warned).toHaveBeenCalledTimes(1)
      faulty.recover()
      look(700)
      await pass(0)
      expect(store.givenWay).toEqual([1000 + room, 700 + room])
      await archive.drain()
      look(600)
      await pass(0)
      expect(store.givenWay).toHaveLength(2)
    },
  )

  it('gives up frames that a store which works never takes, so that they hold up no others', async () => {
    faulty.fail(new Error('these never'), { isSick: false })
    archive.keep(frame(0))
    await pass(4250)
    expect(await metric('milepost_frames_dropped_total')).toEqual({ store: 1 })
    faulty.recover()
    archive.keep(frame(1))
    await pass(250)
    expect(await kept()).toEqual(['01'])
  })

  it('writes what waits before it ends, and takes nothing after that', async () => {
    for (let n = 0; n < 2500; n++) archive.keep(frame(n))
    await archive.drain()
    expect(store.writes).toEqual([1000, 1000, 500])
    archive.keep(frame(0))
    expect(await metric('milepost_frames_dropped_total')).toEqual({ stopping: 1 })
  })

  it('ends within two seconds with a store that is away, or hangs', async () => {
    faulty.fail(AWAY)
    archive.keep(frame(0))
    await archive.drain()
    expect(await metric('milepost_frames_dropped_total')).toEqual({ store: 1 })

    open('trackers')
    faulty.stall()
    archive.keep(frame(0))
    const drained = archive.drain()
    await pass(2000)
    await drained
    expect(await metric('milepost_frames_dropped_total')).toEqual({ stopping: 1 })
  })

  it('forgets what waits of a device, also what is to be written again, and keeps the rest', async () => {
    const other = (n: number) => ({ ...frame(n), deviceId: 'other' })
    for (let n = 0; n < 999; n++) archive.keep(other(n))
    faulty.fail(AWAY)
    archive.keep(frame(1))
    archive.keep(frame(2))
    archive.keep(other(3))
    await pass(500)
    await archive.forget(DEVICE)
    expect(await metric('milepost_frames_waiting')).toEqual({ '': 1000 })
    faulty.recover()
    await pass(2000)
    expect(await kept()).toEqual([])
    expect(await store.list({ deviceId: 'other', limit: 2000, order: 'oldest' })).toHaveLength(1000)
    expect(await metric('milepost_frames_waiting')).toEqual({ '': 0 })
  })

  it('has forgotten a device when what was being written of it is written', async () => {
    faulty.stall()
    archive.keep(frame(1))
    await pass(250)
    let isForgotten = false
    const forgotten = archive.forget(DEVICE).then(() => {
      isForgotten = true
    })
    await pass(1000)
    expect(isForgotten).toBe(false)
    faulty.recover()
    await forgotten
    expect(await kept()).toEqual(['01'])
  })

  it('takes nothing when it is off', async () => {
    open('off')
    archive.keep(frame(0))
    archive.drop('before_login')
    await archive.drain()
    expect([store.writes, await metric('milepost_frames_dropped_total')]).toEqual([[], {}])
  })
})
