import { ALARM_STATUSES, ALARM_TYPES } from '../../model/alarm.js'
import { boundsWithin, listBlocks } from './alarm-blocks.js'
import { choiceConditions, dayConditions, idConditions, type NarrowFilter, narrow, valuesOf } from './alarm-filter.js'
import { dayText, FIRST_DAY, idFloorOfDay } from './alarm-keys.js'
import { crossedLegs, type Leg, type Legs, legsOf, MAX_ASSIGNEES, MAX_DEVICES } from './alarm-legs.js'
import { type AlarmListSql, rowConditions, type WordsStart } from './alarm-list-sql.js'
import type { AlarmListing } from './alarm-listing.js'
import type { AlarmCount, AlarmFilter, AlarmGrouping } from './alarm-records.js'
import { allOf, chunksOf, isOneOf, type Queries, runSql, type Sql, sql } from './sql-rows.js'

/** What counts are made of: tables with `a`, a row of `alarms`, in each of them, and conditions. No alarm is in two of them. */
interface Slice {
  readonly from: Sql
  readonly where: readonly Sql[]
  /** What is one in all of them. */
  readonly equals?: Leg['equals']
  /** The column whose order they are read in. */
  readonly orderedBy?: string
}

const KEYS = { type: 'type', device: 'device_id', day: 'day', status: 'status' } as const
/** A summary over everything goes in about so many steps, between which others have their turn. */
const STEPS = 100
const STEPS_OF_ASSIGNEE = 10
/** Devices in one statement. */
const MOST_VALUES = 200
/** Blocks in one statement, where they are given to it. */
const MOST_BLOCKS = 32
/** Fewer days than this part of all are read alarm by alarm, though an index over devices needs no alarm itself. */
const FEW_OF_ALL_DAYS = 0.05

/**
 * Counts alarms from indexes that hold all that is asked for. There are no counters: they would have to be right under every edit,
 * erasure and video on any number of nodes, and could answer only the filters that they are kept for. Instead the work is cut into
 * statements of some milliseconds, one after the other, so that no list waits long for a reader.
 */
export class AlarmSummary {
  private readonly statements: AlarmListSql

  constructor(
    private readonly queries: Queries,
    private readonly listing: AlarmListing,
  ) {
    this.statements = listing.statements
  }

  async summarize(given: AlarmFilter, by: AlarmGrouping): Promise<AlarmCount[]> {
    const filter = narrow(given)
    if (filter === undefined) return []
    const counts = new Map<string, number>()
    for (const slice of await this.slicesOf(filter, by)) {
      for (const { k, n } of await runSql<{ k: string | number; n: number }>(this.queries, countsSql(slice, by))) {
        const key = by === 'day' ? dayText(Number(k)) : String(k)
        if (Number(n) > 0) counts.set(key, (counts.get(key) ?? 0) + Number(n))
      }
    }
    return [...counts].map(([key, count]) => ({ key, count }))
  }

  private async slicesOf(given: NarrowFilter, by: AlarmGrouping): Promise<Slice[]> {
    if (given.words.length === 0 && given.box === undefined) return this.columnSlices(given, by)
    const { filter, start } = await this.listing.plan(given, { direction: 'DESC' })
    switch (start.by) {
      case 'words':
        return this.wordsSlices(filter, start)
      case 'place':
        return this.placeSlices(filter)
      case 'columns':
        return start.isFew || (await this.isShort(filter)) ? this.rowSlices(filter) : this.commonWordSlices(filter, by)
    }
  }

  /**
   * What devices are called is asked of them and not of their alarms, which are counted from an index then; only the alarms of the other
   * devices are looked at themselves.
   */
  private async commonWordSlices(filter: NarrowFilter, by: AlarmGrouping): Promise<Slice[]> {
    const all = await this.devicesOf([])
    const named = await this.devicesOf(filter.words)
    if (named.length === all.length) return this.columnSlices({ ...filter, words: [] }, by)
    const own = await this.listing.startOfOwnWords(filter, { direction: 'DESC' })
    const others = own ? await this.wordsSlices(filter, own) : await this.rowSlices(filter)
    if (named.length === 0) return others
    const isOther = isOtherDevice(filter.words)
    return [
      ...others.map((slice) => ({ ...slice, where: [...slice.where, isOther] })),
      ...this.namedSlices(filter, named, Math.ceil(all.length / STEPS)),
    ]
  }

  /** Devices with alarms whose own words are all of these. */
  private async devicesOf(words: readonly string[]): Promise<string[]> {
    const { text, values } = allOf(words.map((word) => sql('INSTR(words, ?) > 0', ` ${word}`)))
    const rows = await runSql<{ device_id: string }>(
      this.queries,
      sql(`SELECT device_id FROM alarm_devices WHERE ${text} ORDER BY device_id`, ...values),
    )
    return rows.map(({ device_id }) => device_id)
  }

  /** What the columns of an index answer. */
  private async columnSlices(filter: NarrowFilter, by: AlarmGrouping): Promise<Slice[]> {
    const devices = valuesOf(filter, 'device_id')
    const assignees = valuesOf(filter, 'assignee')
    if (devices && devices.length <= MAX_DEVICES) return this.legSlices(filter, legsOf(filter))
    const isOverDevices = by === 'device' || devices !== undefined || (assignees?.length ?? 0) > MAX_ASSIGNEES
    if (isOverDevices) return (await this.isShort(filter)) ? this.timeSlices(filter) : this.deviceSlices(filter)
    if (assignees) return this.assigneeSlices(filter, by)
    const legs = crossedLegs(filter, 'alarms_by_type', [
      ['type', valuesOf(filter, 'type') ?? ALARM_TYPES],
      ['status', valuesOf(filter, 'status') ?? ALARM_STATUSES],
      ['has_video', valuesOf(filter, 'has_video') ?? [0, 1]],
    ])
    return this.legSlices(filter, legs)
  }

  /** One assignee may have a large part of all alarms, which only counts of days take as they lie. */
  private async assigneeSlices(filter: NarrowFilter, by: AlarmGrouping): Promise<Slice[]> {
    const slices = this.legSlices(filter, legsOf(filter))
    if (by !== 'type') return slices
    const steps = stepsOf(await this.blocksOf(filter), STEPS_OF_ASSIGNEE)
    return slices.flatMap((slice) =>
      steps.map((_, i) => ({ ...slice, where: [...slice.where, ...stepConditions(steps, i)] })),
    )
  }

  /** Where every alarm itself is asked. */
  private async rowSlices(filter: NarrowFilter): Promise<Slice[]> {
    const legs = legsOf(filter)
    const isByTime = legs.legs.every(({ equals }) => equals.length === 0)
    return isByTime ? this.timeSlices(filter) : this.legSlices(filter, legs)
  }

  private async deviceSlices({ choices, bounds }: NarrowFilter): Promise<Slice[]> {
    return stepsOf(await this.devicesOf([])).map(({ first, last }) => ({
      from: sql(this.statements.alarmsBy('alarms_by_device')),
      orderedBy: 'device_id',
      where: [
        sql('a.device_id BETWEEN ? AND ?', first, last),
        ...choiceConditions(choices),
        ...idConditions(bounds, '+a.id'),
      ],
    }))
  }

  private async timeSlices(filter: NarrowFilter): Promise<Slice[]> {
    const steps = stepsOf(await this.blocksOf(filter))
    return steps.map((_, i) => ({
      from: sql(this.statements.alarmsBy('PRIMARY')),
      where: [...stepConditions(steps, i), ...idConditions(filter.bounds, 'a.id'), ...rowConditions(filter)],
    }))
  }

  private async placeSlices(filter: NarrowFilter): Promise<Slice[]> {
    return stepsOf(await this.blocksOf(filter)).map(({ first, last, all }) => {
      if (!this.listing.dialect.joinsRanges) return this.statements.placeJoin(filter, all)
      const { from, where } = this.statements.placeJoin(filter)
      return { from, where: [sql('b.block BETWEEN ? AND ?', first, last), ...where] }
    })
  }

  private async wordsSlices(filter: NarrowFilter, start: WordsStart): Promise<Slice[]> {
    const slice = (ids: Sql) => ({ from: this.statements.alarmsOf(ids), where: [sql('a.id = k.id')] })
    if (this.listing.dialect.joinsRanges) return [slice(this.statements.wordIds(filter, start))]
    return [...chunksOf(await this.blocksOf(filter), MOST_BLOCKS)].map((some) =>
      slice(this.statements.wordIds({ ...filter, bounds: boundsWithin(filter.bounds, some) }, start, some)),
    )
  }

  /** All alarms of the devices that the filter's columns let through, whatever their own words. */
  private namedSlices({ choices, bounds }: NarrowFilter, devices: readonly string[], atOnce: number): Slice[] {
    const chosen = choices.find(({ column }) => column === 'device_id')?.values
    const asked = chosen ? devices.filter((device) => chosen.includes(device)) : devices
    return [...chunksOf(asked, Math.min(atOnce, MOST_VALUES))].map((some) => ({
      from: sql(this.statements.alarmsBy('alarms_by_device')),
      orderedBy: 'device_id',
      where: [
        isOneOf('a.device_id', some),
        // Of the indexes that begin with devices, the one that goes on with days.
        sql('a.day >= ?', FIRST_DAY),
        ...dayConditions(bounds, 'a.day'),
        ...choiceConditions(choices.filter(({ column }) => column !== 'device_id')),
        ...idConditions(bounds, 'a.id'),
      ],
    }))
  }

  private legSlices(filter: NarrowFilter, { legs, rest, index }: Legs): Slice[] {
    return legs.map(({ equals }) => ({
      from: sql(this.statements.alarmsBy(index)),
      equals,
      // Where an index is searched by what is equal, days come next.
      ...(equals.length === 0 ? {} : { orderedBy: 'day' }),
      where: [
        ...equals.map(([column, value]) => sql(`a.${column} = ?`, value)),
        ...dayConditions(filter.bounds, 'a.day'),
        ...idConditions(filter.bounds, 'a.id'),
        ...rowConditions({ ...filter, choices: rest }),
      ],
    }))
  }

  private blocksOf({ bounds }: NarrowFilter): Promise<number[]> {
    return listBlocks(this.queries, bounds, 'ASC')
  }

  private async isShort(filter: NarrowFilter): Promise<boolean> {
    const [inside, all] = [await this.blocksOf(filter), await this.blocksOf({ ...filter, bounds: {} })]
    return inside.length < all.length * FEW_OF_ALL_DAYS
  }
}

/** That the device is none of those whose words are all of these. */
function isOtherDevice(words: readonly string[]): Sql {
  const { text, values } = allOf(words.map((word) => sql('INSTR(words, ?) > 0', ` ${word}`)))
  return sql(`+a.device_id NOT IN (SELECT device_id FROM alarm_devices WHERE ${text})`, ...values)
}

function countsSql({ from, where, equals = [], orderedBy }: Slice, by: AlarmGrouping): Sql {
  const conditions = allOf(where)
  const column = KEYS[by]
  const fixed = equals.find(([name]) => name === column)
  const rest = sql(`FROM ${from.text} WHERE ${conditions.text}`, ...from.values, ...conditions.values)
  if (fixed) return sql(`SELECT ? AS k, COUNT(*) AS n ${rest.text}`, fixed[1], ...rest.values)
  // Else the order of another index than the one that was meant might look like a gain.
  const key = column === orderedBy ? `a.${column}` : `+a.${column}`
  return sql(`SELECT ${key} AS k, COUNT(*) AS n ${rest.text} GROUP BY ${key}`, ...rest.values)
}

interface Step<T> {
  readonly first: T
  readonly last: T
  readonly all: readonly T[]
}

/** Cuts what is in order into steps. */
function stepsOf<T>(all: readonly T[], most = STEPS): Step<T>[] {
  const steps: Step<T>[] = []
  for (const some of chunksOf(all, Math.ceil(all.length / most))) {
    const [first, last] = [some[0], some.at(-1)]
    if (first !== undefined && last !== undefined) steps.push({ first, last, all: some })
  }
  return steps
}

/** Conditions on ids and days of one of the steps in time; the first and the last have no end of their own. */
function stepConditions(steps: readonly Step<number>[], i: number): Sql[] {
  const [first, next] = [i === 0 ? undefined : steps[i]?.first, steps[i + 1]?.first]
  return [
    ...(first === undefined ? [] : [sql('a.id >= ?', idFloorOfDay(first)), sql('a.day >= ?', first)]),
    ...(next === undefined ? [] : [sql('a.id < ?', idFloorOfDay(next)), sql('a.day < ?', next)]),
  ]
}
