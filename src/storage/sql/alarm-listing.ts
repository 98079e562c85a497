import type { Alarm } from '../../model/alarm.js'
import { type NarrowFilter, narrow, valuesOf } from './alarm-filter.js'
import { dayOf } from './alarm-keys.js'
import { countSql, type ListOrder, type ListStart, listSql, wordCountSql } from './alarm-list-sql.js'
import type { AlarmQuery } from './alarm-records.js'
import { type AlarmRow, loadAlarms } from './alarm-rows.js'
import { type Queries, runSql } from './sql-rows.js'

/** So many alarms are read and asked one by one without anybody noticing. */
const FEW = 3000
/** What the newest days say of a word stands for the rest. */
const BLOCKS_LOOKED_AT = 3
/** A word of more alarms in these days is met soon by whoever goes through all of them. */
const COMMON_IN_BLOCKS = 2000
/** Nor is one rare that more of the devices have, unless there are very few. */
const COMMON_SHARE_OF_DEVICES = 0.01
const FEW_DEVICES = 5

interface WordCount {
  readonly devices: number
  readonly devices_with: number
  readonly alarms_with: number
}

/** Lists alarms by one statement, whose shape depends on what is rare in the filter. */
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
    if (words.length === 0 && box === undefined) return { by: 'columns' }
    const isNarrow = valuesOf(filter, 'device_id') !== undefined || choices.length > 0
    if (isNarrow && (await this.isFew(filter))) return { by: 'columns' }
    const rare = await this.findRareWord(filter, direction)
    return rare ?? { by: box ? 'place' : 'columns' }
  }

  private async isFew(filter: NarrowFilter): Promise<boolean> {
    const [counted] = await runSql<{ n: number }>(this.queries, countSql(filter, FEW + 1))
    return Number(counted?.n) <= FEW
  }

  private async findRareWord(filter: NarrowFilter, direction: ListOrder['direction']): Promise<ListStart | undefined> {
    let rarest: { readonly start: ListStart; readonly alarms: number } | undefined
    for (const word of filter.words) {
      const count = wordCountSql(word, filter, direction, BLOCKS_LOOKED_AT, COMMON_IN_BLOCKS)
      const [counted] = await runSql<WordCount>(this.queries, count)
      if (!counted || isCommon(counted)) continue
      const { devices_with, alarms_with } = counted
      const alarms = devices_with * COMMON_IN_BLOCKS + alarms_with
      if (rarest && rarest.alarms <= alarms) continue
      rarest = { start: { by: 'word', word, isOfDevices: devices_with > 0 }, alarms }
    }
    return rarest?.start
  }
}

function isCommon({ devices, devices_with, alarms_with }: WordCount): boolean {
  return alarms_with >= COMMON_IN_BLOCKS || devices_with > Math.max(FEW_DEVICES, devices * COMMON_SHARE_OF_DEVICES)
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
