import { Metrics } from '../metrics/metrics.js'
import { AppError } from '../model/app-error.js'
import type { Position } from '../model/position.js'
import type { AppendResult, PositionStore } from '../storage/positions/position-store.js'
import { ANSWER_WITHIN_MS } from './commit-queue.js'
import { GroupCommit } from './group-commit.js'

interface Write {
  readonly positions: readonly Position[]
  commit(): void
  fail(error: unknown): void
}

/** A store whose commits happen when the test says so. */
function manualStore() {
  const writes: Write[] = []
  const store = {
    append: (positions: readonly Position[]) =>
      new Promise<AppendResult>((resolve, reject) => {
        const isNew = positions.map(() => true)
        writes.push({ positions, commit: () => resolve({ isNew, isLatest: isNew }), fail: reject })
      }),
  } as unknown as PositionStore
  return { store, writes }
}

const position = (deviceId: string, timeMs: number, attributes: Position['attributes'] = null): Position => ({
  deviceId,
  timeMs,
  discriminator: 0,
  receivedAtMs: 0,
  latitude: 1,
  longitude: 1,
  hasFix: true,
  altitudeM: null,
  speedKmh: null,
  headingDeg: null,
  accuracyM: null,
  satellites: null,
  attributes,
})

const turn = () => new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)))

async function outcomeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
    return 'stored'
  } catch (error) {
    return error instanceof AppError ? error.code : String(error)
  }
}

describe('GroupCommit', () => {
  it('answers nobody before the commit, then everybody', async () => {
    const { store, writes } = manualStore()
    const commit = new GroupCommit(store, new Metrics(), 1000)
    let answered = 0
    const all = ['a', 'b', 'c'].map((device) => commit.append([position(device, 1)]).then(() => answered++))
    await turn()
    expect(writes.map(({ positions }) => positions.length)).toEqual([3])
    expect(answered).toBe(0)
    writes[0]?.commit()
    await Promise.all(all)
    expect(answered).toBe(3)
  })

  it('tells everybody of his own parts alone which would be too large', async () => {
    const append = async (positions: readonly Position[]): Promise<AppendResult> => ({
      isNew: positions.map(() => false),
      isLatest: positions.map(() => false),
      isTooLarge: positions.map(({ timeMs }) => timeMs === 2),
    })
    const commit = new GroupCommit({ append } as unknown as PositionStore, new Metrics(), 1000)
    const [one, other] = await Promise.all([
      commit.append([position('a', 1), position('a', 2)]),
      commit.append([position('b', 2), position('b', 3), position('b', 4)]),
    ])
    expect([one.isTooLarge, other.isTooLarge]).toEqual([
      [false, true],
      [true, false, false],
    ])
  })

  it('gathers what arrives while the store is busy into one next batch, in arrival order', async () => {
    const { store, writes } = manualStore()
    const commit = new GroupCommit(store, new Metrics(), 1000)
    const first = commit.append([position('a', 1)])
    await turn()
    const later = [2, 3, 4].map((timeMs) => commit.append([position(timeMs === 3 ? 'b' : 'a', timeMs)]))
    await turn()
    expect(writes).toHaveLength(1)
    writes[0]?.commit()
    await first
    await turn()
    expect(writes[1]?.positions.map(({ timeMs }) => timeMs)).toEqual([2, 3, 4])
    writes[1]?.commit()
    await Promise.all(later)
  })

  it('gives each caller the flags of its own records', async () => {
    const isNew = [true, false, true]
    const store = { append: async () => ({ isNew, isLatest: [false, false, true] }) } as unknown as PositionStore
    const commit = new GroupCommit(store, new Metrics(), 1000)
    const [one, two] = await Promise.all([
      commit.append([position('a', 1)]),
      commit.append([position('b', 1), position('b', 2)]),
    ])
    expect(one).toEqual({ isNew: [true], isLatest: [false] })
    expect(two).toEqual({ isNew: [false, true], isLatest: [false, true] })
  })

  it('refuses everyone of a failed batch, then works again', async () => {
    const { store, writes } = manualStore()
    const commit = new GroupCommit(store, new Metrics(), 1000)
    const failed = ['a', 'b'].map((device) => outcomeOf(commit.append([position(device, 1)])))
    await turn()
    writes[0]?.fail(new Error('disk I/O error'))
    expect(await Promise.all(failed)).toEqual(['store_unavailable', 'store_unavailable'])
    const next = commit.append([position('a', 1)])
    await turn()
    writes[1]?.commit()
    expect((await next).isNew).toEqual([true])
  })

  it('keeps the word disk_full of the store', async () => {
    const { store, writes } = manualStore()
    const commit = new GroupCommit(store, new Metrics(), 1000)
    const refused = outcomeOf(commit.append([position('a', 1)]))
    await turn()
    writes[0]?.fail(new AppError('disk_full'))
    expect(await refused).toBe('disk_full')
  })

  it('answers overloaded at its cap and counts what is under way', async () => {
    const { store, writes } = manualStore()
    const commit = new GroupCommit(store, new Metrics(), 3)
    const kept = ['a', 'b', 'c'].map((device) => commit.append([position(device, 1)]))
    await turn()
    expect(await outcomeOf(commit.append([position('d', 1)]))).toBe('overloaded')
    writes[0]?.commit()
    await Promise.all(kept)
    const next = commit.append([position('d', 1)])
    await turn()
    writes[1]?.commit()
    expect((await next).isNew).toEqual([true])
  })

  it('counts large attributes against the cap', async () => {
    const { store } = manualStore()
    const commit = new GroupCommit(store, new Metrics(), 10)
    expect(await outcomeOf(commit.append([position('a', 1, { text: 'x'.repeat(4000) })]))).toBe('overloaded')
  })

  it('refuses a flooding device before others', async () => {
    const { store, writes } = manualStore()
    const commit = new GroupCommit(store, new Metrics(), 100_000)
    const batch = (device: string) => Array.from({ length: 1000 }, (_, timeMs) => position(device, timeMs))
    const kept = Array.from({ length: 10 }, () => commit.append(batch('flood')))
    expect(await outcomeOf(commit.append(batch('flood')))).toBe('overloaded')
    const other = commit.append(batch('calm'))
    for (let n = 0; n < 4; n++) {
      await turn()
      writes[n]?.commit()
    }
    await Promise.all([...kept, other])
    expect(writes.map(({ positions }) => positions.length)).toEqual([5000, 5000, 1000])
  })

  it('gives up on a stalled store in time, whatever is done to the clock, frees the queue but not what is under way, and recovers', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick'] })
    try {
      const { store, writes } = manualStore()
      const commit = new GroupCommit(store, new Metrics(), 2)
      const underWay = outcomeOf(commit.append([position('a', 1)]))
      await turn()
      const queued = outcomeOf(commit.append([position('b', 1)]))
      jest.setSystemTime(Date.now() - 3_600_000)
      await jest.advanceTimersByTimeAsync(ANSWER_WITHIN_MS + 500)
      expect(await Promise.all([underWay, queued])).toEqual(['store_unavailable', 'store_unavailable'])
      const next = commit.append([position('c', 1)])
      expect(await outcomeOf(commit.append([position('d', 1)]))).toBe('overloaded')
      writes[0]?.commit()
      await turn()
      expect(writes[1]?.positions.map(({ deviceId }) => deviceId)).toEqual(['c'])
      writes[1]?.commit()
      expect((await next).isNew).toEqual([true])
      await commit.drain()
      expect(jest.getTimerCount()).toBe(0)
    } finally {
      jest.useRealTimers()
    }
  })

  it('says when nothing of a device is left, whoever else waits, and what was answered too late included', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick'] })
    try {
      const { store, writes } = manualStore()
      const commit = new GroupCommit(store, new Metrics(), 1000)
      const left: string[] = []
      const watch = (deviceId: string) => commit.left(deviceId).then(() => left.push(deviceId))
      const stored = [commit.append([position('a', 1)]), commit.append([position('b', 1)])].map(outcomeOf)
      await turn()
      const queued = ['c', 'a'].map((deviceId) => outcomeOf(commit.append([position(deviceId, 2)])))
      const watched = ['a', 'b', 'c', 'nobody'].map(watch)
      await turn()
      expect(left).toEqual(['nobody'])
      writes[0]?.commit()
      await turn()
      expect(left).toEqual(['nobody', 'b'])
      await jest.advanceTimersByTimeAsync(ANSWER_WITHIN_MS + 500)
      expect(await Promise.all([...stored, ...queued])).toEqual([
        'stored',
        'stored',
        'store_unavailable',
        'store_unavailable',
      ])
      expect(left).toEqual(['nobody', 'b'])
      writes[1]?.commit()
      await Promise.all(watched)
      expect([...left].sort()).toEqual(['a', 'b', 'c', 'nobody'])
    } finally {
      jest.useRealTimers()
    }
  })

  it('says that nothing of a device is left when what waited of it was let go', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick'] })
    try {
      const { store, writes } = manualStore()
      const commit = new GroupCommit(store, new Metrics(), 1000)
      const underWay = outcomeOf(commit.append([position('a', 1)]))
      await turn()
      const queued = outcomeOf(commit.append([position('b', 1)]))
      const left = commit.left('b')
      await jest.advanceTimersByTimeAsync(ANSWER_WITHIN_MS + 500)
      expect(await Promise.all([queued, left])).toEqual(['store_unavailable', undefined])
      writes[0]?.commit()
      await underWay
      await turn()
      expect(writes).toHaveLength(1)
    } finally {
      jest.useRealTimers()
    }
  })

  it('drains', async () => {
    const { store, writes } = manualStore()
    const commit = new GroupCommit(store, new Metrics(), 1000)
    let isDrained = false
    const stored = commit.append([position('a', 1)])
    const drained = commit.drain().then(() => {
      isDrained = true
    })
    await turn()
    expect(isDrained).toBe(false)
    writes[0]?.commit()
    await Promise.all([stored, drained])
    expect(isDrained).toBe(true)
  })
})
