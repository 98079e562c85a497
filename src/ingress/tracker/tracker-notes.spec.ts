import { Logger } from '@nestjs/common'
import { DecodeError } from '../../codecs/decode-error.js'
import { Metrics } from '../../metrics/metrics.js'
import { AppError } from '../../model/app-error.js'
import { Quarantine } from '../../pipeline/quarantine.js'
import { type QuarantinedRecord, QuarantineStore } from '../../storage/quarantine/quarantine-store.js'
import { TrackerNotes, type TrackerSender } from './tracker-notes.js'

const STRANGER: TrackerSender = { protocol: 'teltonika', ingress: 'udp', address: '192.0.2.7' }
const KNOWN: TrackerSender = { ...STRANGER, ingress: 'tcp', deviceId: '356307042441013' }
const RUBBISH = Buffer.from('rubbish')

describe('notes of trackers', () => {
  let metrics: Metrics
  let quarantine: Quarantine
  let notes: TrackerNotes
  let kept: QuarantinedRecord[]
  let lines: object[]

  beforeEach(() => {
    metrics = new Metrics()
    kept = []
    lines = []
    const store = { keep: async (records: readonly QuarantinedRecord[]) => void kept.push(...records) }
    quarantine = new Quarantine(Object.assign(Object.create(QuarantineStore.prototype), store), metrics)
    notes = new TrackerNotes(metrics, quarantine)
    jest.spyOn(Logger.prototype, 'warn').mockImplementation((line: object) => void lines.push(line))
    jest.spyOn(Logger.prototype, 'error').mockImplementation((line: object) => void lines.push(line))
  })

  afterEach(async () => {
    await quarantine.drain()
    jest.restoreAllMocks()
  })

  async function valuesOf(name: string): Promise<string[]> {
    const text = await metrics.registry.getSingleMetricAsString(name)
    return text.split('\n').filter((line) => line.startsWith(name))
  }

  it('count connections that are there, and how they ended', async () => {
    notes.connectionBegan('teltonika')
    notes.connectionBegan('teltonika')
    notes.connectionEnded('teltonika', 'idle_timeout')
    expect(await valuesOf('milepost_tracker_connections')).toEqual([
      'milepost_tracker_connections{protocol="teltonika"} 1',
    ])
    expect(await valuesOf('milepost_tracker_connections_ended_total')).toEqual([
      'milepost_tracker_connections_ended_total{protocol="teltonika",reason="idle_timeout"} 1',
    ])
  })

  it('count frames by kind, and time answers', async () => {
    for (const kind of ['login', 'records', 'records'] as const) notes.frameRead('ruptela', kind)
    expect(await valuesOf('milepost_tracker_frames_total')).toEqual([
      'milepost_tracker_frames_total{protocol="ruptela",kind="login"} 1',
      'milepost_tracker_frames_total{protocol="ruptela",kind="records"} 2',
    ])
    notes.answered('udp', 7)
    expect(await metrics.registry.metrics()).toContain('milepost_ack_seconds_bucket{le="0.01",ingress="udp"} 1')
  })

  it('keep what a known device sent and nobody can read, all of it; of strangers twenty a second, and count the rest', async () => {
    const error = new DecodeError('bad_checksum', 'the checksum does not hold')
    for (let i = 0; i < 100; i++) notes.unreadable(error, RUBBISH, STRANGER)
    for (let i = 0; i < 30; i++) notes.unreadable(error, RUBBISH, KNOWN)
    await quarantine.drain()
    expect(kept.filter(({ deviceId }) => deviceId === '').length).toBe(20)
    expect(kept.filter(({ deviceId }) => deviceId === KNOWN.deviceId).length).toBe(30)
    expect(kept[0]).toMatchObject({ ingress: 'udp', code: 'bad_checksum', raw: RUBBISH.toString('hex') })
    expect(await valuesOf('milepost_decode_errors_total')).toEqual([
      'milepost_decode_errors_total{protocol="teltonika",code="bad_checksum"} 130',
    ])
    expect(await valuesOf('milepost_quarantine_dropped_total')).toEqual(['milepost_quarantine_dropped_total 80'])
    expect(lines).toEqual([
      {
        event: 'tracker_unreadable',
        ...STRANGER,
        code: 'bad_checksum',
        reason: 'the checksum does not hold',
        others: 0,
      },
    ])
  })

  it('tell of refusals by one line, with no more of a stranger than the shape of an IMEI', async () => {
    notes.refused('login_refused', { ...STRANGER, deviceId: '"; drop table' })
    for (let i = 0; i < 1000; i++) notes.refused('login_refused', { ...STRANGER, deviceId: '356307042441013' })
    expect(lines).toEqual([
      { event: 'tracker_refused', ...STRANGER, deviceId: undefined, code: 'login_refused', others: 0 },
    ])
    expect(await valuesOf('milepost_refusals_total')).toEqual([
      'milepost_refusals_total{ingress="udp",code="login_refused"} 1001',
    ])
  })

  it('tell a store that is away from a mistake of ours, which is logged with its stack', async () => {
    notes.failed(new AppError('store_unavailable'), KNOWN)
    notes.failed(new TypeError('cannot read'), KNOWN)
    expect(lines).toEqual([
      { event: 'tracker_refused', ...KNOWN, code: 'store_unavailable', others: 0 },
      { event: 'tracker_fault', ...KNOWN, stack: expect.stringContaining('TypeError: cannot read'), others: 0 },
    ])
    expect(await valuesOf('milepost_refusals_total')).toEqual([
      'milepost_refusals_total{ingress="tcp",code="store_unavailable"} 1',
      'milepost_refusals_total{ingress="tcp",code="internal"} 1',
    ])
  })
})
