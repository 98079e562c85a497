import { createHash, randomBytes } from 'node:crypto'
import { MAX_EPOCH_MS } from '../../model/time.js'

const DAY_MS = 86_400_000
const COUNTER_LIMIT = 0x10000
const TIME_DIGITS = 14
/** Makes every moment a positive number. */
const BIAS = BigInt(MAX_EPOCH_MS)
/** The last day of 2100. Clocks that are wrong by more are no reason for a block of their own. */
const LAST_BLOCK = 47_846
const MAX_KEY_LENGTH = 64
const HASH_MARK = '#'

/**
 * Makes ids of alarms: 32 hexadecimal digits that sort by the unit's time and, within a millisecond, by the order in which this
 * process made them. 56 random bits keep those of several processes apart.
 */
export class AlarmIds {
  private counter = 0

  next(timeMs: number): string {
    this.counter = (this.counter + 1) % COUNTER_LIMIT
    return idFloorOf(timeMs) + this.counter.toString(16).padStart(4, '0') + randomBytes(7).toString('hex')
  }
}

/** What ids of alarms at the moment or later are not below, and those of earlier ones are. */
export function idFloorOf(timeMs: number): string {
  const inRange = Math.min(Math.max(Math.ceil(timeMs), -MAX_EPOCH_MS), MAX_EPOCH_MS)
  return (BigInt(inRange) + BIAS).toString(16).padStart(TIME_DIGITS, '0')
}

/** No moment is on an earlier day. */
export const FIRST_DAY = -100_000_000

/** UTC day, counted from 1970. */
export function dayOf(timeMs: number): number {
  return Math.floor(timeMs / DAY_MS)
}

/** @returns `2026-11-22`; years beyond four digits as of ISO 8601, with a sign and six */
export function dayText(day: number): string {
  return new Date(day * DAY_MS).toISOString().replace(/T.*$/, '')
}

/** Days before 1970 are one block, those after 2100 another: blocks sort as days do. */
export function blockOf(day: number): number {
  return Math.min(Math.max(day, -1), LAST_BLOCK + 1)
}

/** Whether the block has days without a bound on one side. */
export function isEndlessBlock(block: number): boolean {
  return block < 0 || block > LAST_BLOCK
}

/** What ids of alarms of the day or later are not below. */
export function idFloorOfDay(day: number): string {
  return idFloorOf(day * DAY_MS)
}

/** An index takes no key of any length. */
export function storedEventKey(eventKey: string): string {
  if (eventKey.length <= MAX_KEY_LENGTH && !eventKey.startsWith(HASH_MARK)) return eventKey
  return HASH_MARK + createHash('sha256').update(eventKey).digest('base64')
}
