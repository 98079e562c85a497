import { Injectable } from '@nestjs/common'
import { decodePositions } from '../codecs/device-json/decode-positions.js'
import { AppError } from '../model/app-error.js'
import type { DeviceId } from '../model/device-id.js'
import type { IngestOutcome } from '../model/report.js'
import { Ingest } from '../pipeline/ingest.js'

/** From the JSON body that socket and HTTP units share to the outcome that their acknowledgement is made from. */
@Injectable()
export class LocationIntake {
  private isStopping = false

  constructor(private readonly ingest: Ingest) {}

  /** From now on everything new is answered `overloaded`; what is under way is finished. */
  stop(): void {
    this.isStopping = true
  }

  /**
   * @throws AppError at once `invalid_request` | `empty_batch` | `batch_too_large` | `overloaded`, or what {@link Ingest.ingest} throws
   */
  take(body: unknown, deviceId: DeviceId, ingress: string): Promise<IngestOutcome> {
    if (this.isStopping) throw new AppError('overloaded', 'The server is stopping', { retryAfterMs: 1000 })
    const receivedAtMs = Date.now()
    const records = decodePositions(body, deviceId, receivedAtMs)
    if (typeof records === 'string') throw new AppError(records, WHOLE_BODY[records])
    return this.ingest.ingest({
      deviceId,
      ingress,
      receivedAtMs,
      records,
      rawOf: (index) => JSON.stringify(Array.isArray(body) ? body[index] : body) ?? 'null',
    })
  }
}

const WHOLE_BODY = {
  invalid_request: 'Send one position as an object, or an array of 1 to 1000 of them',
  empty_batch: 'The array holds no positions',
  batch_too_large: 'At most 1000 positions go into one event',
}
