import { type Blocks, wordsJoin } from './alarm-blocks.js'
import { dayConditions, idConditions, type NarrowFilter } from './alarm-filter.js'
import { legsOf } from './alarm-legs.js'
import type { AlarmListSql } from './alarm-list-sql.js'
import type { SqlDialect } from './sql-dialect.js'
import { allOf, joinSql, type Sql, sql } from './sql-rows.js'

/** The blocks that are looked at, and up to where is counted. */
export interface Sample {
  readonly blocks: readonly number[]
  readonly limit: number
}

/** Counts that tell what is rare in a filter. */
export class AlarmCountSql {
  constructor(
    private readonly dialect: SqlDialect,
    private readonly lists: AlarmListSql,
  ) {}

  /** `n`: how many alarms the filter's columns let through, but no more than the limit. */
  ofColumns(filter: NarrowFilter, limit: number, isByType = false): Sql {
    const { legs, index } = legsOf(filter, isByType)
    const parts = legs.map(({ equals }, i) => {
      const conditions = allOf([
        ...equals.map(([column, value]) => sql(`a.${column} = ?`, value)),
        ...dayConditions(filter.bounds, 'a.day'),
        ...idConditions(filter.bounds, 'a.id'),
      ])
      const select = `SELECT 1 AS one FROM ${this.lists.alarmsBy(index)} WHERE ${conditions.text} LIMIT ?`
      return sql(this.dialect.leg(select, `l${i}`), ...conditions.values, limit)
    })
    const { text, values } = joinSql(parts, ' UNION ALL ')
    return sql(`SELECT COUNT(*) AS n FROM (SELECT one FROM (${text}) u LIMIT ?) k`, ...values, limit)
  }

  /**
   * How common words are: `with0`, `with1`, …: how many of all `devices` have each, `with_all`: how many have all; `sample0`,
   * `sample1`, …: how many alarms of the sample. Devices are gone through once.
   */
  ofWords(words: readonly string[], { blocks, limit }: Sample): Sql {
    const has = words.map((word) => sql('INSTR(words, ?) > 0', ` ${word}`))
    const devices = [allOf(has), ...has].map(({ text, values }, i) =>
      sql(`COALESCE(SUM(CASE WHEN ${text} THEN 1 ELSE 0 END), 0) AS with${i === 0 ? '_all' : i - 1}`, ...values),
    )
    const samples = words.map((word, i) => {
      const { from, where } = wordsJoin(this.dialect, word, {}, blocks)
      const { text, values } = allOf(where)
      const some = `SELECT w.block FROM ${from.text} WHERE ${text} LIMIT ?`
      return sql(`(SELECT COUNT(*) FROM (${some}) m${i}) AS sample${i}`, ...from.values, ...values, limit)
    })
    const { text, values } = joinSql([sql('COUNT(*) AS devices'), ...devices, ...samples], ', ')
    return sql(`SELECT ${text} FROM alarm_devices`, ...values)
  }

  /** `n`: how many alarms of the sample are in the box. */
  ofBox({ box }: NarrowFilter, { blocks, limit }: Sample): Sql {
    const filter = { choices: [], words: [], bounds: {}, ...(box ? { box } : {}) }
    const { from, where } = this.lists.placeJoin(filter, blocks satisfies Blocks)
    const conditions = allOf(where)
    return sql(
      `SELECT COUNT(*) AS n FROM (SELECT a.id FROM ${from.text} WHERE ${conditions.text} LIMIT ?) k`,
      ...from.values,
      ...conditions.values,
      limit,
    )
  }
}
