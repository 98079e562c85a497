import { setTimeout as sleep } from 'node:timers/promises'
import type { MysqlFaultKind } from './mysql-errors.js'
import type { MysqlLimits } from './mysql-limits.js'

const FIRST_PAUSE_MS = 20
const MAX_PAUSE_MS = 400
/** Whoever was beaten gets through soon; a server that is away stays away for longer than a caller waits. */
const MAX_REPEATS: Readonly<Record<MysqlFaultKind, number>> = { beaten: 8, lost: 2, unsent: 2, refused: 0, full: 0 }

/** The repeats of one call: few, after growing pauses of random length, and with time left for the last one. */
export class Repeats {
  private readonly beganMs = performance.now()
  private done = 0

  constructor(private readonly limits: MysqlLimits) {}

  /** Until when all of it has to end, by `performance.now()`. */
  get deadlineMs(): number {
    return this.beganMs + this.limits.callMs
  }

  /** @returns false: not again; otherwise after a pause */
  async mayFollow(kind: MysqlFaultKind): Promise<boolean> {
    const isTime = performance.now() - this.beganMs < this.limits.callMs / 2
    if (!this.limits.repeats || !isTime || this.done >= MAX_REPEATS[kind]) return false
    const longest = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.done)
    this.done++
    await sleep(longest * (0.5 + Math.random() / 2))
    return true
  }
}
