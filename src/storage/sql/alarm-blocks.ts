import type { BoundingBox } from '../../model/position.js'
import { cellRangesOf } from './alarm-cells.js'
import { dayConditions, type IdBounds } from './alarm-filter.js'
import { blockOf, idFloorOfDay, isEndlessBlock } from './alarm-keys.js'
import { rangeOfWord } from './alarm-words.js'
import type { SqlDialect } from './sql-dialect.js'
import { allOf, isOneOf, joinSql, type Queries, runSql, type Sql, sql } from './sql-rows.js'

/** The blocks that a statement goes through; undefined: all within the filter's bounds, which only {@link SqlDialect.joinsRanges} can. */
export type Blocks = readonly number[] | undefined

/** Tables to be gone through in this order, and conditions. */
export interface Join {
  readonly from: Sql
  readonly where: readonly Sql[]
  /** What is to be sorted by, so that no more is sorted than has to be. */
  readonly orderBy: readonly string[]
}

/** Blocks that have alarms, or had, in order. */
export async function listBlocks(
  queries: Queries,
  bounds: IdBounds,
  direction: 'ASC' | 'DESC',
  most?: number,
): Promise<number[]> {
  const { text, values } = allOf(dayConditions(bounds, 'block', blockOf))
  const limit = most === undefined ? sql('') : sql(' LIMIT ?', most)
  const select = `SELECT block FROM alarm_blocks WHERE ${text} ORDER BY block ${direction}${limit.text}`
  const rows = await runSql<{ block: number }>(queries, sql(select, ...values, ...limit.values))
  return rows.map(({ block }) => Number(block))
}

/** Bounds of these blocks, which are neighbours, within others. */
export function boundsWithin({ from, to }: IdBounds, blocks: readonly number[]): IdBounds {
  const [first, last] = [Math.min(...blocks), Math.max(...blocks)]
  const begin = isEndlessBlock(first) ? undefined : { id: idFloorOfDay(first), day: first }
  const end = isEndlessBlock(last) ? undefined : { id: idFloorOfDay(last + 1), day: last + 1 }
  const later = from === undefined || (begin !== undefined && begin.id > from.id) ? begin : from
  const earlier = to === undefined || (end !== undefined && end.id < to.id) ? end : to
  return { ...(later ? { from: later } : {}), ...(earlier ? { to: earlier } : {}) }
}

/** Words `w` that begin with this one, of the alarms in the blocks. */
export function wordsJoin({ rowsBy, thenIn }: SqlDialect, word: string, bounds: IdBounds, blocks: Blocks): Join {
  const words = rowsBy('alarm_words', 'w', 'PRIMARY')
  const isInRange = sql('w.word >= ? AND w.word < ?', ...rangeOfWord(word))
  if (blocks) return { from: sql(words), where: [isAmong('w.block', blocks), isInRange], orderBy: ['w.alarm_id'] }
  return {
    from: sql(`alarm_blocks b ${thenIn} ${words}`),
    where: [sql('w.block = b.block'), isInRange, ...dayConditions(bounds, 'b.block', blockOf)],
    orderBy: ['b.block', 'w.alarm_id'],
  }
}

/** Alarms `a` in the cells that a box lies in, and in the blocks. */
export function cellsJoin(dialect: SqlDialect, box: BoundingBox | undefined, bounds: IdBounds, blocks: Blocks): Join {
  const { from, where } = dialect.joinsRanges ? joinedCells(dialect, box) : writtenCells(dialect, box)
  if (blocks) return { from, where: [isAmong('a.block', blocks), ...where], orderBy: ['a.id'] }
  return {
    from: sql(`alarm_blocks b ${dialect.thenIn} ${from.text}`, ...from.values),
    where: [sql('a.block = b.block'), ...where, ...dayConditions(bounds, 'b.block', blockOf)],
    orderBy: ['b.block', 'a.id'],
  }
}

function joinedCells(dialect: SqlDialect, box: BoundingBox | undefined): Pick<Join, 'from' | 'where'> {
  const ranges = rangesOf(box).map(({ first, last }, i) =>
    sql(i === 0 ? 'SELECT ? AS low, ? AS high' : 'SELECT ?, ?', first, last),
  )
  const { text, values } = joinSql(ranges, ' UNION ALL ')
  return {
    from: sql(`(${text}) c ${dialect.thenIn} ${placeRows(dialect)}`, ...values),
    where: [sql('a.cell BETWEEN c.low AND c.high')],
  }
}

function writtenCells(dialect: SqlDialect, box: BoundingBox | undefined): Pick<Join, 'from' | 'where'> {
  const ranges = rangesOf(box).map(({ first, last }) => sql('a.cell BETWEEN ? AND ?', first, last))
  const { text, values } = joinSql(ranges, ' OR ')
  return { from: sql(placeRows(dialect)), where: [sql(`(${text})`, ...values)] }
}

function placeRows({ rowsBy }: SqlDialect): string {
  return rowsBy('alarms', 'a', 'alarms_by_place')
}

function rangesOf(box: BoundingBox | undefined) {
  return box ? cellRangesOf(box) : []
}

function isAmong(column: string, blocks: readonly number[]): Sql {
  return blocks.length === 0 ? sql('1 = 0') : isOneOf(column, blocks)
}
