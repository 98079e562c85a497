import type { Alarm } from '../../model/alarm.js'
import { boundsWithin, listBlocks } from './alarm-blocks.js'
import { AlarmCountSql, type Sample } from './alarm-count-sql.js'
import { type NarrowFilter, narrow, valuesOf } from './alarm-filter.js'
import { dayOf } from './alarm-keys.js'
import { AlarmListSql, type ListOrder, type ListStart, type WordsStart } from './alarm-list-sql.js'
import type { AlarmQuery } from './alarm-records.js'
import { type AlarmRow, loadAlarms } from './alarm-rows.js'
import type { SqlDialect } from './sql-dialect.js'
import { type Queries, runSql, type Sql } from './sql-rows.js'

/** So many alarms are read and asked one by one without anybody noticing. */
const FEW = 3000
/** What the first days of a list say stands for the rest. */
const BLOCKS_SAMPLED = 3
/** What has more alarms in these days is met soon by whoever goes through all of them. */
const COMMON = 2000
/** Nor is a word rare that more of the devices have, unless there are very few. */
const COMMON_SHARE_OF_DEVICES = 0.01
const FEW_DEVICES = 5
/** Where blocks are given to statements: first those that have about so many alarms, as long as nothing is known of them this many … */
const READ_FIRST = 400
const BLOCKS_FIRST = 4
/** … then what should fill the page and a little more, but at most so many times more than before. */
const LITTLE_MORE = 1.3
const MORE_BLOCKS = 4
const MOST_BLOCKS = 64

interface WordCount {
  readonly word: string
  /** Of all devices, how many have it. */
  readonly devices: number
  readonly devicesWith: number
  /** How many alarms of the sample have it. */
  readonly alarmsWith: number
}

/** Of each word and of all together. */
interface WordCounts {
  readonly each: readonly WordCount[]
  readonly devicesWithAll: number
}

/** What the statement starts from, and the filter with what was found out about it. */
interface Plan {
  readonly filter: NarrowFilter
  readonly start: ListStart
}

/** A way to begin, and about how much is read when going on from there. */
interface Candidate {
  readonly start: ListStart
  readonly cost: number
}

/** Lists alarms by one statement, whose shape depends on what is rare in the filter; that is found out by a few short counts. */
export class AlarmListing {
  readonly statements: AlarmListSql
  private readonly counts: AlarmCountSql

  constructor(
    private readonly queries: Queries,
    readonly dialect: SqlDialect,
  ) {
    this.statements = new AlarmListSql(dialect)
    this.counts = new AlarmCountSql(dialect, this.statements)
  }

  async list(query: AlarmQuery): Promise<Alarm[]> {
    const filter = pageOf(query)
    if (filter === undefined) return []
    const order: ListOrder = { direction: query.order === 'newest' ? 'DESC' : 'ASC', limit: query.limit }
    return loadAlarms(this.queries, await this.rowsOf(await this.plan(filter, order), order))
  }

  /** A start such that the statement reads little more than it gives. */
  async plan(filter: NarrowFilter, { direction }: Pick<ListOrder, 'direction'>): Promise<Plan> {
    const { words, box, choices } = filter
    const isByType = await this.isByType(filter)
    const columns: ListStart = { by: 'columns', isByType }
    if (words.length === 0 && box === undefined) return { filter, start: columns }
    if (choices.length > 0 && (await this.isFew(filter, isByType)))
      return { filter, start: { ...columns, isFew: true } }
    const sample = await this.sampleOf(filter, direction)
    const counts = words.length === 0 ? undefined : await this.countWords(words, sample)
    const inBox = box && (await this.count(this.counts.ofBox(filter, sample)))
    const rare = [
      ...(counts ? rareWords(counts) : []),
      ...(inBox !== undefined && inBox < COMMON ? [placeOf(inBox)] : []),
    ]
    const [rarest] = rare.sort((a, b) => a.cost - b.cost)
    const ownWords = counts?.each.filter(({ devicesWith }) => devicesWith === 0).map(({ word }) => word)
    return {
      filter: { ...filter, ...(ownWords ? { ownWords } : {}) },
      start: rarest?.start ?? (inBox === undefined ? columns : placeOf(inBox).start),
    }
  }

  /**
   * What finds all alarms of the devices that lack one of the words: each of these alarms has a word of its own.
   * @returns undefined when the words are so common that all alarms may as well be gone through
   */
  async startOfOwnWords(
    filter: NarrowFilter,
    { direction }: Pick<ListOrder, 'direction'>,
  ): Promise<WordsStart | undefined> {
    const { words } = filter
    const { each } = await this.countWords(words, await this.sampleOf(filter, direction))
    const alarmsWith = each.reduce((sum, count) => sum + count.alarmsWith, 0)
    return alarmsWith < COMMON ? { by: 'words', words, ofDevices: [], perBlock: perBlock(alarmsWith) } : undefined
  }

  private async rowsOf({ filter, start }: Plan, order: ListOrder): Promise<AlarmRow[]> {
    if (start.by === 'columns' || this.dialect.joinsRanges) {
      return runSql<AlarmRow>(this.queries, this.statements.list(filter, order, start))
    }
    if (isMetByTime(filter, start)) {
      return runSql<AlarmRow>(this.queries, this.statements.list(filter, order, { by: 'columns' }))
    }
    return this.walk(filter, order, start)
  }

  /** Some blocks after the other, over those that have nothing. */
  private async walk(
    filter: NarrowFilter,
    order: ListOrder,
    start: Exclude<ListStart, { by: 'columns' }>,
  ): Promise<AlarmRow[]> {
    const rows: AlarmRow[] = []
    const isEverywhere = start.by === 'words' && start.ofDevices.length > 0
    let mayBeGap = start.perBlock === 0 && !isEverywhere
    let size = start.perBlock === 0 ? BLOCKS_FIRST : Math.ceil(Math.min(READ_FIRST / start.perBlock, MOST_BLOCKS))
    let left = await listBlocks(this.queries, filter.bounds, order.direction)
    while (left.length > 0 && rows.length < order.limit) {
      if (mayBeGap) {
        const [first] = await runSql<{ block: number }>(
          this.queries,
          this.statements.firstBlock(filter, start, left, order),
        )
        if (first === undefined) return rows
        left = left.slice(left.indexOf(Number(first.block)))
      }
      const some = left.slice(0, size)
      const inSome = { ...filter, bounds: boundsWithin(filter.bounds, some) }
      const rest = { ...order, limit: order.limit - rows.length }
      const found = await runSql<AlarmRow>(this.queries, this.statements.list(inSome, rest, start, some))
      rows.push(...found)
      left = left.slice(size)
      mayBeGap = found.length === 0 && !isEverywhere
      const wanted = found.length === 0 ? MORE_BLOCKS : ((order.limit - rows.length) / found.length) * LITTLE_MORE
      size = Math.min(Math.ceil(size * Math.min(wanted, MORE_BLOCKS)), MOST_BLOCKS)
    }
    return rows
  }

  private async sampleOf({ bounds }: NarrowFilter, direction: ListOrder['direction']): Promise<Sample> {
    return { blocks: await listBlocks(this.queries, bounds, direction, BLOCKS_SAMPLED), limit: COMMON }
  }

  private async isByType(filter: NarrowFilter): Promise<boolean> {
    if (valuesOf(filter, 'device_id') || !valuesOf(filter, 'assignee') || !valuesOf(filter, 'type')) return false
    return this.isFew(filter, true)
  }

  private async isFew(filter: NarrowFilter, isByType: boolean): Promise<boolean> {
    return (await this.count(this.counts.ofColumns(filter, FEW + 1, isByType))) <= FEW
  }

  private async countWords(words: readonly string[], sample: Sample): Promise<WordCounts> {
    const [found = {}] = await runSql<Record<string, number | string>>(this.queries, this.counts.ofWords(words, sample))
    const each = words.map((word, i) => ({
      word,
      devices: Number(found.devices),
      devicesWith: Number(found[`with${i}`]),
      alarmsWith: Number(found[`sample${i}`]),
    }))
    return { each, devicesWithAll: Number(found.with_all) }
  }

  private async count(statement: Sql): Promise<number> {
    const [counted] = await runSql<{ n: number }>(this.queries, statement)
    return Number(counted?.n)
  }
}

function rareWords({ each, devicesWithAll }: WordCounts): Candidate[] {
  const single = each
    .filter((count) => count.alarmsWith < COMMON && isRareAmongDevices(count))
    .map(({ word, ...count }) => wordsOf([word], count))
  return [...single, ...rareTogether(each, devicesWithAll)]
}

/** Of all words together either few devices have all, or one of the words is the alarm's own. */
function rareTogether(each: readonly WordCount[], devicesWith: number): Candidate[] {
  if (each.length < 2 || each.some(({ alarmsWith }) => alarmsWith >= COMMON)) return []
  const [{ devices } = { devices: 0 }] = each
  const alarmsWith = each.reduce((sum, count) => sum + count.alarmsWith, 0)
  const all = { devices, devicesWith, alarmsWith }
  const words = each.map(({ word }) => word)
  return isRareAmongDevices(all) ? [wordsOf(words, all)] : []
}

function wordsOf(words: readonly string[], count: Omit<WordCount, 'word'>): Candidate {
  const ofDevices = count.devicesWith > 0 ? words : []
  return { start: { by: 'words', words, ofDevices, perBlock: perBlock(count.alarmsWith) }, cost: costOf(count) }
}

function placeOf(inSample: number): Candidate {
  return { start: { by: 'place', perBlock: perBlock(inSample) }, cost: inSample }
}

/** Whoever goes through all alarms meets those in a common box soon, and a sort of a whole block is not worth it. */
function isMetByTime({ words, choices }: NarrowFilter, start: ListStart): boolean {
  return start.by === 'place' && start.perBlock >= perBlock(COMMON) && words.length === 0 && choices.length === 0
}

function perBlock(inSample: number): number {
  return inSample / BLOCKS_SAMPLED
}

function isRareAmongDevices({ devices, devicesWith }: Omit<WordCount, 'word'>): boolean {
  return devicesWith <= rareDevices(devices)
}

function costOf({ devices, devicesWith, alarmsWith }: Omit<WordCount, 'word'>): number {
  return alarmsWith + (devicesWith / rareDevices(devices)) * COMMON
}

function rareDevices(devices: number): number {
  return Math.max(FEW_DEVICES, devices * COMMON_SHARE_OF_DEVICES)
}

/** The filter of what is left behind the cursor. */
function pageOf({ order, after, ...query }: AlarmQuery): NarrowFilter | undefined {
  const filter = narrow(query)
  if (filter === undefined || after === undefined) return filter
  const cursor = { id: after.id, day: dayOf(after.timeMs) }
  const { from, to } = filter.bounds
  if (order === 'newest') {
    return to && to.id <= cursor.id ? filter : { ...filter, bounds: { ...filter.bounds, to: cursor } }
  }
  // Behind an id is from the next possible one on.
  const next = { ...cursor, id: `${cursor.id} ` }
  return from && from.id > next.id ? filter : { ...filter, bounds: { ...filter.bounds, from: next } }
}
