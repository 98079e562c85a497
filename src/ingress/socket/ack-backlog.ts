import type { Socket } from 'socket.io'
import type { LocationAnswer } from '../../codecs/device-json/encode-answer.js'

/** So much may wait for a unit that sends and does not read. */
const MAX_WAITING_BYTES = 8 * 1_048_576
const ANSWER_BYTES = 64
const REFUSED_RECORD_BYTES = 96

/** Answers an event. */
export type Ack = (answer: unknown) => void

/** What a unit was answered and its network has not taken yet, by estimate: to count it exactly would cost more than to answer. */
export class AckBacklog {
  private waitingBytes = 0

  constructor(private readonly connection: Pick<Socket['conn'], 'transport'>) {}

  /** Whether more may not be held for this unit. */
  get isFull(): boolean {
    return this.waitingBytes > MAX_WAITING_BYTES && !this.wasTaken()
  }

  /** The same, with its answer counted. */
  counted(ack: Ack): Ack {
    return (answer) => {
      this.add(answer)
      ack(answer)
    }
  }

  private add(answer: unknown): void {
    if (this.waitingBytes > 0) this.wasTaken()
    const { rejected } = answer as Partial<LocationAnswer>
    this.waitingBytes += ANSWER_BYTES + (rejected?.length ?? 0) * REFUSED_RECORD_BYTES
  }

  /** engine.io's transport is writable once the operating system took all that was handed to it. */
  private wasTaken(): boolean {
    const isTaken = this.connection.transport.writable
    if (isTaken) this.waitingBytes = 0
    return isTaken
  }
}
