import { cellRangesOf } from './alarm-cells.js'
import {
  boxConditions,
  choiceConditions,
  dayConditions,
  type IdBounds,
  idConditions,
  type NarrowFilter,
  wordConditions,
} from './alarm-filter.js'
import { blockOf, FIRST_DAY } from './alarm-keys.js'
import { type Leg, legsOf } from './alarm-legs.js'
import { ALARM_COLUMNS } from './alarm-rows.js'
import { MAX_INDEXED_LENGTH, rangeOfWord } from './alarm-words.js'
import { allOf, joinSql, type Sql, sql } from './sql-rows.js'

const COLUMNS = ALARM_COLUMNS.map((column) => `a.${column}`).join(', ')

/** What a list's statement starts from. */
export type ListStart =
  /** Stretches of an index over columns, or all by time; few: that was counted, and going through them is nothing. */
  | { readonly by: 'columns'; readonly isByType?: boolean; readonly isFew?: boolean }
  /** The box, block by block. */
  | { readonly by: 'place' }
  | WordsStart

/** Each of some words, block by block, and the devices that have all of some words; none of these: no devices. */
export interface WordsStart {
  readonly by: 'words'
  readonly words: readonly string[]
  readonly ofDevices: readonly string[]
}

export interface ListOrder {
  readonly direction: 'DESC' | 'ASC'
  readonly limit: number
}

/** The statement that lists the filter's alarms in the order. */
export function listSql(filter: NarrowFilter, order: ListOrder, start: ListStart): Sql {
  switch (start.by) {
    case 'columns':
      return columnsSql(filter, order, start.isByType)
    case 'place':
      return rowsOf(placeSql(filter, order), order)
    case 'words':
      return rowsOf(wordsSql(filter, order, start), order)
  }
}

/** Conditions on a row that hold whatever the statement starts from. */
export function rowConditions({ choices, box, words }: Partial<NarrowFilter>): Sql[] {
  return [...choiceConditions(choices ?? []), ...boxConditions(box), ...wordConditions(words ?? [])]
}

function columnsSql(filter: NarrowFilter, order: ListOrder, isByType?: boolean): Sql {
  const { legs, rest } = legsOf(filter, isByType)
  const conditions = rowConditions({ ...filter, choices: rest })
  const [only, ...more] = legs
  if (only && more.length === 0) return legSql(COLUMNS, only, filter.bounds, conditions, order)
  const parts = legs.map((leg, i) => {
    const { text, values } = legSql('a.id', leg, filter.bounds, conditions, order)
    return sql(`SELECT id FROM (${text}) l${i}`, ...values)
  })
  return rowsOf(joinSql(parts, ' UNION ALL '), order)
}

/** In the order of the index: days and then ids, which is that of ids. */
function legSql(select: string, { equals }: Leg, bounds: IdBounds, rest: readonly Sql[], order: ListOrder): Sql {
  const { direction, limit } = order
  const isByTime = equals.length === 0
  const conditions = allOf([
    ...equals.map(([column, value]) => sql(`a.${column} = ?`, value)),
    ...(isByTime ? [] : dayConditions(bounds, 'a.day')),
    ...idConditions(bounds, 'a.id'),
    ...rest,
  ])
  const by = isByTime ? `a.id ${direction}` : `a.day ${direction}, a.id ${direction}`
  return sql(
    `SELECT ${select} FROM alarms a WHERE ${conditions.text} ORDER BY ${by} LIMIT ?`,
    ...conditions.values,
    limit,
  )
}

function placeSql(filter: NarrowFilter, { direction, limit }: ListOrder): Sql {
  const { from, where } = placeJoin(filter)
  const conditions = allOf(where)
  return sql(
    `SELECT a.id FROM ${from.text} WHERE ${conditions.text} ORDER BY b.block ${direction}, a.id ${direction} LIMIT ?`,
    ...from.values,
    ...conditions.values,
    limit,
  )
}

/**
 * Blocks `b`, ranges of cells `c` and the alarms `a` in them, to be gone through in this order, which is what CROSS JOIN says.
 * @param blocks which of them; undefined: all
 */
export function placeJoin(
  { box, bounds, ...others }: NarrowFilter,
  blocks?: Sql,
): { readonly from: Sql; readonly where: readonly Sql[] } {
  const ranges = box ? cellRangesOf(box) : []
  const cells = joinSql(
    ranges.map(({ first, last }, i) => sql(i === 0 ? 'SELECT ? AS low, ? AS high' : 'SELECT ?, ?', first, last)),
    ' UNION ALL ',
  )
  return {
    from: sql(
      `${blocks ? `(${blocks.text})` : 'alarm_blocks'} b CROSS JOIN (${cells.text}) c CROSS JOIN alarms a`,
      ...(blocks?.values ?? []),
      ...cells.values,
    ),
    where: [
      sql('a.block = b.block'),
      sql('a.cell BETWEEN c.low AND c.high'),
      ...dayConditions(bounds, 'b.block', blockOf),
      ...idConditions(bounds, 'a.id'),
      ...rowConditions({ ...others, ...(box ? { box } : {}) }),
    ],
  }
}

/** All alarms that the filter lets through, each once, in no order. */
export function wordIdsSql(filter: NarrowFilter, start: WordsStart): Sql {
  return wordsSql(filter, undefined, start)
}

/** @param order undefined: all, in no order */
function wordsSql(filter: NarrowFilter, order: ListOrder | undefined, { words, ofDevices }: WordsStart): Sql {
  const parts = words.map((word) => wordBlocksSql(filter, order, word))
  if (ofDevices.length > 0) parts.push(wordDevicesSql(filter, order, ofDevices))
  const ids = parts.map(({ text, values }, i) => sql(`SELECT id FROM (${text}) w${i}`, ...values))
  return joinSql(ids, ' UNION ')
}

function wordBlocksSql(filter: NarrowFilter, order: ListOrder | undefined, word: string): Sql {
  // What the index knows of a long word is only its beginning.
  const isSettled = word.length <= MAX_INDEXED_LENGTH
  const words = isSettled ? filter.words.filter((other) => other !== word) : filter.words
  const rest = rowConditions({ ...filter, words })
  const needsRow = rest.length > 0
  const [low, high] = rangeOfWord(word)
  const conditions = allOf([
    sql('w.block = b.block'),
    sql('w.word >= ? AND w.word < ?', low, high),
    ...dayConditions(filter.bounds, 'b.block', blockOf),
    ...idConditions(filter.bounds, 'w.alarm_id'),
    ...(needsRow ? [sql('a.id = w.alarm_id'), ...rest] : []),
  ])
  const row = needsRow ? 'CROSS JOIN alarms a' : ''
  return ordered(
    sql(
      `SELECT DISTINCT b.block, w.alarm_id AS id FROM alarm_blocks b CROSS JOIN alarm_words w ${row} WHERE ${conditions.text}`,
      ...conditions.values,
    ),
    ['b.block', 'w.alarm_id'],
    order,
  )
}

function wordDevicesSql(filter: NarrowFilter, order: ListOrder | undefined, words: readonly string[]): Sql {
  const conditions = allOf([
    ...words.map((word) => sql('INSTR(d.words, ?) > 0', ` ${word}`)),
    sql('a.device_id = d.device_id'),
    // Of the indexes that begin with devices, the one that goes on with days.
    sql('a.day >= ?', FIRST_DAY),
    ...dayConditions(filter.bounds, 'a.day'),
    ...idConditions(filter.bounds, 'a.id'),
    ...rowConditions({ ...filter, words: filter.words.filter((word) => !words.includes(word)) }),
  ])
  return ordered(
    sql(`SELECT a.id FROM alarm_devices d CROSS JOIN alarms a WHERE ${conditions.text}`, ...conditions.values),
    ['a.id'],
    order,
  )
}

function ordered({ text, values }: Sql, columns: readonly string[], order: ListOrder | undefined): Sql {
  if (order === undefined) return { text, values }
  const by = columns.map((column) => `${column} ${order.direction}`).join(', ')
  return sql(`${text} ORDER BY ${by} LIMIT ?`, ...values, order.limit)
}

/** The rows of the first of these ids. */
function rowsOf(ids: Sql, { direction, limit }: ListOrder): Sql {
  return sql(
    `SELECT ${COLUMNS} FROM (SELECT id FROM (${ids.text}) u ORDER BY id ${direction} LIMIT ?) k CROSS JOIN alarms a
     WHERE a.id = k.id ORDER BY a.id ${direction}`,
    ...ids.values,
    limit,
  )
}
