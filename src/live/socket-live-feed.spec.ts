import fc from 'fast-check'
import { makePosition } from '../../test/support/positions.js'
import { Metrics } from '../metrics/metrics.js'
import type { LiveEvent } from './live-event.js'
import { SocketLiveFeed } from './socket-live-feed.js'
import { parseWatch } from './watch-filter.js'
import { MAX_WAITING_BYTES, Watcher, type Wire } from './watcher.js'

/** A network that takes what it is given, a millisecond later, or nothing while it is stuck. */
class TestWire implements Wire {
  isOpen = true
  isStuck = false
  most = 0
  private waitingBytes = 0
  private sentAtMs = -1
  readonly got: Array<{ atMs: number; name: string; payload: Record<string, unknown> }> = []

  get isDrained(): boolean {
    if (!this.isStuck && this.sentAtMs < performance.now()) this.waitingBytes = 0
    return this.waitingBytes === 0
  }

  send(event: LiveEvent): void {
    const { text, bytes } = event.encode()
    this.waitingBytes += bytes
    this.sentAtMs = performance.now()
    this.most = Math.max(this.most, this.waitingBytes)
    const [name, payload] = JSON.parse(text.slice('2/live,'.length)) as [string, Record<string, unknown>]
    this.got.push({ atMs: performance.now(), name, payload })
  }
}

describe('SocketLiveFeed', () => {
  let metrics: Metrics
  let feed: SocketLiveFeed
  const publish = (deviceId: string, speedKmh: number) => feed.publishPositions([makePosition({ deviceId, speedKmh })])
  const join = (payload: unknown = {}) => {
    const wire = new TestWire()
    const watcher = new Watcher(wire)
    feed.join(watcher)
    feed.watch(watcher, parseWatch(payload))
    return { wire, watcher }
  }
  const countOf = async (name: string, event: string) => {
    const metric = await metrics.registry.getSingleMetric(name)?.get()
    return metric?.values.find(({ labels }) => labels.event === event)?.value ?? 0
  }

  beforeEach(() => {
    jest.useFakeTimers({ now: 0 })
    metrics = new Metrics()
    feed = new SocketLiveFeed(metrics)
  })
  afterEach(() => {
    feed.stop()
    jest.useRealTimers()
  })

  it('sends a position with its device, all fields set', () => {
    const { wire } = join()
    feed.publishPositions([makePosition()])
    jest.advanceTimersByTime(1)
    expect(wire.got.map(({ name, payload }) => [name, payload])).toEqual([
      [
        'position',
        {
          deviceId: '356938035643809',
          time: '2026-11-22T07:30:00.000Z',
          latitude: 48.1635066,
          longitude: 11.5643883,
          altitude: 519,
          speed: 42.5,
          heading: 271,
          accuracy: null,
          satellites: 11,
          hasFix: true,
          attributes: { ignition: true },
        },
      ],
    ])
  })

  it('sends presence, not thinned', () => {
    const { wire } = join()
    for (const online of [true, false, true]) {
      feed.publishPresence({ deviceId: 'a', online, transport: online ? 'socket' : null, atMs: 1000 })
      jest.advanceTimersByTime(10)
    }
    expect(wire.got.map(({ payload }) => payload)).toEqual([
      { deviceId: 'a', online: true, transport: 'socket', at: '1970-01-01T00:00:01.000Z' },
      { deviceId: 'a', online: false, transport: null, at: '1970-01-01T00:00:01.000Z' },
      { deviceId: 'a', online: true, transport: 'socket', at: '1970-01-01T00:00:01.000Z' },
    ])
  })

  it('encodes nothing that nobody is to get', () => {
    join({ deviceIds: ['b'] })
    const position = makePosition({ deviceId: 'a' })
    Object.defineProperty(position, 'timeMs', {
      get: () => {
        throw new Error('was encoded')
      },
    })
    feed.publishPositions([position])
    jest.advanceTimersByTime(5000)
    expect(jest.getTimerCount()).toBe(0)
  })

  it('does nothing in the turn of the one who publishes', () => {
    const { wire } = join()
    publish('a', 1)
    expect(wire.got).toEqual([])
  })

  it('bounds what waits for a stuck watcher, and the others get theirs', async () => {
    const { wire: stuck } = join()
    const { wire: fast } = join()
    stuck.isStuck = true
    for (let second = 0; second < 20; second++) {
      for (let index = 0; index < 200; index++) publish(`truck-${index}`, second)
      jest.advanceTimersByTime(1000)
    }
    jest.advanceTimersByTime(1000)
    expect(fast.got).toHaveLength(4000)
    expect(stuck.most).toBeLessThan(MAX_WAITING_BYTES + 500)
    expect(await countOf('milepost_live_sent_total', 'position')).toBe(4000 + stuck.got.length)
    expect(await countOf('milepost_live_skipped_total', 'position')).toBe(4000 - stuck.got.length)
  })

  it('gives a watcher that was stuck the newest of each device it missed, parked ones included', () => {
    const { wire } = join()
    wire.isStuck = true
    for (let index = 0; index < 1000; index++) publish(`truck-${index}`, 1)
    jest.advanceTimersByTime(10)
    const sentBefore = wire.got.length
    expect(sentBefore).toBeLessThan(1000)
    jest.advanceTimersByTime(5000)
    publish('truck-0', 2)
    publish('truck-999', 2)
    jest.advanceTimersByTime(2000)
    expect(wire.got).toHaveLength(sentBefore)
    wire.isStuck = false
    jest.advanceTimersByTime(1000)
    const newest = new Map(wire.got.map(({ payload }) => [payload.deviceId, payload.speed]))
    expect(newest.size).toBe(1000)
    expect([newest.get('truck-0'), newest.get('truck-500'), newest.get('truck-999')]).toEqual([2, 1, 2])
    expect(wire.got).toHaveLength(1001)
  })

  it('lets a watcher keep up again, and then remembers nothing and sleeps', () => {
    const { wire } = join()
    wire.isStuck = true
    for (let index = 0; index < 1000; index++) publish(`truck-${index}`, 1)
    jest.advanceTimersByTime(10)
    wire.isStuck = false
    jest.advanceTimersByTime(5000)
    expect(jest.getTimerCount()).toBe(0)
    const before = wire.got.length
    publish('truck-1', 5)
    jest.advanceTimersByTime(1)
    expect(wire.got.slice(before).map(({ payload }) => payload.speed)).toEqual([5])
  })

  it('lets go of a slow watcher that leaves', () => {
    const { wire, watcher } = join()
    wire.isStuck = true
    for (let index = 0; index < 1000; index++) publish(`truck-${index}`, 1)
    jest.advanceTimersByTime(10)
    feed.leave(watcher)
    jest.advanceTimersByTime(2000)
    expect(jest.getTimerCount()).toBe(0)
  })

  it('leaves what is news again while a watcher catches up to the next round, a second later', () => {
    const { wire } = join()
    wire.isStuck = true
    for (let index = 0; index < 1800; index++) publish(`truck-${index}`, 1)
    jest.advanceTimersByTime(1022)
    wire.isStuck = false
    jest.advanceTimersByTime(10)
    const isThere = () => wire.got.filter(({ payload }) => payload.deviceId === 'truck-600')
    expect(isThere()).toHaveLength(1)
    publish('truck-600', 2)
    jest.advanceTimersByTime(3000)
    const [first, second, ...more] = isThere()
    expect([first?.payload.speed, second?.payload.speed, more]).toEqual([1, 2, []])
    expect((second?.atMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThanOrEqual(1000)
    expect(wire.got).toHaveLength(1801)
  })

  it('never sends a device twice within a second to one watcher, and ends with the newest, however slow it was', () => {
    const step = fc.record({
      waitMs: fc.integer({ min: 0, max: 700 }),
      first: fc.integer({ min: 0, max: 899 }),
      count: fc.integer({ min: 0, max: 900 }),
      stuck: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(step, { minLength: 3, maxLength: 25, size: 'max' }), (steps) => {
        feed = new SocketLiveFeed(metrics)
        const { wire } = join()
        const newest = new Map<string, number>()
        steps.forEach(({ waitMs, first, count, stuck }, index) => {
          wire.isStuck = stuck
          for (let device = first; device < first + count; device++) {
            publish(`truck-${device % 900}`, index)
            newest.set(`truck-${device % 900}`, index)
          }
          jest.advanceTimersByTime(waitMs)
        })
        wire.isStuck = false
        jest.advanceTimersByTime(4000)
        const last = new Map<unknown, { atMs: number; speed: unknown }>()
        for (const { atMs, payload } of wire.got) {
          const before = last.get(payload.deviceId)
          if (before !== undefined) expect(atMs - before.atMs).toBeGreaterThanOrEqual(1000)
          last.set(payload.deviceId, { atMs, speed: payload.speed })
        }
        expect(new Map([...last].map(([device, { speed }]) => [device, speed]))).toEqual(newest)
        feed.stop()
      }),
      { numRuns: 20 },
    )
  })
})
