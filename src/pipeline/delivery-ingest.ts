import type { DecodedAlarm } from '../model/alarm.js'
import { AppError } from '../model/app-error.js'
import type { Delivery } from '../model/delivery.js'
import type { AlarmIngest } from './alarm-ingest.js'
import type { ConditionEdges } from './condition-edges.js'
import type { Ingest } from './ingest.js'

/** What happens to a message that brings records and alarms at once. */
export class DeliveryIngest {
  constructor(
    private readonly ingest: Pick<Ingest, 'settle'>,
    private readonly alarms: Pick<AlarmIngest, 'ingest'>,
    private readonly edges: ConditionEdges,
  ) {}

  /**
   * Resolves when every record is stored or refused for good, and every alarm raised. May be repeated whole when it failed: what was done
   * of it is found done.
   * @throws AppError `overloaded` | `store_unavailable` | `disk_full`: nothing may be acknowledged
   */
  async settle(delivery: Delivery): Promise<void> {
    const settled = await this.ingest.settle(delivery)
    // Nearly all messages: each further step would be one more promise for every packet.
    if (delivery.alarms.length === 0 && delivery.watched.length === 0) return
    const beginnings = await this.edges.find(delivery, settled)
    await Promise.all([...delivery.alarms, ...beginnings].map((alarm) => this.raise(alarm, delivery.ingress)))
    this.edges.remember(delivery, settled)
  }

  private async raise(alarm: DecodedAlarm, ingress: string): Promise<void> {
    try {
      await this.alarms.ingest(alarm, ingress)
    } catch (error) {
      // It can never be stored and is kept in quarantine: asking for it again would bring the same.
      if (!(error instanceof AppError) || error.code !== 'invalid_request') throw error
    }
  }
}
