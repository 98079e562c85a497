import { ALARM_STATUSES, ALARM_TYPES } from '../../model/alarm.js'
import type { BoundingBox } from '../../model/position.js'
import { queryWordsOf } from '../../model/search-text.js'
import { dayOf, idFloorOf } from './alarm-keys.js'
import type { AlarmFilter } from './alarm-records.js'
import { isOneOf, type Sql, sql } from './sql-rows.js'

/** Bounds of ids, which are bounds of time, with the days that they lie in; inclusive below, exclusive above. */
export interface IdBounds {
  readonly from?: { readonly id: string; readonly day: number }
  readonly to?: { readonly id: string; readonly day: number }
}

/** A column that holds one of few values, and the values that are let through, each once. */
export interface Choice {
  readonly column: 'device_id' | 'type' | 'status' | 'has_video' | 'assignee'
  readonly values: readonly (string | number)[]
}

/** A filter without what lets everything through. */
export interface NarrowFilter {
  readonly choices: readonly Choice[]
  readonly bounds: IdBounds
  readonly box?: BoundingBox
  /** Folded; all must match. */
  readonly words: readonly string[]
  /** Those of the words that, as was looked up, no device has: only alarms are asked for them. */
  readonly ownWords?: readonly string[]
}

const VALUES_IN_ALL = { type: ALARM_TYPES.length, status: ALARM_STATUSES.length }

/** @returns undefined when nothing can match */
export function narrow(filter: AlarmFilter): NarrowFilter | undefined {
  const { deviceIds, types, statuses, assignees, hasVideo, fromMs, toMs, box, text } = filter
  const choices = [
    choiceOf('device_id', deviceIds),
    choiceOf('type', types),
    choiceOf('status', statuses),
    choiceOf('assignee', assignees),
    choiceOf('has_video', hasVideo === undefined ? undefined : [hasVideo ? 1 : 0]),
  ].filter((choice) => choice !== undefined)
  const words = queryWordsOf(text ?? '')
  const findsNothing = words.length === 0 && (text ?? '').trim() !== ''
  if (findsNothing || choices.some(({ values }) => values.length === 0)) return undefined
  if (fromMs !== undefined && toMs !== undefined && fromMs >= toMs) return undefined
  if (box !== undefined && box.minLatitude > box.maxLatitude) return undefined
  const bounds = {
    ...(fromMs === undefined ? {} : { from: { id: idFloorOf(fromMs), day: dayOf(fromMs) } }),
    ...(toMs === undefined ? {} : { to: { id: idFloorOf(toMs), day: dayOf(toMs) } }),
  }
  return { choices: choices.filter(narrows), bounds, words, ...(box ? { box } : {}) }
}

export function valuesOf(filter: NarrowFilter, column: Choice['column']): Choice['values'] | undefined {
  return filter.choices.find((choice) => choice.column === column)?.values
}

/** Conditions on `a`, a row of `alarms`, that the choices hold; such that no index is chosen for them. */
export function choiceConditions(choices: readonly Choice[]): Sql[] {
  return choices.map(({ column, values }) => isOneOf(`+a.${column}`, values))
}

export function boxConditions(box: BoundingBox | undefined): Sql[] {
  if (box === undefined) return []
  const { minLatitude, maxLatitude, minLongitude, maxLongitude } = box
  const isEastOf = sql('a.longitude >= ?', minLongitude)
  const isWestOf = sql('a.longitude <= ?', maxLongitude)
  const between = minLongitude <= maxLongitude ? 'AND' : 'OR'
  return [
    sql('a.latitude BETWEEN ? AND ?', minLatitude, maxLatitude),
    sql(`(${isEastOf.text} ${between} ${isWestOf.text})`, ...isEastOf.values, ...isWestOf.values),
  ]
}

/**
 * Each of the words is among those of the alarm or of its device, which is asked first, since indexes know it. Not LIKE: nothing in a
 * word has a meaning of its own.
 */
export function wordConditions(words: readonly string[], ownWords: readonly string[] = []): Sql[] {
  return words.map((word) => {
    const isOwn = sql('INSTR(a.search, ?) > 0', ` ${word}`)
    if (ownWords.includes(word)) return isOwn
    const isOfDevice = 'INSTR(words, ?) > 0'
    return sql(
      `(+a.device_id IN (SELECT device_id FROM alarm_devices WHERE ${isOfDevice}) OR ${isOwn.text})`,
      ` ${word}`,
      ...isOwn.values,
    )
  })
}

/** Conditions on a column of ids. */
export function idConditions({ from, to }: IdBounds, column: string): Sql[] {
  return [...(from ? [sql(`${column} >= ?`, from.id)] : []), ...(to ? [sql(`${column} < ?`, to.id)] : [])]
}

/** Conditions on a column of days, or of blocks, that ids in the bounds hold too: so an index that begins with it is searched. */
export function dayConditions(
  { from, to }: IdBounds,
  column: string,
  bucketOf: (day: number) => number = (day) => day,
): Sql[] {
  return [
    ...(from ? [sql(`${column} >= ?`, bucketOf(from.day))] : []),
    ...(to ? [sql(`${column} <= ?`, bucketOf(to.day))] : []),
  ]
}

function choiceOf(column: Choice['column'], values: readonly (string | number)[] | undefined): Choice | undefined {
  return values && { column, values: [...new Set(values)] }
}

/** A filter that lets every value through is none: it would only lead away from an index. */
function narrows({ column, values }: Choice): boolean {
  return column !== 'type' && column !== 'status' ? true : values.length < VALUES_IN_ALL[column]
}
