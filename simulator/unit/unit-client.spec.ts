import { atRest, ManualClock } from '../../test/simulator/manual-clock.js'
import { acceptAll, type ScriptedLink, ScriptedTransport } from '../../test/simulator/scripted-transport.js'
import type { Fix } from '../drives/drive.js'
import { Outbox } from './outbox.js'
import { UnitClient, type UnitEnd, type UnitSettings } from './unit-client.js'
import type { Refusal, SendOutcome, UnitLimits } from './unit-transport.js'

const SETTINGS: UnitSettings = { batch: 10, inFlight: 2, ackTimeoutMs: 15_000, dropAcks: 0, disconnectEveryMs: 0 }

interface Unit {
  readonly clock: ManualClock
  readonly transport: ScriptedTransport
  readonly client: UnitClient
  readonly life: Promise<UnitEnd>
  readonly startMs: number
}

const started: Unit[] = []

function start(
  answer: (fixes: readonly Fix[]) => SendOutcome | undefined,
  more: Partial<UnitSettings> = {},
  refusals: readonly Refusal[] = [],
  limits?: UnitLimits,
): Unit {
  const clock = new ManualClock()
  const transport = new ScriptedTransport(() => clock.nowMs(), answer, limits)
  transport.refusals.push(...refusals)
  const parts = { transport, outbox: new Outbox(), clock, random: () => 0 }
  const client = new UnitClient(parts, { ...SETTINGS, ...more })
  const unit = { clock, transport, client, life: client.run(), startMs: clock.nowMs() }
  started.push(unit)
  return unit
}

function fixes(from: number, count: number): Fix[] {
  const still = { latitude: 0, longitude: 0, altitudeM: null, speedKmh: null, headingDeg: null, satellites: null }
  return Array.from({ length: count }, (_, index) => ({ timeMs: from + index, ...still }))
}

const refuseWith = (code: string, retryAfterMs?: number): SendOutcome => ({
  kind: 'refused',
  refusal: { code, message: code, retryAfterMs },
})
const silence = () => undefined
const batchesOf = (link: ScriptedLink | undefined) => link?.sent.map((batch) => batch.map(({ timeMs }) => timeMs)) ?? []
const sinceStart = ({ startMs, transport }: Unit) => transport.openedAtMs.map((atMs) => atMs - startMs)

afterEach(async () => {
  for (const { client, life } of started.splice(0)) {
    client.stop()
    await life.catch(() => {})
  }
})

describe('sending', () => {
  it('sends single records while it keeps up, and batches when it is behind', async () => {
    const { client, transport } = start(acceptAll)
    await atRest()
    client.record(fixes(0, 1))
    await atRest()
    client.record(fixes(1, 12))
    await client.whenSettled()
    expect(batchesOf(transport.links[0])).toEqual([[0], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], [11, 12]])
    expect(client.tally).toMatchObject({ recorded: 13, events: 3, sent: 13, resent: 0, accepted: 13 })
  })

  it('has no more events under way than allowed', async () => {
    const { client, transport } = start(silence)
    client.record(fixes(0, 100))
    await atRest()
    expect(transport.links[0]?.sent).toHaveLength(2)
    expect(client.pending).toBe(100)
  })

  it('sends no more at a time than its protocol holds', async () => {
    const { client, transport } = start(silence, {}, [], { records: 3, inFlight: 1, memory: 100 })
    client.record(fixes(0, 10))
    await atRest()
    expect(batchesOf(transport.links[0])).toEqual([[0, 1, 2]])
  })

  it('loses the oldest of what is waiting, and counts it, when the memory of such units is full', async () => {
    const { client, clock, transport } = start(silence, {}, [], { records: 2, inFlight: 1, memory: 5 })
    client.record(fixes(0, 2))
    await atRest()
    client.record(fixes(2, 3))
    expect(client.pending).toBe(5)
    client.record(fixes(5, 2))
    expect(client.pending).toBe(5)
    expect(client.tally.rejected).toEqual(new Map([['memory_full', 2]]))
    transport.answer = acceptAll
    transport.links[0]?.end()
    await clock.advance(1000)
    await client.whenSettled()
    expect(transport.links.flatMap(batchesOf).slice(1)).toEqual([[0, 1], [4, 5], [6]])
  })

  it('tells a recorder without a pace when there is room', async () => {
    const { client, clock, transport } = start(silence)
    await client.whenRoom()
    client.record(fixes(0, 60))
    await atRest()
    let hasRoom = false
    const waiting = client.whenRoom().then(() => {
      hasRoom = true
    })
    await atRest()
    expect(hasRoom).toBe(false)
    transport.answer = acceptAll
    await clock.advance(15_000)
    await waiting
    expect(hasRoom).toBe(true)
  })

  it('settles records that the server will never store and does not send them again', async () => {
    const { client, transport } = start((sent) => ({
      kind: 'settled',
      accepted: sent.length - 3,
      duplicates: 1,
      rejected: [
        { index: 0, code: 'time_in_future' },
        { index: 2, code: 'invalid_field' },
      ],
    }))
    client.record(fixes(0, 10))
    await client.whenSettled()
    expect(transport.links[0]?.sent).toHaveLength(1)
    expect([...client.tally.rejected]).toEqual([
      ['time_in_future', 1],
      ['invalid_field', 1],
    ])
    expect(client.tally).toMatchObject({ accepted: 7, duplicates: 1, settled: 10 })
  })
})

describe('answers that do not come', () => {
  it('sends an event again after the ack timeout, on the same link', async () => {
    const { client, clock, transport } = start(silence)
    client.record(fixes(0, 3))
    await clock.advance(14_999)
    expect(batchesOf(transport.links[0])).toEqual([[0, 1, 2]])
    transport.answer = acceptAll
    await clock.advance(1)
    expect(batchesOf(transport.links[0])).toEqual([
      [0, 1, 2],
      [0, 1, 2],
    ])
    expect(client.tally).toMatchObject({ unanswered: 1, resent: 3, accepted: 3 })
    expect(client.pending).toBe(0)
  })

  it('cuts a link on which three answers in a row stayed out', async () => {
    const { client, clock, transport } = start(silence, { inFlight: 1 })
    client.record(fixes(0, 1))
    await clock.advance(44_999)
    expect(transport.links[0]?.wasCut).toBe(false)
    await clock.advance(1)
    expect(transport.links[0]?.wasCut).toBe(true)
    expect(client.pending).toBe(1)
  })

  it('sends everything under way again on the next link, older before newer', async () => {
    const { client, clock, transport } = start(silence)
    client.record(fixes(0, 25))
    await atRest()
    transport.answer = acceptAll
    transport.links[0]?.end()
    client.record(fixes(25, 1))
    await clock.advance(500)
    expect(batchesOf(transport.links[1]).flat()).toEqual(Array.from({ length: 26 }, (_, index) => index))
    expect(client.tally).toMatchObject({ unanswered: 2, resent: 20, accepted: 26, reconnects: 1 })
    expect(client.pending).toBe(0)
  })

  it('sends again what a dropped ack had settled, until an ack gets through', async () => {
    const clock = new ManualClock()
    const transport = new ScriptedTransport(() => clock.nowMs(), acceptAll)
    const draws = [0, 0.1, 0.1, 0.9]
    const random = () => draws.shift() ?? 0.9
    const client = new UnitClient({ transport, outbox: new Outbox(), clock, random }, { ...SETTINGS, dropAcks: 0.5 })
    const life = client.run()
    client.record(fixes(0, 5))
    await client.whenSettled()
    expect(batchesOf(transport.links[0])).toEqual([
      [0, 1, 2, 3, 4],
      [0, 1, 2, 3, 4],
      [0, 1, 2, 3, 4],
      [0, 1, 2, 3, 4],
    ])
    expect(client.tally).toMatchObject({ droppedAcks: 3, resent: 15, accepted: 5 })
    client.stop()
    await life
  })
})

describe('refusals of whole events', () => {
  it('waits as long as retryAfterMs asks, then sends again', async () => {
    const { client, clock, transport } = start(() => refuseWith('overloaded', 30_000))
    client.record(fixes(0, 15))
    await clock.advance(29_999)
    expect(batchesOf(transport.links[0]).map(({ length }) => length)).toEqual([10, 5])
    transport.answer = acceptAll
    await clock.advance(1)
    expect(client.pending).toBe(0)
    expect([...client.tally.refusals]).toEqual([['overloaded', 2]])
  })

  it('backs off by itself when a passing refusal names no time', async () => {
    const { client, clock, transport } = start(() => refuseWith('internal'), { inFlight: 1 })
    client.record(fixes(0, 1))
    await clock.advance(7_500)
    expect(transport.links[0]?.sent).toHaveLength(5) // at 0, 0.5, 1.5, 3.5 and 7.5 s
    expect(client.pending).toBe(1)
  })

  it('narrows a lasting refusal down to the one record it is about', async () => {
    const { client, transport } = start(
      (sent) => (sent.some(({ timeMs }) => timeMs === 6) ? refuseWith('invalid_request') : acceptAll(sent)),
      { inFlight: 1 },
    )
    client.record(fixes(0, 10))
    await client.whenSettled()
    expect(client.tally).toMatchObject({ accepted: 9 })
    expect([...client.tally.rejected]).toEqual([['invalid_request', 1]])
    const accepted = batchesOf(transport.links[0]).filter((batch) => !batch.includes(6))
    expect(accepted.flat().sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 7, 8, 9])
  })
})

describe('coming back', () => {
  it('tries again with back-off while no link can be opened', async () => {
    const unit = start(acceptAll, {}, Array(5).fill({ code: 'unreachable', message: '' }))
    await unit.clock.advance(60_000)
    expect(sinceStart(unit)).toEqual([0, 500, 1500, 3500, 7500, 15_500])
    expect([...unit.client.tally.failedAttempts]).toEqual([['unreachable', 5]])
  })

  it('waits as long as a refused login asks', async () => {
    const unit = start(acceptAll, {}, [{ code: 'too_many_requests', message: '', retryAfterMs: 47_000 }])
    await unit.clock.advance(60_000)
    expect(sinceStart(unit)).toEqual([0, 47_000])
  })

  it('waits a minute after having been replaced, then two', async () => {
    const unit = start(acceptAll)
    await atRest()
    unit.transport.links[0]?.end({ code: 'replaced' })
    await unit.clock.advance(60_000)
    unit.transport.links[1]?.end({ code: 'replaced' })
    await unit.clock.advance(120_000)
    expect(sinceStart(unit)).toEqual([0, 60_000, 180_000])
    expect([...unit.client.tally.closings]).toEqual([['replaced', 2]])
  })

  it('begins its back-off anew once the server has answered well', async () => {
    const unit = start(acceptAll)
    for (let link = 0; link < 3; link++) {
      await unit.clock.advance(2000)
      unit.client.record(fixes(link, 1))
      await atRest()
      unit.transport.links[link]?.end({ code: 'shutting_down' })
    }
    await unit.clock.advance(2000)
    expect(sinceStart(unit)).toEqual([0, 2500, 4500, 6500])
  })

  it('cuts its links about as often as it is told to', async () => {
    const { clock, transport } = start(acceptAll, { disconnectEveryMs: 10_000 })
    await clock.advance(5_000)
    expect(transport.links[0]?.wasCut).toBe(true)
    await clock.advance(500)
    expect(transport.links).toHaveLength(2)
  })
})

describe('the end', () => {
  it('gives up when the server refuses the first logins', async () => {
    const { clock, life } = start(acceptAll, {}, Array(3).fill({ code: 'login_refused', message: 'no' }))
    await clock.advance(10_000)
    expect(await life).toEqual({ kind: 'shut_out', refusal: { code: 'login_refused', message: 'no' } })
  })

  it('goes on trying when it was let in before', async () => {
    const unit = start(acceptAll)
    await atRest()
    for (let time = 0; time < 5; time++) unit.transport.refusals.push({ code: 'login_refused', message: 'no' })
    unit.transport.links[0]?.end({ code: 'device_disabled' })
    await unit.clock.advance(60_000)
    expect(unit.transport.links).toHaveLength(2)
  })

  it('stops at once and keeps what is pending', async () => {
    const { client, life, transport } = start(silence)
    client.record(fixes(0, 3))
    await atRest()
    client.stop()
    expect(await life).toEqual({ kind: 'stopped' })
    expect(transport.links[0]?.isOpen).toBe(false)
    expect(client.pending).toBe(3)
  })

  it('waits for nothing after its end, also when a refusal comes in that moment', async () => {
    const { client, clock, life } = start(() => {
      client.stop()
      return refuseWith('overloaded', 60_000)
    })
    await atRest()
    client.record(fixes(0, 1))
    await atRest()
    expect(await life).toEqual({ kind: 'stopped' })
    expect([client.pending, clock.pending]).toEqual([1, 0])
  })

  it('fails as a whole when what was settled cannot be written down', async () => {
    const clock = new ManualClock()
    const outbox = new Outbox()
    outbox.settle = () => {
      throw new Error('disk full')
    }
    const transport = new ScriptedTransport(() => clock.nowMs(), acceptAll)
    const client = new UnitClient({ transport, outbox, clock, random: () => 0 }, SETTINGS)
    client.record(fixes(0, 1))
    const settled = client.whenSettled()
    await Promise.all([expect(client.run()).rejects.toThrow('disk full'), expect(settled).rejects.toThrow('disk full')])
    expect(client.pending).toBe(1)
  })
})
