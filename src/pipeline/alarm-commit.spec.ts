import { makeAlarm, makeAlarmReport } from '../../test/support/alarms.js'
import { Metrics } from '../metrics/metrics.js'
import type { Alarm, AlarmReport } from '../model/alarm.js'
import { AppError } from '../model/app-error.js'
import type { AlarmRecords, RaisedAlarm } from '../storage/sql/alarm-records.js'
import { AlarmCommit } from './alarm-commit.js'
import { ANSWER_WITHIN_MS } from './commit-queue.js'

interface Write {
  readonly reports: readonly AlarmReport[]
  readonly maxFiles: number
  commit(isNew?: boolean): void
  fail(error: unknown): void
}

/** A store whose commits happen when the test says so. */
function build() {
  const writes: Write[] = []
  const told: string[] = []
  const records = {
    raise: (reports: readonly AlarmReport[], maxFiles: number) =>
      new Promise<RaisedAlarm[]>((resolve, reject) => {
        const commit = (isNew = true) =>
          resolve(
            reports.map(({ deviceId, timeMs }) => ({
              alarm: makeAlarm({ id: `${deviceId}-${timeMs}`, deviceId, timeMs }),
              isNew,
              isChanged: isNew,
            })),
          )
        writes.push({ reports, maxFiles, commit, fail: reject })
      }),
  } as unknown as AlarmRecords
  const metrics = new Metrics()
  const onStored = ({ id }: Alarm) => told.push(id)
  return { commit: new AlarmCommit(records, metrics, { maxFiles: 20, onStored }), writes, told, metrics }
}

const report = (deviceId: string, timeMs: number, given: Partial<AlarmReport> = {}) =>
  makeAlarmReport({ deviceId, timeMs, ...given })
const turn = () => new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)))

async function outcomeOf(promise: Promise<RaisedAlarm>): Promise<string> {
  try {
    return (await promise).alarm.id
  } catch (error) {
    return error instanceof AppError ? error.code : String(error)
  }
}

describe('AlarmCommit', () => {
  it('writes reports of many units at once, and answers each with its own after the commit', async () => {
    const { commit, writes } = build()
    const outcomes = ['a', 'b', 'a'].map((device, n) => outcomeOf(commit.raise(report(device, n))))
    let isAnswered = false
    void outcomes[0]?.then(() => {
      isAnswered = true
    })
    await turn()
    expect(writes.map(({ reports, maxFiles }) => [reports.length, maxFiles])).toEqual([[3, 20]])
    expect(isAnswered).toBe(false)
    writes[0]?.commit()
    expect(await Promise.all(outcomes)).toEqual(['a-0', 'b-1', 'a-2'])
  })

  it('takes at most 500 in one write', async () => {
    const { commit, writes } = build()
    const outcomes = Array.from({ length: 1200 }, (_, n) => outcomeOf(commit.raise(report('a', n))))
    for (let n = 0; n < 3; n++) {
      await turn()
      writes[n]?.commit()
    }
    await Promise.all(outcomes)
    expect(writes.map(({ reports }) => reports.length)).toEqual([500, 500, 200])
  })

  it('tells of what is new, also when its unit was told before that it took too long', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick'] })
    try {
      const { commit, writes, told } = build()
      const late = outcomeOf(commit.raise(report('a', 1)))
      await turn()
      await jest.advanceTimersByTimeAsync(ANSWER_WITHIN_MS + 500)
      expect(await late).toBe('store_unavailable')
      expect(told).toEqual([])
      writes[0]?.commit()
      await commit.drain()
      expect(told).toEqual(['a-1'])
      const repeat = outcomeOf(commit.raise(report('a', 1)))
      await turn()
      writes[1]?.commit(false)
      expect(await repeat).toBe('a-1')
      expect(told).toEqual(['a-1'])
      expect(jest.getTimerCount()).toBe(0)
    } finally {
      jest.useRealTimers()
    }
  })

  it('refuses a unit that floods before others', async () => {
    const { commit, writes } = build()
    const kept = Array.from({ length: 2000 }, (_, n) => outcomeOf(commit.raise(report('flood', n))))
    expect(await outcomeOf(commit.raise(report('flood', 2000)))).toBe('overloaded')
    const calm = outcomeOf(commit.raise(report('calm', 1)))
    for (let n = 0; n < 5; n++) {
      await turn()
      writes[n]?.commit()
    }
    expect(await calm).toBe('calm-1')
    expect(await Promise.all(kept)).toHaveLength(2000)
  })

  it('weighs names and attributes, so that what waits stays small, and shows the weight', async () => {
    const { commit, writes, metrics } = build()
    const heavy = {
      attributes: { text: 'x'.repeat(4000) },
      fileNames: Array.from({ length: 20 }, () => 'y'.repeat(200)),
    }
    const kept = Array.from({ length: 10 }, (_, n) => outcomeOf(commit.raise(report('a', n, heavy))))
    const waiting = await metrics.registry.getSingleMetricAsString('milepost_ingest_waiting_alarms')
    expect(waiting).toContain('milepost_ingest_waiting_alarms 330')
    await turn()
    writes[0]?.commit()
    await Promise.all(kept)
    const after = await metrics.registry.getSingleMetricAsString('milepost_ingest_waiting_alarms')
    expect(after).toContain('milepost_ingest_waiting_alarms 0')
  })

  it('refuses everyone of a failed write, keeps the word disk_full, and works again', async () => {
    const { commit, writes } = build()
    const failed = ['a', 'b'].map((device) => outcomeOf(commit.raise(report(device, 1))))
    await turn()
    writes[0]?.fail(new Error('disk I/O error'))
    expect(await Promise.all(failed)).toEqual(['store_unavailable', 'store_unavailable'])
    const full = outcomeOf(commit.raise(report('a', 1)))
    await turn()
    writes[1]?.fail(new AppError('disk_full'))
    expect(await full).toBe('disk_full')
    const next = outcomeOf(commit.raise(report('a', 1)))
    await turn()
    writes[2]?.commit()
    expect(await next).toBe('a-1')
  })

  it('stores all others of a write when some can never be stored, and tells those why', async () => {
    const isBad = ({ timeMs }: AlarmReport) => [3, 4, 250, 499].includes(timeMs)
    const { commit, writes, told } = buildStore((reports) => {
      if (reports.some(isBad)) throw new AppError('invalid_request', 'The alarm cannot be stored')
    })
    const outcomes = await Promise.all(Array.from({ length: 500 }, (_, n) => outcomeOf(commit.raise(report('a', n)))))
    expect(outcomes).toEqual(
      Array.from({ length: 500 }, (_, n) => ([3, 4, 250, 499].includes(n) ? 'invalid_request' : `a-${n}`)),
    )
    expect(told).toHaveLength(496)
    expect(writes.length).toBeLessThan(60)
    expect(await outcomeOf(commit.raise(report('a', 3)))).toBe('invalid_request')
    expect(commit.weight).toBe(0)
  })

  it('tells of an alarm whose write failed when it comes again, once, also if the store had kept it', async () => {
    const { commit, writes, told } = build()
    const lost = outcomeOf(commit.raise(report('a', 1)))
    await turn()
    writes[0]?.fail(new AppError('store_unavailable'))
    expect(await lost).toBe('store_unavailable')
    for (const n of [1, 2]) {
      const again = outcomeOf(commit.raise(report('a', 1)))
      await turn()
      writes[n]?.commit(false)
      expect(await again).toBe('a-1')
      expect(told).toEqual(['a-1'])
    }
  })

  it('makes batches smaller until a slow store is through with them in time, and larger again when it is quick', async () => {
    let nowMs = 0
    let msPerAlarm = 50
    const sizes: number[] = []
    const records = {
      raise: async (reports: readonly AlarmReport[]) => {
        sizes.push(reports.length)
        const tookMs = reports.length * msPerAlarm
        nowMs += Math.min(tookMs, ANSWER_WITHIN_MS)
        if (tookMs > ANSWER_WITHIN_MS) throw new AppError('store_unavailable')
        return reports.map(({ timeMs }) => ({ alarm: makeAlarm({ id: `${timeMs}` }), isNew: true, isChanged: true }))
      },
    } as unknown as AlarmRecords
    const commit = new AlarmCommit(records, new Metrics(), { maxFiles: 20, onStored: () => undefined }, () => nowMs)
    let waiting = Array.from({ length: 1000 }, (_, n) => report(`box-${n}`, n))
    for (let attempt = 0; waiting.length > 0 && attempt < 10; attempt++) {
      const outcomes = await Promise.all(waiting.map((one) => outcomeOf(commit.raise(one))))
      waiting = waiting.filter((_, i) => outcomes[i] === 'store_unavailable')
    }
    expect(waiting).toEqual([])
    expect(sizes.slice(0, 4)).toEqual([500, 250, 125, 125])

    msPerAlarm = 1
    sizes.length = 0
    await Promise.all(Array.from({ length: 1000 }, (_, n) => commit.raise(report(`box-${n}`, n))))
    expect(sizes).toEqual([125, 250, 500, 125])
  })

  it('acknowledges what it stored before the store failed in the middle of a search for what can never be stored', async () => {
    const { commit, writes, told } = buildStore((reports, count) => {
      if (count > 2) throw new Error('the disk is gone')
      if (reports.some(({ timeMs }) => timeMs === 3)) throw new AppError('invalid_request')
    })
    const outcomes = await Promise.all([0, 1, 2, 3].map((n) => outcomeOf(commit.raise(report('a', n)))))
    expect(outcomes).toEqual(['a-0', 'a-1', 'store_unavailable', 'store_unavailable'])
    expect([told, writes]).toEqual([
      ['a-0', 'a-1'],
      [4, 2, 2],
    ])
  })
})

/** A store that answers at once. @param check throws what the write fails with; `count`: how many writes there were with this one */
function buildStore(check: (reports: readonly AlarmReport[], count: number) => void) {
  const writes: number[] = []
  const told: string[] = []
  const records = {
    raise: async (reports: readonly AlarmReport[]) => {
      writes.push(reports.length)
      check(reports, writes.length)
      return reports.map(({ deviceId, timeMs }) => ({
        alarm: makeAlarm({ id: `${deviceId}-${timeMs}` }),
        isNew: true,
        isChanged: true,
      }))
    },
  } as unknown as AlarmRecords
  const onStored = ({ id }: Alarm) => told.push(id)
  return { commit: new AlarmCommit(records, new Metrics(), { maxFiles: 20, onStored }), writes, told }
}
