import type { Socket } from 'socket.io-client'
import { RelentlessUnit } from './relentless-unit.js'

const TYPES = ['CRASH', 'SOS', 'HARD_BRAKE']

/** The same with alarms: one an event, each at a moment of its own, naming a file of its own. */
export class RelentlessAlarmUnit extends RelentlessUnit {
  /** What the server called each. */
  readonly ids = new Map<number, string>()

  protected override batchSize(): number {
    return 1
  }

  protected override async deliver(socket: Socket, [timeMs = 0]: number[]): Promise<boolean> {
    const payload = { type: TYPES[timeMs % TYPES.length], time: timeMs, files: [fileNameOf(timeMs)] }
    const answer = await this.ask(socket, 'alarm', payload)
    if (answer?.id === undefined) return false
    if (answer.duplicate === true) this.duplicates += 1
    this.acked.add(timeMs)
    this.ids.set(timeMs, answer.id)
    return true
  }
}

/** The file that the alarm of this moment names. */
export const fileNameOf = (timeMs: number) => `${timeMs}.mp4`
