import type { DecodedAlarm } from '../model/alarm.js'
import { AppError } from '../model/app-error.js'
import { type Condition, type Delivery, holdsIn } from '../model/delivery.js'
import type { Position } from '../model/position.js'
import type { DecodedRecord } from '../model/report.js'
import type { TrackPlace, TrackQuery } from '../storage/positions/position-store.js'
import { ConditionEdges } from './condition-edges.js'
import { DeliveryIngest } from './delivery-ingest.js'
import type { Settled } from './ingest.js'

const POWER: Condition = { type: 'POWER_CUT', eventKey: 'unit.8', attribute: 'status', bit: 8 }
const SHOCK: Condition = { type: 'VIBRATION', eventKey: 'unit.10', attribute: 'status', bit: 10 }
const POWER_BITS = 1 << 8
const SHOCK_BITS = 1 << 10

/** What a unit tells: its time, the bits of its status (undefined: it does not tell them), what else tells it from others, a fix or none. */
type Told = readonly [timeMs: number, status: number | undefined, discriminator?: number, hasFix?: boolean]

function positionOf([timeMs, status, discriminator = 0, hasFix = true]: Told): Position {
  return {
    deviceId: 'd1',
    timeMs,
    discriminator,
    receivedAtMs: 1_000_000,
    latitude: 48,
    longitude: 11,
    hasFix,
    altitudeM: null,
    speedKmh: 12,
    headingDeg: null,
    accuracyM: null,
    satellites: null,
    attributes: status === undefined ? null : { status },
  }
}

function alarmOf({ type, eventKey }: Condition, { timeMs, attributes }: Position): DecodedAlarm {
  return {
    deviceId: 'd1',
    type,
    timeMs,
    eventKey,
    receivedAtMs: 1_000_000,
    latitude: 48,
    longitude: 11,
    speedKmh: 12,
    attributes: { ...attributes, eventKey },
    fileNames: [],
  }
}

function delivery(told: readonly Told[], changes: Partial<Delivery> = {}): Delivery {
  const positions = told.map(positionOf)
  const watched = [POWER, SHOCK]
  return {
    deviceId: 'd1',
    ingress: 'tcp',
    receivedAtMs: 1_000_000,
    records: positions.map((position): DecodedRecord => ({ position })),
    rawOf: () => '',
    alarms: [],
    conditions: positions.flatMap((position, index) =>
      watched
        .filter((condition) => holdsIn(condition, position.attributes))
        .map((condition) => ({ index, alarm: alarmOf(condition, position) })),
    ),
    watched,
    ...changes,
  }
}

type Place = Pick<Position, 'timeMs' | 'discriminator'>

/** What every node of one server shares. */
class Stores {
  readonly track: Position[] = []
  readonly alarms = new Map<string, DecodedAlarm>()
  reads = 0
  readFault: AppError | undefined
  alarmFaults: AppError[] = []
  /** Records before this moment can never be stored. */
  earliestMs = 0

  node(): DeliveryIngest {
    const ingest = { settle: async (report: Pick<Delivery, 'records'>) => this.store(report) }
    const alarms = { ingest: async (alarm: DecodedAlarm) => this.raise(alarm) }
    const edges = new ConditionEdges({
      listBefore: async (
        _deviceId,
        { timeMs, discriminator = Number.NEGATIVE_INFINITY }: TrackPlace,
        limit: number,
      ) => {
        this.read()
        const isBefore = (one: Position) => (one.timeMs - timeMs || one.discriminator - discriminator) < 0
        return this.track.filter(isBefore).slice(-limit).reverse()
      },
      listTrack: async (_deviceId, { fromMs = 0, toMs = Number.POSITIVE_INFINITY, after, limit }: TrackQuery) => {
        this.read()
        const isWithin = (one: Position) =>
          one.timeMs >= fromMs && one.timeMs < toMs && (after === undefined || compare(one, after) > 0)
        return this.track.filter(isWithin).slice(0, limit)
      },
    })
    return new DeliveryIngest(ingest, alarms as unknown as ConstructorParameters<typeof DeliveryIngest>[1], edges)
  }

  /** Types and times of what was raised, in the order of the times. */
  get raised(): Array<readonly [string, number]> {
    return [...this.alarms.values()]
      .map(({ type, timeMs }) => [type, timeMs] as const)
      .sort(([a, aMs], [b, bMs]) => aMs - bMs || (a < b ? -1 : 1))
  }

  private store({ records }: Pick<Delivery, 'records'>): Settled {
    const rejected: Array<Settled['outcome']['rejected'][number]> = []
    let latest: Position | undefined
    for (const [index, { position, refusal }] of records.entries()) {
      if (position === undefined || position.timeMs < this.earliestMs) {
        rejected.push({ index, code: refusal?.code ?? 'too_old', message: '' })
        continue
      }
      if (this.track.some((one) => compare(one, position) === 0)) continue
      const last = this.track.findLast(({ hasFix }) => hasFix)
      this.track.push(position)
      this.track.sort(compare)
      if (position.hasFix && (last === undefined || compare(last, position) < 0)) latest = position
    }
    return { outcome: { accepted: 0, duplicates: 0, rejected }, latest }
  }

  private read(): void {
    this.reads++
    if (this.readFault) throw this.readFault
  }

  private raise(alarm: DecodedAlarm): void {
    const fault = this.alarmFaults.shift()
    if (fault) throw fault
    this.alarms.set(`${alarm.type} ${alarm.timeMs} ${alarm.eventKey}`, alarm)
  }
}

function compare(a: Place, b: Place): number {
  return a.timeMs - b.timeMs || a.discriminator - b.discriminator
}

describe('deliveries of units that tell states', () => {
  let stores: Stores
  let node: DeliveryIngest

  beforeEach(() => {
    stores = new Stores()
    node = stores.node()
  })

  const settle = async (...messages: ReadonlyArray<readonly Told[]>) => {
    for (const told of messages) await node.settle(delivery(told))
  }

  it('raise an alarm where a condition begins, and another one where it begins again', async () => {
    await settle([[10, 0]], [[20, POWER_BITS]], [[30, POWER_BITS]], [[40, 0]], [[50, POWER_BITS]])
    expect(stores.raised).toEqual([
      ['POWER_CUT', 20],
      ['POWER_CUT', 50],
    ])
    expect([...stores.alarms.values()][0]).toEqual(alarmOf(POWER, positionOf([20, POWER_BITS])))
  })

  it('raise it also for the first record of all, and for several in one message', async () => {
    await settle([
      [10, POWER_BITS],
      [20, POWER_BITS | SHOCK_BITS],
      [30, SHOCK_BITS],
      [40, POWER_BITS | SHOCK_BITS],
    ])
    expect(stores.raised).toEqual([
      ['POWER_CUT', 10],
      ['VIBRATION', 20],
      ['POWER_CUT', 40],
    ])
  })

  it('raise nothing again after a restart, on another node, or for a repeat', async () => {
    await settle([[10, 0]], [[20, POWER_BITS]])
    node = stores.node()
    await settle([[30, POWER_BITS]], [[20, POWER_BITS]], [[30, POWER_BITS]])
    expect(stores.raised).toEqual([['POWER_CUT', 20]])
  })

  it('order the records of a message by the unit’s time, and those of one moment by their discriminators', async () => {
    await settle([
      [30, POWER_BITS],
      [20, POWER_BITS],
      [20, 0, 5],
      [20, SHOCK_BITS, 9],
    ])
    expect(stores.raised).toEqual([
      ['POWER_CUT', 20],
      ['VIBRATION', 20],
      ['POWER_CUT', 30],
    ])
  })

  it('pass over records that do not tell', async () => {
    await settle([[10, POWER_BITS]], [[20, undefined]], [[30, undefined]], [[40, POWER_BITS]])
    expect(stores.raised).toEqual([['POWER_CUT', 10]])
  })

  it('pass over many records that do not tell, and over those of the same moment', async () => {
    const silent = (from: number): Told[] => Array.from({ length: 40 }, (_, n) => [from + n * 30_000, undefined])
    const hours = 3_600_000
    await settle([[0, POWER_BITS]], silent(1), [[2 * hours, POWER_BITS, 1]])
    await settle([[2 * hours, undefined, 5]], silent(2 * hours + 1), [[30 * hours, POWER_BITS]])
    expect(stores.raised).toEqual([['POWER_CUT', 0]])
  })

  it('judge by the last record that tells, however many a unit stored in the time that is passed over', async () => {
    const second = (n: number, status?: number): Told => [n * 1000, status]
    const silent = (from: number, to: number) =>
      Array.from({ length: to - from }, (_, n) => positionOf(second(from + n)))
    // It began long ago and ended half an hour ago; after that the unit, once a second, told nothing of it.
    stores.track.push(positionOf(second(0, POWER_BITS)), ...silent(1, 1800), positionOf(second(1800, 0)))
    stores.track.push(...silent(1801, 3600))
    await settle([second(3600, POWER_BITS)])
    expect(stores.raised).toEqual([['POWER_CUT', 3_600_000]])
    stores.track.push(...silent(3601, 7200))
    await settle([second(7200, POWER_BITS)])
    expect(stores.raised).toEqual([['POWER_CUT', 3_600_000]])
  })

  it('look at a bounded number of records for it', async () => {
    stores.track.push(positionOf([0, POWER_BITS]))
    stores.track.push(...Array.from({ length: 60_000 }, (_, n) => positionOf([n + 1, undefined])))
    await settle([[70_000, POWER_BITS]])
    expect([stores.reads, stores.raised]).toEqual([22, [['POWER_CUT', 70_000]]])
  })

  it('judge a late block by what was before it and not by what came before it', async () => {
    await settle(
      [[10, 0]],
      [[100, POWER_BITS]],
      [
        [20, POWER_BITS],
        [30, POWER_BITS],
        [40, 0],
      ],
    )
    expect(stores.raised).toEqual([
      ['POWER_CUT', 20],
      ['POWER_CUT', 100],
    ])
  })

  it('find a beginning that shows only when a late record comes in which nothing holds', async () => {
    await settle([[10, POWER_BITS]], [[30, POWER_BITS]])
    expect(stores.raised).toEqual([['POWER_CUT', 10]])
    await settle([[20, 0]])
    expect(stores.raised).toEqual([
      ['POWER_CUT', 10],
      ['POWER_CUT', 30],
    ])
  })

  it('find it also when what comes late is the latest fix, and what comes after it has none', async () => {
    await settle([[10, POWER_BITS]], [[30, POWER_BITS, 0, false]], [[20, 0]])
    expect(stores.raised).toEqual([
      ['POWER_CUT', 10],
      ['POWER_CUT', 30],
    ])
  })

  it('have every alarm of data in order, whatever order and repeats they come in', async () => {
    const told: readonly Told[] = Array.from({ length: 40 }, (_, n) => [
      n * 10,
      (Math.floor(n / 3) % 2) * POWER_BITS + (n % 5 === 0 ? SHOCK_BITS : 0),
    ])
    await settle(...told.map((one) => [one]))
    const inOrder = stores.raised
    for (const step of [7, 13, 27]) {
      stores = new Stores()
      const nodes = [stores.node(), stores.node()]
      const shuffled = told.map((_, n) => told[(n * step) % told.length] as Told)
      for (let start = 0; start < shuffled.length; start += 3) {
        node = nodes[start % 2] as DeliveryIngest
        await settle(shuffled.slice(start, start + 3), shuffled.slice(Math.max(0, start - 2), start + 1))
      }
      expect(stores.raised).toEqual(expect.arrayContaining(inOrder))
    }
  })

  it('are the same when a message comes again because a part of it failed', async () => {
    await settle([[10, 0]])
    const unavailable = new AppError('store_unavailable', 'gone')
    const message: readonly Told[] = [
      [20, POWER_BITS],
      [30, POWER_BITS | SHOCK_BITS],
    ]
    stores.readFault = unavailable
    await expect(settle(message)).rejects.toBe(unavailable)
    stores.readFault = undefined
    stores.alarmFaults = [unavailable]
    await expect(settle(message)).rejects.toBe(unavailable)
    node = stores.node()
    await settle(message)
    expect(stores.raised).toEqual([
      ['POWER_CUT', 20],
      ['VIBRATION', 30],
    ])
  })

  it('settle although an alarm can never be stored', async () => {
    stores.alarmFaults = [new AppError('invalid_request', 'no')]
    await settle([[10, POWER_BITS]])
    expect(stores.raised).toEqual([])
  })

  it('cost one read when nothing holds in the one record that is the latest, and none when they tell no states', async () => {
    await settle([[10, 0]], [[20, 0]])
    expect(stores.reads).toBe(2)
    await node.settle(delivery([[5, 0]], { watched: [] }))
    expect(stores.reads).toBe(2)
    await settle([[30, POWER_BITS]])
    expect(stores.reads).toBe(4)
  })

  it('are walked through where much is stored between their records', async () => {
    stores.track.push(...Array.from({ length: 1000 }, (_, n) => positionOf([n * 10, n % 2 ? POWER_BITS : 0])))
    await settle([
      [15, 0],
      [25, POWER_BITS],
      [6002, POWER_BITS],
      [6003, 0],
    ])
    expect(stores.raised).toEqual([
      ['POWER_CUT', 25],
      ['POWER_CUT', 6002],
      ['POWER_CUT', 6010],
    ])
    expect(stores.reads).toBe(4)
  })

  describe('whose records are refused', () => {
    beforeEach(() => {
      stores.earliestMs = 1000
    })

    it('raise an alarm where a condition did not hold in the refused one before', async () => {
      await settle(
        [[500, 0]],
        [[490, POWER_BITS]],
        [[510, POWER_BITS]],
        [[520, 0]],
        [
          [530, POWER_BITS],
          [540, POWER_BITS | SHOCK_BITS],
        ],
      )
      expect(stores.raised).toEqual([
        ['POWER_CUT', 490],
        ['POWER_CUT', 530],
        ['VIBRATION', 540],
      ])
    })

    it('do not raise it again for what was never a record: it tells nothing', async () => {
      for (const timeMs of [500, 510]) {
        const message = delivery([[timeMs, POWER_BITS]])
        const unread: DecodedRecord = { refusal: { code: 'invalid_field', message: 'unknown' } }
        await node.settle({ ...message, records: [...message.records, unread] })
      }
      expect(stores.raised).toEqual([['POWER_CUT', 500]])
    })

    it('raise it when the message comes again after it failed', async () => {
      const fault = new AppError('store_unavailable', 'gone')
      stores.alarmFaults = [fault]
      await expect(settle([[500, POWER_BITS]])).rejects.toBe(fault)
      await settle([[500, POWER_BITS]])
      expect(stores.raised).toEqual([['POWER_CUT', 500]])
    })

    it('are judged apart from those that are stored', async () => {
      await settle([
        [500, POWER_BITS],
        [1500, POWER_BITS],
        [1600, POWER_BITS],
      ])
      expect(stores.raised).toEqual([
        ['POWER_CUT', 500],
        ['POWER_CUT', 1500],
      ])
    })
  })
})
