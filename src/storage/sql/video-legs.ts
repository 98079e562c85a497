import { allOf, isOneOf, joinSql, type Sql, sql } from './sql-rows.js'
import type { VideoQuery } from './video-records.js'

/** SQLite takes at most 500 selects in one statement. */
const MOST_LEGS = 250

/**
 * The ids of a page when one filter has several values: a leg for each value is read by an index in the order of the list, no
 * further than the page is long, and the legs are merged. (One select for all of the values would sort everything they have.)
 * @returns undefined when one select does as well
 */
export function legsOf(query: VideoQuery): Sql | undefined {
  const { deviceIds, fileNames, statuses, limit } = query
  const [leading, ...others] = [
    { column: 'device_id', values: deviceIds },
    { column: 'file_name', values: fileNames },
    { column: 'status', values: statuses },
  ].flatMap(({ column, values }) => (values ? [{ column, values: [...new Set<string>(values)] }] : []))
  if (query.alarmIds || !leading || leading.values.length < 2 || leading.values.length > MOST_LEGS) return undefined
  const common = [...rangeOf(query), ...others.map(({ column, values }) => isOneOf(column, values))]
  const order = 'ORDER BY listed_at DESC, id DESC LIMIT ?'
  const legs = leading.values.map((value, index) => {
    const { text, values } = allOf([sql(`${leading.column} = ?`, value), ...common])
    const leg = `SELECT id, listed_at FROM videos WHERE ${text} ${order}`
    return sql(`SELECT id, listed_at FROM (${leg}) AS leg${index}`, ...values, limit)
  })
  const { text, values } = joinSql(legs, ' UNION ALL ')
  return sql(`${text} ${order}`, ...values, limit)
}

function rangeOf({ fromMs, toMs, after }: VideoQuery): Sql[] {
  const range = [sql('listed_at IS NOT NULL')]
  if (fromMs !== undefined) range.push(sql('listed_at >= ?', fromMs))
  if (toMs !== undefined) range.push(sql('listed_at < ?', toMs))
  // In two conditions, since not every database can search an index by a pair.
  if (after) range.push(sql('listed_at <= ? AND (listed_at < ? OR id < ?)', after.atMs, after.atMs, after.id))
  return range
}
