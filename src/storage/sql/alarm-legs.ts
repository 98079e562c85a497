import { ALARM_STATUSES } from '../../model/alarm.js'
import type { Choice, NarrowFilter } from './alarm-filter.js'
import { valuesOf } from './alarm-filter.js'

/** One stretch of an index, in which alarms lie in the order of lists. */
export interface Leg {
  readonly equals: readonly (readonly [Choice['column'], string | number])[]
}

/** Stretches of one index that together hold what the filter lets through, and what is left to be asked of every alarm in them. */
export interface Legs {
  readonly legs: readonly Leg[]
  readonly rest: readonly Choice[]
  readonly index: AlarmIndex
}

export type AlarmIndex =
  | 'PRIMARY'
  | 'alarms_by_device'
  | 'alarms_by_type'
  | 'alarms_by_status'
  | 'alarms_by_assignee'
  | 'alarms_by_place'

/** A filter of more devices or users is asked of every alarm, newest first: so many have one soon. */
export const MAX_DEVICES = 100
export const MAX_ASSIGNEES = 30
const VIDEO_OR_NOT = [0, 1]

/**
 * Chooses an index and takes the filter apart into stretches of it: a search for several types at once would have to sort all that
 * it finds, while of each stretch only the first few are read.
 * @param isByType types are rarer than assignees
 */
export function legsOf(filter: NarrowFilter, isByType = false): Legs {
  const devices = valuesOf(filter, 'device_id')
  const assignees = valuesOf(filter, 'assignee')
  const types = valuesOf(filter, 'type')
  const statuses = valuesOf(filter, 'status')
  const videos = valuesOf(filter, 'has_video')
  if (devices && devices.length <= MAX_DEVICES) return crossedLegs(filter, 'alarms_by_device', [['device_id', devices]])
  const status = ['status', statuses ?? ALARM_STATUSES] as const
  const video = ['has_video', videos ?? VIDEO_OR_NOT] as const
  if (assignees && assignees.length <= MAX_ASSIGNEES && !isByType)
    return crossedLegs(filter, 'alarms_by_assignee', [['assignee', assignees], status])
  if (types) return crossedLegs(filter, 'alarms_by_type', [['type', types], status, video])
  if (statuses || videos) return crossedLegs(filter, 'alarms_by_status', [status, video])
  return crossedLegs(filter, 'PRIMARY', [])
}

/** Every combination of these values, of the columns that the index begins with, is a stretch. */
export function crossedLegs(
  { choices }: NarrowFilter,
  index: AlarmIndex,
  columns: readonly (readonly [Choice['column'], Choice['values']])[],
): Legs {
  let legs: Leg[] = [{ equals: [] }]
  for (const [column, values] of columns) {
    legs = legs.flatMap(({ equals }) => values.map((value) => ({ equals: [...equals, [column, value] as const] })))
  }
  return { legs, rest: choices.filter((choice) => !columns.some(([column]) => column === choice.column)), index }
}
