import { Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common'
import { AppConfig } from '../config/app-config.js'
import { AuditRecords } from '../storage/sql/audit-records.js'
import { DeviceRecords } from '../storage/sql/device-records.js'
import { IdempotencyRecords } from '../storage/sql/idempotency-records.js'
import { UserRecords } from '../storage/sql/user-records.js'
import { IDEMPOTENCY_KEY_MS } from './idempotency.interceptor.js'
import { KNOWN_ADDRESS_MS } from './known-addresses.js'

const HOUR_MS = 3_600_000
const DAY_MS = 86_400_000

/** Removes what identity no longer needs, hourly; at the start, gives back idempotency keys that a killed process held. */
@Injectable()
export class Upkeep implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new Logger('upkeep')
  private timer: NodeJS.Timeout | undefined

  constructor(
    private readonly config: AppConfig,
    private readonly users: UserRecords,
    private readonly devices: DeviceRecords,
    private readonly keys: IdempotencyRecords,
    private readonly audit: AuditRecords,
  ) {}

  async onModuleInit(): Promise<void> {
    const released = await this.keys.releaseRunning(Date.now())
    if (released > 0) this.logger.warn({ event: 'idempotency_keys_released', count: released })
    this.timer = setInterval(() => void this.removeOld(), HOUR_MS)
    this.timer.unref()
  }

  onModuleDestroy(): void {
    clearInterval(this.timer)
  }

  /** Never throws: what cannot be removed now is removed the next hour. */
  async removeOld(nowMs: number = Date.now()): Promise<void> {
    const { AUDIT_RETENTION_DAYS } = this.config
    try {
      await this.keys.removeOlderThan(nowMs - IDEMPOTENCY_KEY_MS)
      // A day longer than they are good for, so that a refresh token that comes late is still told apart from an unknown one.
      await this.users.removeSessions(nowMs - DAY_MS)
      await this.devices.forgetAddresses(nowMs - KNOWN_ADDRESS_MS)
      if (AUDIT_RETENTION_DAYS > 0) await this.audit.removeOlderThan(nowMs - AUDIT_RETENTION_DAYS * DAY_MS)
    } catch (error) {
      this.logger.warn({ event: 'upkeep_failed', reason: String(error) })
    }
  }
}
