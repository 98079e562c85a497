import type { Alarm } from '../../model/alarm.js'
import { boxCountSql, countSql, deviceCountSql, type Sample, wordCountSql } from './alarm-count-sql.js'
import { type NarrowFilter, narrow, valuesOf } from './alarm-filter.js'
import { dayOf } from './alarm-keys.js'
import { type ListOrder, type ListStart, listSql, type WordsStart } from './alarm-list-sql.js'
import type { AlarmQuery } from './alarm-records.js'
import { type AlarmRow, loadAlarms } from './alarm-rows.js'
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

interface WordCount {
  readonly word: string
  readonly devices: number
  readonly devices_with: number
  readonly alarms_with: number
}

/** A way to begin, and about how much is read when going on from there. */
interface Candidate {
  readonly start: ListStart
  readonly cost: number
}

/** Lists alarms by one statement, whose shape depends on what is rare in the filter; that is found out by a few short counts. */
export class AlarmListing {
  constructor(private readonly queries: Queries) {}

  async list(query: AlarmQuery): Promise<Alarm[]> {
    const filter = pageOf(query)
    if (filter === undefined) return []
    const order: ListOrder = { direction: query.order === 'newest' ? 'DESC' : 'ASC', limit: query.limit }
    const start = await this.startOf(filter, order)
    return loadAlarms(this.queries, await runSql<AlarmRow>(this.queries, listSql(filter, order, start)))
  }

  /** What the statement starts from, such that it reads little more than it gives. */
  async startOf(filter: NarrowFilter, { direction }: Pick<ListOrder, 'direction'>): Promise<ListStart> {
    const { words, box, choices } = filter
    const isByType = await this.isByType(filter)
    const columns: ListStart = { by: 'columns', isByType }
    if (words.length === 0 && box === undefined) return columns
    if (choices.length > 0 && (await this.isFew(filter, isByType))) return { ...columns, isFew: true }
    const sample = { blocks: BLOCKS_SAMPLED, limit: COMMON, direction }
    const rare = [...(await this.rareWords(filter, sample)), ...(await this.rareBox(filter, sample))]
    const [rarest] = rare.sort((a, b) => a.cost - b.cost)
    return rarest?.start ?? (box ? { by: 'place' } : columns)
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
    const counts = await this.countWords(filter, { blocks: BLOCKS_SAMPLED, limit: COMMON, direction })
    const alarms_with = counts.reduce((sum, count) => sum + count.alarms_with, 0)
    return alarms_with < COMMON ? { by: 'words', words, ofDevices: [] } : undefined
  }

  private async isByType(filter: NarrowFilter): Promise<boolean> {
    if (valuesOf(filter, 'device_id') || !valuesOf(filter, 'assignee') || !valuesOf(filter, 'type')) return false
    return this.isFew(filter, true)
  }

  private async isFew(filter: NarrowFilter, isByType: boolean): Promise<boolean> {
    return (await this.count(countSql(filter, FEW + 1, isByType))) <= FEW
  }

  private async rareBox(filter: NarrowFilter, sample: Sample): Promise<Candidate[]> {
    if (filter.box === undefined) return []
    const cost = await this.count(boxCountSql(filter, sample))
    return cost < COMMON ? [{ start: { by: 'place' }, cost }] : []
  }

  private async countWords(filter: NarrowFilter, sample: Sample): Promise<WordCount[]> {
    const counts: WordCount[] = []
    for (const word of filter.words) {
      const [counted] = await runSql<Omit<WordCount, 'word'>>(this.queries, wordCountSql(word, filter, sample))
      if (counted) counts.push({ ...counted, word })
    }
    return counts
  }

  private async rareWords(filter: NarrowFilter, sample: Sample): Promise<Candidate[]> {
    const counts = await this.countWords(filter, sample)
    const single = counts
      .filter((count) => count.alarms_with < COMMON && isRareAmongDevices(count))
      .map(({ word, ...count }) => ({ start: wordsStart([word], count), cost: costOf(count) }))
    return [...single, ...(await this.rareTogether(filter, counts))]
  }

  /** Of all words together either few devices have all, or one of the words is the alarm's own. */
  private async rareTogether({ words }: NarrowFilter, counts: readonly WordCount[]): Promise<Candidate[]> {
    if (words.length < 2 || counts.some(({ alarms_with }) => alarms_with >= COMMON)) return []
    const [{ devices } = { devices: 0 }] = counts
    const devices_with = await this.count(deviceCountSql(words))
    const alarms_with = counts.reduce((sum, count) => sum + count.alarms_with, 0)
    const all = { devices, devices_with, alarms_with }
    return isRareAmongDevices(all) ? [{ start: wordsStart(words, all), cost: costOf(all) }] : []
  }

  private async count(statement: Sql): Promise<number> {
    const [counted] = await runSql<{ n: number }>(this.queries, statement)
    return Number(counted?.n)
  }
}

function wordsStart(words: readonly string[], { devices_with }: Omit<WordCount, 'word'>): ListStart {
  return { by: 'words', words, ofDevices: devices_with > 0 ? words : [] }
}

function isRareAmongDevices({ devices, devices_with }: Omit<WordCount, 'word'>): boolean {
  return devices_with <= rareDevices(devices)
}

function costOf({ devices, devices_with, alarms_with }: Omit<WordCount, 'word'>): number {
  return alarms_with + (devices_with / rareDevices(devices)) * COMMON
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
