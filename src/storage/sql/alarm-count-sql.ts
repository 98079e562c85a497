import { dayConditions, idConditions, type NarrowFilter } from './alarm-filter.js'
import { blockOf } from './alarm-keys.js'
import { legsOf } from './alarm-legs.js'
import { type ListOrder, placeJoin } from './alarm-list-sql.js'
import { rangeOfWord } from './alarm-words.js'
import { allOf, joinSql, type Sql, sql } from './sql-rows.js'

/** How many blocks are looked at, from where a list begins, and up to where it is counted. */
export interface Sample {
  readonly blocks: number
  readonly limit: number
  readonly direction: ListOrder['direction']
}

/** `n`: how many alarms the filter's columns let through, but no more than the limit. */
export function countSql(filter: NarrowFilter, limit: number, isByType = false): Sql {
  const parts = legsOf(filter, isByType).legs.map(({ equals }, i) => {
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

/** How common a word is: `devices_with` it of all `devices`, and `alarms_with` it in the sample. */
export function wordCountSql(word: string, filter: NarrowFilter, sample: Sample): Sql {
  const [low, high] = rangeOfWord(word)
  const blocks = sampledBlocks(filter, sample)
  return sql(
    `SELECT
      (SELECT COUNT(*) FROM alarm_devices) AS devices,
      (SELECT COUNT(*) FROM alarm_devices WHERE INSTR(words, ?) > 0) AS devices_with,
      (SELECT COUNT(*) FROM (SELECT w.word FROM (${blocks.text}) b CROSS JOIN alarm_words w
        WHERE w.block = b.block AND w.word >= ? AND w.word < ? LIMIT ?) m) AS alarms_with`,
    ` ${word}`,
    ...blocks.values,
    low,
    high,
    sample.limit,
  )
}

/** `n`: how many devices have all of the words. */
export function deviceCountSql(words: readonly string[]): Sql {
  const { text, values } = allOf(words.map((word) => sql('INSTR(words, ?) > 0', ` ${word}`)))
  return sql(`SELECT COUNT(*) AS n FROM alarm_devices WHERE ${text}`, ...values)
}

/** `n`: how many alarms of the sample are in the box. */
export function boxCountSql({ box, bounds }: NarrowFilter, sample: Sample): Sql {
  const blocks = sampledBlocks({ bounds }, sample)
  const { from, where } = placeJoin({ choices: [], words: [], bounds: {}, ...(box ? { box } : {}) }, blocks)
  const conditions = allOf(where)
  return sql(
    `SELECT COUNT(*) AS n FROM (SELECT a.id FROM ${from.text} WHERE ${conditions.text} LIMIT ?) k`,
    ...from.values,
    ...conditions.values,
    sample.limit,
  )
}

function sampledBlocks({ bounds }: Pick<NarrowFilter, 'bounds'>, { blocks, direction }: Sample): Sql {
  const { text, values } = allOf(dayConditions(bounds, 'block', blockOf))
  return sql(`SELECT block FROM alarm_blocks WHERE ${text} ORDER BY block ${direction} LIMIT ?`, ...values, blocks)
}
