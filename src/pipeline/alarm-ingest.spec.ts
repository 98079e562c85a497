import { Logger } from '@nestjs/common'
import { makeAlarm, makeAlarmReport } from '../../test/support/alarms.js'
import { Metrics } from '../metrics/metrics.js'
import type { AlarmReport, DecodedAlarm } from '../model/alarm.js'
import { AppError } from '../model/app-error.js'
import type { DiskGuard } from '../storage/disk-guard.js'
import type { AlarmCommit } from './alarm-commit.js'
import { AlarmIngest } from './alarm-ingest.js'
import type { Quarantine } from './quarantine.js'

const NOW = Date.parse('2026-11-22T12:00:00Z')
const DAY_MS = 86_400_000

function build({ retentionMs = 90 * DAY_MS, disk = { assertWritable: () => undefined } } = {}) {
  const raised: AlarmReport[] = []
  const kept: unknown[] = []
  const outcomes: { isNew: boolean; isChanged: boolean; refusal?: AppError } = { isNew: true, isChanged: true }
  const quarantine = {
    keep: ({ rawOf, ...source }: Parameters<Quarantine['keep']>[0], rejected: unknown) =>
      kept.push({ ...source, raw: JSON.parse(rawOf(0)), rejected }),
  } as unknown as Quarantine
  const commit = {
    raise: async (report: AlarmReport) => {
      if (outcomes.refusal) throw outcomes.refusal
      raised.push(report)
      return { alarm: makeAlarm({ id: 'a1' }), ...outcomes }
    },
  } as unknown as AlarmCommit
  const metrics = new Metrics()
  const ingest = new AlarmIngest(commit, quarantine, disk as unknown as DiskGuard, { limits: { retentionMs }, metrics })
  return { ingest, raised, kept, outcomes, metrics }
}

function alarm(timeMs: number): DecodedAlarm {
  const { timeSuspect: _, ...decoded } = makeAlarmReport({ timeMs, receivedAtMs: NOW })
  return decoded
}

describe('AlarmIngest', () => {
  it.each([
    ['now', NOW, false],
    ['10 minutes ahead', NOW + 600_000, false],
    ['more than that', NOW + 600_001, true],
    ['as old as positions may be', NOW - 90 * DAY_MS, false],
    ['older', NOW - 90 * DAY_MS - 1, true],
    ['a clock that was never set', 0, true],
    ['a clock that counts microseconds', NOW * 1000, true],
  ])('takes an alarm of %s', async (_, timeMs, isSuspect) => {
    const { ingest, raised } = build()
    expect(await ingest.ingest(alarm(timeMs), 'socket')).toMatchObject({ alarm: { id: 'a1' }, isNew: true })
    expect(raised.map(({ timeSuspect }) => timeSuspect)).toEqual([isSuspect])
  })

  it('suspects no old time when positions are kept for ever', async () => {
    const { ingest, raised } = build({ retentionMs: 0 })
    await ingest.ingest(alarm(0), 'socket')
    await ingest.ingest(alarm(NOW + 600_001), 'socket')
    expect(raised.map(({ timeSuspect }) => timeSuspect)).toEqual([false, true])
  })

  it('writes nothing while the disk is full', async () => {
    const assertWritable = () => {
      throw new AppError('disk_full')
    }
    const { ingest, raised } = build({ disk: { assertWritable } })
    await expect(ingest.ingest(alarm(NOW), 'socket')).rejects.toMatchObject({ code: 'disk_full' })
    expect(raised).toEqual([])
  })

  it('counts outcomes by way in', async () => {
    const { ingest, outcomes, metrics } = build()
    await ingest.ingest(alarm(NOW), 'socket')
    Object.assign(outcomes, { isNew: false, isChanged: true })
    await ingest.ingest(alarm(NOW), 'http')
    Object.assign(outcomes, { isNew: false, isChanged: false })
    await ingest.ingest(alarm(NOW), 'http')
    const text = await metrics.registry.getSingleMetricAsString('milepost_alarms_total')
    expect(text).toContain('milepost_alarms_total{ingress="socket",outcome="new"} 1')
    expect(text).toContain('milepost_alarms_total{ingress="http",outcome="changed"} 1')
    expect(text).toContain('milepost_alarms_total{ingress="http",outcome="repeat"} 1')
  })

  it('keeps in quarantine what can never be stored, says so, and keeps nothing of what may come again', async () => {
    const logged = jest.spyOn(Logger.prototype, 'error').mockImplementation()
    const { ingest, outcomes, kept } = build()
    outcomes.refusal = new AppError('store_unavailable')
    await expect(ingest.ingest(alarm(NOW), 'http')).rejects.toMatchObject({ code: 'store_unavailable' })
    expect(kept).toEqual([])
    outcomes.refusal = new AppError('invalid_request', 'The alarm cannot be stored', { cause: new Error('NOT NULL') })
    await expect(ingest.ingest(alarm(NOW), 'http')).rejects.toBe(outcomes.refusal)
    const raw = { ...alarm(NOW), timeSuspect: false }
    const rejected = [{ index: 0, code: 'invalid_request' }]
    expect(kept).toEqual([{ deviceId: 'd1', ingress: 'http', receivedAtMs: NOW, raw, rejected }])
    expect(logged.mock.calls).toEqual([[{ event: 'alarm_unstorable', deviceId: 'd1', reason: 'NOT NULL' }]])
    logged.mockRestore()
  })
})
