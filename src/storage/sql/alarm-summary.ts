import { ALARM_STATUSES, ALARM_TYPES } from '../../model/alarm.js'
import { choiceConditions, dayConditions, idConditions, type NarrowFilter, narrow, valuesOf } from './alarm-filter.js'
import { blockOf, dayText, idFloorOf } from './alarm-keys.js'
import { crossedLegs, type Legs, legsOf, MAX_ASSIGNEES, MAX_DEVICES } from './alarm-legs.js'
import { placeJoin, rowConditions, wordIdsSql } from './alarm-list-sql.js'
import type { AlarmListing } from './alarm-listing.js'
import type { AlarmCount, AlarmFilter, AlarmGrouping } from './alarm-records.js'
import { allOf, chunksOf, type Queries, runSql, type Sql, sql } from './sql-rows.js'

/** What counts are made of: tables with `a`, a row of `alarms`, in each of them, and conditions. No alarm is in two of them. */
interface Slice {
  readonly from: Sql
  readonly where: readonly Sql[]
}

const KEYS: Readonly<Record<AlarmGrouping, string>> = {
  type: 'a.type',
  device: 'a.device_id',
  day: 'a.day',
  status: 'a.status',
}
const DAY_MS = 86_400_000
const ALARMS = sql('alarms a')
/** A summary over everything goes in about so many steps, between which others have their turn. */
const STEPS = 100
/** Fewer days than this part of all are read alarm by alarm, though an index over devices needs no alarm itself. */
const FEW_OF_ALL_DAYS = 0.05

/**
 * Counts alarms from indexes that hold all that is asked for. There are no counters: they would have to be right under every edit,
 * erasure and video on any number of nodes, and could answer only the filters that they are kept for. Instead the work is cut into
 * statements of some milliseconds, one after the other, so that no list waits long for a reader.
 */
export class AlarmSummary {
  constructor(
    private readonly queries: Queries,
    private readonly listing: AlarmListing,
  ) {}

  async summarize(given: AlarmFilter, by: AlarmGrouping): Promise<AlarmCount[]> {
    const filter = narrow(given)
    if (filter === undefined) return []
    const counts = new Map<string, number>()
    const key = KEYS[by]
    for (const { from, where } of await this.slicesOf(filter, by)) {
      const conditions = allOf(where)
      const text = `SELECT ${key} AS k, COUNT(*) AS n FROM ${from.text} WHERE ${conditions.text} GROUP BY ${key}`
      const rows = await runSql<{ k: string | number; n: number }>(
        this.queries,
        sql(text, ...from.values, ...conditions.values),
      )
      for (const { k, n } of rows) {
        const name = by === 'day' ? dayText(Number(k)) : String(k)
        counts.set(name, (counts.get(name) ?? 0) + Number(n))
      }
    }
    return [...counts].map(([name, count]) => ({ key: name, count }))
  }

  private async slicesOf(filter: NarrowFilter, by: AlarmGrouping): Promise<Slice[]> {
    if (filter.words.length === 0 && filter.box === undefined) return this.columnSlices(filter, by)
    const start = await this.listing.startOf(filter, { direction: 'DESC' })
    switch (start.by) {
      case 'word': {
        const ids = wordIdsSql(filter, start)
        return [{ from: sql(`(${ids.text}) k CROSS JOIN alarms a`, ...ids.values), where: [sql('a.id = k.id')] }]
      }
      case 'place':
        return this.placeSlices(filter)
      case 'columns':
        return this.rowSlices(filter)
    }
  }

  /** What the columns of an index answer. */
  private async columnSlices(filter: NarrowFilter, by: AlarmGrouping): Promise<Slice[]> {
    const devices = valuesOf(filter, 'device_id')
    const assignees = valuesOf(filter, 'assignee')
    if (devices && devices.length <= MAX_DEVICES) return legSlices(filter, legsOf(filter))
    const isOverDevices = by === 'device' || devices !== undefined || (assignees?.length ?? 0) > MAX_ASSIGNEES
    if (isOverDevices) return (await this.isShort(filter)) ? this.timeSlices(filter) : this.deviceSlices(filter)
    if (assignees) return legSlices(filter, legsOf(filter))
    const legs = crossedLegs(filter, [
      ['type', valuesOf(filter, 'type') ?? ALARM_TYPES],
      ['status', valuesOf(filter, 'status') ?? ALARM_STATUSES],
      ['has_video', valuesOf(filter, 'has_video') ?? [0, 1]],
    ])
    return legSlices(filter, legs)
  }

  /** Where every alarm itself is asked. */
  private async rowSlices(filter: NarrowFilter): Promise<Slice[]> {
    const legs = legsOf(filter)
    const isByTime = legs.legs.every(({ equals }) => equals.length === 0)
    return isByTime ? this.timeSlices(filter) : legSlices(filter, legs)
  }

  private async deviceSlices({ choices, bounds }: NarrowFilter): Promise<Slice[]> {
    const rows = await runSql<{ device_id: string }>(
      this.queries,
      sql('SELECT device_id FROM alarm_devices ORDER BY device_id'),
    )
    return stepsOf(rows).map(({ first, last }) => ({
      from: ALARMS,
      where: [
        sql('a.device_id BETWEEN ? AND ?', first.device_id, last.device_id),
        ...choiceConditions(choices),
        ...idConditions(bounds, '+a.id'),
      ],
    }))
  }

  private async timeSlices(filter: NarrowFilter): Promise<Slice[]> {
    const { from, to } = filter.bounds
    const blocks = await this.blocksOf(filter)
    const steps = stepsOf(blocks)
    return steps.map(({ first }, i) => {
      const next = steps[i + 1]?.first
      // The first block and the last have no end of their own.
      const low = i === 0 ? from?.id : maxOf(from?.id, idFloorOf(first * DAY_MS))
      const high = next === undefined ? to?.id : minOf(to?.id, idFloorOf(next * DAY_MS))
      return {
        from: ALARMS,
        where: [
          ...(low === undefined ? [] : [sql('a.id >= ?', low)]),
          ...(high === undefined ? [] : [sql('a.id < ?', high)]),
          ...rowConditions(filter),
        ],
      }
    })
  }

  private async placeSlices(filter: NarrowFilter): Promise<Slice[]> {
    const join = placeJoin(filter)
    return stepsOf(await this.blocksOf(filter)).map(({ first, last }) => ({
      from: join.from,
      where: [sql('b.block BETWEEN ? AND ?', first, last), ...join.where],
    }))
  }

  private async blocksOf({ bounds }: NarrowFilter): Promise<number[]> {
    const { text, values } = allOf(dayConditions(bounds, 'block', blockOf))
    const rows = await runSql<{ block: number }>(
      this.queries,
      sql(`SELECT block FROM alarm_blocks WHERE ${text} ORDER BY block`, ...values),
    )
    return rows.map(({ block }) => Number(block))
  }

  private async isShort(filter: NarrowFilter): Promise<boolean> {
    const [inside, all] = [await this.blocksOf(filter), await this.blocksOf({ ...filter, bounds: {} })]
    return inside.length < all.length * FEW_OF_ALL_DAYS
  }
}

function legSlices(filter: NarrowFilter, { legs, rest }: Legs): Slice[] {
  return legs.map(({ equals }) => ({
    from: ALARMS,
    where: [
      ...equals.map(([column, value]) => sql(`a.${column} = ?`, value)),
      ...dayConditions(filter.bounds, 'a.day'),
      ...idConditions(filter.bounds, 'a.id'),
      ...rowConditions({ ...filter, choices: rest }),
    ],
  }))
}

/** Cuts what is in order into steps, first and last of each. */
function stepsOf<T>(all: readonly T[]): { readonly first: T; readonly last: T }[] {
  const steps: { readonly first: T; readonly last: T }[] = []
  for (const some of chunksOf(all, Math.ceil(all.length / STEPS))) {
    const [first, last] = [some[0], some.at(-1)]
    if (first !== undefined && last !== undefined) steps.push({ first, last })
  }
  return steps
}

function maxOf(a: string | undefined, b: string): string {
  return a !== undefined && a > b ? a : b
}

function minOf(a: string | undefined, b: string): string {
  return a !== undefined && a < b ? a : b
}
