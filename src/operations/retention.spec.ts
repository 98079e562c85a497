import { Logger } from '@nestjs/common'
import { parseConfig } from '../config/app-config.js'
import { Metrics } from '../metrics/metrics.js'
import { Retention, type RetentionRule } from './retention.js'
import { type GrowingStores, retentionRules } from './retention-rules.js'

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
const NOW_MS = Date.UTC(2026, 10, 22, 12)

describe('Retention', () => {
  let metrics: Metrics
  let removed: Array<[store: string, beforeMs: number]>
  const rule = (store: string, keepMs: number, count = 0): RetentionRule => ({
    store,
    keepMs,
    remove: async (beforeMs) => {
      removed.push([store, beforeMs])
      if (count < 0) throw new Error('no such table')
      return count
    },
  })
  const countsOf = async (counter: Metrics['retentionRemoved']) =>
    Object.fromEntries((await counter.get()).values.map(({ labels, value }) => [labels.store, value]))

  beforeEach(() => {
    jest.useFakeTimers({ now: NOW_MS })
    Logger.overrideLogger(false)
    metrics = new Metrics()
    removed = []
  })
  afterEach(() => jest.useRealTimers())

  it('removes what is older than each store keeps, and counts it', async () => {
    const retention = new Retention([rule('positions', 90 * DAY_MS, 12), rule('audit', DAY_MS, 3)], metrics)
    await retention.run()
    await retention.run()
    expect(removed.slice(0, 2)).toEqual([
      ['positions', NOW_MS - 90 * DAY_MS],
      ['audit', NOW_MS - DAY_MS],
    ])
    expect(await countsOf(metrics.retentionRemoved)).toEqual({ positions: 24, audit: 6 })
  })

  it('leaves alone what is kept for ever', async () => {
    await new Retention([rule('positions', 0), rule('audit', DAY_MS)], metrics).run()
    expect(removed.map(([store]) => store)).toEqual(['audit'])
  })

  it('goes on after a store that fails, and counts the failure', async () => {
    await new Retention([rule('positions', DAY_MS, -1), rule('audit', DAY_MS, 1)], metrics).run()
    expect(removed.map(([store]) => store)).toEqual(['positions', 'audit'])
    expect(await countsOf(metrics.retentionFailed)).toEqual({ positions: 1 })
    expect(await countsOf(metrics.retentionRemoved)).toEqual({ audit: 1 })
  })

  it('runs soon after the start and then hourly, a little off the beat, until it stops', async () => {
    const retention = new Retention([rule('audit', DAY_MS)], metrics, () => 0.75)
    retention.onApplicationBootstrap()
    await jest.advanceTimersByTimeAsync(15_749)
    expect(removed).toHaveLength(0)
    await jest.advanceTimersByTimeAsync(1)
    expect(removed).toHaveLength(1)
    await jest.advanceTimersByTimeAsync(1.05 * HOUR_MS - 1)
    expect(removed).toHaveLength(1)
    await jest.advanceTimersByTimeAsync(1)
    expect(removed).toHaveLength(2)
    retention.onModuleDestroy()
    await jest.advanceTimersByTimeAsync(10 * HOUR_MS)
    expect(removed).toHaveLength(2)
    expect(jest.getTimerCount()).toBe(0)
  })

  it('does not start the next store while it stops, nor calls what closes under it a failure', async () => {
    const retention: Retention = new Retention(
      [
        {
          store: 'positions',
          keepMs: DAY_MS,
          remove: async () => {
            retention.onModuleDestroy()
            throw new Error('the store is closing')
          },
        },
        rule('audit', DAY_MS),
      ],
      metrics,
    )
    await retention.run()
    expect(removed).toEqual([])
    expect(await countsOf(metrics.retentionFailed)).toEqual({})
  })
})

describe('retentionRules', () => {
  const calls: string[] = []
  const recorder = (name: string) =>
    new Proxy(
      {},
      {
        get: (_, method) => async (beforeMs: number) => {
          calls.push(`${name}.${String(method)}(${beforeMs})`)
          return 0
        },
      },
    )
  const stores = Object.fromEntries(
    ['positions', 'quarantine', 'frames', 'audit', 'users', 'devices', 'idempotency', 'videos'].map((name) => [
      name,
      recorder(name),
    ]),
  ) as unknown as GrowingStores
  const daysOf = (environment: Record<string, string>) =>
    retentionRules(parseConfig(environment), stores).map(({ store, keepMs }) => [store, keepMs / DAY_MS])

  it('keeps positions and quarantine for RETENTION_DAYS and the audit log for AUDIT_RETENTION_DAYS', () => {
    expect(daysOf({})).toEqual([
      ['positions', 90],
      ['quarantine', 90],
      ['frames', 90],
      ['audit', 365],
      ['sessions', 1],
      ['addresses', 30],
      ['idempotency', 1],
      ['videos', 0],
    ])
    expect(daysOf({ VIDEO_RETENTION_DAYS: '30' }).at(-1)).toEqual(['videos', 30])
    expect(daysOf({ RETENTION_DAYS: '0', AUDIT_RETENTION_DAYS: '0' }).slice(0, 4)).toEqual([
      ['positions', 0],
      ['quarantine', 0],
      ['frames', 90],
      ['audit', 0],
    ])
  })

  it('keeps raw frames no longer than positions, and never longer than 90 days', () => {
    const framesOf = (days: string) => new Map(daysOf({ RETENTION_DAYS: days }) as [string, number][]).get('frames')
    expect(['0', '1', '90', '91', '3650'].map(framesOf)).toEqual([90, 1, 90, 90, 90])
  })

  it('asks each store in its own words', async () => {
    for (const { remove } of retentionRules(parseConfig({}), stores)) await remove(7)
    expect(calls).toEqual([
      'positions.removeOlderThan(7)',
      'quarantine.removeOlderThan(7)',
      'frames.removeOlderThan(7)',
      'audit.removeOlderThan(7)',
      'users.removeSessions(7)',
      'devices.forgetAddresses(7)',
      'idempotency.removeOlderThan(7)',
      'videos.removeOlderThan(7)',
    ])
  })
})
