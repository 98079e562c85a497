import { randomBytes } from 'node:crypto'

const TIME_DIGITS = 11
const COUNT_DIGITS = 7
const NODE_BYTES = 4

/**
 * Ids that grow with arrival: texts of one length, of the clock, a count within its millisecond, and what tells this process from
 * others. Those of one process grow whatever its clock does; those of several as far as their clocks agree.
 */
export class ArrivalIds {
  private readonly node = randomBytes(NODE_BYTES).toString('hex')
  private lastMs = 0
  private count = 0

  constructor(private readonly now: () => number = () => Date.now()) {}

  next(): string {
    const nowMs = this.now()
    this.count = nowMs > this.lastMs ? 0 : this.count + 1
    this.lastMs = Math.max(nowMs, this.lastMs)
    return `${hex(this.lastMs, TIME_DIGITS)}${hex(this.count, COUNT_DIGITS)}${this.node}`
  }
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0')
}
