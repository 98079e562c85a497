import { Injectable } from '@nestjs/common'
import type { TrackerMessage } from '../../codecs/tracker-codec.js'
import { type TrackerArrival, toDelivery } from '../../codecs/tracker-report.js'
import { AppError } from '../../model/app-error.js'
import { DeliveryIngest } from '../../pipeline/delivery-ingest.js'
import { Spool } from '../../pipeline/spool.js'
import { answerTo } from './answer-to.js'

/** From a tracker's message to what is settled of it. */
@Injectable()
export class TrackerIntake {
  private isStopping = false

  constructor(
    private readonly ingest: DeliveryIngest,
    private readonly spool: Spool,
  ) {}

  /** From now on what will be sent again is refused, and the rest kept; what is under way is finished. */
  stop(): void {
    this.isStopping = true
  }

  /**
   * Resolves when every record is stored or refused for good, and every alarm raised (`stored`). May be repeated whole when it failed. Of
   * a sender that waits for no answer it resolves also when all of it is `kept` until that can be done: nothing of that may be
   * acknowledged, though acknowledgements were switched on meanwhile.
   * @param sack the device's acknowledgements are switched on
   * @throws AppError `overloaded` | `store_unavailable` | `disk_full`: nothing may be acknowledged
   */
  async settle(
    message: TrackerMessage,
    arrival: Omit<TrackerArrival, 'receivedAtMs'>,
    sack: boolean,
  ): Promise<'stored' | 'kept'> {
    const delivery = toDelivery(message, { ...arrival, receivedAtMs: Date.now() })
    if (answerTo(message, sack) === undefined) return this.spool.settleOrKeep(delivery)
    if (this.isStopping) throw new AppError('overloaded', 'The server is stopping', { retryAfterMs: 1000 })
    await this.ingest.settle(delivery)
    return 'stored'
  }

  /**
   * Keeps the message of a device that cannot be looked up now, until it can be.
   * @throws AppError `overloaded` | `store_unavailable` | `disk_full`: it is not kept
   */
  async keep(message: TrackerMessage, arrival: Omit<TrackerArrival, 'receivedAtMs'>, address: string): Promise<void> {
    await this.spool.settleOrKeep(toDelivery(message, { ...arrival, receivedAtMs: Date.now() }), { address })
  }
}
