import type { AlarmType, DecodedAlarm } from './alarm.js'
import type { Attributes } from './position.js'
import type { Report } from './report.js'

/** Something that a unit tells with each record for as long as it holds: an alarm where it did not hold in the unit's record before. */
export interface Condition {
  readonly type: AlarmType
  /** Tells equal conditions apart. */
  readonly eventKey: string
  /** The attribute, a whole number, whose bit says it; a record without it says nothing of it. */
  readonly attribute: string
  readonly bit: number
}

/** A condition that held in the moment of a record. */
export interface HeldCondition {
  /** The record, by its index in {@link Delivery.records}. */
  readonly index: number
  /** The alarm that it is where it begins. */
  readonly alarm: DecodedAlarm
}

/** Everything that one message brought: its records, and what of them a person should see. */
export interface Delivery extends Report {
  readonly alarms: readonly DecodedAlarm[]
  readonly conditions: readonly HeldCondition[]
  /** Every condition that any of the records tells of, each once, whether it holds or not. */
  readonly watched: readonly Condition[]
}

/** @returns undefined: the record does not tell */
export function holdsIn({ attribute, bit }: Condition, attributes: Attributes | null): boolean | undefined {
  const bits = attributes?.[attribute]
  return typeof bits === 'number' ? Math.floor(bits / 2 ** bit) % 2 === 1 : undefined
}
