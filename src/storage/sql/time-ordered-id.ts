import { randomBytes } from 'node:crypto'

const COUNTER_LIMIT = 0x1000000

/**
 * Makes ids for records of one table: 32 hexadecimal digits that sort by the time given and, within a millisecond, by the order
 * in which this process made them. 56 random bits keep those of several processes apart.
 */
export class TimeOrderedIds {
  private counter = 0

  next(atMs: number): string {
    this.counter = (this.counter + 1) % COUNTER_LIMIT
    return hex(atMs, 12) + hex(this.counter, 6) + randomBytes(7).toString('hex')
  }
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0')
}
