import { LiveFeed } from '../live/live-feed.js'
import { Metrics } from '../metrics/metrics.js'
import { AppError } from '../model/app-error.js'
import { MOST_GATHERED_CHARACTERS } from '../model/gathered-attributes.js'
import type { Position } from '../model/position.js'
import type { DecodedRecord, Report } from '../model/report.js'
import type { DiskGuard } from '../storage/disk-guard.js'
import type { PositionStore } from '../storage/positions/position-store.js'
import type { QuarantinedRecord, QuarantineStore } from '../storage/quarantine/quarantine-store.js'
import { GroupCommit } from './group-commit.js'
import { Ingest } from './ingest.js'
import { Quarantine } from './quarantine.js'

const NOW = Date.UTC(2026, 10, 22)
const DAY_MS = 86_400_000

const fix = (timeMs: number): DecodedRecord => ({
  position: {
    deviceId: 'd1',
    timeMs,
    discriminator: 0,
    receivedAtMs: NOW,
    latitude: 1,
    longitude: 1,
    hasFix: true,
    altitudeM: null,
    speedKmh: null,
    headingDeg: null,
    accuracyM: null,
    satellites: null,
    attributes: null,
  },
})

const report = (...records: DecodedRecord[]): Report => ({
  deviceId: 'd1',
  ingress: 'socket',
  receivedAtMs: NOW,
  records,
  rawOf: (index) => `raw ${index}`,
})

function build(
  options: {
    append?: PositionStore['append']
    keep?: QuarantineStore['keep']
    retentionMs?: number
    disk?: Partial<DiskGuard>
  } = {},
) {
  const stored = new Set<number>()
  const published: number[] = []
  const quarantined: QuarantinedRecord[] = []
  const append =
    options.append ??
    (async (positions: readonly Position[]) => {
      const isNew = positions.map(({ timeMs }) => !stored.has(timeMs))
      for (const { timeMs } of positions) stored.add(timeMs)
      const latest = Math.max(...stored)
      return { isNew, isLatest: positions.map(({ timeMs }, index) => isNew[index] === true && timeMs === latest) }
    })
  const keep =
    options.keep ??
    (async (records: readonly QuarantinedRecord[]) => {
      quarantined.push(...records)
    })
  class Recorder extends LiveFeed {
    publishPositions(positions: readonly Position[]): void {
      published.push(...positions.map(({ timeMs }) => timeMs))
    }
    publishNews(): void {}
    publishPresence(): void {}
  }
  const metrics = new Metrics()
  const commit = new GroupCommit({ append } as PositionStore, metrics, 100_000)
  const quarantine = new Quarantine({ keep } as QuarantineStore, metrics)
  const disk = { assertWritable: () => undefined, ...options.disk } as DiskGuard
  const limits = { retentionMs: options.retentionMs ?? 90 * DAY_MS }
  const ingest = new Ingest(commit, quarantine, new Recorder(), disk, { limits, metrics })
  return { ingest, quarantine, published, quarantined, stored, metrics }
}

describe('Ingest', () => {
  it('settles every record: stored, repeated, refused; the sum is what was sent', async () => {
    const { ingest, quarantine, quarantined } = build()
    const refused: DecodedRecord = { refusal: { code: 'invalid_latitude', message: 'no' } }
    const outcome = await ingest.ingest(
      report(fix(NOW), refused, fix(NOW), fix(NOW + 601_000), fix(NOW - 91 * DAY_MS), fix(NOW - 1)),
    )
    expect(outcome).toEqual({
      accepted: 2,
      duplicates: 1,
      rejected: [
        { index: 1, code: 'invalid_latitude', message: 'no' },
        { index: 3, code: 'time_in_future', message: expect.any(String) },
        { index: 4, code: 'too_old', message: expect.any(String) },
      ],
    })
    await quarantine.drain()
    expect(quarantined.map(({ code, raw }) => [code, raw])).toEqual([
      ['invalid_latitude', 'raw 1'],
      ['time_in_future', 'raw 3'],
      ['too_old', 'raw 4'],
    ])
  })

  it('takes ten minutes ahead and the whole of the retention, to the millisecond', async () => {
    const { ingest } = build()
    const outcome = await ingest.ingest(
      report(fix(NOW + 600_000), fix(NOW + 600_001), fix(NOW - 90 * DAY_MS), fix(NOW - 90 * DAY_MS - 1)),
    )
    expect(outcome.rejected.map(({ index, code }) => [index, code])).toEqual([
      [1, 'time_in_future'],
      [3, 'too_old'],
    ])
  })

  it('knows no too_old when everything is kept', async () => {
    const { ingest } = build({ retentionMs: 0 })
    expect(await ingest.ingest(report(fix(0), fix(-1)))).toEqual({ accepted: 2, duplicates: 0, rejected: [] })
  })

  it('answers a resend as duplicates', async () => {
    const { ingest } = build()
    await ingest.ingest(report(fix(NOW), fix(NOW - 1)))
    expect(await ingest.ingest(report(fix(NOW - 1), fix(NOW), fix(NOW - 2)))).toEqual({
      accepted: 1,
      duplicates: 2,
      rejected: [],
    })
  })

  it('puts parts of one record together, and refuses those that would make it too large', async () => {
    const appended: Position[][] = []
    const append: PositionStore['append'] = async (positions) => {
      appended.push([...positions])
      const isTooLarge = positions.map(({ attributes }) => attributes !== null && 'large' in attributes)
      return { isNew: positions.map(() => false), isLatest: positions.map(() => false), isTooLarge }
    }
    const part = (timeMs: number, attributes: Position['attributes']): DecodedRecord => {
      const { position } = fix(timeMs)
      if (position === undefined) throw new Error('no position')
      return { position: { ...position, attributes, isPart: true } }
    }
    const { ingest, quarantine, quarantined } = build({ append })
    const outcome = await ingest.ingest(
      report(part(NOW, { a: 1 }), fix(NOW - 1), part(NOW - 2, { large: 1 }), part(NOW, { b: 2 })),
    )
    expect(appended.map((some) => some.map(({ attributes }) => attributes))).toEqual([
      [{ a: 1, b: 2 }, null, { large: 1 }],
    ])
    expect(outcome).toEqual({
      accepted: 0,
      duplicates: 3,
      rejected: [{ index: 2, code: 'attributes_too_large', message: expect.any(String) }],
    })
    await quarantine.drain()
    expect(quarantined.map(({ code, raw }) => [code, raw])).toEqual([['attributes_too_large', 'raw 2']])
  })

  it('keeps every part that is refused, also those that were put together, and only those', async () => {
    const append: PositionStore['append'] = async (positions) => {
      const isTooLarge = positions.map(({ attributes }) => attributes !== null && 'large' in attributes)
      return { isNew: isTooLarge.map((one) => !one), isLatest: positions.map(() => false), isTooLarge }
    }
    const part = (timeMs: number, attributes: Position['attributes']): DecodedRecord => {
      const { position } = fix(timeMs)
      if (position === undefined) throw new Error('no position')
      return { position: { ...position, attributes, isPart: true } }
    }
    const { ingest, quarantine, quarantined } = build({ append })
    const huge = { huge: 'x'.repeat(MOST_GATHERED_CHARACTERS - 20) }
    const outcome = await ingest.ingest(
      report(
        part(NOW, { large: 1 }),
        part(NOW - 1, huge),
        part(NOW, { b: 2 }),
        part(NOW - 1, { large: 'y'.repeat(50) }),
        fix(NOW - 2),
      ),
    )
    expect([outcome.accepted, outcome.duplicates, outcome.rejected.map(({ index }) => index)]).toEqual([
      2,
      0,
      [0, 2, 3],
    ])
    await quarantine.drain()
    expect(quarantined.map(({ raw }) => raw)).toEqual(['raw 0', 'raw 2', 'raw 3'])
  })

  it('publishes only what became the latest', async () => {
    const { ingest, published } = build()
    await ingest.ingest(report(fix(NOW)))
    await ingest.ingest(report(fix(NOW - 5)))
    await ingest.ingest(report(fix(NOW), fix(NOW + 5)))
    expect(published).toEqual([NOW, NOW + 5])
  })

  it('refuses as a whole what the store did not take, and keeps nothing of it in quarantine', async () => {
    const append = async () => {
      throw new Error('gone')
    }
    const { ingest, quarantine, quarantined, published } = build({ append })
    const refused: DecodedRecord = { refusal: { code: 'invalid_time', message: 'no' } }
    await expect(ingest.ingest(report(fix(NOW), refused))).rejects.toMatchObject({
      code: 'store_unavailable',
      retryAfterMs: 2000,
    })
    await quarantine.drain()
    expect([quarantined, published]).toEqual([[], []])
  })

  it('never lets a broken or stalled quarantine hold good data back', async () => {
    const broken = build({ keep: () => Promise.reject(new Error('broken')) })
    const refused: DecodedRecord = { refusal: { code: 'invalid_time', message: 'no' } }
    expect(await broken.ingest.ingest(report(fix(NOW), refused))).toMatchObject({ accepted: 1 })
    await broken.quarantine.drain()
    expect(await broken.metrics.registry.getSingleMetricAsString('milepost_quarantine_dropped_total')).toContain(
      'milepost_quarantine_dropped_total 1',
    )
    const stalled = build({ keep: () => new Promise(() => undefined) })
    expect(await stalled.ingest.ingest(report(fix(NOW), refused))).toMatchObject({ accepted: 1 })
    expect(await stalled.ingest.ingest(report(fix(NOW - 1), refused))).toMatchObject({ accepted: 1 })
  })

  it('acknowledges good data beside a record that cannot even be written down', async () => {
    const { ingest, quarantine, quarantined } = build()
    const refused: DecodedRecord = { refusal: { code: 'invalid_field', message: 'no' } }
    const rawOf = (index: number) => {
      if (index === 1) throw new RangeError('Maximum call stack size exceeded')
      return `raw ${index}`
    }
    const outcome = await ingest.ingest({ ...report(fix(NOW), refused, refused), rawOf })
    expect([outcome.accepted, outcome.rejected.map(({ index }) => index)]).toEqual([1, [1, 2]])
    await quarantine.drain()
    expect(quarantined.map(({ code, raw }) => [code, raw])).toEqual([
      ['invalid_field', ''],
      ['invalid_field', 'raw 2'],
    ])
  })

  it('bounds what waits for a stalled quarantine and counts the rest', async () => {
    const { ingest, metrics } = build({ keep: () => new Promise(() => undefined) })
    const refused: DecodedRecord = { refusal: { code: 'invalid_time', message: 'no' } }
    for (let n = 0; n < 7; n++) await ingest.ingest(report(...Array<DecodedRecord>(1000).fill(refused)))
    expect(await metrics.registry.getSingleMetricAsString('milepost_quarantine_dropped_total')).toContain(
      'milepost_quarantine_dropped_total 1500',
    )
  })

  it('writes nothing while the disk is full', async () => {
    const assertWritable = () => {
      throw new AppError('disk_full')
    }
    const { ingest, stored } = build({ disk: { assertWritable } })
    await expect(ingest.ingest(report(fix(NOW)))).rejects.toMatchObject({ code: 'disk_full' })
    expect(stored.size).toBe(0)
  })

  it('counts outcomes by way in', async () => {
    const { ingest, metrics } = build()
    await ingest.ingest(report(fix(NOW), fix(NOW), { refusal: { code: 'invalid_time', message: 'no' } }))
    const text = await metrics.registry.getSingleMetricAsString('milepost_positions_total')
    expect(text).toContain('milepost_positions_total{ingress="socket",outcome="accepted"} 1')
    expect(text).toContain('milepost_positions_total{ingress="socket",outcome="duplicate"} 1')
    expect(text).toContain('milepost_positions_total{ingress="socket",outcome="rejected"} 1')
  })
})
