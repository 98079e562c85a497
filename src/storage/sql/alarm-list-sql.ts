import { type Blocks, cellsJoin, type Join, wordsJoin } from './alarm-blocks.js'
import {
  boxConditions,
  choiceConditions,
  dayConditions,
  type IdBounds,
  idConditions,
  type NarrowFilter,
  wordConditions,
} from './alarm-filter.js'
import { FIRST_DAY } from './alarm-keys.js'
import { type AlarmIndex, type Leg, legsOf } from './alarm-legs.js'
import { ALARM_COLUMNS } from './alarm-rows.js'
import { MAX_INDEXED_LENGTH } from './alarm-words.js'
import type { SqlDialect } from './sql-dialect.js'
import { allOf, joinSql, type Sql, sql } from './sql-rows.js'

const COLUMNS = ALARM_COLUMNS.map((column) => `a.${column}`).join(', ')

/** What a list's statement starts from. */
export type ListStart =
  /** Stretches of an index over columns, or all by time; few: that was counted, and going through them is nothing. */
  | { readonly by: 'columns'; readonly isByType?: boolean; readonly isFew?: boolean }
  /** The box, block by block; about so many alarms are in it in each of the first. */
  | { readonly by: 'place'; readonly perBlock: number }
  | WordsStart

/** Each of some words, block by block, and the devices that have all of some words; none of these: no devices. */
export interface WordsStart {
  readonly by: 'words'
  readonly words: readonly string[]
  readonly ofDevices: readonly string[]
  /** About so many alarms have the words in each of the first blocks. */
  readonly perBlock: number
}

export interface ListOrder {
  readonly direction: 'DESC' | 'ASC'
  readonly limit: number
}

/** Makes the statements of lists, and what summaries have in common with them. */
export class AlarmListSql {
  constructor(private readonly dialect: SqlDialect) {}

  /** The statement that lists the filter's alarms in the order. */
  list(filter: NarrowFilter, order: ListOrder, start: ListStart, blocks?: Blocks): Sql {
    switch (start.by) {
      case 'columns':
        return this.byColumns(filter, order, start.isByType)
      case 'place':
        return this.rowsOf(this.byPlace(filter, order, blocks), order)
      case 'words':
        return this.rowsOf(this.byWords(filter, order, start, blocks), order)
    }
  }

  /** Alarms `a` that the filter lets through, found by its box. */
  placeJoin({ box, bounds, ...others }: NarrowFilter, blocks?: Blocks): Join {
    const { from, where, orderBy } = cellsJoin(this.dialect, box, bounds, blocks)
    const rest = rowConditions({ ...others, ...(box ? { box } : {}) })
    return { from, where: [...where, ...idConditions(bounds, 'a.id'), ...rest], orderBy }
  }

  /** All alarms that the filter lets through, each once, in no order. */
  wordIds(filter: NarrowFilter, start: WordsStart, blocks?: Blocks): Sql {
    return this.byWords(filter, undefined, start, blocks)
  }

  /** Rows `a` of the alarms with these ids. */
  alarmsOf(ids: Sql): Sql {
    return sql(`(${ids.text}) k ${this.dialect.thenIn} ${this.alarmsBy('PRIMARY')}`, ...ids.values)
  }

  /** `block`: the first of the blocks, in their order, in which there may be alarms. */
  firstBlock(
    { box }: NarrowFilter,
    start: Exclude<ListStart, { by: 'columns' }>,
    blocks: Blocks,
    order: ListOrder,
  ): Sql {
    const parts =
      start.by === 'place'
        ? [{ ...this.placeJoin({ choices: [], words: [], bounds: {}, ...(box ? { box } : {}) }, blocks), table: 'a' }]
        : start.words.map((word) => ({ ...wordsJoin(this.dialect, word, {}, blocks), table: 'w' }))
    const selects = parts.map(({ from, where, table }, i) => {
      const { text, values } = allOf(where)
      const column = `${table}.block`
      const select = `SELECT ${column} FROM ${from.text} WHERE ${text} ORDER BY ${column} ${order.direction} LIMIT 1`
      return sql(this.dialect.leg(select, `f${i}`), ...from.values, ...values)
    })
    const { text, values } = joinSql(selects, ' UNION ALL ')
    return sql(`SELECT block FROM (${text}) u ORDER BY block ${order.direction} LIMIT 1`, ...values)
  }

  alarmsBy(index: AlarmIndex): string {
    return this.dialect.rowsBy('alarms', 'a', index)
  }

  private byColumns(filter: NarrowFilter, order: ListOrder, isByType?: boolean): Sql {
    const { legs, rest, index } = legsOf(filter, isByType)
    const conditions = rowConditions({ ...filter, choices: rest })
    const legOf = (select: string, leg: Leg) => this.leg(select, index, leg, filter.bounds, conditions, order)
    const [only, ...more] = legs
    const takesRows = this.dialect.readsRowsLate || conditions.length === 0 || index === 'PRIMARY'
    if (only && more.length === 0 && takesRows) return legOf(COLUMNS, only)
    const parts = legs.map((leg, i) => {
      const { text, values } = legOf('a.id', leg)
      return sql(this.dialect.leg(text, `l${i}`), ...values)
    })
    return this.rowsOf(joinSql(parts, ' UNION ALL '), order)
  }

  /** In the order of the index: days and then ids, which is that of ids. */
  private leg(
    select: string,
    index: AlarmIndex,
    { equals }: Leg,
    bounds: IdBounds,
    rest: readonly Sql[],
    order: ListOrder,
  ): Sql {
    const { direction, limit } = order
    const isByTime = index === 'PRIMARY'
    const conditions = allOf([
      ...equals.map(([column, value]) => sql(`a.${column} = ?`, value)),
      ...(isByTime ? [] : dayConditions(bounds, 'a.day')),
      ...idConditions(bounds, 'a.id'),
      ...rest,
    ])
    const by = isByTime ? `a.id ${direction}` : `a.day ${direction}, a.id ${direction}`
    const from = this.alarmsBy(index)
    return sql(
      `SELECT ${select} FROM ${from} WHERE ${conditions.text} ORDER BY ${by} LIMIT ?`,
      ...conditions.values,
      limit,
    )
  }

  private byPlace(filter: NarrowFilter, order: ListOrder, blocks: Blocks): Sql {
    const { from, where, orderBy } = this.placeJoin(filter, blocks)
    const { text, values } = allOf(where)
    return ordered(sql(`SELECT a.id FROM ${from.text} WHERE ${text}`, ...from.values, ...values), orderBy, order)
  }

  /** @param order undefined: all, in no order */
  private byWords(filter: NarrowFilter, order: ListOrder | undefined, start: WordsStart, blocks: Blocks): Sql {
    const parts = start.words.map((word) => this.byWord(filter, order, word, blocks))
    if (start.ofDevices.length > 0) parts.push(this.byDeviceWords(filter, order, start.ofDevices))
    const ids = parts.map(({ text, values }, i) => sql(`SELECT id FROM (${text}) w${i}`, ...values))
    return joinSql(ids, ' UNION ')
  }

  private byWord(filter: NarrowFilter, order: ListOrder | undefined, word: string, blocks: Blocks): Sql {
    // What the index knows of a long word is only its beginning.
    const isSettled = word.length <= MAX_INDEXED_LENGTH
    const words = isSettled ? filter.words.filter((other) => other !== word) : filter.words
    const rest = rowConditions({ ...filter, words })
    const needsRow = rest.length > 0
    const { from, where, orderBy } = wordsJoin(this.dialect, word, filter.bounds, blocks)
    const conditions = allOf([
      ...where,
      ...idConditions(filter.bounds, 'w.alarm_id'),
      ...(needsRow ? [sql('a.id = w.alarm_id'), ...rest] : []),
    ])
    const row = needsRow ? `${this.dialect.thenIn} ${this.alarmsBy('PRIMARY')}` : ''
    const columns = orderBy.map((column) => (column === 'w.alarm_id' ? 'w.alarm_id AS id' : column)).join(', ')
    return ordered(
      sql(`SELECT DISTINCT ${columns} FROM ${from.text} ${row} WHERE ${conditions.text}`, ...conditions.values),
      orderBy,
      order,
    )
  }

  private byDeviceWords(filter: NarrowFilter, order: ListOrder | undefined, words: readonly string[]): Sql {
    const conditions = allOf([
      ...words.map((word) => sql('INSTR(d.words, ?) > 0', ` ${word}`)),
      sql('a.device_id = d.device_id'),
      // Of the indexes that begin with devices, the one that goes on with days.
      sql('a.day >= ?', FIRST_DAY),
      ...dayConditions(filter.bounds, 'a.day'),
      ...idConditions(filter.bounds, 'a.id'),
      ...rowConditions({ ...filter, words: filter.words.filter((word) => !words.includes(word)) }),
    ])
    const from = `alarm_devices d ${this.dialect.thenIn} ${this.alarmsBy('alarms_by_device')}`
    return ordered(sql(`SELECT a.id FROM ${from} WHERE ${conditions.text}`, ...conditions.values), ['a.id'], order)
  }

  /** The rows of the first of these ids. */
  private rowsOf(ids: Sql, { direction, limit }: ListOrder): Sql {
    const first = sql(`SELECT id FROM (${ids.text}) u ORDER BY id ${direction} LIMIT ?`, ...ids.values, limit)
    const { text, values } = this.alarmsOf(first)
    return sql(`SELECT ${COLUMNS} FROM ${text} WHERE a.id = k.id ORDER BY a.id ${direction}`, ...values)
  }
}

/** Conditions on a row that hold whatever the statement starts from. */
export function rowConditions({ choices, box, words, ownWords }: Partial<NarrowFilter>): Sql[] {
  return [...choiceConditions(choices ?? []), ...boxConditions(box), ...wordConditions(words ?? [], ownWords)]
}

function ordered({ text, values }: Sql, columns: readonly string[], order: ListOrder | undefined): Sql {
  if (order === undefined) return { text, values }
  const by = columns.map((column) => `${column} ${order.direction}`).join(', ')
  return sql(`${text} ORDER BY ${by} LIMIT ?`, ...values, order.limit)
}
