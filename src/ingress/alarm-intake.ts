import { Injectable } from '@nestjs/common'
import { type AlarmRefusal, decodeAlarm } from '../codecs/device-json/decode-alarm.js'
import { AppConfig } from '../config/app-config.js'
import { AppError } from '../model/app-error.js'
import type { DeviceId } from '../model/device-id.js'
import { AlarmIngest } from '../pipeline/alarm-ingest.js'

type Taken = Awaited<ReturnType<AlarmIngest['ingest']>>

/** From the JSON body that socket and HTTP units share to the alarm that their acknowledgement is made from. */
@Injectable()
export class AlarmIntake {
  private isStopping = false

  constructor(
    private readonly ingest: AlarmIngest,
    private readonly config: AppConfig,
  ) {}

  /** From now on everything new is answered `overloaded`; what is under way is finished. */
  stop(): void {
    this.isStopping = true
  }

  /**
   * @throws AppError `invalid_request` | `unknown_alarm_type` | `invalid_file_name` | `overloaded`, or what {@link AlarmIngest.ingest} throws
   */
  async take(body: unknown, deviceId: DeviceId, ingress: string): Promise<Taken> {
    if (this.isStopping) throw new AppError('overloaded', 'The server is stopping', { retryAfterMs: 1000 })
    const context = { deviceId, receivedAtMs: Date.now(), maxFiles: this.config.ALARM_MAX_FILES }
    const { alarm, refusal } = decodeAlarm(body, context)
    if (refusal !== undefined) throw toError(refusal)
    return this.ingest.ingest(alarm, ingress)
  }
}

function toError({ code, errors }: AlarmRefusal): AppError {
  const words = errors.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; ')
  return new AppError(code, words, { errors })
}
