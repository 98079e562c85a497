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
import { blockOf } from './alarm-keys.js'
import { type Leg, legsOf } from './alarm-legs.js'
import { ALARM_COLUMNS } from './alarm-rows.js'
import { MAX_INDEXED_LENGTH, rangeOfWord } from './alarm-words.js'
import { allOf, joinSql, type Sql, sql } from './sql-rows.js'

const COLUMNS = ALARM_COLUMNS.map((column) => `a.${column}`).join(', ')

/** What a list's statement starts from. */
export type ListStart =
  /** Stretches of an index over columns, or all by time. */
  | { readonly by: 'columns' }
  /** The box, block by block. */
  | { readonly by: 'place' }
  /** A word, block by block, and the devices that have it. */
  | WordStart

interface WordStart {
  readonly by: 'word'
  readonly word: string
  readonly isOfDevices: boolean
}

export interface ListOrder {
  readonly direction: 'DESC' | 'ASC'
  readonly limit: number
}

/** The statement that lists the filter's alarms in the order. */
export function listSql(filter: NarrowFilter, order: ListOrder, start: ListStart): Sql {
  switch (start.by) {
    case 'columns':
      return columnsSql(filter, order)
    case 'place':
      return rowsOf(placeSql(filter, order), order)
    case 'word':
      return rowsOf(wordSql(filter, order, start), order)
  }
}

/** Conditions on a row that hold whatever the statement starts from. */
export function rowConditions({ choices, box, words }: Partial<NarrowFilter>): Sql[] {
  return [...choiceConditions(choices ?? []), ...boxConditions(box), ...wordConditions(words ?? [])]
}

function columnsSql(filter: NarrowFilter, order: ListOrder): Sql {
  const { legs, rest } = legsOf(filter)
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

/** Blocks `b`, ranges of cells `c` and the alarms `a` in them, to be gone through in this order, which is what CROSS JOIN says. */
export function placeJoin({ box, bounds, ...others }: NarrowFilter): {
  readonly from: Sql
  readonly where: readonly Sql[]
} {
  const ranges = box ? cellRangesOf(box) : []
  const cells = joinSql(
    ranges.map(({ first, last }, i) => sql(i === 0 ? 'SELECT ? AS low, ? AS high' : 'SELECT ?, ?', first, last)),
    ' UNION ALL ',
  )
  return {
    from: sql(`alarm_blocks b CROSS JOIN (${cells.text}) c CROSS JOIN alarms a`, ...cells.values),
    where: [
      sql('a.block = b.block'),
      sql('a.cell BETWEEN c.low AND c.high'),
      ...dayConditions(bounds, 'b.block', blockOf),
      ...idConditions(bounds, 'a.id'),
      ...rowConditions({ ...others, ...(box ? { box } : {}) }),
    ],
  }
}

/** All alarms with the word that the filter lets through, each once, in no order. */
export function wordIdsSql(filter: NarrowFilter, start: WordStart): Sql {
  return wordSql(filter, undefined, start)
}

/** @param order undefined: all, in no order */
function wordSql(filter: NarrowFilter, order: ListOrder | undefined, { word, isOfDevices }: WordStart): Sql {
  const inBlocks = wordBlocksSql(filter, order, word)
  if (!isOfDevices) return inBlocks
  const ofDevices = wordDevicesSql(filter, order, word)
  return sql(
    `SELECT id FROM (${inBlocks.text}) w UNION SELECT id FROM (${ofDevices.text}) d`,
    ...inBlocks.values,
    ...ofDevices.values,
  )
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

function wordDevicesSql(filter: NarrowFilter, order: ListOrder | undefined, word: string): Sql {
  const words = filter.words.filter((other) => other !== word)
  const conditions = allOf([
    sql('INSTR(d.words, ?) > 0', ` ${word}`),
    sql('a.device_id = d.device_id'),
    ...dayConditions(filter.bounds, 'a.day'),
    ...idConditions(filter.bounds, 'a.id'),
    ...rowConditions({ ...filter, words }),
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

/** Counts what the filter's columns let through, but no further than the limit. */
export function countSql(filter: NarrowFilter, limit: number): Sql {
  const { legs } = legsOf(filter)
  const parts = legs.map(({ equals }, i) => {
    const conditions = allOf([
      ...equals.map(([column, value]) => sql(`a.${column} = ?`, value)),
      ...dayConditions(filter.bounds, 'a.day'),
      ...idConditions(filter.bounds, 'a.id'),
    ])
    return sql(
      `SELECT id FROM (SELECT a.id FROM alarms a WHERE ${conditions.text} LIMIT ?) l${i}`,
      ...conditions.values,
      limit,
    )
  })
  const { text, values } = joinSql(parts, ' UNION ALL ')
  return sql(`SELECT COUNT(*) AS n FROM (SELECT id FROM (${text}) u LIMIT ?) k`, ...values, limit)
}

/** How common a word is: in names of devices, and among the alarms of the blocks where the list begins, both counted to a limit. */
export function wordCountSql(
  word: string,
  { bounds }: NarrowFilter,
  direction: ListOrder['direction'],
  blocks: number,
  limit: number,
): Sql {
  const [low, high] = rangeOfWord(word)
  const inside = allOf(dayConditions(bounds, 'block', blockOf))
  return sql(
    `SELECT
      (SELECT COUNT(*) FROM alarm_devices) AS devices,
      (SELECT COUNT(*) FROM alarm_devices WHERE INSTR(words, ?) > 0) AS devices_with,
      (SELECT COUNT(*) FROM (
        SELECT 1 FROM (SELECT block FROM alarm_blocks WHERE ${inside.text} ORDER BY block ${direction} LIMIT ?) b
        CROSS JOIN alarm_words w WHERE w.block = b.block AND w.word >= ? AND w.word < ? LIMIT ?) m) AS alarms_with`,
    ` ${word}`,
    ...inside.values,
    blocks,
    low,
    high,
    limit,
  )
}
